package console

import (
	"net/http"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/web"
)

// inbox is the page of what a person is told.
type inbox struct {
	*frame
	kept web.Inbox
}

type inboxView struct {
	base
	Unread   bool // those alone that are not read
	Notices  []control.Notice
	Settings control.NoticeSettings
	Paces    []notices.Pace
	Pages    pager
}

// PaceWords says what a pace means.
func (v inboxView) PaceWords(p notices.Pace) string {
	return map[notices.Pace]string{notices.AtOnce: "at once", notices.Daily: "one mail a day", notices.Off: "no mail"}[p]
}

func (i *inbox) show(r *http.Request) (string, any, error) {
	b, err := i.base(r, "Inbox", "inbox")
	if err != nil {
		return "", nil, err
	}
	v := inboxView{base: b, Unread: r.URL.Query().Get("unread") != "", Paces: notices.Paces()}
	v.Notices, v.Pages, err = listed(r, "notices", shownItems, func(p control.Page) (control.Items[control.Notice], error) {
		return i.kept.Notices(r.Context(), control.NoticeFilter{Unread: v.Unread}, p)
	})
	if err != nil {
		return "", nil, err
	}
	v.Settings, err = i.kept.NoticeSettings(r.Context())
	return "inbox", v, err
}

// open marks a notice as read, and leads to where something can be done about it.
func (i *inbox) open(r *http.Request) (string, error) {
	n, err := i.kept.Notice(r.Context(), r.FormValue("id"))
	if err != nil {
		return "", err
	}
	_, err = i.kept.MarkNotices(r.Context(), control.MarkNotices{IDs: []string{n.ID}, Read: true})
	return n.Path, err
}

func (i *inbox) mark(r *http.Request) (string, error) {
	m := control.MarkNotices{All: r.FormValue("all") != "", Read: r.FormValue("as") == "read"}
	if id := r.FormValue("id"); id != "" {
		m.IDs = []string{id}
	}
	_, err := i.kept.MarkNotices(r.Context(), m)
	return "/inbox", err
}

func (i *inbox) choose(r *http.Request) (string, error) {
	_, err := i.kept.SetNoticeSettings(r.Context(), control.NoticeChoice{
		Mail: notices.Pace(r.FormValue("mail")), Zone: r.FormValue("zone"), Daily: r.FormValue("daily"),
		QuietFrom: r.FormValue("quiet_from"), QuietTo: r.FormValue("quiet_to"),
	})
	return "/inbox?done=saved#choose", err
}
