package node_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/node"
)

// again makes the page ask at once.
const again = `dispatchEvent(new Event("online")), true`

// callHello lets an app write as many lines.
func callHello(p page, count int) {
	p.t.Helper()
	for range count {
		if got := p.n.get(p.n.AppURL("hello")); got.Status != 200 {
			p.t.Fatalf("%+v", got)
		}
	}
}

// lively is the page of an app with more lines in its log than are shown at once.
func lively(t *testing.T) page {
	n := start(t)
	text, module := example(t, "hello")
	n.publish(n.ada(), text, module)
	p := browse(t, n)
	callHello(p, 70)
	p.step("app", chromedp.Navigate(n.ConsoleURL()+"/apps/hello"), chromedp.WaitVisible(chromedp.CSS(".log li")))
	return p
}

const atEnd = `(l => l.scrollHeight > l.clientHeight + 50 && l.scrollHeight - l.scrollTop - l.clientHeight < 2)(document.querySelector(".log"))`

// TestLiveLog opens at its newest line, follows while its reader is at the end, and moves nothing, nor
// takes anything away, from a reader further up.
func TestLiveLog(t *testing.T) {
	p := lively(t)
	p.until("it opens at the newest line", atEnd)
	p.is("a keyboard reaches it", `document.querySelector(".log").tabIndex === 0`)
	eval[bool](p, `window.last = document.querySelector(".log li:last-child"), true`)
	callHello(p, 3)
	p.until("new lines come by themselves", `window.last !== document.querySelector(".log li:last-child")`)
	p.is("and are followed", atEnd)
	p.is("lines are the same elements", `window.last.isConnected && [...document.querySelectorAll(".log li")].indexOf(window.last) === document.querySelectorAll(".log li").length - 4`)
	p.is("old ones go", `document.querySelectorAll(".log li").length === 60`)
	eval[bool](p, `(l => { l.scrollTop = 40; window.first = l.firstElementChild; window.top_ = l.firstElementChild.getBoundingClientRect().top; window.last = l.lastElementChild })(document.querySelector(".log")), true`)
	callHello(p, 5)
	eval[bool](p, again)
	p.until("lines come below", `window.last !== document.querySelector(".log li:last-child")`)
	p.is("nothing moves", `document.querySelector(".log").scrollTop === 40 && document.querySelector(".log li") === window.first && window.first.getBoundingClientRect().top === window.top_`)
	callHello(p, 62)
	eval[bool](p, again)
	p.until("lines that were missed are said to be", `document.querySelector(".log .gap")`)
	p.is("nothing moves", `document.querySelector(".log").scrollTop === 40 && document.querySelector(".log li") === window.first`)
	eval[bool](p, `(l => l.scrollTop = l.scrollHeight)(document.querySelector(".log")), true`)
	callHello(p, 1)
	eval[bool](p, again)
	p.until("the end is followed again, and the rest goes", `document.querySelectorAll(".log li").length === 60 && `+atEnd)
}

