package oidc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agora-host/agora/access"
)

// File is how a company's people sign in, in JSON. Keys that are not known are refused.
type File struct {
	Providers []Config `json:"providers"`
	// Rules give roles by the providers' groups.
	Rules []access.GroupRule `json:"rules"`
	// Workloads give the jobs of a CI tokens of service accounts.
	Workloads []access.WorkloadRule `json:"workloads"`
	// Contact is whom people ask who have no role, in words or as a mail address. Default: the
	// operators.
	Contact string `json:"contact"`
}

// maxFile is more than such a file has by far.
const maxFile = 1 << 20

// Load reads and checks a File, and the secrets that it names. What is wrong with it is a
// *FileError, of ErrConfig and access.ErrRule.
func Load(path string) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("read how people sign in: %w", err)
	}
	if len(text) > maxFile {
		return File{}, fmt.Errorf("%w: %s is larger than 1 MiB", ErrConfig, path)
	}
	c := &checker{text: text, at: map[string]int{}}
	var f File
	c.read(&f)
	if len(c.problems) == 0 {
		c.complete(&f, filepath.Dir(path))
	}
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b Problem) int { return a.Line - b.Line })
		return File{}, &FileError{Path: path, Problems: c.problems}
	}
	return f, nil
}

// complete checks what a file says, fills in what it leaves out, and reads the secrets beside it.
func (c *checker) complete(f *File, dir string) {
	if len(f.Providers) == 0 && len(f.Workloads) == 0 {
		c.wrong("providers", fmt.Errorf("%w: there is no provider, and no rule for workloads", ErrConfig))
	}
	var ids []string
	for i := range f.Providers {
		p, path := &f.Providers[i], fmt.Sprintf("providers[%d]", i)
		full, err := p.withDefaults()
		if bad, ok := errors.AsType[*configError](err); ok {
			c.wrong(path+"."+bad.key, err)
		}
		*p = full
		if err := p.readSecret(dir); err != nil {
			c.wrong(path+".client_secret_file", err)
		}
		if slices.Contains(ids, p.ID) {
			c.wrong(path+".id", fmt.Errorf("%w: there are two providers with the id %q", ErrConfig, p.ID))
		}
		ids = append(ids, p.ID)
	}
	for i, r := range f.Rules {
		if err := r.Check(ids); err != nil {
			c.wrong(fmt.Sprintf("rules[%d]", i), err)
		}
	}
	ids = nil
	for i, r := range f.Workloads {
		path := fmt.Sprintf("workloads[%d]", i)
		if err := r.Check(); err != nil {
			c.wrong(path, err)
		}
		if slices.Contains(ids, r.ID) {
			c.wrong(path+".id", fmt.Errorf("%w: there are two rules with the id %q", access.ErrWorkloadRule, r.ID))
		}
		ids = append(ids, r.ID)
	}
}

// readSecret reads the client's secret if it lies in a file.
func (c *Config) readSecret(dir string) error {
	if c.SecretFile == "" {
		return nil
	}
	if c.ClientSecret != "" {
		return fmt.Errorf("%w: provider %q: client_secret and client_secret_file are two ways to say one thing: leave one out", ErrConfig, c.ID)
	}
	path := c.SecretFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: provider %q: read its secret: %w", ErrConfig, c.ID, err)
	}
	if c.ClientSecret = strings.TrimSpace(string(secret)); c.ClientSecret == "" {
		return fmt.Errorf("%w: provider %q: the file of its secret, %s, is empty", ErrConfig, c.ID, path)
	}
	return nil
}
