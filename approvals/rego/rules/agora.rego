# The rules that every release is judged by when it is published and promoted.
#
# input is an approvals.Subject; data.tiers holds the limits of each tier, what it allows without a
# reviewer ("allow"), what a manifest has to say ("metadata"), who opens an app by default ("audience"),
# and under "grants" which releases its grants reach:
#   reach: "reviewed", the release that a reviewer decided about and no other, or
#          "later", also those uploaded after it
#   unless: with which changes a later release is not reached (classification,
#          keep_state, limits, params, signer, triggers)
#
# Each element of `findings` is an object:
#   code, severity (deny, info), msg, path, subject, remedy {summary, commands, docs}
#
# Each element of `requires` is what a reviewer has to decide about for this very release, whatever
# earlier grants there are:
#   kind ("grant"), capability, code, msg, path, remedy {summary, commands, docs}
#
# People see it as a finding of severity review, which no rule makes by itself. Other files may add
# to both sets.
package agora

tier := data.tiers[input.tier]

rank := {"sandbox": 0, "pilot": 1, "production": 2}

declared := {asked.capability | some asked in input.asked}

imported := {word | some word in input.module.capabilities}

# input.grants are the grants that reach this release. One holds in its tier and in
# every tier below.
granted := {g.capability | some g in input.grants; rank[g.tier] >= rank[input.tier]}

by_default := {word | some word in tier.capabilities}

# What the tier allows of what is asked for, without a reviewer: data.tiers has the bounds under "allow".
# A rule that adds to requires wins over it.
allowed := {word | some word in object.get(input, "allowed", [])}

# --- who it belongs to -------------------------------------------------------

# What a manifest has to say stands in data.tiers under "metadata", for each tier. The examples of team
# and cost center are placeholders, which no release is published with.
metadata := {
	"owner": {"what": "an owner", "fix": "Add owner to agora.toml.", "example": "you@example.com"},
	"team": {"what": "a team", "fix": "Add team to agora.toml.", "example": "my-team"},
	"cost_center": {"what": "a cost center", "fix": "Add cost_center to agora.toml.", "example": "CC-0000"},
	"data_classification": {"what": "a data classification", "fix": "Add data_classification to agora.toml.", "example": "internal"},
	"description": {"what": "a description", "fix": "Say in agora.toml what the app does and for whom, and publish again.", "example": "…"},
	"title": {"what": "a title, which stands in the catalogue", "fix": "Add a title to agora.toml and publish again.", "example": "…"},
}

findings contains f if {
	some key in tier.metadata
	field := metadata[key]
	trim_space(input.app[key]) == ""
	f := {
		"code": sprintf("metadata.%s_missing", [key]), "severity": "deny",
		"msg": sprintf("The manifest names no %s: every app in the %s tier needs %s.", [key, input.tier, field.what]),
		"path": key, "subject": "",
		"remedy": {"summary": field.fix, "commands": [sprintf("%s = %q", [key, field.example])]},
	}
}

expectations := {
	"expected_users": {"what": "how many people will use it", "example": 20},
	"monthly_cents": {"what": "what a month is expected to cost", "example": 500},
}

findings contains f if {
	some key in tier.metadata
	field := expectations[key]
	object.get(input.app, key, 0) == 0
	f := {
		"code": sprintf("metadata.%s_missing", [key]), "severity": "deny",
		"msg": sprintf("The manifest does not say %s, which every app in the %s tier has to.", [field.what, input.tier]),
		"path": key, "subject": "",
		"remedy": {"summary": sprintf("Add %s to agora.toml.", [key]), "commands": [sprintf("%s = %d", [key, field.example])]},
	}
}

findings contains f if {
	some key in tier.metadata
	startswith(key, "answers.")
	name := trim_prefix(key, "answers.")
	trim_space(object.get(object.get(input.app, "answers", {}), name, "")) == ""
	f := {
		"code": "metadata.answer_missing", "severity": "deny",
		"msg": sprintf("The manifest does not answer %s, which every app in the %s tier has to.", [name, input.tier]),
		"path": key, "subject": "",
		"remedy": {"summary": "Answer it in agora.toml.", "commands": [sprintf("[answers]\n%s = \"…\"", [name])]},
	}
}

findings contains f if {
	input.app.owner != ""
	input.signer.identity != input.app.owner
	not input.signer.owns # a co-owner signs, too, and whoever is in the group that owns the app
	f := {
		"code": "signer.not_owner", "severity": "deny",
		"msg": sprintf("The manifest names %s as the owner, and the module is signed by %s.", [input.app.owner, input.signer.identity]),
		"path": "owner", "subject": "",
		"remedy": {"summary": "Let the owner sign, or name yourself as the owner.", "commands": [sprintf("owner = %q", [input.signer.identity])]},
	}
}

