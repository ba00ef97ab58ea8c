"""Signs in to the node that is fuzzed and makes the token; at the end, sees that it still works."""
import json
import os
import sys
import urllib.request

address, act, *rest = sys.argv[1:]
ROLES = ["viewer", "developer", "reviewer", "operator"]


def call(method, path, doc=None, secret=None):
    r = urllib.request.Request(address + "/api/v1" + path, method=method, data=doc and json.dumps(doc).encode())
    if doc:
        r.add_header("Content-Type", "application/json")
    if secret:
        r.add_header("Authorization", "Bearer " + secret)
    with urllib.request.urlopen(r, timeout=30) as answer:
        return json.load(answer)


if act == "start":
    session = call("POST", "/sign-in", {"link": rest[0]})
    user = session["user"]
    call("PUT", "/users/" + user, {"roles": ROLES}, session["secret"])
    token = call("POST", "/tokens", {"label": "schema", "scopes": ["all"]}, session["secret"])
    print(user, token["id"], token["secret"])
elif sorted(call("GET", "/whoami", secret=os.environ["AGORA_TOKEN"])["roles"]) != sorted(ROLES):
    sys.exit("the fuzzer's user lost its roles: the run says less than it seems")
