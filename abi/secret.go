package abi

import "regexp"

var secretName = regexp.MustCompile(`\A[a-z][a-z0-9]*(-[a-z0-9]+)*\z`)

// ValidSecretName tells whether a secret can have a name: at most 40 lower-case
// letters, digits and single hyphens, of which the first is a letter.
func ValidSecretName(name string) bool { return len(name) <= 40 && secretName.MatchString(name) }
