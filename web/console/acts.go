package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

type signInView struct {
	base
	Link string
	Next string
}

// showSignIn shows a button, so that a link that is looked at ahead, by a mail
// scanner or a preview, is not used up.
func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	if r2, err := c.signedIn(r); err == nil && r.URL.Query().Get("link") == "" {
		http.Redirect(w, r2, "/", http.StatusSeeOther)
		return
	}
	q := r.URL.Query()
	c.render(w, r, http.StatusOK, "sign-in", signInView{base{Title: "Sign in", Now: c.now()}, q.Get("link"), ownPath(q.Get("next"))})
}

// ownPath keeps a redirect on this origin.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return next
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	if err := intake.Begin(w, r, maxSmall); err != nil {
		c.refuse(w, r, err)
		return
	}
	link := strings.TrimSpace(r.FormValue("link"))
	if u, err := url.Parse(link); err == nil && u.Query().Get("link") != "" {
		link = u.Query().Get("link") // the whole address was pasted
	}
	secret, _, err := c.node.SignIn(r.Context(), link)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: c.cookieName(), Value: secret, Path: "/", HttpOnly: true, Secure: c.o.Secure, SameSite: http.SameSiteLaxMode,
		MaxAge: int((12 * time.Hour).Seconds()),
	})
	redirect(w, r, ownPath(r.FormValue("next")))
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if r, err := c.signedIn(r); err == nil {
		if cookie, err := r.Cookie(c.cookieName()); err == nil {
			if err := c.node.SignOut(r.Context(), cookie.Value); err != nil {
				c.failed(w, r, err)
				return
			}
		}
	}
	http.SetCookie(w, &http.Cookie{Name: c.cookieName(), Path: "/", HttpOnly: true, Secure: c.o.Secure, MaxAge: -1})
	redirect(w, r, "/sign-in")
}

func tierOf(r *http.Request) (abi.Tier, error) {
	t, err := abi.ParseTier(r.FormValue("tier"))
	if err != nil {
		return "", fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
	}
	return t, nil
}

func releaseOf(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.FormValue("release"))
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no release number", problem.ErrBadRequest, r.FormValue("release"))
	}
	return n, nil
}

func appPage(r *http.Request, done string) string {
	return "/apps/" + r.PathValue("app") + "?done=" + done
}

func (c *Console) activate(r *http.Request) (string, error) {
	n, err := releaseOf(r)
	if err != nil {
		return "", err
	}
	tier, err := tierOf(r)
	if err != nil {
		return "", err
	}
	_, err = c.node.Activate(r.Context(), r.PathValue("app"), n, tier, r.FormValue("reason"))
	return appPage(r, "activated"), err
}

func (c *Console) rollBack(r *http.Request) (string, error) {
	tier, err := tierOf(r)
	if err != nil {
		return "", err
	}
	_, err = c.node.RollBack(r.Context(), r.PathValue("app"), tier, r.FormValue("reason"))
	return appPage(r, "rolled"), err
}

func (c *Console) promote(r *http.Request) (string, error) {
	n, err := releaseOf(r)
	if err != nil {
		return "", err
	}
	tier, err := tierOf(r)
	if err != nil {
		return "", err
	}
	_, err = c.node.Promote(r.Context(), r.PathValue("app"), n, tier, r.FormValue("reason"))
	return fmt.Sprintf("/apps/%s/releases/%d?done=asked", r.PathValue("app"), n), err
}

func (c *Console) deleteRelease(r *http.Request) (string, error) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return "", problem.ErrNoSuchPage
	}
	if r.FormValue("sure") == "" {
		return "", fmt.Errorf("%w: check the box if you mean it; a deleted release does not come back", problem.ErrBadRequest)
	}
	return appPage(r, "deleted"), c.node.DeleteRelease(r.Context(), r.PathValue("app"), n)
}

func (c *Console) askAgain(r *http.Request) (string, error) {
	n, err := releaseOf(r)
	if err != nil {
		return "", err
	}
	_, err = c.node.AskAgain(r.Context(), r.PathValue("app"), n, r.FormValue("reason"))
	return fmt.Sprintf("/apps/%s/releases/%d?done=asked", r.PathValue("app"), n), err
}

func (c *Console) decide(r *http.Request) (string, error) {
	verdict := r.FormValue("verdict")
	if verdict != "approve" && verdict != "reject" {
		return "", fmt.Errorf("%w: approve or reject", problem.ErrBadRequest)
	}
	_, err := c.node.Decide(r.Context(), r.PathValue("id"), control.Verdict{Approve: verdict == "approve", Reason: r.FormValue("reason"), Digest: r.FormValue("digest")})
	if verdict == "approve" {
		return "/requests?done=approved", err
	}
	return "/requests?done=rejected", err
}

func (c *Console) withdraw(r *http.Request) (string, error) {
	_, err := c.node.Withdraw(r.Context(), r.PathValue("id"))
	return "/requests?done=withdrawn", err
}

