package console

import (
	"net/http"

	"github.com/agora-host/agora/web"
)

// doneWords are what a page says after an act: the address carries the key only.
var doneWords = map[string]string{
	"published":        "Your release is published, and the sandbox serves it.",
	"waiting":          "Your release is stored. It serves once a reviewer has decided about what it asks for.",
	"activated":        "The tier serves that release now.",
	"rolled":           "Rolled back.",
	"deleted":          "The release is deleted.",
	"suspended":        "Suspended. The app serves nothing until it is resumed.",
	"deleting":         "The app has stopped, and will be removed. Until then you can undo this.",
	"undeleted":        "The deletion is undone.",
	"offered":          "Offered. The app stays yours until it is accepted.",
	"user":             "Renamed. What was theirs stays theirs, under the new name.",
	"handed":           "Handed over.",
	"ended":            "The offer is ended.",
	"renamed":          "The title is changed. Change it in agora.toml, too: the next release brings the one of its manifest.",
	"asked":            "Asked. A reviewer decides.",
	"approved":         "Approved.",
	"scheduled":        "Approved. It starts at its time, if all that it was approved for still holds.",
	"voted":            "Your vote counts. Others have to approve it, too.",
	"rejected":         "Rejected.",
	"withdrawn":        "Taken back.",
	"changes":          "Asked. It waits for its requester, who was told.",
	"written":          "Written.",
	"answered":         "Answered. It is the reviewers' turn.",
	"still":            "Revoked. The app may still use it.",
	"revoked":          "Revoked. It holds no more, from this moment.",
	"broken":           "It holds now. Reviewers, operators and the owners are told; a reviewer has to decide about it.",
	"certified":        "Certified. Its owners are told.",
	"shrunk":           "Shrunk. What was taken off has to be asked for again.",
	"kept":             "The secret is set. The app's next call reads it, if it was granted.",
	"forgotten":        "The secret is deleted.",
	"opened":           "Saved. It holds from this moment, for people who have the app open, too.",
	"admitted":         "Let in. The app opens for them now.",
	"turned":           "Refused. They read it at the app's address.",
	"shared":           "Saved. Its owners are listed above.",
	"made":             "Made. Put people into it.",
	"joined":           "Put in. It holds from their next request.",
	"left":             "Taken out. It holds from their next request.",
	"ungrouped":        "The group is deleted.",
	"machine":          "Made. Give it a token, or have a pipeline get one by a rule.",
	"machineless":      "The service account is deleted. All its tokens have ended.",
	"saved":            "Saved.",
	"allowed":          "Saved. It holds from this moment; what is there already stays.",
	"linked":           "Linked. The provider finds the person when it tries again.",
	"paused":           "Paused. What comes meanwhile waits.",
	"resumed":          "Resumed.",
	"begun":            "Begun. What becomes of it stands beside the trigger and in the log.",
	"resent":           "On its way again.",
	"connected":        "Connected. You can sign in with this account from now on.",
	"disconnected":     "Disconnected. Sessions that began with that account have ended.",
	"login":            "Confirmed. The program has its token within seconds; you can close this page.",
	"denied":           "Refused. The program gets nothing.",
	"elsewhere":        "Signed out there. What was open ends within seconds.",
	"away":             "Saved. Requests about which you could vote say then that you are away.",
	"delegated":        "Saved. They are told, and vote as themselves in your place then.",
	"undelegated":      "Ended. Votes that were cast by it in open requests do not count any more.",
	"dropped":          "Forgotten.",
	"maintained":       "The app is in maintenance. It serves as before.",
	"unmaintained":     "The maintenance is ended.",
	"quarantined":      "Quarantined. The app serves nothing, and stays as it is until that ends.",
	"unquarantined":    "The quarantine is ended. The app is what it was before.",
	"exempted-no-more": "Revoked. The rule applies again the next time that it is asked.",
}

// doneCookie carries what an act did to the next page, which says it once.
const doneCookie = "agora_done"

// doneOf is the key of what the act before this page did; "" for none.
func doneOf(r *http.Request) string {
	if c, err := r.Cookie(doneCookie); err == nil && doneWords[c.Value] != "" {
		return c.Value
	}
	return ""
}

// sayOnce takes what was done out of a page's address, where it would be said again by reloading
// and to whoever is sent the address. The page says it if the console itself led there.
func (f *frame) sayOnce(w http.ResponseWriter, r *http.Request) {
	to := *r.URL
	q := to.Query()
	if key := q.Get("done"); doneWords[key] != "" && ledHere(r) {
		http.SetCookie(w, &http.Cookie{Name: doneCookie, Value: key, Path: "/", MaxAge: 60, HttpOnly: true, Secure: f.o.Secure, SameSite: http.SameSiteLaxMode})
	}
	q.Del("done")
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.RequestURI(), http.StatusSeeOther)
}

// ledHere reports whether a page of the console led to this one. Browsers that do not say so are
// believed.
func ledHere(r *http.Request) bool {
	return !web.FromElsewhere(r) && r.Header.Get("Sec-Fetch-Site") != "none"
}
