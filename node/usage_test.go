package node_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/sheet"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
	"github.com/agora-host/agora/store/boltstore"
)

// history fills a data directory with usage, each hour up to now of so many days,
// and seals it, a day at a time. It returns the sum.
func history(tb testing.TB, dir string, apps, days int) (total metering.Usage) {
	tb.Helper()
	s, err := boltstore.Open(filepath.Join(dir, "agora.db"), time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	epochs, err := s.Epochs(tb.Context())
	for _, e := range epochs { // of the node that was here before: nothing more comes from it
		err = errors.Join(err, s.Merge(tb.Context(), metering.Flush{Node: e.Node, Epoch: e.Number, Ended: true}))
	}
	if err != nil {
		tb.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days)
	for d := range days {
		f := metering.Flush{Node: "0123456789abcdef0123456789abcdef", Epoch: 1, Ended: d == days-1, Until: start.AddDate(0, 0, d+1)}
		for h := range 24 {
			hour := start.AddDate(0, 0, d).Add(time.Duration(h) * time.Hour)
			busy := 1 + 9*max(0, 12-abs(h-13)) // people work at noon
			for a := range apps {
				calls := uint64(r.IntN(busy * (1 + a%7)))
				u := metering.Usage{Calls: calls, Counts: metering.Counts{Instructions: calls * 203_000, GuestMicros: calls * 60, HostMicros: calls * 9, MemoryKiBMS: calls * 90, BytesIn: calls * 40, BytesOut: calls * 900}}
				if calls > 40 && r.IntN(6) == 0 {
					u.Errors = map[string]uint64{"trap": calls / 20}
				}
				if a%3 == 0 && calls > 0 {
					u.Uses = []abi.Use{{Capability: "kv", Meter: "reads", N: calls}, {Capability: "kv", Meter: "writes", N: calls / 2}}
				}
				if u.IsZero() {
					continue
				}
				total = total.Add(u)
				f.Cells = append(f.Cells, metering.Cell{Key: metering.Key{Hour: hour, Tags: metering.Tags{
					App: fmt.Sprintf("app-%03d", a), Release: 1 + d*3/days, Tier: "pilot", CostCenter: fmt.Sprint("CC-", 100+a%12), Team: []string{"sales", "finance", "logistics", "hr"}[a%4],
					Owner: ada, Environment: "pilot", Trigger: "http",
				}}, Usage: u})
			}
		}
		if err := s.Merge(tb.Context(), f); err != nil {
			tb.Fatal(err)
		}
		if sealed, err := s.Seal(tb.Context(), f.Until); err != nil || !sealed.Equal(f.Until) {
			tb.Fatalf("sealed to %s, %v; want %s", sealed, err, f.Until)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return total
}

func abs(n int) int { return max(n, -n) }

// seeded is a node with a history: what a first start makes, and usage.
func seeded(tb testing.TB, apps, days int) (*testNode, metering.Usage) {
	tb.Helper()
	dir, total := seed(tb, apps, days)
	return startIn(tb, dir), total
}

func seed(tb testing.TB, apps, days int) (string, metering.Usage) {
	tb.Helper()
	// What a node has sealed cannot be filled any more: it was here before.
	n := start(tb, func(o *node.Options) { o.Now = func() time.Time { return time.Now().AddDate(0, 0, -days-2) } })
	n.stop()
	return n.dir, history(tb, n.dir, apps, days)
}

// TestUsageAddsUp: totals, groups, series, days, hours and CSV of the same span
// say the same.
func TestUsageAddsUp(t *testing.T) {
	n, total := seeded(t, 12, 9)
	c := n.ada()
	from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -9)
	q := client.UsageQuery{From: from, By: []string{"app"}, Over: "day"}
	days, err := c.Usage(t.Context(), q)
	if err != nil || days.Total.Calls != total.Calls || days.Total.Failed() != total.Failed() || len(days.Rows) != 12 || len(days.Series) != 9 {
		t.Fatalf("%v: %d calls, %d rows, %d days; want %d calls", err, days.Total.Calls, len(days.Rows), len(days.Series), total.Calls)
	}
	q.Over, q.By = "hour", []string{"app", "hour"}
	hours, err := c.Usage(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(rows []client.Row) (calls, kv uint64) {
		for _, row := range rows {
			calls += row.Calls
			for _, u := range row.Uses {
				kv += u.N
			}
		}
		return calls, kv
	}
	a, b := sum(days.Rows)
	for name, rows := range map[string][]client.Row{"series": days.Series, "hours by app": hours.Rows, "hours": hours.Series} {
		if x, y := sum(rows); x != a || y != b || a != total.Calls {
			t.Errorf("%s: %d calls and %d uses; want %d, %d", name, x, y, a, b)
		}
	}
	team, err := c.Usage(t.Context(), client.UsageQuery{From: from, Team: "hr"})
	if err != nil || team.Total.Calls == 0 || team.Total.Calls >= total.Calls/2 {
		t.Errorf("one team: %d calls, %v", team.Total.Calls, err)
	}
	raw, err := c.UsageCSV(t.Context(), client.UsageQuery{From: from, By: []string{"app"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil || len(lines) != 13 || lines[0][3] != "calls" || lines[1][3] != fmt.Sprint(days.Rows[0].Calls) {
		t.Errorf("CSV: %v, %v", lines, err)
	}
	if _, err := c.Usage(t.Context(), client.UsageQuery{Over: "week"}); problemOf(t, err).Parameter != "over" {
		t.Errorf("over weeks: %v", err)
	}
}

// TestUsagePages leads a browser from a quarter to the calls of an hour.
func TestUsagePages(t *testing.T) {
	n, _ := seeded(t, 14, 50)
	n.publish(n.ada(), manifest("shop", "title = \"Shop\""), says("one"))
	n.publish(n.ada(), manifest("broken"), wasmtest.App{Code: []byte{wasm.OpUnreachable}}.Bytes())
	now := time.Now().UTC()
	for i := 0; i < 9 || now.Hour() != time.Now().UTC().Hour(); i++ {
		if i == 9 { // the hour turned: once more
			i, now = 0, time.Now().UTC()
		}
		n.get(n.AppURL("shop"))
		if i < 3 {
			n.get(n.AppURL("broken"))
		}
	}
	link, err := n.Welcome(t.Context(), ada, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	step := steps(t, ctx)
	at := func(css, holds string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//%s[contains(., "%s")]`, css, holds)))
	}
	step("usage-1-day", chromedp.Navigate(link), chromedp.WaitVisible(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), at("h1", "Apps"),
		chromedp.Navigate(n.ConsoleURL()+"/usage"), at("td", "shop"))
	step("usage-2-quarter", chromedp.Navigate(n.ConsoleURL()+"/usage?span=90d&by=cost_center"), at("td", "CC-105"))
	step("usage-3-team", chromedp.Navigate(n.ConsoleURL()+"/usage?span=12mo&by=team"), at("td", "logistics"), chromedp.Click(chromedp.Search(`//td/a[text()="logistics"]`)), at("a", "team: logistics"))
	month := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -20)
	step("usage-4-month", chromedp.Navigate(n.ConsoleURL()+"/usage?at="+month.Format("2006-01")), at("nav", month.Format("January 2006")), at("td", "app-006"))
	step("usage-5-date", chromedp.Navigate(n.ConsoleURL()+"/usage?at="+month.Format(time.DateOnly)+"&app=app-006"), at("td", "release "))
	step("usage-6-hour", chromedp.Navigate(n.ConsoleURL()+"/usage?at="+now.Format("2006-01-02T15")), at("h2", "Calls of this hour"), at("td", "shop"))
}

// TestUsageFiles: the console's files need a session, as its pages do.
func TestUsageFiles(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	n.get(n.AppURL("shop"))
	if got := n.get(n.ConsoleURL() + "/usage.csv"); got.Status != http.StatusSeeOther {
		t.Errorf("without a session: %+v", got)
	}
	session := n.session(ada)
	page := n.do("GET", n.ConsoleURL()+"/usage?by=app", "", "Cookie", session)
	for label, mark := range map[string]string{"CSV": "", "CSV for Excel": sheet.BOM} {
		link := regexp.MustCompile(`href="(/usage\.csv[^"]*)" download>` + label + `<`).FindStringSubmatch(page.Body)
		if link == nil {
			t.Fatalf("the page has no link %q: %+v", label, page)
		}
		got := n.do("GET", n.ConsoleURL()+html.UnescapeString(link[1]), "", "Cookie", session)
		if got.Status != 200 || !strings.HasPrefix(got.Body, mark+"from,to,app,calls,") || !strings.Contains(got.Body, "Z,shop,1,0,") || !regexp.MustCompile(`filename=usage-\d{4}-\d\d-\d\dT\d\dZ-to-[^ ]+\.csv$`).MatchString(got.Header.Get("Content-Disposition")) {
			t.Errorf("%s: %+v", label, got)
		}
	}
	if got := n.do("GET", n.ConsoleURL()+"/usage.json", "", "Cookie", session); got.Status != 200 || !strings.Contains(got.Body, `"shop"`) {
		t.Errorf("%+v", got)
	}
}

// TestUsageCSVAsked: the API marks a file for Excel if it is asked to, and understands nothing else.
func TestUsageCSVAsked(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	for query, want := range map[string]string{
		"format=csv": "from,to,calls,", "format=csv&bom=false": "from,to,calls,", "format=csv&bom=true": sheet.BOM + "from,to,calls,", "bom=false": "{",
		"bom=true": "{", "format=csv&bom=1": "/problems/bad-parameter", "format=CSV": "/problems/bad-parameter", "format=xlsx": "/problems/bad-parameter",
	} {
		got := n.do("GET", n.ConsoleURL()+"/api/v1/usage?app=shop&"+query, "", "Authorization", "Bearer "+n.token(ada))
		if !strings.HasPrefix(got.Body, want) && got.Problem.Type != want {
			t.Errorf("%s: %d %q", query, got.Status, got.Body)
		}
	}
}

// scanning is a store that has no days: each hour is read.
type scanning struct{ *boltstore.Store }

func (s scanning) Days(ctx context.Context, app string, from, to time.Time, each func(*metering.Hour)) (metering.Ledger, error) {
	l, err := s.Ledger(ctx, app, from, to)
	for i := range l.Hours {
		each(&l.Hours[i])
	}
	return l, err
}

// BenchmarkUsage measures the usage page over the whole of a history, beside the
// same report from every hour, and over the last day, which is read by the hour. AGORA_USAGE says how many apps and days:
// "1000x90"; the benchmarks' part usage runs it.
func BenchmarkUsage(b *testing.B) {
	apps, days := 30, 10
	if text := os.Getenv("AGORA_USAGE"); text != "" {
		if _, err := fmt.Sscanf(text, "%dx%d", &apps, &days); err != nil {
			b.Fatal(err)
		}
	}
	dir, _ := seed(b, apps, days)
	b.Run("hours", func(b *testing.B) {
		s, err := boltstore.Open(filepath.Join(dir, "agora.db"), time.Now)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		disk, err := journal.Disk(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		m, err := metering.Open(b.Context(), metering.Options{FS: disk, Node: "fedcba9876543210fedcba9876543210", Store: scanning{s}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close(b.Context())
		for b.Loop() {
			if _, err := m.Report(b.Context(), metering.Query{From: time.Now().AddDate(0, 0, -days), By: []string{"app"}, Over: "day"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, span := range map[string]string{"page": fmt.Sprintf("%dd", days), "last day's page": "24h"} {
		b.Run(name, func(b *testing.B) {
			n := startIn(b, dir)
			session := n.session(ada)
			before := cpu()
			for b.Loop() {
				if got := n.do("GET", n.ConsoleURL()+"/usage?span="+span, "", "Cookie", session); got.Status != 200 || !strings.Contains(got.Body, "app-0") {
					b.Fatalf("%d", got.Status)
				}
			}
			b.ReportMetric(float64((cpu()-before).Microseconds())/1e3/float64(b.N), "CPU-ms/op")
		})
	}
}

// cpu is the time that this process spent on a processor.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
