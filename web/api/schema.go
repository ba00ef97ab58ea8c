package api

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
)

// schema is the part of JSON Schema that the API speaks. What is described is what is checked:
// check.go reads values by the same schemas that the description consists of.
type schema struct {
	Ref             string             `json:"$ref,omitempty"`
	Type            string             `json:"type,omitempty"`
	Format          string             `json:"format,omitempty"`
	ContentEncoding string             `json:"contentEncoding,omitempty"`
	ContentMedia    string             `json:"contentMediaType,omitempty"`
	Enum            []string           `json:"enum,omitempty"`
	Minimum         *int64             `json:"minimum,omitempty"`
	Maximum         *int64             `json:"maximum,omitempty"`
	MinLength       int                `json:"minLength,omitempty"`
	MaxLength       int                `json:"maxLength,omitempty"` // 0: no bound
	Pattern         string             `json:"pattern,omitempty"`
	Default         any                `json:"default,omitempty"`
	Items           *schema            `json:"items,omitempty"`
	Properties      map[string]*schema `json:"properties,omitempty"`
	Required        []string           `json:"required,omitempty"`
	Names           *schema            `json:"propertyNames,omitempty"`
	Other           any                `json:"additionalProperties,omitempty"` // false, or the *schema of every other property
	AnyOf           []*schema          `json:"anyOf,omitempty"`                // for what may be null
}

// enums are the types that have a fixed set of words. TestEnumsAreWhole compares them with the
// constants of each type.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[abi.Tier]():              words(abi.Tiers()...),
	reflect.TypeFor[abi.TriggerKind]():       words(abi.TriggerCron, abi.TriggerWebhook, abi.TriggerEvent),
	reflect.TypeFor[abi.Severity]():          words(abi.SeverityDeny, abi.SeverityReview, abi.SeverityInfo),
	reflect.TypeFor[abi.Interface]():         words(abi.InterfaceV1, abi.InterfaceWASI),
	reflect.TypeFor[access.CredentialKind](): words(access.KindToken, access.KindSession, access.KindLink, access.KindProvisioning, access.KindSignOn, access.KindCode, access.KindApp, access.KindLogin, access.KindSpent),
	reflect.TypeFor[grantType]():             words(grantExchange),
	reflect.TypeFor[subjectType]():           words(subjectJWT, subjectID),
	reflect.TypeFor[requestedType]():         words(accessToken),
	reflect.TypeFor[access.AudienceKind]():   words(access.AudienceKinds()...),
	reflect.TypeFor[access.AccessStatus]():   words(access.AccessOpen, access.AccessGranted, access.AccessRefused),
	reflect.TypeFor[access.Concern]():        words(access.Concerns()...),
	reflect.TypeFor[access.Scope]():          access.ScopeWords(),
	reflect.TypeFor[approvals.Kind]():        words(approvals.KindGrant, approvals.KindPromotion, approvals.KindAudience, approvals.KindExemption),
	reflect.TypeFor[approvals.Status]():      words(approvals.StatusOpen, approvals.StatusScheduled, approvals.StatusApproved, approvals.StatusRejected, approvals.StatusWithdrawn),
	reflect.TypeFor[approvals.Turn]():        words(approvals.TurnReviewers, approvals.TurnRequester),
	reflect.TypeFor[approvals.CommentKind](): words(approvals.CommentPlain, approvals.CommentChanges, approvals.CommentAnswer, approvals.CommentChanged, approvals.CommentSettled),
	reflect.TypeFor[registry.State]():        words(registry.StateActive, registry.StateMaintenance, registry.StateSuspended, registry.StateQuarantined, registry.StateDeleting, registry.StateRemoving, registry.StateRemoved),
	reflect.TypeFor[registry.Authority]():    words(registry.ByOwner, registry.ByReviewer, registry.ByOperator),
	reflect.TypeFor[notices.Pace]():          words(notices.Paces()...),
	reflect.TypeFor[control.Standing]():      words(control.StandsCurrent, control.StandsEarlier, control.StandsOld, control.StandsFlawed, control.StandsUnknown),
	reflect.TypeFor[metering.Durability]():   words(metering.DurabilityProcess, metering.DurabilityPower, metering.DurabilityNode),
}

func words[T ~string](all ...T) (out []string) {
	for _, w := range all {
		out = append(out, string(w))
	}
	return out
}

func integer(least, most int64) *schema {
	return &schema{Type: "integer", Format: "int64", Minimum: &least, Maximum: &most}
}

// schemas makes the schemas of Go types as their JSON forms; named structs become components.
type schemas struct {
	components map[string]*schema
	types      map[string]reflect.Type // by component: no two types may share one
	strict     map[string]bool         // by component: it is a body, of which nothing unknown is taken
}

func newSchemas() *schemas {
	return &schemas{map[string]*schema{}, map[string]reflect.Type{}, map[string]bool{}}
}

const componentPath = "#/components/schemas/"

// resolve is the schema that a reference leads to.
func (d *schemas) resolve(s *schema) *schema {
	for s.Ref != "" {
		s = d.components[strings.TrimPrefix(s.Ref, componentPath)]
	}
	return s
}

var (
	textual = reflect.TypeFor[encoding.TextMarshaler]()
	custom  = reflect.TypeFor[json.Marshaler]()
)

