package console

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/sheet"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/web"
)

// usage is the page of what was used, and its exports.
type usage struct {
	*frame
	meter   web.Meter
	books   Books
	samples web.Samples
}

// Books are what usage is made of.
type Books interface {
	// Books says what is wrong with them; nothing, as a rule.
	Books(ctx context.Context) ([]abi.Finding, error)
}

// usageRows is how many rows a page shows, largest first; exports have all.
const usageRows = 100

type usageView struct {
	base
	Scope         scope
	By            string
	Spans         any
	Bys           []string
	Trail         []crumb
	Filters       []crumb
	Before, After string
	Live          bool // the span runs: the page renews itself
	Chart         chart
	Report        metering.Report
	Findings      []abi.Finding // about the books
	Rows          []metering.Row
	Most          uint64 // instructions of the largest row
	Samples       []control.Sample
	Calls         pager  // of those
	API           string // the same report as JSON
	CLI           string // and on the command line
}

// groupBys are what the usage page groups by, most asked for first.
var groupBys = []string{"app", "release", "team", "cost_center", "tier", "trigger"}

func (u *usage) show(r *http.Request) (string, any, error) {
	b, err := u.base(r, "Usage", "usage")
	if err != nil {
		return "", nil, err
	}
	s := readScope(r.URL.Query())
	v := usageView{base: b, Scope: s, By: groupBy(r.URL.Query()), Spans: spans, Bys: groupBys, Trail: s.trail()}
	v.Filters = s.filters(v.By)
	v.Before, v.After = s.near(b.Now)
	query := s.query(b.Now)
	query.By = grouping(v.By)
	v.Live = query.To.IsZero() || query.To.After(b.Now)
	if v.Report, err = u.meter.Usage(r.Context(), query); err != nil {
		return "", nil, err
	}
	if v.Findings, err = u.books.Books(r.Context()); err != nil {
		return "", nil, err
	}
	v.Chart = newChart(v.Report.From, v.Report.To, v.Report.Series, query.Over, s.into(query.Over))
	v.largest()
	if !s.Hour.IsZero() {
		v.Samples, v.Calls, err = listed(r, "samples", usageRows, func(p control.Page) (control.Items[control.Sample], error) {
			return u.samples.Samples(r.Context(), s.App, s.Hour, p)
		})
		if err != nil {
			return "", nil, err
		}
	}
	v.API = "/api/v1/usage?" + exported(v.Report, s, query.By).Encode()
	v.CLI = "agora usage" + flags(v.Report, s) + " --by " + strings.Join(query.By, ",")
	return "usage", v, nil
}

// groupBy reads how the page is grouped.
func groupBy(q url.Values) string {
	if by := q.Get("by"); slices.Contains(groupBys, by) {
		return by
	}
	if q.Get("app") != "" {
		return "release"
	}
	return "app"
}

// grouping is a choice in the words of a query: releases are numbered by app.
func grouping(by string) []string {
	if by == "release" {
		return []string{"app", "release"}
	}
	return []string{by}
}

// largest picks the rows that are shown.
func (v *usageView) largest() {
	v.Rows = slices.DeleteFunc(slices.Clone(v.Report.Rows), func(r metering.Row) bool { return r.Calls == 0 })
	slices.SortStableFunc(v.Rows, func(x, y metering.Row) int { return cmp.Compare(y.Instructions, x.Instructions) })
	v.Rows = v.Rows[:min(len(v.Rows), usageRows)]
	if len(v.Rows) > 0 {
		v.Most = v.Rows[0].Instructions
	}
}

// More is how many rows are not shown.
func (v usageView) More() int {
	used := 0
	for _, r := range v.Report.Rows {
		if r.Calls > 0 {
			used++
		}
	}
	return used - len(v.Rows)
}

// exported is a page's report as the API is asked for it, with fixed times.
func exported(r metering.Report, s scope, by []string) url.Values {
	q := s.values("")
	q.Del("span")
	q.Del("at")
	q.Set("by", strings.Join(by, ","))
	q.Set("from", r.From.Format(time.RFC3339))
	q.Set("to", r.To.Format(time.RFC3339))
	return q
}

