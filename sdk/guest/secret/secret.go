package secret

// Get reads a secret. abi.ErrnoNotFound means that it is not set,
// abi.ErrnoDenied that it is not granted.
func Get(name string) (string, error) {
	value, err := get([]byte(name))
	return string(value), err
}
