package contexts

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What is wrong with a name.
var (
	ErrNotFound = errors.New("there is no such context")
	ErrExists   = errors.New("a context of this name exists")
	ErrBadName  = errors.New("this is no name of a context")
)

// Context is a node, and as whom to speak to it.
type Context struct {
	Name    string    `json:"name"`
	URL     string    `json:"url"`
	User    string    `json:"user,omitempty"`
	Token   string    `json:"token,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // of the token; zero if that is not known, or never
	Data    string    `json:"data,omitempty"`   // the data directory of a demo node of this machine
}

// File is what is kept.
type File struct {
	Current  string    `json:"current,omitempty"`
	Contexts []Context `json:"contexts"`
}

// validName is what can stand in a command line without quotes.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._:+-]{0,99}$`)

func checkName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%w: %q; use letters, digits and @ . _ : + -, at most 100", ErrBadName, name)
	}
	return nil
}

// Find returns the context of a name.
func (f *File) Find(name string) (Context, error) {
	if i := f.index(name); i >= 0 {
		return f.Contexts[i], nil
	}
	if len(f.Contexts) == 0 {
		return Context{}, fmt.Errorf("%w: %q; none is known yet", ErrNotFound, name)
	}
	return Context{}, fmt.Errorf("%w: %q; there are %s", ErrNotFound, name, strings.Join(f.Names(), ", "))
}

func (f *File) index(name string) int {
	return slices.IndexFunc(f.Contexts, func(c Context) bool { return c.Name == name })
}

// Names are the names of all contexts, in the order in which they were made.
func (f *File) Names() []string {
	names := make([]string, len(f.Contexts))
	for i, c := range f.Contexts {
		names[i] = c.Name
	}
	return names
}

// For returns the context of a node: the current one if it is for that node, or else the only
// one. Of several, none is returned.
func (f *File) For(node string) (Context, bool) {
	var found []Context
	for _, c := range f.Contexts {
		if !SameNode(c.URL, node) {
			continue
		}
		if c.Name == f.Current {
			return c, true
		}
		found = append(found, c)
	}
	if len(found) != 1 {
		return Context{}, false
	}
	return found[0], true
}

// Use makes a context current.
func (f *File) Use(name string) error {
	c, err := f.Find(name)
	if err == nil {
		f.Current = c.Name
	}
	return err
}

// Put adds a context. One of the same node and user, by its name if one is asked for, gets the
// new token; any other is left as it is: a name that is taken for another node or user is
// ErrExists. Without a name, the context gets one that is free. Put returns the name.
func (f *File) Put(c Context) (string, error) {
	same := func(o Context) bool {
		return SameNode(o.URL, c.URL) && o.User == c.User && (c.Name == "" || o.Name == c.Name)
	}
	if i := slices.IndexFunc(f.Contexts, same); i >= 0 {
		c.Name, c.Data = f.Contexts[i].Name, f.Contexts[i].Data
		f.Contexts[i] = c
		return c.Name, nil
	}
	if c.Name == "" {
		c.Name = f.free(c)
	}
	return c.Name, f.add(c)
}

// PutDemo adds the context of a demo node, which its data directory identifies: its address may be
// another each time that it starts. It becomes current only if there was none at all.
func (f *File) PutDemo(c Context) (string, error) {
	mine := func(o Context) bool {
		return o.Data == c.Data || (o.Data == "" && o.Name == demoName && o.User == c.User && SameNode(o.URL, c.URL))
	}
	if i := slices.IndexFunc(f.Contexts, mine); i >= 0 {
		c.Name = f.Contexts[i].Name
		f.Contexts[i] = c
		return c.Name, nil
	}
	c.Name = demoName
	for n := 2; f.index(c.Name) >= 0; n++ {
		c.Name = fmt.Sprintf("%s-%d", demoName, n)
	}
	first := len(f.Contexts) == 0
	if err := f.add(c); err != nil {
		return "", err
	}
	if first {
		f.Current = c.Name
	}
	return c.Name, nil
}

// demoName is what the context of a demo node is called.
const demoName = "demo"

func (f *File) add(c Context) error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	if i := f.index(c.Name); i >= 0 {
		o := f.Contexts[i]
		return fmt.Errorf("%w: %q is for %s as %s, and stays so", ErrExists, c.Name, o.URL, cmp.Or(o.User, "an unnamed user"))
	}
	f.Contexts = append(f.Contexts, c)
	return nil
}

// free is a name for a context that was given none: its node's host, or user@host.
func (f *File) free(c Context) string {
	host := c.URL
	if u, err := url.Parse(c.URL); err == nil && u.Host != "" {
		host = u.Host
	}
	host = unnameable.ReplaceAllString(host, "-")
	who, _, _ := strings.Cut(c.User, "@")
	names := []string{host}
	if who = unnameable.ReplaceAllString(who, "-"); who != "" {
		names = append(names, who+"@"+host)
	}
	for _, name := range names {
		if f.index(name) < 0 && checkName(name) == nil {
			return name
		}
	}
	for n := 2; ; n++ {
		if name := fmt.Sprintf("node-%d", n); f.index(name) < 0 {
			return name
		}
	}
}

var unnameable = regexp.MustCompile(`[^A-Za-z0-9._:+-]+`)

// Rename gives a context another name.
func (f *File) Rename(from, to string) error {
	if _, err := f.Find(from); err != nil {
		return err
	}
	if err := checkName(to); err != nil {
		return err
	}
	if from != to && f.index(to) >= 0 {
		return fmt.Errorf("%w: %q; delete it first, or choose another name", ErrExists, to)
	}
	f.Contexts[f.index(from)].Name = to
	if f.Current == from {
		f.Current = to
	}
	return nil
}

// Delete forgets a context. If it was current, none is.
func (f *File) Delete(name string) error {
	if _, err := f.Find(name); err != nil {
		return err
	}
	f.Contexts = slices.Delete(f.Contexts, f.index(name), f.index(name)+1)
	if f.Current == name {
		f.Current = ""
	}
	return nil
}

// SameNode reports whether two addresses lead to one node, in whatever spelling.
func SameNode(a, b string) bool { return origin(a) == origin(b) }

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port
}
