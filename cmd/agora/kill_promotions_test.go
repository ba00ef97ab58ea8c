package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// TestKillPromotions kills a node while the vote is counted that a promotion waits for. Afterwards the decision is
// there with its grant and its route, or none of the three; and it is there if it was acknowledged. AGORA_KILLS
// says how often.
func TestKillPromotions(t *testing.T) {
	cycles, err := strconv.Atoi(os.Getenv("AGORA_KILLS"))
	if err != nil {
		cycles = 4
	}
	if testing.Short() {
		cycles = 2
	}
	ctx, dir := t.Context(), t.TempDir()
	var asked client.Request // of the cycle before
	var acknowledged bool
	var token string
	whole, none := 0, 0
	for cycle := range cycles + 1 {
		p := launch(t, dir, "--keep-releases", "3")
		ada := signIn(t, p)
		if cycle == 0 {
			publishRelays(t, p, ada)
			token = reviewerToken(t, p, ada)
		} else if promoted(t, ada, asked) {
			whole++
		} else if none++; acknowledged {
			t.Fatalf("cycle %d: %s was acknowledged and is not there", cycle, asked.ID)
		}
		if cycle == cycles {
			p.kill(t)
			break
		}
		rex, err := client.New(p.console, token)
		if err != nil {
			t.Fatal(err)
		}
		// Each release asks for another quota, so that the vote makes a grant, too.
		module := relays["keys"].Bytes()
		bundle, err := sign(ctx, ada, module, "")
		if err != nil {
			t.Fatal(err)
		}
		manifest := "name = \"keys\"\nversion = \"1\"\nowner = \"ada@example.com\"\nteam = \"a\"\ncost_center = \"c\"\ndata_classification = \"internal\"\ndescription = \"Keeps.\"\n" + fmt.Sprintf("[capabilities.kv]\nquota = \"%dKiB\"\n", 64+cycle%900)
		published, err := ada.Publish(ctx, []byte(manifest), module, bundle, nil)
		if err != nil {
			t.Fatal(err)
		}
		if asked, err = ada.Promote(ctx, "keys", published.Release.Number, abi.TierPilot, "ready"); err != nil {
			t.Fatal(err)
		}
		voted := make(chan error, 1)
		go func() {
			_, err := rex.Decide(ctx, asked.ID, true, "")
			voted <- err
		}()
		time.Sleep(time.Duration(rand.IntN(12000)) * time.Microsecond)
		p.kill(t)
		acknowledged = <-voted == nil
	}
	t.Logf("%d promotions: %d whole, %d not there", cycles, whole, none)
}

// reviewerToken is a token of a reviewer.
func reviewerToken(t *testing.T, p *process, ada *client.Client) string {
	t.Helper()
	link, err := ada.Invite(t.Context(), "rex@example.com")
	if err != nil {
		t.Fatal(err)
	}
	anybody, err := client.New(p.console, "")
	if err != nil {
		t.Fatal(err)
	}
	_, rex, err := anybody.SignIn(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	made, err := rex.NewToken(t.Context(), client.NewToken{Label: "votes", Hours: 24, Scopes: []string{"all"}})
	if err != nil {
		t.Fatal(err)
	}
	return made.Secret
}

// promoted reports whether a promotion was decided, and fails unless its decision, its grant and its route agree.
func promoted(t *testing.T, api *client.Client, asked client.Request) bool {
	t.Helper()
	ctx := t.Context()
	q, err := api.Request(ctx, asked.ID)
	if err != nil {
		t.Fatal(err)
	}
	app, err := api.App(ctx, asked.App)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := api.Grants(ctx, asked.App)
	if err != nil {
		t.Fatal(err)
	}
	granted := false
	for _, g := range grants {
		granted = granted || g.Request == asked.ID
	}
	approved, routed := q.Status == "approved", app.Active[abi.TierPilot] == asked.Release
	if approved != routed || approved != granted {
		t.Fatalf("%s of release %d: approved %v, granted %v, routed %v (%v)", asked.ID, asked.Release, approved, granted, routed, app.Active)
	}
	return approved
}