func (c *Console) revokeGrant(r *http.Request) (string, error) {
	done, err := c.node.RevokeGrant(r.Context(), r.PathValue("id"), r.FormValue("reason"), r.FormValue("all") != "")
	if len(done.Still) > 0 || len(done.Default) > 0 {
		q := url.Values{"done": {"still"}, "still": {done.App}, "capability": {done.Capability}}
		for _, tier := range done.Default {
			q.Add("default", string(tier))
		}
		return "/grants?" + q.Encode(), err
	}
	return "/grants?done=revoked", err
}

func (c *Console) shrinkGrant(r *http.Request) (string, error) {
	_, err := c.node.ShrinkGrant(r.Context(), r.PathValue("id"))
	return "/apps/" + url.PathEscape(r.FormValue("app")) + "?done=shrunk#touch", err
}

func (c *Console) setSecret(r *http.Request) (string, error) {
	name := strings.TrimSpace(r.FormValue("name"))
	_, err := c.node.SetSecret(r.Context(), r.PathValue("app"), name, []byte(r.FormValue("value")))
	return appPage(r, "kept"), err
}

func (c *Console) deleteSecret(r *http.Request) (string, error) {
	return appPage(r, "forgotten"), c.node.DeleteSecret(r.Context(), r.PathValue("app"), r.PathValue("name"))
}

// showOnce answers the settings page with a secret that no address may carry.
func (c *Console) showOnce(w http.ResponseWriter, r *http.Request, act access.Act, fill func(*http.Request, *settingsView) error) {
	r, done, err := c.begin(w, r, maxSmall, access.Door(act)...)
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	defer done()
	var secrets settingsView
	if err := fill(r, &secrets); err != nil {
		c.failed(w, r, err)
		return
	}
	name, view, err := c.settings(r)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	v := view.(settingsView)
	v.Secret, v.Link, v.For = secrets.Secret, secrets.Link, secrets.For
	c.render(w, r, http.StatusOK, name, v)
}

func (c *Console) newToken(w http.ResponseWriter, r *http.Request) {
	c.showOnce(w, r, access.ManageTokens, func(r *http.Request, v *settingsView) (err error) {
		days, err := strconv.Atoi(r.FormValue("days"))
		if err != nil || days < 0 || days > 366 {
			return fmt.Errorf("%w: a token lives 1 to 366 days, or 0 for ever", problem.ErrBadRequest)
		}
		t := control.NewToken{Label: r.FormValue("label"), TTL: time.Duration(days) * 24 * time.Hour}
		for _, word := range r.Form["scope"] {
			t.Scopes = append(t.Scopes, access.Scope(word))
		}
		t.Apps = strings.FieldsFunc(r.FormValue("apps"), func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
		v.Secret, _, err = c.node.NewToken(r.Context(), t)
		return err
	})
}

func (c *Console) inviteUser(w http.ResponseWriter, r *http.Request) {
	c.showOnce(w, r, access.ManagePerson, func(r *http.Request, v *settingsView) error {
		v.For = r.FormValue("user")
		path, err := c.node.NewLink(r.Context(), v.For)
		v.Link = c.node.Info(r.Context()).ConsoleURL + path
		return err
	})
}

func (c *Console) revokeToken(r *http.Request) (string, error) {
	return "/settings?done=revoked", c.node.RevokeToken(r.Context(), r.PathValue("id"))
}

func (c *Console) addKey(r *http.Request) (string, error) {
	_, err := c.node.AddKey(r.Context(), control.NewKey{
		PEM: r.FormValue("pem"), Proof: r.FormValue("proof"),
		Challenge: strings.ReplaceAll(r.FormValue("challenge"), "\r\n", "\n"), // as forms send lines
	})
	return "/settings?done=saved", err
}

func (c *Console) deleteKey(r *http.Request) (string, error) {
	return "/settings?done=revoked", c.node.DeleteKey(r.Context(), r.FormValue("hint"))
}

func (c *Console) renameUser(r *http.Request) (string, error) {
	_, err := c.node.RenameUser(r.Context(), r.FormValue("name"), r.FormValue("to"))
	return "/settings?done=user", err
}

func (c *Console) putUser(r *http.Request) (string, error) {
	roles := []access.Role{}
	for _, word := range r.Form["role"] {
		if role := access.Role(word); !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	_, err := c.node.PutUser(r.Context(), r.FormValue("name"), roles, r.FormValue("disabled") != "")
	return "/settings?done=saved", err
}

func (c *Console) createDomain(r *http.Request) (string, error) {
	_, err := c.node.AddHostName(r.Context(), strings.TrimSpace(r.FormValue("host")), strings.TrimSpace(r.FormValue("app")))
	return "/settings?done=saved", err
}

func (c *Console) deleteDomain(r *http.Request) (string, error) {
	return "/settings?done=saved", c.node.DeleteHostName(r.Context(), r.FormValue("host"))
}
