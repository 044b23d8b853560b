"""The description fits what the service does."""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest
from jsonschema import Draft202012Validator

from app.serve.application import build
from app.serve.guard import Guard
from ringtrue.settings import Settings
from tests.serve.server import DIALLER_KEY, ENVIRON, FORM_KEY, FREE, MOBILE, Home, client, serving
from tests.stand_ins import ROOT

_PAGES = {
    "/why/{why_id}",
    "/sign-in",
    "/sign-in/oidc",
    "/sign-in/done",
    "/sign-out",
    "/static/door.css",
    "/openapi.json",
    "/docs",
    "/",
}
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture
def document(service: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/openapi.json").json()
    return found


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(each)


def resolved(document: dict[str, Any], pointer: str) -> Any:
    found: Any = document
    for part in pointer.removeprefix("#/").split("/"):
        found = found[part]
    return found


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=jsonschema.FormatChecker()
    )


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])
    for pointer in (node["$ref"] for node in nodes(document) if "$ref" in node):
        assert resolved(document, pointer)
    for name, schema in document["components"]["schemas"].items():
        assert name
        Draft202012Validator.check_schema(schema)
    identifiers = []
    for path, methods in document["paths"].items():
        assert path.startswith("/")
        assert set(methods) <= _METHODS
        for about in methods.values():
            identifiers.append(about["operationId"])
            assert about["summary"]
            assert about["responses"]
            named = {each["name"] for each in about.get("parameters", []) if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
            for answer in about["responses"].values():
                assert "$ref" in answer or answer["description"]
            schemes = {name for need in about.get("security", []) for name in need}
            assert schemes <= set(document["components"]["securitySchemes"])
    assert len(identifiers) == len(set(identifiers))


def test_its_examples_fit_its_schemas(document: dict[str, Any]) -> None:
    examples = [node for node in nodes(document["paths"]) if "example" in node]
    assert len(examples) == 5
    for node in examples:
        validator(document, node["schema"]).validate(node["example"])


def test_it_names_every_address(home: Home, document: dict[str, Any]) -> None:
    app, _ = build(home.write(), ENVIRON)
    assert isinstance(app, Guard)
    routes: set[str] = set()
    for route in app.app.routes:  # type: ignore[attr-defined]  # the application inside
        inner = [f"{route.path}{each.path}" for each in getattr(route, "routes", None) or ()]
        routes |= {re.sub(r":\w+}", "}", path) for path in inner or [route.path]}
    assert routes - _PAGES == set(document["paths"])


def test_answers_fit_their_schemas(service: httpx.Client, document: dict[str, Any]) -> None:
    form, dialler = {"X-API-Key": FORM_KEY}, {"X-API-Key": DIALLER_KEY}
    sent: list[tuple[str, str, dict[str, Any]]] = [
        ("post", "/v1/check", {"json": {"number": MOBILE}, "headers": form}),
        ("post", "/v1/check", {"json": {"number": "nobody", "region": "US"}, "headers": form}),
        ("post", "/v1/check", {"json": {"number": MOBILE, "lookup": True}, "headers": form}),
        ("post", "/v1/check", {"json": {}, "headers": form}),
        ("post", "/v1/check", {"json": {}}),
        ("post", "/v1/calls", {"json": {"call_id": "1", "number": FREE, "outcome": "do not call"}, "headers": dialler}),
        ("get", "/v1/suppressed", {"headers": dialler}),
        ("get", "/v1/suppressed", {"headers": dialler, "params": {"since": "1.000000000000"}}),
        ("post", "/webhooks/hubspot", {"json": []}),
        ("get", "/health", {}),
    ]
    for method, path, options in sent:
        answer = service.request(method, path, **options)
        described = document["paths"][path][method]["responses"][str(answer.status_code)]
        described = resolved(document, described["$ref"]) if "$ref" in described else described
        validator(document, described["content"]["application/json"]["schema"]).validate(answer.json())


def test_the_page_for_people_shows_every_address(service: httpx.Client, document: dict[str, Any]) -> None:
    page = service.get("/docs")
    assert page.status_code == 200
    assert all(path in page.text for path in document["paths"])
    assert service.get("/static/door.css").headers["content-type"].startswith("text/css")


def test_the_settings_of_the_docs_are_valid_and_serve_every_address(home: Home, document: dict[str, Any]) -> None:
    text = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    named = tomllib.loads("\n".join(textwrap.dedent(block) for block in blocks))
    settings = Settings.model_validate(named)
    assert settings.serve.sign_in.oidc is not None
    assert set(settings.serve.keys) == {"web_form", "landing_page", "dialler"}
    app, keys = build(settings, {})
    assert len(keys.missing) == 3
    assert isinstance(app, Guard)
    assert all(path.partition("/{")[0] in text for path in document["paths"])


def test_other_addresses_and_methods(service: httpx.Client) -> None:
    assert service.get("/nothing").json()["error"].startswith("There is nothing")
    assert service.get("/v1/check").status_code == 405


def test_a_key_that_is_not_set_is_switched_off(home: Home) -> None:
    settings = home.write()
    _, keys = build(settings, {})
    assert keys.missing == ["KEY_FORM", "KEY_PAGE", "KEY_DIALLER"]
    with serving(settings, {"RINGTRUE_LEDGER_KEY": ENVIRON["RINGTRUE_LEDGER_KEY"]}) as url, client(url) as service:
        answer = service.post("/v1/check", json={"number": MOBILE}, headers={"X-API-Key": ""})
        assert answer.status_code == 401
