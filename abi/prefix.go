package abi

import "strings"

// PrefixOf is what a key is counted under: all up to its first separator, one
// of "/:._-", or "" if it has none.
func PrefixOf(key string) string {
	if i := strings.IndexAny(key, "/:._-"); i >= 0 {
		return key[:i+1]
	}
	return ""
}
