package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/access"
)

// TestConsoleTriggers: an owner sees what calls the app, runs, pauses and resumes
// it, and deals with what the app did not take.
func TestConsoleTriggers(t *testing.T) {
	var c clock
	n := start(t, c.set)
	c.node = n
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	text, module := example(t, "relay")
	p := n.publish(n.ada(), text, module)
	n.approveAll(p)
	for _, note := range []string{"hello", "poison"} {
		n.do("POST", p.URL+"notes", "text="+note, "Content-Type", "application/x-www-form-urlencoded")
	}
	eventually(t, "the poison is dead", func() bool {
		c.advance(8 * time.Hour)
		return n.trigger("relay", "relay/note.written").Dead == 1
	})
	link, err := n.Welcome(t.Context(), ada, access.RoleDeveloper)
	if err != nil {
		t.Fatal(err)
	}
	page := n.ConsoleURL() + "/apps/relay"
	step := steps(t, ctx)
	button := func(text string) chromedp.Action[chromedp.Void] {
		return chromedp.Click(chromedp.Search(`//section[@id="triggers"]//button[text()="` + text + `"]`))
	}
	said := func(text string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "` + text + `")]`))
	}
	step("triggers-0-sign-in", chromedp.Navigate(link), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="Apps"]`)))
	step("triggers-1-app", chromedp.Navigate(page), chromedp.WaitVisible(chromedp.Search(`//h3[text()="1 dead letter"]`)), chromedp.WaitVisible(chromedp.Search(`//section[@id="triggers"]//code[text()="poison"]`)))
	done := n.trigger("relay", "digest").Done
	step("triggers-2-run", button("Run now"), said("Begun"))
	eventually(t, "it ran", func() bool { return n.trigger("relay", "digest").Done == done+1 })
	step("triggers-3-paused", button("Pause"), said("Paused"), chromedp.WaitVisible(chromedp.Search(`//section[@id="triggers"]//span[text()="paused"]`)))
	if tr := n.trigger("relay", "digest"); !tr.Paused || tr.PausedBy != ada {
		t.Errorf("%+v", tr)
	}
	step("triggers-4-resumed", button("Resume"), said("Resumed"))
	step("triggers-5-dropped", button("Delete"), said("Forgotten"), chromedp.WaitNotPresent(chromedp.Search(`//h3[contains(., "dead letter")]`)))
	if body := n.get(p.URL).Body; !strings.Contains(body, "hello") {
		t.Errorf("%s", body)
	}
}
