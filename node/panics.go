package node

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/humanize"
)

// calmly answers a request whose handler panics with a problem, if nothing was answered yet.
// net/http would recover it, too, and break the connection off without a word.
func (h *Node) calmly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &begun{ResponseWriter: w}
		err := h.watch.Do("handler", func() error { next.ServeHTTP(out, r); return nil })
		if err == nil {
			return
		}
		if out.begun {
			// No half of an answer is taken for a whole one.
			panic(http.ErrAbortHandler)
		}
		for name := range w.Header() {
			if name != gateway.InvocationHeader && name != "Connection" { // which is the door's
				w.Header().Del(name)
			}
		}
		if id := w.Header().Get(gateway.InvocationHeader); id != "" {
			h.writeFault(w, r, id, err)
			return
		}
		h.refuse(w, r, err)
	})
}

// begun notes that an answer has begun.
type begun struct {
	http.ResponseWriter
	begun bool
}

func (b *begun) WriteHeader(status int) {
	b.begun = b.begun || status >= 200
	b.ResponseWriter.WriteHeader(status)
}

func (b *begun) Write(p []byte) (int, error) {
	b.begun = true
	return b.ResponseWriter.Write(p)
}

// ReadFrom keeps what net/http can do for files.
func (b *begun) ReadFrom(r io.Reader) (int64, error) {
	b.begun = true
	return io.Copy(b.ResponseWriter, r)
}

func (b *begun) FlushError() error {
	b.begun = true
	return http.NewResponseController(b.ResponseWriter).Flush()
}

// Flush is for those who do not know FlushError.
func (b *begun) Flush() { _ = b.FlushError() }

// Unwrap is for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// checkPanics returns the doctor's line about the node's own code.
func (h *Node) checkPanics() control.Check {
	counts := h.watch.Counts()
	if len(counts) == 0 {
		return control.Check{Name: "panics", OK: true, Detail: "the node's own code has not panicked since its start"}
	}
	var total uint64
	var by []string
	for where, n := range counts {
		total += n
		by = append(by, fmt.Sprintf("%s: %d", where, n))
	}
	slices.Sort(by)
	c := control.Check{Name: "panics", OK: !h.watch.Unwell(), Detail: fmt.Sprintf("%d were recovered since the start (%s): each is a defect, and is in the node's log with its stack", total, strings.Join(by, ", "))}
	if !c.OK {
		c.Detail = "five or more within a minute; " + c.Detail
		c.Remedy = abi.Remedy{
			Summary:  "Find out from the log what causes them, and report it. If it is what triggers deliver, pause the trigger, or start the node with all of them paused.",
			Commands: []string{"agora triggers pause APP KIND NAME", "agora serve --pause-triggers --data " + h.o.DataDir},
		}
	}
	return c
}

// checkTriggers returns the doctor's line about a node that delivers nothing; nil if it does.
func (h *Node) checkTriggers() []control.Check {
	if !h.o.PauseTriggers {
		return nil
	}
	return []control.Check{{Name: "triggers", OK: true, Detail: fmt.Sprintf("paused on this node, which was started with --pause-triggers: %s; restart it without the flag to resume", humanize.Plural(h.Host.Triggers.Waiting(), "delivery waits", "deliveries wait"))}}
}

// sayTriggersPaused says at the start that nothing is delivered, and how that ends.
func (h *Node) sayTriggersPaused() {
	if h.o.PauseTriggers {
		h.log.Warn("triggers are paused: nothing is delivered", "waiting", h.Host.Triggers.Waiting(),
			"remedy", "pause what does harm with agora triggers pause APP KIND NAME, and restart the node without --pause-triggers")
	}
}