# An app that people rely on has somebody beside its owner. An organisation that demands it has "shared"
# among the tier's metadata, or says "deny" in data.owners.
alone := "deny" if "shared" in tier.metadata

alone := data.owners.shared[input.tier] if not "shared" in tier.metadata

findings contains f if {
	severity := alone
	input.app.shared == false
	f := {
		"code": "owner.alone", "severity": severity,
		"msg": "One person owns the app alone: nobody can act for it while they are away, or once they have left.",
		"path": "owner", "subject": "",
		"remedy": {"summary": "Name a co-owner, or a group.", "commands": [sprintf("agora apps set %s --co-owner USER", [input.app.name])]},
	}
}

# --- what it may touch -------------------------------------------------------

findings contains f if {
	some word in imported
	not word in declared
	f := {
		"code": "capability.undeclared", "severity": "deny",
		"msg": sprintf("The module uses %s, and the manifest does not say so.", [word]),
		"path": sprintf("capabilities.%s", [word]), "subject": word,
		"remedy": {"summary": "Declare it in agora.toml.", "commands": [sprintf("[capabilities.%s]", [word])]},
	}
}

findings contains f if {
	some word in declared
	not word in imported
	f := {
		"code": "capability.unused", "severity": "info",
		"msg": sprintf("The manifest asks for %s, and the module does not use it.", [word]),
		"path": sprintf("capabilities.%s", [word]), "subject": word,
		"remedy": {"summary": sprintf("Remove [capabilities.%s]: what is not asked for need not be reviewed.", [word])},
	}
}

requires contains r if {
	some word in imported & declared
	not word in by_default
	not word in granted
	not word in allowed
	r := {
		"kind": "grant", "capability": word, "code": "capability.needs_grant",
		"msg": sprintf("The app uses %s, which needs a grant in the %s tier%s.", [word, input.tier, bounds_said(word)]),
		"path": sprintf("capabilities.%s", [word]),
		"remedy": {"summary": "A reviewer decides about it; nothing else is needed from you.", "commands": ["agora requests list"]},
	}
}

findings contains f if {
	some word in imported & declared & allowed
	not word in granted
	f := {
		"code": "capability.allowed", "severity": "info",
		"msg": sprintf("The rules of the %s tier allow %s without a reviewer: %s.", [input.tier, word, bounds_of(word)]),
		"path": sprintf("capabilities.%s", [word]), "subject": word,
		"remedy": {"summary": "Nothing is needed from you. A higher tier asks a reviewer."},
	}
}

default bounds_said(_) := ""

bounds_said(word) := sprintf(" (without one: %s)", [bounds_of(word)]) if {
	tier.allow[word]
	not word in object.get(input.app, "closed", [])
}

bounds_said(word) := ", since one was taken from it or refused" if {
	tier.allow[word]
	word in object.get(input.app, "closed", [])
}

bounds_of(word) := concat(", ", [bound_said(name, bound) | some name, bound in tier.allow[word]])

bound_said(name, bound) := sprintf("%s up to %s", [name, said(name, sprintf("%d", [bound]))]) if is_number(bound)

bound_said(name, bound) := sprintf("any %s", [name]) if bound == "*"

bound_said(name, bound) := sprintf("%s %s", [name, concat(" or ", bound)]) if {
	is_array(bound)
	count(bound) > 0
}

bound_said(name, []) := sprintf("no %s", [name])

# A grant covers what was reviewed: numbers up to its own, and of lists what is
# in its own. More is asked for anew.
covering(word) := [g | some g in input.grants; g.capability == word; rank[g.tier] >= rank[input.tier]]

is_number_text(text) if regex.match(`^[0-9]+$`, text)

covers(g, name, text) if {
	is_number_text(text)
	to_number(g.params[name]) >= to_number(text)
}

covers(g, name, text) if {
	not is_number_text(text)
	allowed := {w | some w in split(g.params[name], " ")}
	wanted := {w | some w in split(text, " ")}
	count(wanted - allowed) == 0
}

