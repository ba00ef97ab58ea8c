//go:build !wasip1

package events_test

import (
	"errors"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest/events"
)

func TestInMemory(t *testing.T) {
	events.Published()
	first, err := events.PublishOnce("k", "orders.created", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := events.PublishOnce("k", "orders.created", []byte("2")); again != first || err != nil {
		t.Errorf("the same key: %s, %v", again, err)
	}
	if _, err := events.Publish("No Topic", nil); !errors.Is(err, abi.ErrnoInvalid) {
		t.Errorf("no topic: %v", err)
	}
	if _, err := events.Publish("orders.created", make([]byte, abi.MaxEvent+1)); !errors.Is(err, abi.ErrnoTooLarge) {
		t.Errorf("a large payload: %v", err)
	}
	if all := events.Published(); len(all) != 1 || string(all[0].Payload) != "1" {
		t.Errorf("%+v", all)
	}
}
