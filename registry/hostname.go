package registry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrBadHost: the text is no host name that an app can have.
	ErrBadHost = errors.New("the host name is not valid")
	// ErrNoHost: no one gave this host name to an app.
	ErrNoHost = errors.New("no app has it")
)

// HostName is an address of an app beside the one that its name makes.
type HostName struct {
	Host string    `json:"host"` // as a Host header has it: lower case, with a port if it is not the scheme's own
	App  string    `json:"app"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// CanonicalHost reads a DNS name, perhaps with a port, as a Host header has it.
// Addresses, single labels and wildcards are ErrBadHost.
func CanonicalHost(text string) (string, error) {
	name, port, hasPort := strings.Cut(strings.ToLower(text), ":")
	name = strings.TrimSuffix(name, ".")
	if !strings.Contains(name, ".") {
		return "", fmt.Errorf("%w: %q is no name such as expenses.example.com", ErrBadHost, clip(text, 60))
	}
	return canonicalHost(text, name, port, hasPort)
}

// CheckDomain returns ErrBadHost unless a text is a DNS name in its canonical form, perhaps of one
// label, perhaps with a port, and short enough for names below it.
func CheckDomain(text string) error {
	name, port, hasPort := strings.Cut(text, ":")
	canonical, err := canonicalHost(text, name, port, hasPort)
	if err == nil && (canonical != text || len(name) > 253-64) {
		err = fmt.Errorf("%w: %q is not in its usual form, or too long", ErrBadHost, clip(text, 60))
	}
	return err
}

func canonicalHost(text, name, port string, hasPort bool) (string, error) {
	labels := strings.Split(name, ".")
	if digits := strings.Trim(labels[len(labels)-1], "0123456789") == ""; len(name) > 253 || digits {
		return "", fmt.Errorf("%w: %q is no name such as expenses.example.com", ErrBadHost, clip(text, 60))
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", fmt.Errorf("%w: %q has a part that is no DNS label; write an international name in its xn-- form", ErrBadHost, clip(text, 60))
		}
	}
	if !hasPort {
		return name, nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return "", fmt.Errorf("%w: %q has no port from 1 to 65535", ErrBadHost, clip(text, 60))
	}
	return name + ":" + port, nil
}