func flags(r metering.Report, s scope) string {
	text := " --since " + s.Span
	if s.at() != "" || s.Span == "12mo" {
		text = " --from " + r.From.Format(time.RFC3339) + " --to " + r.To.Format(time.RFC3339)
	}
	for _, f := range [][2]string{{" --app ", s.App}, {" --team ", s.Team}, {" --cost-center ", s.CostCenter}} {
		if f[1] != "" {
			text += f[0] + "'" + strings.ReplaceAll(f[1], "'", `'\\''`) + "'"
		}
	}
	return text
}

// Name is what a row is about.
func (v usageView) Name(row metering.Row) string {
	name := row.Group[v.By]
	switch {
	case v.By == "release" && v.Scope.App != "":
		name = "release " + name
	case v.By == "release":
		name = row.Group["app"] + " · release " + name
	}
	if name == "" {
		return "(none)"
	}
	return name
}

// Into leads to a row alone; "" if the page cannot narrow to it.
func (v usageView) Into(row metering.Row) string {
	s := v.Scope
	switch v.By {
	case "app":
		s.App = row.Group["app"]
	case "team":
		s.Team = row.Group["team"]
	case "cost_center":
		s.CostCenter = row.Group["cost_center"]
	default:
		return ""
	}
	if s == v.Scope || row.Group[v.By] == "" {
		return ""
	}
	return s.link("")
}

// Link is this page with another grouping, or the same that renews itself.
func (v usageView) Link(by string) string { return v.Scope.link(by) }

// CallLink leads to a call of the hour that is shown.
func (v usageView) CallLink(s control.Sample) string {
	return "/calls/" + url.PathEscape(s.ID) + "?" + url.Values{"app": {s.App}, "at": {s.At.UTC().Format(hourLayout)}}.Encode()
}

// ForSpan is this page over another span that ends now.
func (v usageView) ForSpan(key string) string {
	s := v.Scope
	s.Month, s.Day, s.Hour, s.Span = time.Time{}, time.Time{}, time.Time{}, key
	return s.link(v.By)
}

// Export is the address of this page as a file.
func (v usageView) Export(form string) string {
	return "/usage." + form + "?" + v.Scope.values(v.By).Encode()
}

// Share is a row's part of the largest, for a bar of a hundred units.
func (v usageView) Share(row metering.Row) float64 {
	if v.Most == 0 {
		return 0
	}
	return 100 * float64(row.Instructions) / float64(v.Most)
}

// Excel is the address of this page as a file that Excel reads as UTF-8.
func (v usageView) Excel() string { return v.Export("csv") + "&bom=true" }

// fileTime is how a time stands in the name of a file. Usage is kept by the hour.
const fileTime = "2006-01-02T15Z"

// export sends the page's report with all its rows, as a file.
func (u *usage) export(form string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, err := u.signedIn(r)
		if err != nil {
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		query := readScope(r.URL.Query()).query(u.now())
		query.By = grouping(groupBy(r.URL.Query()))
		report, err := u.meter.Usage(r.Context(), query)
		if err != nil {
			u.failed(w, r, err)
			return
		}
		media, write := "application/json", func() error { return json.NewEncoder(w).Encode(report) }
		if form == "csv" {
			media, write = sheet.MediaType, func() error { return report.WriteCSV(w, r.URL.Query().Get("bom") == "true") }
		}
		h := w.Header()
		h.Set("Content-Type", media)
		h.Set("Content-Disposition", "attachment; filename=usage-"+report.From.Format(fileTime)+"-to-"+report.To.Format(fileTime)+"."+form)
		h.Set("Cache-Control", "no-store")
		if err := write(); err != nil && r.Context().Err() == nil {
			u.log.WarnContext(r.Context(), "an export broke off", "err", err)
		}
	}
}
