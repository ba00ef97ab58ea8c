package config

// Get reads a setting, or returns otherwise if there is none.
func Get(key, otherwise string) string {
	value, err := get([]byte(key))
	if err != nil {
		return otherwise
	}
	return string(value)
}
