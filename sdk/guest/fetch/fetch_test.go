//go:build !wasip1

package fetch

import (
	"errors"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
)

// TestStandIn: what stands in for the node behaves as the node does.
func TestStandIn(t *testing.T) {
	Reset()
	Serve("https://api.example.com", abitest.Echo)
	abitest.Fetch(t, "https://api.example.com", world.link())
}

func TestDo(t *testing.T) {
	Reset()
	Serve("https://api.example.com:8443", func(r abi.Request) abi.Response {
		answer := abitest.Echo(r)
		return abi.Response{Status: 201, Header: []abi.Field{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{"was":"` + string(answer.Body) + `"}`)}
	})
	r, err := Post("https://api.example.com:8443/a%2Fb?q=1#there", "text/plain", []byte("x"))
	var said struct{ Was string }
	if err != nil || r.Status != 201 || r.HeaderValue("content-type") != "application/json" || r.JSON(&said) != nil || said.Was != "POST /a%2Fb?q=1 x" {
		t.Errorf("%+v %+v, %v", r, said, err)
	}
	if r, err := Get("https://api.example.com:8443"); err != nil || string(r.Body) != `{"was":"GET /? "}` {
		t.Errorf("%s, %v", r.Body, err)
	}
	for url, want := range map[string]abi.Errno{
		"https://elsewhere.example/":                  abi.ErrnoDenied,
		"https://user@api.example.com:8443/":          abi.ErrnoInvalid,
		"https://api.example.com:8443\\@evil.example": abi.ErrnoInvalid,
		"mailto:somebody":                             abi.ErrnoInvalid,
		"/relative":                                   abi.ErrnoInvalid,
		"":                                            abi.ErrnoInvalid,
	} {
		if _, err := Get(url); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", url, err, want)
		}
	}
}
