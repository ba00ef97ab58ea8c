package intake

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/problem"
)

// leastRate is how fast a body has to come, in bytes a second: whoever sends a part of it and
// stalls keeps others from their turn.
const leastRate = 32 << 10

// Begin bounds what is read of a request's body: at most limit bytes, and at a least rate. It
// fails, without reading, if the request says that there are more.
func Begin(w http.ResponseWriter, r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return fmt.Errorf("the body has %d bytes, and the most that is taken here is %d: %w", r.ContentLength, limit, registry.ErrTooLarge)
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	return nil
}

// Held says of a request's body that room for it was taken, for itself or for whoever sends it:
// the front door does not count it once more, and gives its sender up below a higher rate.
func Held(r *http.Request) {
	door.AtLeast(r.Context(), leastRate)
	door.Unheld(r.Context())
}

// Refuse ends the connection once the response is out, so that nothing more of the body is read.
func Refuse(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
}

// Script reads a script.
func Script(r io.Reader) ([]byte, error) {
	code, err := io.ReadAll(io.LimitReader(r, control.MaxScript+1))
	if err != nil {
		return nil, Unreadable(err)
	}
	if len(code) > control.MaxScript {
		return nil, fmt.Errorf("the script has more than %d MiB: %w", control.MaxScript>>20, registry.ErrTooLarge)
	}
	return code, nil
}

// Unreadable is an error about a body as its sender is told: one that is too large is not one
// that is malformed.
func Unreadable(err error) error {
	_, large := errors.AsType[*http.MaxBytesError](err)
	if large || errors.Is(err, storage.ErrUnwritable) || errors.Is(err, registry.ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
}