// TestLiveKeepsItsReader: what is refreshed keeps scroll, focus and what is selected.
func TestLiveKeepsItsReader(t *testing.T) {
	p := lively(t)
	eval[bool](p, `(() => {
		const tile = document.querySelector("#usage .tiles dd"), bar = document.querySelector("#usage .chart a")
		window.scrollTo(0, 300)
		bar.focus({preventScroll: true})
		const line = document.querySelector(".log li:first-child .msg")
		getSelection().selectAllChildren(line)
		Object.assign(window, {tile, bar, line, selected: String(getSelection())})
	})(), true`)
	p.is("something is selected", `window.selected.length > 3 && document.activeElement === window.bar && scrollY === 300`)
	callHello(p, 65)
	eval[bool](p, again)
	p.until("the calls are counted", `document.querySelector("#usage .tiles dd").textContent === "135"`)
	p.is("the selection stays", `String(getSelection()) === window.selected && window.line.isConnected`)
	p.is("the focus stays", `document.activeElement === window.bar && window.bar.isConnected`)
	p.is("the page does not move", `scrollY === 300`)
	p.is("elements stay", `document.querySelector("#usage .tiles dd") === window.tile`)
	// A number that is selected stays until it is let go.
	eval[bool](p, `getSelection().selectAllChildren(window.tile), true`)
	callHello(p, 1)
	eval[bool](p, `window.line = document.querySelector(".log li:last-child"), `+again)
	p.until("the rest goes on", `window.line !== document.querySelector(".log li:last-child")`)
	p.is("what is selected stays", `String(getSelection()).trim() === "135"`)
	eval[bool](p, `getSelection().removeAllRanges(), `+again)
	p.until("and is read again", `window.tile.textContent === "136"`)
	// What other programs of the page make of what is loaded is what is shown.
	eval[bool](p, `document.addEventListener("htmx:load", e => e.detail.elt.querySelector("#usage h2").textContent = "Today"), `+again)
	p.until("another program's change is shown", `document.querySelector("#usage h2").textContent === "Today"`)
	// So it is with the report of usage.
	p.step("usage", chromedp.Navigate(p.n.ConsoleURL()+"/usage"), chromedp.WaitVisible(chromedp.CSS(".numbers td a")))
	eval[bool](p, `window.link = document.querySelector(".numbers td a"), window.link.focus(), getSelection().selectAllChildren(window.link), true`)
	callHello(p, 1)
	eval[bool](p, again)
	p.until("the report goes on", `document.querySelector(".numbers td:nth-child(2)").textContent === "137"`)
	p.is("focus and selection stay", `document.activeElement === window.link && String(getSelection()) === "hello"`)
}

// TestLiveOutlivesItsSession: what is shown stays when the session ends, with a way back here; and
// when the node stops, with a word, until it is there again.
func TestLiveOutlivesItsSession(t *testing.T) {
	p := lively(t)
	addr := p.n.Addr().String()
	p.n.stop()
	eval[bool](p, again)
	p.until("away", `document.querySelector("#connection").textContent.includes("out of reach")`)
	p.is("what was shown stays", `document.querySelectorAll(".log li").length === 60 && document.querySelector("#usage .tiles dd").textContent === "70"`)
	p.step("away")
	p.n = startIn(t, p.n.dir, func(o *node.Options) { o.Listen = addr })
	callHello(p, 1)
	p.until("it goes on by itself", `document.querySelector("#usage .tiles dd").textContent === "71" && !document.querySelector("#connection").textContent`)
	eval[int](p, `fetch("/sign-out", {method: "POST"}).then(r => r.status)`)
	eval[bool](p, again)
	p.until("signed out", `document.querySelector("#connection").textContent.includes("You have been signed out")`)
	p.is("what was shown stays", `document.querySelectorAll(".log li").length === 60 && document.querySelector("#usage .tiles dd").textContent === "71"`)
	link, err := p.n.Welcome(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	p.step("back", chromedp.Click(chromedp.CSS("#connection a")), chromedp.SendKeys(chromedp.CSS("input[name=link]"), link), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.WaitVisible(chromedp.CSS("#usage .tiles")))
	if at := eval[string](p, "location.pathname"); at != "/apps/hello" {
		t.Errorf("signing in leads to %s", at)
	}
	// The search of the catalogue keeps what it found, too.
	p.step("catalogue", chromedp.Navigate(p.n.ConsoleURL()+"/"), chromedp.WaitVisible(chromedp.CSS(".card")))
	eval[int](p, `fetch("/sign-out", {method: "POST"}).then(r => r.status)`)
	p.step("search", chromedp.SendKeys(chromedp.CSS("input[name=q]"), "he"))
	p.until("signed out", `document.querySelector("#connection a")`)
	p.is("the cards stay", `document.querySelectorAll(".card").length === 1`)
	if got := p.n.do("GET", p.n.ConsoleURL()+"/apps/hello", "", "HX-Request", "true"); got.Status != 401 || strings.Contains(got.Body, `id="usage"`) {
		t.Errorf("a program of a page without a session: %d", got.Status)
	}
}
