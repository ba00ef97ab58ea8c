package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/agora-host/agora/internal/contexts"
)

// configPath is AGORA_CONFIG, or agora/config.json in the user's own place for
// configuration.
func configPath() (string, error) {
	if path := os.Getenv("AGORA_CONFIG"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find your configuration directory: %w (set AGORA_CONFIG to a file)", err)
	}
	return filepath.Join(dir, "agora", "config.json"), nil
}

func readContexts() (contexts.File, error) {
	path, err := configPath()
	if err != nil {
		return contexts.File{}, err
	}
	return contexts.Read(path)
}

func updateContexts(change func(*contexts.File) error) error {
	path, err := configPath()
	if err != nil {
		return err
	}
	return contexts.Update(path, change)
}

// target is the node that this command speaks to, and as whom. Flags win over the environment,
// the environment over the current context; --context leaves the environment aside altogether.
func (c *session) target() (contexts.Context, error) {
	f, err := readContexts()
	if err != nil {
		return contexts.Context{}, err
	}
	if c.context != "" && c.url != "" {
		return contexts.Context{}, usageError("--context and --url both name a node: use one of them")
	}
	var at contexts.Context
	if name := cmp.Or(c.context, os.Getenv("AGORA_CONTEXT"), f.Current); name != "" {
		if at, err = f.Find(name); err != nil {
			return contexts.Context{}, fmt.Errorf("%w: `agora contexts list` lists them", err)
		}
	}
	if c.context == "" {
		at = over(f, at, os.Getenv("AGORA_URL"), os.Getenv("AGORA_TOKEN"))
	}
	at = over(f, at, c.url, c.token)
	switch {
	case at.URL != "":
		return at, nil
	case len(f.Contexts) == 0:
		return at, &exitError{exitNotAllowed, errors.New("you are not logged in: run `agora login URL`, or start a node of your own with `agora up`")}
	}
	return at, &exitError{exitNotAllowed, fmt.Errorf("no context is current: choose one with `agora contexts use NAME`, or name it with --context; there are %s", strings.Join(f.Names(), ", "))}
}

// over puts an address and a token, as far as they are given, in place of a context's. A token is
// for the node that gave it, and does not go to another.
func over(f contexts.File, at contexts.Context, url, token string) contexts.Context {
	if url != "" && !contexts.SameNode(url, at.URL) {
		at, _ = f.For(url)
		at.URL = url
	}
	if token != "" && token != at.Token {
		at.Token, at.User, at.Expires = token, "", time.Time{}
	}
	return at
}
