# Whose votes a request takes.
#
# Each element of `stages` is an object:
#   concern ("security", "privacy", "finance", "platform", or "" for a reviewer of anything),
#   need    how many different people have to approve,
#   order   stages of a lower one come first, those of the same wait at the same time; default 0
#
# One person counts once over all stages. Where several rules name a concern in the same order, the
# most people that one of them asks for are needed. Without a stage, one reviewer of all that the
# request is about decides.
#
# data.stages names them for each tier. Other files may add to the set: by the data's class, say,
#   stages contains {"concern": "privacy", "need": 2} if input.app.data_classification == "restricted"
package agora

stages contains s if some s in data.stages[input.tier]
