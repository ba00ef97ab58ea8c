package console

import "testing"

// TestOpens: the sign-in page names the host that a person is on the way to, and no text that a link brings along.
func TestOpens(t *testing.T) {
	for next, want := range map[string]string{
		"/authorize/continue?host=shop.example.com&state=x": "shop.example.com",
		"/authorize/continue?host=shop.localhost:8080":      "shop.localhost:8080",
		"/requests?host=shop.example.com":                   "",
		"/authorize/continue":                               "",
		"/authorize/continue?host=your%20bank,%20call%20us": "",
		"/authorize/continue?host=%3Cb%3E":                  "",
		"/authorize/continue?host=-":                        "",
		"":                                                  "",
	} {
		if got := (signInView{Next: next}).Opens(); got != want {
			t.Errorf("%s: %q, want %q", next, got, want)
		}
	}
}
