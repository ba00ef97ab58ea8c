package node_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/node"
)

// BenchmarkProvisioning has a provider tell of a company, as directories do it: eight requests at a
// time, one person or group in each. Its metrics are seconds for all, and milliseconds for one.
func BenchmarkProvisioning(b *testing.B) {
	const people, groups, at = 5000, 500, 8
	for range b.N {
		n := start(b, func(o *node.Options) { o.RunOnce() })
		token := n.provider("entra")
		ids := make([]string, people)
		began := time.Now()
		each(people, at, func(i int) {
			got := n.scim("POST", "/Users", token, fmt.Sprintf(`{"userName":"p%d@example.com","externalId":"k%d","active":true,"displayName":"Person %d","name":{"givenName":"P","familyName":"%d"},"emails":[{"value":"p%d@mail.example","type":"work","primary":true}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}}`, i, i, i, i, i))
			if ids[i] = between(got.Body, `"id":"`, `"`); got.Status != 201 {
				b.Error(got.Body)
			}
		})
		b.ReportMetric(time.Since(began).Seconds(), "s/people")
		made := time.Now()
		each(groups, at, func(i int) {
			got := n.scim("POST", "/Groups", token, fmt.Sprintf(`{"displayName":"Group %d","externalId":"g%d"}`, i, i))
			var members []string
			for j := range 50 {
				members = append(members, `{"value":"`+ids[(i*10+j)%people]+`"}`)
			}
			if path := between(got.Body, `"id":"`, `"`); n.scim("PATCH", "/Groups/"+path, token, `{"Operations":[{"op":"add","path":"members","value":[`+strings.Join(members, ",")+`]}]}`).Status != 204 {
				b.Error(got.Body)
			}
		})
		b.ReportMetric(time.Since(made).Seconds(), "s/groups")
		b.ReportMetric(time.Since(began).Seconds(), "s/all")
		one := func(name, method, path, body string) {
			began := time.Now()
			got := n.scim(method, path, token, body)
			if b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms/"+name); got.Status >= 300 {
				b.Errorf("%s: %d %.200s", name, got.Status, got.Body)
			}
		}
		var all []string
		for _, id := range ids {
			all = append(all, `{"value":"`+id+`"}`)
		}
		one("list", "GET", "/Users?count=100&startIndex=4800", "")
		one("list-of-1000", "GET", "/Users?count=1000", "")
		one("groups", "GET", "/Groups?excludedAttributes=members&count=100", "")
		one("groups-with-members", "GET", "/Groups?count=100", "")
		one("by-name", "GET", "/Users?filter=userName+eq+%22P4711@example.com%22", "")
		one("search", "GET", "/Users?filter=name.familyName+eq+%224711%22", "")
		one("5000-members", "PATCH", "/Groups/"+n.firstGroup(token), `{"Operations":[{"op":"add","path":"members","value":[`+strings.Join(all, ",")+`]}]}`)
		one("one-more-is-there", "PATCH", "/Groups/"+n.firstGroup(token), `{"Operations":[{"op":"add","path":"members","value":[`+all[0]+`]}]}`)
		one("one-fewer", "PATCH", "/Groups/"+n.firstGroup(token), `{"Operations":[{"op":"remove","path":"members[value eq \"`+ids[0]+`\"]"}]}`)
		one("read-5000-members", "GET", "/Groups/"+n.firstGroup(token), "")
	}
}

func (n *testNode) firstGroup(token string) string {
	return between(n.scim("GET", "/Groups?count=1&excludedAttributes=members", token, "").Body, `"id":"`, `"`)
}

// each does something n times, some at once.
func each(n, at int, do func(i int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range at {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}
