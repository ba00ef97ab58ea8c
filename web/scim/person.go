package scim

import (
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// userCall is a request about people.
type userCall struct{ *call }

// personDoc writes a person.
func (c userCall) personDoc(p control.ProvisionedPerson) tree {
	doc := personTree(p.Provisioned)
	doc["schemas"], doc["id"] = []string{userURN}, p.ID
	if doc[enterpriseURN] != nil {
		doc["schemas"] = []string{userURN, enterpriseURN}
	}
	doc["meta"] = c.meta(users, p.ID, p.Created, p.Changed, personVersion(p))
	return doc
}

// personVersion is the entity tag of a person. It is weak: a view of them has it, too.
func personVersion(p control.ProvisionedPerson) string { return "W/" + control.Tag(p.Provisioned) }

func (c *call) meta(t *resource, id string, created, changed time.Time, version string) tree {
	m := tree{
		"resourceType": t.name, "location": c.base + "/" + t.endpoint + "/" + id,
		"created": created.UTC().Format(time.RFC3339Nano), "lastModified": changed.UTC().Format(time.RFC3339Nano),
	}
	if version != "" {
		m["version"] = version
	}
	return m
}

// personTree is what a provider told of a person.
func personTree(p access.Provisioned) tree {
	t := tree{"userName": p.UserName, "active": p.Active}
	for name, v := range map[string]string{"externalId": p.External, "displayName": p.DisplayName, "title": p.Title} {
		putText(t, name, v)
	}
	name := tree{}
	putText(name, "formatted", p.Formatted)
	putText(name, "familyName", p.Family)
	putText(name, "givenName", p.Given)
	if len(name) > 0 {
		t["name"] = name
	}
	var mails []any
	for _, m := range p.Mails {
		mail := tree{}
		putText(mail, "value", m.Value)
		putText(mail, "type", m.Type)
		putText(mail, "display", m.Display)
		mail["primary"] = m.Primary
		mails = append(mails, mail)
	}
	if mails != nil {
		t["emails"] = mails
	}
	company := tree{}
	putText(company, "department", p.Department)
	putText(company, "costCenter", p.CostCenter)
	if p.Manager != "" {
		company["manager"] = tree{"value": p.Manager}
	}
	if len(company) > 0 {
		t[enterpriseURN] = company
	}
	return t
}

func putText(t tree, name, v string) {
	if v != "" {
		t[name] = v
	}
}

// personOf is what a provider tells, read from a resource. Whether the person is active is kept as it
// was where it is not said.
func personOf(t tree, active bool) (access.Provisioned, error) {
	p := access.Provisioned{UserName: str(t, "userName"), External: str(t, "externalId"), Active: active}
	if p.UserName == "" {
		return p, invalidValue("userName is required")
	}
	if is, ok := t["active"].(bool); ok {
		p.Active = is
	}
	name, _ := t["name"].(tree)
	company, _ := t[enterpriseURN].(tree)
	manager, _ := company["manager"].(tree)
	p.Profile = access.Profile{
		DisplayName: str(t, "displayName"), Title: str(t, "title"),
		Formatted: str(name, "formatted"), Family: str(name, "familyName"), Given: str(name, "givenName"),
		Department: str(company, "department"), CostCenter: str(company, "costCenter"), Manager: str(manager, "value"),
	}
	mails, _ := t["emails"].([]any)
	for _, v := range mails {
		m, _ := v.(tree)
		primary, _ := m["primary"].(bool)
		p.Mails = append(p.Mails, access.Mail{Value: str(m, "value"), Type: str(m, "type"), Display: str(m, "display"), Primary: primary})
	}
	return p, nil
}

func str(t tree, name string) string {
	s, _ := t[name].(string)
	return s
}
