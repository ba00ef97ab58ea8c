//go:build !wasip1

package events

import (
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
)

// Event is one that was published.
type Event struct {
	ID, Topic, Key string
	Payload        []byte
}

var published []Event

// Published returns what was published since the last call, for tests.
func Published() []Event {
	all := published
	published = nil
	return all
}

func publish(in []byte) ([]byte, error) {
	topic, key, payload, ok := abi.DecodePublish(in)
	switch {
	case !ok || !abi.ValidTopic(topic):
		return nil, abi.ErrnoInvalid
	case len(payload) > abi.MaxEvent || len(key) > abi.MaxDedupeKey:
		return nil, abi.ErrnoTooLarge
	}
	for _, e := range published {
		if key != "" && e.Key == key {
			return []byte(e.ID), nil
		}
	}
	e := Event{fmt.Sprintf("event-%d", len(published)+1), topic, key, slices.Clone(payload)}
	published = append(published, e)
	return []byte(e.ID), nil
}