requires contains r if {
	some asked in input.asked
	asked.capability in imported
	asked.capability in granted
	not asked.capability in allowed
	some name, text in asked.params
	count([g | some g in covering(asked.capability); covers(g, name, text)]) == 0
	have := concat(" or ", {said(name, object.get(g.params, name, "none")) | some g in covering(asked.capability)})
	r := {
		"kind": "grant", "capability": asked.capability, "code": "capability.more",
		"msg": sprintf("The app asks %s for %s %s, and its grant allows %s.", [asked.capability, name, said(name, text), have]),
		"path": sprintf("capabilities.%s.%s", [asked.capability, name]),
		"remedy": {"summary": "A reviewer decides about it; nothing else is needed from you.", "commands": ["agora requests list"]},
	}
}

findings contains f if {
	some asked in input.asked
	some name, text in asked.params
	is_number_text(text)
	most := tier.most[asked.capability][name]
	to_number(text) > most
	f := {
		"code": "capability.quota", "severity": "deny",
		"msg": sprintf("The app asks %s for %s %s; the %s tier has at most %s.", [asked.capability, name, said(name, text), input.tier, said(name, sprintf("%d", [most]))]),
		"path": sprintf("capabilities.%s.%s", [asked.capability, name]), "subject": asked.capability,
		"remedy": {"summary": sprintf("Lower %s, or ask for promotion to a higher tier.", [name]), "commands": [sprintf("[capabilities.%s]\n%s = %d", [asked.capability, name, most])]},
	}
}

# said is a parameter as people read it: sizes have units.
said(name, text) := text if not is_size(name, text)

said(name, text) := size(to_number(text)) if is_size(name, text)

is_size(name, text) if {
	name in {"quota", "max_request", "max_response"}
	is_number_text(text)
}

size(n) := sprintf("%v B", [n]) if n < 1024

size(n) := sprintf("%v KiB", [round(n / 102.4) / 10]) if {
	n >= 1024
	n < 1048576
}

size(n) := sprintf("%v MiB", [round(n / 104857.6) / 10]) if {
	n >= 1048576
	n < 1073741824
}

size(n) := sprintf("%v GiB", [round(n / 107374182.4) / 10]) if n >= 1073741824

# --- whom it may ask -----------------------------------------------------------

findings contains f if {
	some asked in input.asked
	asked.capability == "fetch"
	some origin in split(asked.params.allow, " ")
	startswith(origin, "http://")
	f := {
		"code": "fetch.plain", "severity": "info",
		"msg": sprintf("What the app and %s say to each other is not encrypted.", [origin]),
		"path": "capabilities.fetch.allow", "subject": "fetch",
		"remedy": {"summary": "Use https:// if the other side can."},
	}
}

findings contains f if {
	some asked in input.asked
	asked.capability == "fetch"
	some origin in split(asked.params.allow, " ")
	contains(origin, "*")
	f := {
		"code": "fetch.wide", "severity": "info",
		"msg": sprintf("The app may ask every host that %s stands for, also those that are named later.", [origin]),
		"path": "capabilities.fetch.allow", "subject": "fetch",
		"remedy": {"summary": "List the hosts that the app needs."},
	}
}

models_asked := {name | some asked in input.asked; asked.capability == "llm"; some name in split(asked.params.models, " ")}

models_known := object.get(input, "models", {})

findings contains f if {
	some name in models_asked
	not models_known[name]
	f := {
		"code": "llm.no_model", "severity": "info",
		"msg": sprintf("This node has no model %q; it has: %s.", [name, concat(", ", object.keys(models_known) | {w | w := "none"; count(models_known) == 0})]),
		"path": "capabilities.llm.models", "subject": "llm",
		"remedy": {"summary": "Name one of these models, or ask the node's operator for it."},
	}
}

findings contains f if {
	some name in models_asked
	classes := models_known[name]
	not input.app.data_classification in classes
	f := {
		"code": "llm.classification", "severity": "deny",
		"msg": sprintf("The model %s may see data that is %s, and the app's is %s.", [name, concat(" or ", classes), input.app.data_classification]),
		"path": "capabilities.llm.models", "subject": "llm",
		"remedy": {"summary": "Ask a model that may see such data, or ask the node's operator."},
	}
}

# --- how much it may use -----------------------------------------------------

limit_names := {
	"fuel": "instructions for each request", "memory": "bytes of memory", "timeout_ms": "milliseconds for each request",
	"request": "bytes of request body", "response": "bytes of response body", "concurrency": "requests at once",
}

limit_keys := {"timeout_ms": "timeout", "request": "request_body", "response": "response_body"}

findings contains f if {
	some key, what in limit_names
	input.limits[key] > tier.limits[key]
	written := object.get(limit_keys, key, key)
	f := {
		"code": "limits.exceeded", "severity": "deny",
		"msg": sprintf("The manifest asks for %d %s; the %s tier has at most %d.", [input.limits[key], what, input.tier, tier.limits[key]]),
		"path": sprintf("limits.%s", [written]), "subject": "",
		"remedy": {"summary": sprintf("Lower %s to %d or less, or ask for promotion to a higher tier.", [written, tier.limits[key]])},
	}
}

