package llm_test

import (
	"strings"
	"testing"
)

// TestConfig: a configuration that could be misread is not read.
func TestConfig(t *testing.T) {
	const (
		up    = `{"name":"one","base_url":"https://api.example.com/v1","api_key_file":"key"}`
		model = `{"name":"small","upstream":"one","id":"m","prompt":0.15,"answer":0.000001,"classifications":["internal"]}`
	)
	with := func(upstreams, models string) string {
		return `{"upstreams":[` + upstreams + `],"models":[` + models + `]}`
	}
	if _, err := load(t, with(up, model)); err != nil {
		t.Fatal(err)
	}
	replace := strings.Replace
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key", replace(with(up, model), `"id"`, `"ids"`, 1), "ids"},
		{"two of them", with(up, model) + "{}", "after"},
		{"an upstream twice", with(up+","+up, model), "twice"},
		{"a model twice", with(up, model+","+model), "twice"},
		{"no such upstream", with("", model), "no upstream"},
		{"no URL", with(replace(up, "https://", "", 1), model), "base_url"},
		{"a user in the URL", with(replace(up, "https://", "https://u:p@", 1), model), "base_url"},
		{"no such key", with(replace(up, `"key"`, `"none"`, 1), model), "read its key"},
		{"an empty key", with(replace(up, `"key"`, `"empty"`, 1), model), "no key"},
		{"a key of two lines", with(replace(up, `"key"`, `"lines"`, 1), model), "no key"},
		{"no duration", with(replace(up, `}`, `,"timeout":"soon"}`, 1), model), "timeout"},
		{"no price", with(up, replace(model, `"prompt":0.15,`, "", 1)), "price is not known"},
		{"no price of answers", with(up, replace(model, `"answer":0.000001,`, "", 1)), "price is not known"},
		{"a price of null", with(up, replace(model, `0.15`, "null", 1)), "price is not known"},
		{"a negative price", with(up, replace(model, `0.15`, "-1", 1)), "price"},
		{"a price that is finer than we count", with(up, replace(model, `0.15`, "0.0000001", 1)), "price"},
		{"an astronomic price", with(up, replace(model, `0.15`, "1e300", 1)), "price"},
		{"for nobody's data", with(up, replace(model, `"internal"`, "", 1)), "classifications"},
		{"for unknown data", with(up, replace(model, `internal`, "secret", 1)), "classifications"},
		{"a name of two words", with(up, replace(model, `"small"`, `"a b"`, 1)), "characters"},
		{"falls back to nobody", with(up, replace(model, `"id"`, `"fallback":["none"],"id"`, 1)), "fall back"},
		{"falls back to itself", with(up, replace(model, `"id"`, `"fallback":["small"],"id"`, 1)), "fall back"},
		{"no id", with(up, replace(model, `"id":"m",`, "", 1)), "no id"},
		{"takes back what there is not", with(up, replace(model, `"id"`, `"takes_back":["audio"],"id"`, 1)), "takes_back"},
		{"reasons for less than nothing", with(up, replace(model, `"id"`, `"reasoning":-1,"id"`, 1)), "reasoning"},
		{"another field", with(up, replace(model, `"id"`, `"max_field":"n","id"`, 1)), "max_field"},
	} {
		if _, err := load(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
