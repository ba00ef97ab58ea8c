package control

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/metering"
)

// Phrase makes a sentence that begins with a verb a part of another: after "may" and "may not".
func Phrase(sentence string) string {
	if sentence == "" {
		return ""
	}
	return strings.ToLower(sentence[:1]) + strings.TrimSuffix(sentence[1:], ".")
}

// faultWords say how a call ended, for a chip beside a count.
var faultWords = map[string]string{
	"trap": "failed by an error of its own", "fuel": "over the instruction limit", "memory": "over the memory limit",
	"stack": "called too deeply", "deadline": "took too long", "bad_response": "malformed answer", "response_too_large": "answer too large",
	"request_too_large": "request too large", "busy": "too many calls at once", "not_granted": "a grant is missing", "canceled": "the caller left",
	"exit_status": "ended with an error", "host_time": "waited too long", "host_calls": "too many calls of capabilities",
	"node_busy": "the node was busy", "memory_quota": "a quota of memory was used up", "internal": "the node had a problem", metering.FaultCutOff: "cut off when the node stopped",
}

// FaultWords says in words how a call ended, of which usage has the kind.
func FaultWords(kind string) string {
	if text, ok := faultWords[kind]; ok {
		return text
	}
	return strings.ReplaceAll(kind, "_", " ")
}

// may says what a capability with its parameters allows, after "This app may".
var may = map[string]func(p abi.Params) string{
	"config": func(abi.Params) string { return "read its settings" },
	"log":    func(abi.Params) string { return "write to its log" },
	"kv": func(p abi.Params) string {
		return fmt.Sprintf("keep %s of its own data%s", size(p, "quota"), orNone(p, "keys", ", in at most %s entries"))
	},
	"blob": func(p abi.Params) string {
		return fmt.Sprintf("keep %s of files of its own%s", size(p, "quota"), orNone(p, "keys", ", at most %s of them"))
	},
	"secret": func(p abi.Params) string { return named("read the secret", p.List("names")) },
	"fetch": func(p abi.Params) string {
		text := "send requests to " + words(p.List("allow"))
		if with := p.List("credentials"); len(with) > 0 {
			text += ", where the node adds " + words(with)
		}
		return text
	},
	"llm": func(p abi.Params) string {
		text := named("ask the model", p.List("models"))
		if cents := p.Number("daily_cents", 0); cents > 0 {
			text += fmt.Sprintf(", for at most %d.%02d a day", cents/100, cents%100)
		}
		return text
	},
	"events":    func(p abi.Params) string { return "publish the events " + words(p.List("topics")) },
	"subscribe": func(p abi.Params) string { return "receive the events " + words(p.List("topics")) },
}

func size(p abi.Params, name string) string {
	return humanize.Bytes(uint64(max(0, p.Number(name, 0))))
}

func orNone(p abi.Params, name, format string) string {
	if p[name] == "" {
		return ""
	}
	return fmt.Sprintf(format, humanize.Count(uint64(p.Number(name, 0))))
}

func named(what string, names []string) string {
	if len(names) > 1 {
		what += "s"
	}
	return what + " " + words(names)
}

// words joins words as people do.
func words(all []string) string {
	switch n := len(all); n {
	case 0:
		return "nothing"
	case 1:
		return all[0]
	default:
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
}

// meters say what a meter counts, in the order in which it is told.
var meters = []struct {
	meter, verb, unit string // "reads", "read", "times"; no unit: bytes
}{
	{abi.MeterReads, "read", "times"}, {abi.MeterWrites, "changed", "times"}, {abi.MeterCalls, "called", "times"}, {abi.MeterEvents, "published", "events"},
	{abi.MeterBytesSent, "sent", ""}, {abi.MeterBytesReceived, "received", ""},
	{abi.MeterInputTokens, "asked with", "tokens"}, {abi.MeterCachedInputTokens, "asked with", "tokens that were cached"},
	{abi.MeterOutputTokens, "was answered", "tokens"}, {abi.MeterEstimatedTokens, "of those,", "tokens are estimated"},
	{abi.MeterFailed, "failed", "times"}, {abi.MeterDenied, "was refused", "times"}, {abi.MeterQuotaExceeded, "was over its quota", "times"},
	{abi.MeterRedacted, "was kept from printing a secret", "times"},
}

func meterRank(meter string) int {
	for i, m := range meters {
		if m.meter == meter {
			return i
		}
	}
	return len(meters)
}

// maxSubjects is how many subjects a sentence names.
const maxSubjects = 4

// Say fills in what can be told in words: what the app may do, and what its
// release did.
func (s *CapabilityState) Say() {
	if s.Granted {
		if say := may[s.Name]; say != nil {
			s.May = say(s.Params)
		} else {
			s.May = Phrase(s.Summary)
		}
	}
	s.Did, s.Findings = nil, nil
	rest := slices.Clone(s.Used)
	slices.SortStableFunc(rest, func(a, b approvals.Used) int { return cmp.Compare(meterRank(a.Meter), meterRank(b.Meter)) })
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && rest[n].Meter == rest[0].Meter {
			n++
		}
		s.Did = append(s.Did, sentence(rest[:n]))
		for _, u := range rest[:n] {
			s.Findings = append(s.Findings, findings(u)...)
			if u.Last.After(s.Last) {
				s.Last = u.Last
			}
		}
		rest = rest[n:]
	}
}

