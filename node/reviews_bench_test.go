package node_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// BenchmarkReviews measures what a reviewer waits for where 10,000 apps, 5,000 people and 1,000 open requests are:
// lists, searches and the page of one release, whole answers of the API and the console; and how long after a
// decision the first request at the app's address finds what it did. Its metrics are milliseconds, of the median and the slowest.
func BenchmarkReviews(b *testing.B) {
	n := start(b)
	if err := n.FillReviews(b.Context(), 10_000, 1000, 5000); err != nil {
		b.Fatal(err)
	}
	cookie := n.session("sue@example.com", access.RoleReviewer, access.RoleAuditor)
	token := "Bearer " + n.token("sue@example.com", access.RoleReviewer, access.RoleAuditor)
	api := n.ConsoleURL() + "/api/v1"
	for name, url := range map[string]string{
		"requests":       api + "/requests?status=open",
		"requests-mine":  api + "/requests?mine=true",
		"requests-late":  api + "/requests?overdue=true",
		"requests-of-it": api + "/requests?app=app-700",
		"apps":           api + "/apps",
		"apps-search":    api + "/apps?q=sales+77",
		"users":          api + "/users?name=p47",
		"grants":         api + "/grants",
		"briefing":       api + "/apps/app-700/releases/2/briefing",
		"inbox-page":     n.ConsoleURL() + "/requests?mine=true",
		"review-page":    n.ConsoleURL() + "/requests?app=app-700&release=2",
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				got := n.do(http.MethodGet, url, "", "Cookie", cookie, "Authorization", token)
				if took = append(took, time.Since(began)); got.Status != http.StatusOK {
					b.Fatalf("%d %.300s", got.Status, got.Body)
				}
			}
			report(b, took)
		})
	}
	b.Run("decision-to-effect", func(b *testing.B) {
		rex, maker := n.rex(), n.ada()
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			name := fmt.Sprintf("real-%d", i)
			n.publish(maker, manifest(name, "title = \"Real\"\ndescription = \"Answers.\""), says(name))
			q, err := maker.Promote(b.Context(), name, 1, abi.TierPilot, "ready")
			if err != nil {
				b.Fatal(err)
			}
			url := n.AppURL("pilot--" + name)
			began := time.Now()
			if _, err := rex.DecideRelease(b.Context(), name, 1, client.ReleaseVerdict{Verdict: client.Verdict{Approve: true}}); err != nil {
				b.Fatal(q.ID, err)
			}
			for got := n.get(url); got.Status != http.StatusOK; got = n.get(url) {
				if time.Since(began) > 10*time.Second {
					b.Fatal(got.Status)
				}
			}
			took = append(took, time.Since(began))
		}
		report(b, took)
	})
}

// report says the median and the slowest, in milliseconds.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}
