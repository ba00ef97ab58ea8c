package web_test

import (
	"context"
	"testing"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
)

type about struct{ name string }

func (a *about) Info(context.Context) control.Info { return control.Info{Version: a.name} }
func (a *about) Bare(context.Context) control.Info { return control.Info{Version: a.name} }

// TestNeed: a service that is missing, or is a nil pointer, is found before anything is served.
func TestNeed(t *testing.T) {
	type services struct{ Here, There web.About }
	for _, k := range []struct {
		name    string
		s       services
		missing bool
	}{
		{"all", services{&about{}, &about{}}, false},
		{"one missing", services{Here: &about{}}, true},
		{"a nil pointer", services{&about{}, (*about)(nil)}, true},
	} {
		func() {
			defer func() {
				if got := recover() != nil; got != k.missing {
					t.Errorf("%s: panicked: %v", k.name, got)
				}
			}()
			web.Need(k.s)
		}()
	}
}
