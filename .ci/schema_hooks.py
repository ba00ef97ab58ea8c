"""What the fuzzer cannot read in the description: bytes of media types, and what is there."""
import os
import unicodedata
from urllib.parse import unquote

from hypothesis import strategies as st
import schemathesis

with open(os.environ["AGORA_MODULE"], "rb") as f:
    MODULE = f.read()
MANIFEST = b"""name = "%s"
version = "1"
owner = "%s"
team = "sales"
cost_center = "CC-1"
data_classification = "internal"
"""
APPS = ["hello", "quote", "ticker", "guestbook", "relay", "shortlinks"]


def changed(parts):
    at, byte = parts
    at %= len(MODULE)
    return MODULE[:at] + bytes([byte]) + MODULE[at + 1 :]


modules = st.one_of(
    st.binary(max_size=64),
    st.binary(max_size=256).map(lambda b: MODULE[:8] + b),
    st.integers(0, len(MODULE)).map(lambda n: MODULE[:n]),
    st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)).map(changed),
    st.just(MODULE),
)
manifests = st.one_of(
    st.binary(max_size=64),
    st.from_regex(rb"[a-z]{3,9}", fullmatch=True).map(lambda n: MANIFEST % (n, os.environ["AGORA_USER"].encode())),
)
for media, strategy in {
    "application/wasm": modules,
    "application/toml": manifests,
    "application/octet-stream": st.binary(max_size=64),
    "application/pkcs10": st.binary(max_size=64),
    "application/timestamp-query": st.binary(max_size=64),
}.items():
    schemathesis.openapi.media_type(media, strategy)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the names are those of an app that is there."""
    if path_parameters and isinstance(app := path_parameters.get("app"), str) and len(app) % 2:
        path_parameters["app"] = APPS[0] if len(app) % 4 == 1 else APPS[sum(app.encode(errors="replace")) % len(APPS)]
    return path_parameters


@schemathesis.hook
def before_call(context, case, kwargs):
    """The fuzzer's own user and token are what all of the run needs: others are changed instead."""
    own = (os.environ["AGORA_USER"], os.environ["AGORA_TOKEN_ID"])
    # An empty condition is refused, as its pattern says; the fuzzer takes it for one that matches.
    for headers in (case.headers, kwargs.get("headers")) if case.meta.generation.mode.is_positive else ():
        for name in [n for n in headers or {} if n.lower() in ("if-match", "if-none-match") and not str(headers[n]).strip()]:
            del headers[name]
    for name, value in (case.path_parameters or {}).items():
        if unicodedata.normalize("NFKC", unquote(str(value))).strip().lower() in own:
            case.path_parameters[name] = "other@example.com"
    ends = case.operation.path.rsplit("/", 1)[-1] in ("suspend", "quarantine", "delete", "transfer")
    if ends and case.path_parameters.get("app") == APPS[0]:  # one app goes on, so that calls are tried
        case.path_parameters["app"] = APPS[2]


@schemathesis.hook
def filter_query(context, query):
    """A cursor is what a page gave: no schema can say which texts are some."""
    return not query or not query.get("cursor")