// of describes a type; strict, as a body.
func (d *schemas) of(t reflect.Type, strict bool) *schema {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &schema{Type: "string", Format: "date-time"}
	case t.Implements(textual):
		return &schema{Type: "string"}
	case t.Implements(custom):
		return &schema{} // it says by itself what it is
	case enums[t] != nil:
		return &schema{Type: "string", Enum: enums[t]}
	case t == reflect.TypeFor[access.Role]():
		return &schema{Type: "string", Pattern: roleText}
	}
	switch t.Kind() {
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &schema{Type: "integer", Format: "int64"}
	case reflect.Uint32, reflect.Uint64:
		return &schema{Type: "integer", Minimum: new(int64)}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return &schema{Type: "string", ContentEncoding: "base64", Pattern: base64Text}
		}
		return &schema{Type: "array", Items: d.of(t.Elem(), strict)}
	case reflect.Map:
		s := &schema{Type: "object", Other: d.of(t.Elem(), strict)}
		if words := enums[t.Key()]; words != nil {
			s.Names = &schema{Enum: words}
		}
		return s
	case reflect.Struct:
		return d.component(t, strict)
	}
	return &schema{}
}

// roleText is a role as it is written: a reviewer's with the concern that it is for, and any with the group
// whose apps it is for, by its id or, of one that was made here, by its name.
const roleText = `^(viewer|developer|reviewer(/(security|privacy|finance|platform))?|finance|auditor|operator)(@[^@/]{1,200})?$`

// base64Text is what RFC 4648 calls base64, with its padding.
const base64Text = `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`

// component describes a struct once, under its name.
func (d *schemas) component(t reflect.Type, strict bool) *schema {
	name := componentName(t)
	ref := &schema{Ref: componentPath + name}
	if known, ok := d.types[name]; ok {
		if known != t || d.strict[name] != strict {
			panic("BUG: " + known.String() + " and " + t.String() + " would be one component, or one is a body and a response")
		}
		return ref
	}
	d.types[name], d.strict[name] = t, strict
	s := &schema{Type: "object", Properties: map[string]*schema{}}
	if strict {
		s.Other = false
	}
	d.components[name] = s
	d.fields(t, s, strict)
	return ref
}

func (d *schemas) fields(t reflect.Type, s *schema, strict bool) {
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			d.fields(f.Type, s, strict)
			continue
		}
		if tag == "-" || !f.IsExported() {
			continue
		}
		if tag == "" {
			panic("BUG: " + t.String() + "." + f.Name + " has no name in JSON")
		}
		omitted := strings.Contains(options, "omit")
		p := d.of(f.Type, strict)
		if f.Type.Kind() == reflect.Pointer && !omitted {
			p = &schema{AnyOf: []*schema{p, {Type: "null"}}}
		}
		bound(p, f.Tag.Get("bounds"))
		s.Properties[tag] = p
		if !omitted {
			s.Required = append(s.Required, tag)
		}
	}
}

// bound narrows a schema as a field's tag says: bounds:"min=1,max=9,length=100,pattern=…", of
// which the pattern is the last. Of a map, names=… is the pattern of its keys.
func bound(s *schema, tag string) {
	for tag != "" {
		var key, value string
		key, tag, _ = strings.Cut(tag, "=")
		if key == "pattern" || key == "names" {
			value, tag = tag, ""
		} else {
			value, tag, _ = strings.Cut(tag, ",")
		}
		n, err := strconv.ParseInt(value, 10, 64)
		switch key {
		case "min":
			s.Minimum = &n
		case "max":
			s.Maximum = &n
		case "length":
			s.MaxLength = int(n)
		case "pattern":
			s.Pattern, err = value, nil
		case "names":
			s.Names, err = &schema{Type: "string", Pattern: value}, nil
		default:
			panic("BUG: the bound " + key + " is not known")
		}
		if err != nil {
			panic("BUG: the bound " + key + "=" + value)
		}
	}
}

// componentName is the type's name; a list is named for what it lists.
func componentName(t reflect.Type) string {
	name := t.Name()
	if inner, ok := strings.CutPrefix(name, "Items["); ok {
		inner = strings.TrimSuffix(inner, "]")
		name = "ListOf" + inner[strings.LastIndexByte(inner, '.')+1:]
	}
	return name
}

// complete is a document without nulls: a list or a map that holds nothing is an empty one, as it
// is described. What it is given stays as it is.
func complete(v reflect.Value) reflect.Value {
	if !v.IsValid() || v.Type().Implements(custom) || v.Type().Implements(textual) {
		return v
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(complete(v.Elem()))
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for f, field := range v.Fields() {
			if f.IsExported() && !(strings.Contains(f.Tag.Get("json"), ",omit") && field.IsZero()) {
				out.FieldByIndex(f.Index).Set(complete(field))
			}
		}
		return out
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 && !v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(complete(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), complete(it.Value()))
		}
		return out
	case reflect.Interface:
		if !v.IsNil() {
			return complete(v.Elem())
		}
	}
	return v
}

// has reports whether a word is one of those that a schema names.
func (s *schema) has(word string) bool { return s.Enum == nil || slices.Contains(s.Enum, word) }