# --- what calls it -----------------------------------------------------------

called_by := {"crons": count(object.get(input.triggers, "crons", [])), "webhooks": input.triggers.webhooks, "events": input.triggers.events}

findings contains f if {
	some kind, n in called_by
	n > tier.triggers[kind]
	f := {
		"code": "triggers.too_many", "severity": "deny",
		"msg": sprintf("The manifest has %d %s; the %s tier has at most %d for each app.", [n, kind, input.tier, tier.triggers[kind]]),
		"path": "triggers", "subject": "",
		"remedy": {"summary": "Let one trigger do the work of several, or ask for promotion to a higher tier."},
	}
}

findings contains f if {
	some cron in input.triggers.crons
	cron.interval_s < tier.triggers.interval_s
	f := {
		"code": "triggers.too_often", "severity": "deny",
		"msg": sprintf("The cron trigger %s may run every %d seconds; in the %s tier are at least %d between two runs.", [cron.name, cron.interval_s, input.tier, tier.triggers.interval_s]),
		"path": "triggers.cron", "subject": cron.name,
		"remedy": {"summary": "Run it less often, or ask for promotion to a higher tier.", "commands": ["schedule = \"*/5 * * * *\""]},
	}
}

# --- what it works on --------------------------------------------------------

findings contains f if {
	input.tier == "sandbox"
	input.app.data_classification == "restricted"
	f := {
		"code": "classification.sandbox", "severity": "deny",
		"msg": "Restricted data does not belong into the sandbox.",
		"path": "data_classification", "subject": "",
		"remedy": {"summary": "Try the app with made-up data first, classified as internal; promotion asks again.", "commands": ["data_classification = \"internal\""]},
	}
}

# Who may open a tier is the owner's decision; that everybody may is a reviewer's, and for some data
# nobody's. It holds as well for a release that comes to a tier that is open to everybody already.
default open_to_all := ["public", "internal"]

open_to_all := data.audience.public

findings contains f if {
	input.app.public
	not input.app.data_classification in open_to_all
	f := {
		"code": "audience.classification", "severity": "deny",
		"msg": sprintf("The %s tier would be open to everybody, and the app's data is %s: only an app with %s data is.", [input.tier, input.app.data_classification, concat(" or ", open_to_all)]),
		"path": "data_classification", "subject": "",
		"remedy": {"summary": "Let the organisation in, or the people who need it.", "commands": [sprintf("agora audience set %s organisation --tier %s", [input.app.name, input.tier])]},
	}
}

# --- what it is told of people ---------------------------------------------------

# Whoever holds the names of people holds data about them, which is not public.
default told := {"pseudonym": ["public", "internal", "confidential", "restricted"], "person": ["internal", "confidential", "restricted"]}

told := data.identity

findings contains f if {
	asked := input.app.identity
	asked != ""
	not input.app.data_classification in object.get(told, asked, [])
	f := {
		"code": "identity.classification", "severity": "deny",
		"msg": sprintf("The app asks to be told who calls it (%s), and its data is %s: %s", [asked, input.app.data_classification, told_to(asked)]),
		"path": "access.identity", "subject": "",
		"remedy": {"summary": "Classify the app by the data that it gets, or ask for less.", "commands": ["data_classification = \"internal\"", "identity = \"pseudonym\""]},
	}
}

told_to(asked) := sprintf("only an app with %s data is.", [concat(" or ", told[asked])]) if count(object.get(told, asked, [])) > 0

told_to(asked) := "no app is." if count(object.get(told, asked, [])) == 0

findings contains f if {
	input.app.identity == "person"
	f := {
		"code": "identity.person", "severity": "info",
		"msg": "The app is told the names of the people who call it. In the sandbox it is told those of its owners alone.",
		"path": "access.identity", "subject": "",
		"remedy": {"summary": "An id of its own for each person is enough to keep their data apart.", "commands": ["identity = \"pseudonym\""]},
	}
}

# --- what one request may see of another ----------------------------------------

findings contains f if {
	input.app.keep_state
	f := {
		"code": "state.kept", "severity": "info",
		"msg": "The app keeps what requests leave in its memory: what one person sends may be found by the next.",
		"path": "keep_state", "subject": "",
		"remedy": {"summary": "Remove keep_state, and keep data with kv, unless start-up is too slow without it."},
	}
}
