# What the rules advise a reviewer about a release. Nothing follows from it: people decide.
#
# input is an approvals.Brief: what the rules judge, and under "review" what is known beside it:
#   since     the release that it is compared with, the last that was approved; 0: there is none
#   wider, narrower   paths of what differs from it so that the release may do more, or less
#   same      the module is the same
#   audience  who may open the tier: "owner", "people", "organisation" or "public"
#   days, calls, failed   calls of the release in so many days, and how many of them failed
#   unused    capabilities that it declares and has never used
#
# Each element of `advice` is an object: code, leans ("approve", "look" or "reject"), msg. Other files
# may add to the set.
package agora

review := input.review

confidential := {"confidential", "restricted"}

# What is worth a look is bounded, as a manifest that changes much would fill a page.
shown(paths) := concat(", ", array.slice(sort(paths), 0, 8))

advice contains {"code": "advice.first", "leans": "look", "msg": "No release of the app was approved before: all that it asks for is new."} if {
	review.since == 0
}

advice contains {"code": "advice.wider", "leans": "look", "msg": msg} if {
	count(review.wider) > 0
	msg := sprintf("It may do more than release %d, which was approved: %s.", [review.since, shown(review.wider)])
}

advice contains {"code": "advice.no_wider", "leans": "approve", "msg": msg} if {
	review.since > 0
	count(review.wider) == 0
	msg := sprintf("It may do no more than release %d, which was approved.", [review.since])
}

advice contains {"code": "advice.unmeasured", "leans": "look", "msg": msg} if {
	input.action == "promote"
	review.calls == 0
	msg := sprintf("No call of it was measured in %d days: how it behaves is not known.", [review.days])
}

advice contains {"code": "advice.failing", "leans": "look", "msg": msg} if {
	review.calls > 0
	review.failed * 20 > review.calls
	msg := sprintf("%d of its %d calls in %d days failed.", [review.failed, review.calls, review.days])
}

advice contains {"code": "advice.steady", "leans": "approve", "msg": msg} if {
	review.calls >= 100
	review.failed * 100 <= review.calls
	msg := sprintf("%d of its %d calls in %d days failed.", [review.failed, review.calls, review.days])
}

advice contains {"code": "advice.unused", "leans": "look", "msg": msg} if {
	input.action == "promote"
	review.calls > 0
	count(review.unused) > 0
	msg := sprintf("It asks for what it has never used: %s.", [shown(review.unused)])
}

advice contains {"code": "advice.carries_out", "leans": "look", "msg": msg} if {
	confidential[input.app.data_classification]
	some asked in input.asked
	asked.capability in {"fetch", "llm"}
	msg := sprintf("It works with %s data and may send what it likes through %s.", [input.app.data_classification, asked.capability])
}

advice contains {"code": "advice.wide_audience", "leans": "look", "msg": msg} if {
	confidential[input.app.data_classification]
	review.audience in {"organisation", "public"}
	msg := sprintf("It works with %s data, and its audience in the %s tier is %s.", [input.app.data_classification, input.tier, review.audience])
}

advice contains {"code": "advice.signer", "leans": "look", "msg": msg} if {
	not input.signer.owns
	msg := sprintf("It was signed by %s, who is none of the app's owners.", [input.signer.identity])
}
