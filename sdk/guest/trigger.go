package guest

import (
	"strconv"
	"time"

	"github.com/agora-host/agora/abi"
)

// Trigger is what called the app, if it was not a person's request.
type Trigger struct {
	Kind    abi.TriggerKind // cron, webhook or event
	Name    string          // in the manifest; of an event "<app>/<topic>"
	ID      string          // the same when the same thing is delivered again
	Attempt int             // from 1; after a crash of the node a number may come twice
	Time    time.Time       // when it was due, received or published
}

// Trigger tells what called the app. ok is false for a request of a person, who
// cannot pretend: the node takes such headers out of requests.
func (r *Request) Trigger() (t Trigger, ok bool) {
	kind := r.HeaderValue(abi.TriggerHeader)
	if kind == "" {
		return Trigger{}, false
	}
	t = Trigger{Kind: abi.TriggerKind(kind), Name: r.HeaderValue(abi.TriggerNameHeader), ID: r.HeaderValue(abi.EventIDHeader)}
	t.Attempt, _ = strconv.Atoi(r.HeaderValue(abi.AttemptHeader))
	t.Time, _ = time.Parse(time.RFC3339Nano, r.HeaderValue(abi.EventTimeHeader))
	return t, true
}

// Called is a request as a trigger makes it, for an app's tests.
func Called(t Trigger, path, body string) *Request {
	return &Request{abi.Request{
		Method: "POST", Path: path, Host: "app.localhost", Body: []byte(body),
		Header: []abi.Field{
			{Name: abi.AttemptHeader, Value: strconv.Itoa(max(1, t.Attempt))}, {Name: abi.EventIDHeader, Value: t.ID},
			{Name: abi.EventTimeHeader, Value: t.Time.UTC().Format(time.RFC3339Nano)},
			{Name: abi.TriggerHeader, Value: string(t.Kind)}, {Name: abi.TriggerNameHeader, Value: t.Name},
		},
	}}
}
