package api

import (
	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

func whyAccess(s *server, c echo.Context) (any, error) {
	q := control.AccessQuestion{Person: arg[string](c, "person"), Act: access.Act(arg[string](c, "act")), On: arg[string](c, "on")}
	return one(s.Access.Why(c.Request().Context(), q))
}

func listGroups(s *server, c echo.Context, p control.Page) (Items[control.Group], error) {
	f := control.GroupFilter{Name: arg[string](c, "name"), Source: arg[string](c, "source"), Person: arg[string](c, "person")}
	return s.Groups.List(c.Request().Context(), f, p)
}

func listGroupPeople(s *server, c echo.Context, p control.Page) (Items[control.GroupPerson], error) {
	return s.Groups.People(c.Request().Context(), arg[string](c, "group"), p)
}

func getGroup(s *server, c echo.Context) (any, error) {
	return one(s.Groups.Show(c.Request().Context(), arg[string](c, "group")))
}

func createGroup(s *server, c echo.Context) (any, error) {
	in, err := decode[NameGroup](c)
	if err != nil {
		return nil, err
	}
	return one(s.Groups.Create(c.Request().Context(), in.Name))
}

func renameGroup(s *server, c echo.Context) (any, error) {
	in, err := decode[NameGroup](c)
	if err != nil {
		return nil, err
	}
	return one(s.Groups.Rename(c.Request().Context(), arg[string](c, "group"), in.Name))
}

func deleteGroup(s *server, c echo.Context) (any, error) {
	return nil, s.Groups.Delete(c.Request().Context(), arg[string](c, "group"))
}

func addToGroup(s *server, c echo.Context) (any, error) {
	return one(s.Groups.Add(c.Request().Context(), arg[string](c, "group"), arg[string](c, "name")))
}

func removeFromGroup(s *server, c echo.Context) (any, error) {
	return one(s.Groups.Remove(c.Request().Context(), arg[string](c, "group"), arg[string](c, "name")))
}
