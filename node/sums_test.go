package node_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// quotaNamed returns one of the quotas that a person sees of their own, or nil.
func quotaNamed(t *testing.T, c *client.Client, name string) *client.Quota {
	t.Helper()
	all, err := c.Quotas(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(q client.Quota) bool { return q.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// setQuota has an operator set a quota of a person.
func (n *testNode) setQuota(quota, user string, limit int64) {
	n.t.Helper()
	set := client.SetQuota{QuotaOf: client.QuotaOf{User: user}, Limit: limit, Reason: "the disk is dear"}
	if _, err := n.as(ops, access.RoleOperator).SetQuota(n.t.Context(), quota, set); err != nil {
		n.t.Fatal(err)
	}
}

// TestDataOfPerson: what the apps of one person keep, in keys and blobs together, stays within their quota to
// the byte, also where many write at once and where little room is left for what is written over and over.
// Their owner reads in the app's log which quota it was; others' apps write on; what is deleted is room again;
// and when the quota is raised there is more.
func TestDataOfPerson(t *testing.T) {
	n := start(t)
	const limit = 20_000
	roomy := []string{"[capabilities.kv]", "quota = 1000000", "keys = 10000"}
	a := n.relay("one", wasmtest.Relay{Capability: "kv"}, roomy...).link()
	b := n.relay("two", wasmtest.Relay{Capability: "blob"}, "[capabilities.blob]", "quota = 1000000").link()
	ctx, c := t.Context(), n.ada()
	set := func(key string, size int) abi.Errno {
		_, errno := a["set"](ctx, abi.AppendKVSet(nil, key, bytes.Repeat([]byte("x"), size)))
		return errno
	}
	put := func(name string, size int) abi.Errno {
		_, errno := b["put"](ctx, abi.AppendBlobPut(nil, name, bytes.Repeat([]byte("x"), size)))
		return errno
	}
	used := func() int64 {
		if q := quotaNamed(t, c, "data-bytes"); q != nil {
			return q.Used
		}
		return -1
	}
	if got := set("early", 995); got != abi.ErrnoOK || used() != -1 {
		t.Fatalf("before anyone set a quota: %v, %d", got, used())
	}
	n.setQuota("data-bytes", ada, limit)
	n.eventually("what is kept already counts", func() bool { return used() == 1000 })

	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for k := range 3 {
				set(fmt.Sprintf("k%02d%d", i, k), 996)
				put(fmt.Sprintf("b%02d%d", i, k), 996)
			}
		})
	}
	wg.Wait()
	n.eventually("so much as is allowed is kept, and not more", func() bool { return used() == limit })
	if set("more", 1) != abi.ErrnoQuota || put("more", 1) != abi.ErrnoQuota {
		t.Error("there is room beyond the quota")
	}
	log := n.do("GET", n.ConsoleURL()+"/api/v1/apps/one/logs", "", "Authorization", "Bearer "+n.token(ada))
	if !strings.Contains(log.Body, `the quota \"data-bytes\" of the person who owns the app is used up`) || !strings.Contains(log.Body, "agora quotas set data-bytes") {
		t.Errorf("the owner reads %s", log.Body)
	}
	other := manifest("bobs", roomy...)
	p := n.publish(n.as("bob@example.com", access.RoleDeveloper), bytes.ReplaceAll(other, []byte(ada), []byte("bob@example.com")), wasmtest.Relay{Capability: "kv"}.Bytes())
	for _, q := range p.Requests {
		if _, err := n.rex().Decide(ctx, q.ID, true, "fine"); err != nil {
			t.Fatal(err)
		}
	}
	bobs := (&relayed{n, wasmtest.Relay{Capability: "kv"}, p.URL}).link()
	if _, errno := bobs["set"](ctx, abi.AppendKVSet(nil, "k", []byte("v"))); errno != abi.ErrnoOK {
		t.Errorf("another person's app: %v", errno)
	}

	if _, errno := a["delete"](ctx, []byte("early")); errno != abi.ErrnoOK {
		t.Fatalf("nothing can be deleted: %v", errno)
	}
	n.eventually("what was deleted is room", func() bool { return set("again", 895) == abi.ErrnoOK })
	for i := range 20 { // 100 bytes are left, and none is taken
		if got := set("again", 895); got != abi.ErrnoOK && got != abi.ErrnoQuota {
			t.Fatal(got)
		} else if i == 0 {
			continue
		}
		n.eventually("it is written over", func() bool { return set("again", 895) == abi.ErrnoOK })
	}
	n.setQuota("data-bytes", ada, 1<<40)
	n.eventually("there is more", func() bool { return put("more", 5000) == abi.ErrnoOK })
	n.healthy()
}

// TestCompileSecondsOfDay: who had so much compiled today as their quota says gets nothing compiled any more,
// also if no app came of it, and reads who can raise it; releases that are there serve on.
func TestCompileSecondsOfDay(t *testing.T) {
	n := withQuotas(t, "compile-seconds-a-day=3600")
	c := n.ada()
	n.publish(c, described("one"), says("one"))
	if q := quotaNamed(t, c, "compile-seconds-a-day"); q == nil || q.Limit != 3600 || q.From != "start" {
		t.Fatalf("%+v", q)
	}
	n.setQuota("compile-seconds-a-day", ada, 0)
	module := says("two")
	_, err := c.Publish(t.Context(), described("two"), module, signAs(t, c, module), nil)
	overQuota(t, err, "compile-seconds-a-day", 0, 0)
	if p := problemOf(t, err); !strings.Contains(p.Detail, "the disk is dear") || !slices.Contains(p.Remedy.Commands, "agora quotas set compile-seconds-a-day <limit> --reason <why> --user "+ada) {
		t.Errorf("%+v", p)
	}
	if got := n.get(n.AppURL("one")); got.Status != 200 {
		t.Errorf("what is there: %+v", got)
	}
	n.setQuota("compile-seconds-a-day", ada, 100)
	n.publish(c, described("two"), module)
	n.healthy()
}
