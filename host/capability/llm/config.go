package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is which models a node has, in JSON. Unknown keys are refused.
type Config struct {
	Upstreams []Upstream `json:"upstreams"`
	Models    []Model    `json:"models"`
}

// Upstream is a server that speaks OpenAI's chat completions.
type Upstream struct {
	Name    string `json:"name"`
	BaseURL string `json:"base_url"` // up to and with "/v1"
	// KeyFile holds the API key, alone. It is read when the node starts. A relative
	// path counts from the configuration's directory. "" for none.
	KeyFile string `json:"api_key_file"`
	Timeout string `json:"timeout"` // until the answer begins: "60s", the default

	url     string
	key     string
	timeout time.Duration
}

// Model is a model as apps know it.
type Model struct {
	Name     string `json:"name"`
	Upstream string `json:"upstream"`
	ID       string `json:"id"` // the upstream's name for it
	// Prices of a million tokens, in the node's currency, with at most six digits
	// after the point. A model without prices is refused; 0 is a price.
	Prompt *json.Number `json:"prompt"`
	Cached *json.Number `json:"cached"` // like Prompt if it is left out
	Answer *json.Number `json:"answer"`
	// Context is the most tokens of prompt and response together; 0: not known.
	Context int64 `json:"context"`
	// Classifications of the apps whose data may go there.
	Classifications []string `json:"classifications"`
	// Fallback are models to try, in this order, when this one cannot answer.
	Fallback []string `json:"fallback"`
	// MaxField is how the upstream calls the most tokens of the response:
	// "max_tokens", the default, or "max_completion_tokens".
	MaxField string `json:"max_field"`
	// TakesBack is what of its earlier responses the upstream wants in the history,
	// beside what all do: "reasoning_content", "reasoning" (the same under another
	// name) and "extra_content". Most refuse a request that has any of these.
	TakesBack []string `json:"takes_back"`
	// Reasoning is how many tokens the upstream may spend on reasoning beyond the limit of the
	// answer. They are reserved with each call. 0, the default: its limit includes them.
	Reasoning int64 `json:"reasoning"`

	upstream *Upstream
	price    price
}

// Load reads and checks a configuration. known are the words for a classification.
func Load(path string, known []string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the models: %w", err)
	}
	c, err := parse(text)
	if err == nil {
		err = c.check(filepath.Dir(path), known)
	}
	if err != nil {
		return nil, fmt.Errorf("models in %s: %w", path, err)
	}
	return c, nil
}

func parse(text []byte) (*Config, error) {
	var c Config
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the configuration")
	}
	return &c, nil
}

func (c *Config) check(dir string, known []string) error {
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		if u.Name == "" || c.upstream(u.Name) != u {
			return fmt.Errorf("upstream %q: its name is missing or there twice", u.Name)
		}
		if err := u.check(dir); err != nil {
			return fmt.Errorf("upstream %q: %w", u.Name, err)
		}
	}
	for i := range c.Models {
		m := &c.Models[i]
		if !validName(m.Name) || c.model(m.Name) != m {
			return fmt.Errorf("model %q: its name is there twice, or has other characters than letters, digits and . _ -", m.Name)
		}
		if m.upstream = c.upstream(m.Upstream); m.upstream == nil {
			return fmt.Errorf("model %q: there is no upstream %q", m.Name, m.Upstream)
		}
		if err := m.check(known); err != nil {
			return fmt.Errorf("model %q: %w", m.Name, err)
		}
		for _, name := range m.Fallback {
			if c.model(name) == nil || name == m.Name {
				return fmt.Errorf("model %q: it cannot fall back to %q", m.Name, name)
			}
		}
	}
	return nil
}

func (c *Config) upstream(name string) *Upstream {
	if i := slices.IndexFunc(c.Upstreams, func(u Upstream) bool { return u.Name == name }); i >= 0 {
		return &c.Upstreams[i]
	}
	return nil
}

