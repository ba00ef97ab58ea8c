package access_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// TestAddingForgetsWhatEnded: to the moment, some at a time and those that ended first; what never
// ends stays.
func TestAddingForgetsWhatEnded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 500, time.UTC)
	tx := memory{users: map[string]access.User{}, credentials: map[string]access.Credential{}}
	for i := range 2500 { // of which the last one ends in an instant
		hash := fmt.Sprintf("%04d", i)
		tx.credentials[hash] = access.Credential{Hash: hash, Expires: now.Add(time.Duration(i-2499)*time.Second + 1)}
	}
	tx.credentials["never"] = access.Credential{Hash: "never"}
	for n, c := range []struct {
		at    time.Time
		left  int    // of those from before
		first string // that is left
	}{{now, 1501, "1000"}, {now, 501, "2000"}, {now, 2, "2499"}, {now.Add(1), 1, "never"}} {
		if err := access.AddCredential(tx, access.Credential{Hash: fmt.Sprint("new ", n), Expires: now.Add(time.Hour)}, c.at); err != nil {
			t.Fatal(err)
		}
		_, is := tx.credentials[c.first]
		if old := len(tx.credentials) - (n + 1); !is || old != c.left {
			t.Errorf("%d: %d old ones are left, want %d; %s is there: %v", n, old, c.left, c.first, is)
		}
	}
}
