package abi

import "strings"

// ValidSecretName reports whether a secret can have a name: at most 40 lower-case
// letters, digits and single hyphens, of which the first is a letter.
func ValidSecretName(name string) bool {
	if name == "" || len(name) > 40 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && !strings.Contains(name, "--") && !strings.HasSuffix(name, "-")
}
