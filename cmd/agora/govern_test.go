package main

import (
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/sdk/client"
)

// TestVotesShown: whose votes a request takes and has is said in its rows, and what a vote has left to
// wait for.
func TestVotesShown(t *testing.T) {
	q := client.Request{
		ID: "req-1", Status: "open", App: "shop", Kind: "promotion", Tier: "production", Release: 1,
		Stages: []client.Stage{{Concern: "security", Need: 2}, {Need: 1, Order: 1}},
		Progress: []client.Tally{
			{Stage: client.Stage{Concern: "security", Need: 2}, Have: 1, Open: true}, {Stage: client.Stage{Need: 1, Order: 1}},
		},
		Votes: []client.Vote{
			{By: "rex@example.com", Concern: "security", Approve: true, Reason: "fine", At: time.Now()},
			{By: "sue@example.com", Concern: "security", Approve: true, At: time.Now(), Void: "the policy has changed since"},
		},
	}
	q.Turn, q.By, q.Thread = "requester", "ada@example.com", []client.Comment{{Kind: "changes", By: "rex@example.com", Text: "less\nmemory", At: time.Now()}, {Kind: "comment", By: "sue@example.com", Text: "yes", At: time.Now()}}
	var shown strings.Builder
	for _, row := range requestRows(q) {
		shown.WriteString(strings.Join(row, "|") + "\n")
	}
	for _, want := range []string{
		"votes|security: 1 of 2\n", "votes|any reviewer: 0 of 1, once the stages before it have theirs\n", "as a reviewer of security: fine\n", "(does not count: the policy has changed since)",
		"turn|its requester's: ada@example.com or an owner", "thread|rex@example.com asked for changes, ", ": less\n|memory\n", "sue@example.com wrote, ",
	} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not in\n%s", want, &shown)
		}
	}
	var said strings.Builder
	if err := showDecided(&said, q); err != nil || !strings.Contains(said.String(), "waits for security: 1 of 2.") {
		t.Errorf("%s, %v", &said, err)
	}
}
