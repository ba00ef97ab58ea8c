package abi

// TriggerKind is what makes the node call an app, other than a person's request.
type TriggerKind string

const (
	TriggerCron    TriggerKind = "cron"    // the clock
	TriggerWebhook TriggerKind = "webhook" // another service, by a signed request
	TriggerEvent   TriggerKind = "event"   // another app, or the app itself
)

// The headers by which an app sees what called it. They come from the node
// alone: no one outside can send a header that starts with NodeHeaderPrefix.
const (
	NodeHeaderPrefix = "Agora-"

	// TriggerHeader is the kind. A request without it is a person's.
	TriggerHeader = "Agora-Trigger"
	// UnverifiedHeader is on a request that asks whether a webhook's address takes what another
	// service would send, and that only the app can answer, as hub.mode=subscribe does. Its value
	// is the webhook's name. It is not signed, and has no body; TriggerHeader is not on it.
	UnverifiedHeader = "Agora-Unverified-Webhook"
	// TriggerNameHeader is its name in the manifest; of an event "<app>/<topic>".
	TriggerNameHeader = "Agora-Trigger-Name"
	// EventIDHeader stays the same when the same thing is delivered again.
	EventIDHeader = "Agora-Event-Id"
	// AttemptHeader counts deliveries, from 1. After a crash of the node a number
	// may come twice.
	AttemptHeader = "Agora-Attempt"
	// EventTimeHeader is when it was published, received or due, RFC 3339 in UTC.
	EventTimeHeader = "Agora-Event-Time"
)

// The capabilities of events. Subscribe has no import module: an app asks for it
// by declaring triggers for events of other apps.
const (
	CapabilityEvents    = "events"
	CapabilitySubscribe = "subscribe"
)

// Bounds of one event, in bytes.
const (
	MaxTopic     = 100
	MaxDedupeKey = 200
	MaxEvent     = 64 << 10
)

// ValidTopic reports whether a text can be a topic: lower-case letters, digits,
// and single dots, hyphens or underscores between them.
func ValidTopic(s string) bool {
	if s == "" || len(s) > MaxTopic {
		return false
	}
	alnum := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			alnum = true
		case (c == '.' || c == '-' || c == '_') && alnum:
			alnum = false
		default:
			return false
		}
	}
	return alnum
}

// AppendPublish appends the request of the events capability's publish: topic and
// dedupe key, each with its length, then the payload.
func AppendPublish(dst []byte, topic, dedupe string, payload []byte) []byte {
	dst = AppendKVKey(AppendKVKey(dst, topic), dedupe)
	return append(dst, payload...)
}

// DecodePublish reads the request of publish. The payload aliases b.
func DecodePublish(b []byte) (topic, dedupe string, payload []byte, ok bool) {
	first, rest, ok := cutSized(b)
	if !ok {
		return "", "", nil, false
	}
	second, payload, ok := cutSized(rest)
	return string(first), string(second), payload, ok
}
