"""Holds /openapi.json against OpenAPI 3.1, and the node's answers against /openapi.json.

GAIA_TEST_URL is the node; see checks.py.
"""

import json
import sys
import urllib.error
import urllib.request

from checks import CHAT, EMBED, KEY, Checks, url
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = "urn:document"
HELLO = [{"role": "user", "content": "Hello"}]


def ask(method: str, path: str, body=None):
    """The status, and the answer's JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(url() + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class Described:
    """What the document says of answers."""

    def __init__(self, document: dict) -> None:
        self.document = document
        resource = Resource(contents=document, specification=DRAFT202012)
        self.registry = Registry().with_resource(DOCUMENT, resource)

    def wrong(self, method: str, path: str, status: int, answer) -> str:
        """Where an answer is not as described; empty if it is."""
        responses = self.document["paths"][path][method.lower()]["responses"]
        word = str(status) if str(status) in responses else "default"
        parts = [part.replace("~", "~0").replace("/", "~1") for part in (path, method.lower())]
        place = "/".join(["paths", *parts, "responses", word, "content", "application~1json", "schema"])
        schema = {"$ref": f"{DOCUMENT}#/{place}"}
        errors = Draft202012Validator(schema, registry=self.registry).iter_errors(answer)
        return "; ".join(f"{error.json_path}: {error.message}" for error in errors)[:2000]


def document_is_valid(checks: Checks, document: dict) -> None:
    errors = [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
    checks.that(not errors, "the document is OpenAPI 3.1", errors[:3])
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        try:
            Draft202012Validator.check_schema(schema)
        except Exception as error:  # The library's own class says no more than its text.
            checks.fail(f"{name} is no JSON Schema: {error}")
    checks.equal(document["servers"][0]["url"], url(), "the document names the node's address")
    status, part = ask("GET", "/openapi.json?only=compile,Knowledge")
    checks.equal(status, 200, "a part of the document is there")
    checks.that("/compile" in part["paths"] and "/v1/knowledge/search" in part["paths"], "what was asked for")
    checks.that("/v1/chat/completions" not in part["paths"], "and no more")
    errors = [error.message for error in OpenAPIV31SpecValidator(part).iter_errors()]
    checks.that(not errors, "a part is OpenAPI 3.1, too", errors[:3])


def answers_are_as_described(checks: Checks, described: Described) -> None:
    few = {"model": CHAT, "max_tokens": 4}
    function = {"name": "now", "parameters": {"type": "object"}}
    for method, path, body in [
        ("GET", "/health", None),
        ("GET", "/ready", None),
        ("GET", "/v1/info", None),
        ("GET", "/v1/models", None),
        ("POST", "/v1/chat/completions", {**few, "messages": HELLO, "logprobs": True, "top_logprobs": 2}),
        (
            "POST",
            "/v1/chat/completions",
            {
                **few,
                "max_tokens": 40,
                "messages": HELLO,
                "tools": [{"type": "function", "function": function}],
                "tool_choice": "required",
            },
        ),
        ("POST", "/v1/completions", {**few, "prompt": "Once", "logprobs": 2}),
        ("POST", "/v1/responses", {"model": CHAT, "max_output_tokens": 4, "input": "Hello"}),
        ("POST", "/v1/messages", {**few, "messages": HELLO}),
        ("POST", "/v1/messages/count_tokens", {"model": CHAT, "messages": HELLO}),
        ("POST", "/v1/embeddings", {"model": EMBED, "input": ["a", "b"]}),
        ("POST", "/v1/embeddings", {"model": EMBED, "input": "a", "encoding_format": "base64"}),
        ("POST", "/v1/rerank", {"model": EMBED, "query": "a", "documents": ["b"], "return_documents": True}),
        ("POST", "/tokenize", {"model": CHAT, "content": "Hé", "with_pieces": True}),
        ("POST", "/detokenize", {"model": CHAT, "tokens": [1]}),
        ("GET", "/v1/files", None),
        ("POST", "/v1/vector_stores", {"name": "notes"}),
        ("GET", "/v1/vector_stores", None),
        ("GET", "/v1/knowledge/collections", None),
        ("POST", "/v1/knowledge/collections", {"name": "described", "dimension": 4, "distance": "Dot"}),
        ("POST", "/v1/compile", {"code": "fn main() { let x: u8 = true; }", "explain": True}),
        ("POST", "/v1/compile", {"files": {"Cargo.toml": ""}}),
        ("POST", "/compile", {"code": "fn main() {"}),
        ("POST", "/v1/explain", {"code": "E0502", "without_model": True}),
        ("POST", "/v1/score", {"candidates": [{"code": "fn main() {}"}, {"code": "fn main() {"}]}),
        ("GET", "/v1/fixes", None),
    ]:
        status, answer = ask(method, path, body)
        what = f"{method} {path} answers as described"
        checks.that(status in (200, 201), what + ": a good answer", answer)
        wrong = described.wrong(method, path, status, answer)
        checks.that(not wrong, what, f"{wrong} in {answer}")
    status, _ = ask("DELETE", "/v1/knowledge/collections/described")
    checks.equal(status, 200, "what was made is removed")


def refusals_are_as_described(checks: Checks, described: Described) -> None:
    for path in ["/v1/chat/completions", "/v1/messages", "/compile", "/v1/jobs"]:
        status, answer = ask("POST", path, {"code": 1, "messages": 1})
        checks.equal(status, 400, f"POST {path} refuses nonsense")
        wrong = described.wrong("POST", path, status, answer)
        checks.that(not wrong, f"POST {path} refuses as described", wrong)


def main() -> None:
    checks = Checks()
    status, document = ask("GET", "/openapi.json")
    checks.equal(status, 200, "the document is there")
    document_is_valid(checks, document)
    described = Described(document)
    answers_are_as_described(checks, described)
    refusals_are_as_described(checks, described)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
