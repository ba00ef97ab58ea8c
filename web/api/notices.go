package api

import (
	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/control"
)

func listNotices(s *server, c echo.Context, p control.Page) (Items[control.Notice], error) {
	return s.Inbox.Notices(c.Request().Context(), control.NoticeFilter{Unread: arg[string](c, "unread") == "true"}, p)
}

func getNotice(s *server, c echo.Context) (any, error) {
	return one(s.Inbox.Notice(c.Request().Context(), arg[string](c, "id")))
}

func markNotices(s *server, c echo.Context) (any, error) {
	in, err := decode[control.MarkNotices](c)
	if err != nil {
		return nil, err
	}
	return one(s.Inbox.MarkNotices(c.Request().Context(), in))
}

func getNoticeSettings(s *server, c echo.Context) (any, error) {
	return one(s.Inbox.NoticeSettings(c.Request().Context()))
}

func putNoticeSettings(s *server, c echo.Context) (any, error) {
	in, err := decode[control.NoticeChoice](c)
	if err != nil {
		return nil, err
	}
	return one(s.Inbox.SetNoticeSettings(c.Request().Context(), in))
}