func (c *Config) model(name string) *Model {
	if i := slices.IndexFunc(c.Models, func(m Model) bool { return m.Name == name }); i >= 0 {
		return &c.Models[i]
	}
	return nil
}

// Classifications are the names of all models, with the classes of data that each
// may see. Without a configuration there are none.
func (c *Config) Classifications() map[string][]string {
	all := map[string][]string{}
	if c != nil {
		for _, m := range c.Models {
			all[m.Name] = m.Classifications
		}
	}
	return all
}

// validName: it stands in manifests, grants and bills, in lists joined by spaces.
func validName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

func (u *Upstream) check(dir string) (err error) {
	base, err := url.Parse(u.BaseURL)
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return errors.New("its base_url is none: write https://api.example.com/v1")
	}
	u.url = strings.TrimSuffix(base.String(), "/") + "/chat/completions"
	if u.timeout = time.Minute; u.Timeout != "" {
		if u.timeout, err = time.ParseDuration(u.Timeout); err != nil || u.timeout <= 0 {
			return fmt.Errorf("its timeout %q is none: write 30s", u.Timeout)
		}
	}
	if u.KeyFile == "" {
		return nil
	}
	path := u.KeyFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read its key: %w", err)
	}
	if u.key = strings.TrimSpace(string(key)); u.key == "" || strings.ContainsFunc(u.key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Errorf("its key in %s is empty, or no key", path)
	}
	return nil
}

func (m *Model) check(known []string) error {
	if m.ID == "" {
		return errors.New("it has no id, by which its upstream knows it")
	}
	if m.Prompt == nil || m.Answer == nil {
		return errors.New("its price is not known: write prompt and answer, for a million tokens; 0 if it costs nothing")
	}
	if m.Cached == nil {
		m.Cached = m.Prompt
	}
	for _, p := range []struct {
		to   *int64
		text json.Number
	}{{&m.price.prompt, *m.Prompt}, {&m.price.cached, *m.Cached}, {&m.price.answer, *m.Answer}} {
		var ok bool
		if *p.to, ok = perToken(p.text); !ok {
			return fmt.Errorf("its price %q is none: write a number from 0 to 1000000 with at most six digits after the point", p.text)
		}
	}
	if len(m.Classifications) == 0 || slices.ContainsFunc(m.Classifications, func(c string) bool { return !slices.Contains(known, c) }) {
		return fmt.Errorf("whose data it may see is missing or not known: write classifications, of %s", strings.Join(known, ", "))
	}
	if m.MaxField == "" {
		m.MaxField = "max_tokens"
	}
	if m.Context < 0 || m.MaxField != "max_tokens" && m.MaxField != "max_completion_tokens" {
		return errors.New("its context is below zero, or its max_field is neither max_tokens nor max_completion_tokens")
	}
	for _, field := range m.TakesBack {
		if !slices.Contains([]string{reasoningContent, reasoningField, extraContent}, field) {
			return fmt.Errorf("its takes_back has %q: write reasoning_content, reasoning or extra_content", field)
		}
	}
	if m.Reasoning < 0 || m.Reasoning > maxTokens {
		return fmt.Errorf("its reasoning is no number of tokens from 0 to %d", maxTokens)
	}
	return nil
}

// What a history may have beside what all models take.
const (
	reasoningContent = "reasoning_content"
	reasoningField   = "reasoning"
	extraContent     = "extra_content"
)

func (m *Model) takesBack(field string) bool { return slices.Contains(m.TakesBack, field) }

// price is what one token costs, in millionths of a millionth of the currency.
type price struct{ prompt, cached, answer int64 }

// perToken turns the price of a million tokens into that of one, exactly.
func perToken(million json.Number) (int64, bool) {
	if len(million) > 20 || strings.ContainsAny(million.String(), "eE") {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(million.String())
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(1_000_000, 1))
	if !r.IsInt() || r.Sign() < 0 || r.Cmp(big.NewRat(1_000_000_000_000, 1)) > 0 {
		return 0, false
	}
	return r.Num().Int64(), true
}
