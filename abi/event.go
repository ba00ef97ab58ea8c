package abi

import "time"

// Rev numbers the committed changes of a node's state, from 1, without gaps.
type Rev uint64

// Event is one entry of the revision feed: who did what to which app.
type Event struct {
	Rev     Rev               `json:"rev"`
	Seq     int               `json:"seq"` // within the revision, from 0
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor"`
	Kind    string            `json:"kind"` // "release.published", "request.approved" …
	App     string            `json:"app,omitempty"`
	Subject string            `json:"subject,omitempty"` // release number, request id, grant id
	Detail  map[string]string `json:"detail,omitempty"`
}
