package failpoint

var watcher func(name string)

// Hit marks a place.
func Hit(name string) {
	if watcher != nil {
		watcher(name)
	}
}

// Watch tells f each place that is reached.
func Watch(f func(name string)) { watcher = f }
