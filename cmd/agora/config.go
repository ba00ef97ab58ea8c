package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// login is where the command speaks to, and as whom. Flags win over the
// environment, the environment over the file that `agora login` writes.
type login struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	User  string `json:"user,omitempty"`
}

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

func readLogin() (login, error) {
	path, err := configPath()
	if err != nil {
		return login{}, err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return login{}, nil
	}
	if err != nil {
		return login{}, fmt.Errorf("read your login: %w", err)
	}
	var l login
	if err := json.Unmarshal(raw, &l); err != nil {
		return login{}, fmt.Errorf("read your login in %s: %w (delete the file and log in again)", path, err)
	}
	return l, nil
}

func writeLogin(l login) (path string, err error) {
	if path, err = configPath(); err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("keep your login: %w", err)
	}
	// Written beside and renamed, so that a token is never half there.
	temp := path + ".new"
	if err := os.WriteFile(temp, append(raw, '\n'), 0o600); err != nil {
		return "", fmt.Errorf("keep your login: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return "", fmt.Errorf("keep your login: %w", err)
	}
	return path, nil
}

// target is the login in force for this command.
func (c *cli) target() (login, error) {
	l, err := readLogin()
	if err != nil {
		return login{}, err
	}
	for _, over := range []struct{ url, token string }{
		{os.Getenv("AGORA_URL"), os.Getenv("AGORA_TOKEN")}, {c.url, c.token},
	} {
		if over.url != "" && over.url != l.URL {
			l.URL, l.Token = over.url, "" // a token is for the node that gave it
		}
		if over.token != "" {
			l.Token = over.token
		}
	}
	if l.URL == "" {
		return login{}, &exitError{exitNotAllowed, errors.New("you are not logged in: run `agora login URL`, or start a node of your own with `agora up`")}
	}
	return l, nil
}
