package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/store/logstore"
)

// TestLogPages: API, client and console read back through a log, each line once.
func TestLogPages(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	const written = 1250
	var raw []byte
	for i := range written {
		line, err := json.Marshal(logstore.Line{At: time.Unix(1_770_000_000, int64(i)), App: "shop", Level: "info", Source: "log", Message: fmt.Sprintf("line %d.", i)})
		if err != nil {
			t.Fatal(err)
		}
		raw = append(append(raw, line...), '\n')
	}
	if err := os.WriteFile(filepath.Join(n.dir, "logs", "shop.jsonl"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	token := "Bearer " + n.token(ada, access.RoleDeveloper)
	next, before := "", written
	for pages := 0; ; pages++ {
		got := n.do("GET", n.ConsoleURL()+"/api/v1/apps/shop/logs?limit=500&cursor="+next, "", "Authorization", token)
		page := decoded[control.Items[control.LogLine]](t, got)
		for i, l := range page.Items {
			if want := fmt.Sprintf("line %d.", before-len(page.Items)+i); l.Message != want {
				t.Fatalf("page %d: %q, want %q", pages, l.Message, want)
			}
		}
		if before -= len(page.Items); page.Next == "" {
			break
		}
		next = page.Next
	}
	if before != 0 {
		t.Errorf("%d lines were not met", before)
	}
	for _, bad := range []string{"eA", "no+cursor", strings.Repeat("A", 300)} {
		if got := n.do("GET", n.ConsoleURL()+"/api/v1/apps/shop/logs?cursor="+bad, "", "Authorization", token); got.Status != http.StatusBadRequest {
			t.Errorf("cursor %q: %d", bad, got.Status)
		}
	}
	for limit, want := range map[int]int{0: written, 7: 7, 1100: 1100} {
		lines, err := n.ada().Logs(t.Context(), "shop", limit)
		if err != nil || len(lines) != want || lines[0].Message != fmt.Sprintf("line %d.", written-want) || lines[want-1].Message != fmt.Sprintf("line %d.", written-1) {
			t.Errorf("the client reads %d of %d: %v", len(lines), want, err)
		}
	}
	me := browsing{n, n.session(ada, access.RoleDeveloper)}
	older := regexp.MustCompile(`href="([^"]+)" rel="next">Older lines`)
	body := me.page("/apps/shop")
	for last := written - 1; ; {
		shown := regexp.MustCompile(`line (\d+)\.`).FindAllStringSubmatch(body, -1)
		if len(shown) == 0 || shown[len(shown)-1][1] != fmt.Sprint(last) {
			t.Fatalf("the page that ends with line %d: %v", last, shown)
		}
		link := older.FindStringSubmatch(body)
		if last -= len(shown); link == nil {
			if last != -1 {
				t.Errorf("no page leads to line %d", last)
			}
			break
		}
		path, _, _ := strings.Cut(strings.ReplaceAll(link[1], "&amp;", "&"), "#")
		body = me.page(path)
	}
	if !strings.Contains(body, ">Newest lines</a>") {
		t.Error("no link leads back")
	}
	if got := n.do("GET", n.ConsoleURL()+"/apps/shop?log=eA", "", "Cookie", me.cookie); got.Status != http.StatusBadRequest {
		t.Errorf("a page with a damaged cursor: %d", got.Status)
	}
}