// sentence tells of the uses of one meter.
func sentence(used []approvals.Used) string {
	verb, unit, amount := used[0].Meter, "times", humanize.Count
	if rank := meterRank(verb); rank < len(meters) {
		verb, unit = meters[rank].verb, meters[rank].unit
	}
	if used[0].Capability == "log" {
		verb = "wrote"
	}
	if unit == "" {
		amount = humanize.Bytes
	}
	var total uint64
	for _, u := range used {
		total += u.N
	}
	text := verb + " " + amount(total)
	switch {
	case unit == "times" && total == 1:
		text = verb + " once"
	case unit == "events" && total == 1:
		text = verb + " one event"
	case unit != "":
		text += " " + unit
	}
	named := slices.DeleteFunc(slices.Clone(used), func(u approvals.Used) bool { return u.Subject == "" })
	slices.SortStableFunc(named, func(a, b approvals.Used) int { return cmp.Compare(b.N, a.N) })
	var parts []string
	for _, u := range named[:min(len(named), maxSubjects)] {
		if len(used) == 1 {
			parts = append(parts, u.Subject)
		} else {
			parts = append(parts, u.Subject+" "+amount(u.N))
		}
	}
	if more := len(named) - maxSubjects; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

// findings are what the owner can do something about.
func findings(u approvals.Used) []abi.Finding {
	f := abi.Finding{Severity: abi.SeverityInfo, Path: "capabilities." + u.Capability, Subject: u.Capability}
	what := u.Capability
	if u.Subject != "" {
		what += " of " + strconv.Quote(u.Subject)
	}
	times := humanize.Count(u.N) + " times"
	if u.N == 1 {
		times = "once"
	}
	switch {
	case u.Meter == abi.MeterDenied:
		f.Code, f.Message = "capability.denied", fmt.Sprintf("%s was refused %s: it is not granted.", what, times)
		f.Remedy = abi.Remedy{Summary: "Declare it in agora.toml and publish again, so that a reviewer decides; or remove what asks for it."}
	case u.Meter == abi.MeterQuotaExceeded:
		f.Code, f.Message = "capability.over", fmt.Sprintf("%s was refused %s: the quota is used up.", what, times)
		f.Remedy = abi.Remedy{Summary: "Delete what is not needed, or raise the quota in agora.toml and publish again."}
	case u.Meter == abi.MeterFailed && u.Capability == "secret":
		f.Code, f.Message = "secret.missing", fmt.Sprintf("The secret %q was asked for %s and could not be read.", u.Subject, times)
		f.Remedy = abi.Remedy{Summary: "Set it.", Commands: []string{"agora secrets set <app> " + u.Subject}}
	case u.Meter == abi.MeterRedacted:
		f.Code, f.Message = "secret.logged", fmt.Sprintf("The app wrote the secret %q into its log %s; the node took it out.", u.Subject, times)
		f.Remedy = abi.Remedy{Summary: "Remove what prints it, and consider setting a new value."}
	default:
		return nil
	}
	return []abi.Finding{f}
}

// LastUse is the last time that anything of a release was used; zero: never.
func LastUse(states []CapabilityState) (last time.Time) {
	for _, s := range states {
		if s.Last.After(last) {
			last = s.Last
		}
	}
	return last
}
