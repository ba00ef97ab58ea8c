package scim

import (
	"net/http"
	"strings"
)

// aboutCall is a request about the front door itself.
type aboutCall struct{ *call }

// discovery is what a provider reads about this front door; nil: there is nothing of the name.
func (c aboutCall) discovery(name, id string) endpoint {
	var doc any
	switch {
	case name == "ServiceProviderConfig" && id == "":
		doc = c.config()
	case name == "ResourceTypes":
		doc = pick(id, c.resourceTypes())
	case name == "Schemas":
		doc = pick(id, c.schemas())
	}
	if doc == nil {
		return nil
	}
	return endpoint{http.MethodGet: func() error {
		if c.r.URL.Query().Has("filter") {
			return &fault{http.StatusForbidden, "", "what describes this front door is not filtered"}
		}
		c.write(http.StatusOK, doc)
		return nil
	}}
}

// pick returns the document of an id, or, for "", a list of all; nil if there is none.
func pick(id string, all []map[string]any) any {
	if id == "" {
		return map[string]any{
			"schemas": []string{messageURN + "ListResponse"}, "totalResults": len(all), "startIndex": 1, "itemsPerPage": len(all), "Resources": all,
		}
	}
	for _, doc := range all {
		if strings.EqualFold(doc["id"].(string), id) {
			return doc
		}
	}
	return nil
}

// config says what of the protocol is served.
func (c aboutCall) config() map[string]any {
	is := func(supported bool) map[string]any { return map[string]any{"supported": supported} }
	return map[string]any{
		"schemas": []string{configURN},
		"patch":   is(true), "sort": is(false), "etag": is(true), "changePassword": is(false),
		"bulk":   map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter": map[string]any{"supported": true, "maxResults": mostPage},
		"authenticationSchemes": []map[string]any{{
			"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
			"description": "A token for provisioning, which an operator makes for one provider.",
		}},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": c.base + "/ServiceProviderConfig"},
	}
}

func (c aboutCall) resourceTypes() (all []map[string]any) {
	for _, t := range resources {
		doc := map[string]any{
			"schemas": []string{typeURN}, "id": t.name, "name": t.name, "endpoint": "/" + t.endpoint, "description": t.core.about, "schema": t.core.urn,
			"meta": map[string]any{"resourceType": "ResourceType", "location": c.base + "/ResourceTypes/" + t.name},
		}
		if t.extension != nil {
			doc["schemaExtensions"] = []map[string]any{{"schema": t.extension.urn, "required": false}}
		}
		all = append(all, doc)
	}
	return all
}

func (c aboutCall) schemas() (all []map[string]any) {
	for _, t := range resources {
		all = append(all, t.core.describe(c.base))
		if t.extension != nil {
			all = append(all, t.extension.describe(c.base))
		}
	}
	return all
}
