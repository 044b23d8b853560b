"""The Twilio and Vonage stand-ins agree with the vendors' own OpenAPI files. Skipped only where those files are not at hand."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.lookups.conftest import StandIns

jsonschema: Any = importlib.import_module("jsonschema")  # it ships without types
SPECS = Path(__file__).parents[3] / "shared" / "specs"
pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason="the vendors' OpenAPI files are not beside the project")

TWILIO = ("ACsandbox", "sandbox-token")
VONAGE = ("sandbox-key", "sandbox-secret")


def as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema lists a second type."""
    if isinstance(node, list):
        return [as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    schema = {key: as_json_schema(value) for key, value in node.items()}
    if schema.pop("nullable", False) is True:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return schema


@pytest.fixture(scope="module")
def twilio() -> dict[str, Any]:
    text = (SPECS / "twilio" / "twilio_lookups_v2.json").read_text(encoding="utf-8")
    document: dict[str, Any] = as_json_schema(json.loads(text))
    return document


@pytest.fixture(scope="module")
def vonage() -> dict[str, Any]:
    text = (SPECS / "vonage" / "number-insight.yml").read_text(encoding="utf-8")
    document: dict[str, Any] = as_json_schema(yaml.safe_load(text))
    return document


def agrees(document: dict[str, Any], answer: Any, *names: str) -> None:
    """Whether an answer fits one of the named schemas."""
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    validator = jsonschema.Draft202012Validator({"components": document["components"], "oneOf": references})
    problems = [str(each.message)[:300] for error in validator.iter_errors(answer) for each in error.context or [error]]
    assert not problems, problems


def without_nulls(value: Any) -> Any:
    """Twilio's own examples hold null where its schema names no nullable; a null is left out before it is checked."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def some_numbers(lookups: StandIns) -> list[str]:
    numbers = [lookups.numbers(state, "GB", "mobile", 3) for state in ("alive", "disconnected", "suspended")]
    return [*(number for each in numbers for number in each), *lookups.numbers("alive", "US", None, 4)]


def test_twilio_answers(lookups: StandIns, twilio: dict[str, Any]) -> None:
    parameters = {each["name"] for each in twilio["paths"]["/v2/PhoneNumbers/{PhoneNumber}"]["get"]["parameters"]}
    wanted = {"Fields": "line_status,line_type_intelligence,reassigned_number", "LastVerifiedDate": "20250101"}
    assert parameters >= set(wanted)
    keys = set(twilio["components"]["schemas"]["LookupResponse"]["properties"])
    for number in [*some_numbers(lookups), "+1415555012345", "+15005550001"]:
        address = f"{lookups.base}/twilio/v2/PhoneNumbers/{number.replace('+', '%2B')}"
        answer = lookups.http.get(address, params=wanted, auth=TWILIO).json()
        assert set(answer) == keys
        agrees(twilio, without_nulls(answer), "LookupResponse")


def test_twilio_batches(lookups: StandIns, twilio: dict[str, Any]) -> None:
    wanted = [
        {"correlation_id": str(at), "phone_number": number, "fields": ["line_status"]}
        for at, number in enumerate(some_numbers(lookups))
    ]
    for each in wanted:
        agrees(twilio, each, "LookupBatchRequest")
    address = f"{lookups.base}/twilio/v2/batch/query"
    rows = lookups.http.post(address, json={"phone_numbers": wanted}, auth=TWILIO).json()["phone_numbers"]
    assert len(rows) == len(wanted)
    for row in rows:
        agrees(twilio, without_nulls(row), "LookupBatchResponse")


@pytest.mark.parametrize(
    ("level", "schemas"),
    [
        ("basic", ["niResponseJsonBasic"]),
        ("standard", ["niResponseJsonStandard"]),
        ("advanced", ["niResponseJsonAdvanced", "niResponseJsonAdvancedRoamingUnknown"]),
    ],
)
def test_number_insight_answers(lookups: StandIns, vonage: dict[str, Any], level: str, schemas: list[str]) -> None:
    lookups.set("vonage", partial=0.5)
    statuses = set()
    for number in some_numbers(lookups):
        address = f"{lookups.base}/vonage/ni/{level}/json"
        answer = lookups.http.get(address, params={"number": number.lstrip("+")}, auth=VONAGE).json()
        statuses.add(answer["status"])
        agrees(vonage, answer, *schemas)
    assert statuses == ({0, 44} if level == "advanced" else {0})


def test_number_insight_acknowledgement_and_errors(lookups: StandIns, vonage: dict[str, Any]) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("vonage", callback_copies=0)
    asked = {"number": number.lstrip("+"), "callback": "http://127.0.0.1:1/nobody"}
    address = f"{lookups.base}/vonage/ni/advanced/async/json"
    agrees(vonage, lookups.http.get(address, params=asked, auth=VONAGE).json(), "niResponseAsync")
    refused = lookups.http.get(address, params=asked, auth=("wrong", "wrong")).json()
    assert "error_text" in refused
    agrees(vonage, refused, "niResponseAsync")
    basic = f"{lookups.base}/vonage/ni/basic/json"
    agrees(vonage, lookups.http.get(basic, params={"number": "abc"}, auth=VONAGE).json(), "niResponseJsonBasic")


def test_identity_insights_look_like_the_fixture(lookups: StandIns) -> None:
    text = (SPECS / "vonage" / "identity_insights_fixtures" / "format.json").read_text(encoding="utf-8")
    told = json.loads(text)["insights"]["format"]
    (number,) = lookups.numbers("alive", "US", "mobile", 1)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = {"application_id": "sandbox-application", "iat": 0, "exp": 2**31, "jti": "x"}
    header = {"Authorization": f"Bearer {jwt.encode(claims, key, algorithm='RS256')}"}
    wanted = {"phone_number": number.lstrip("+"), "insights": {"format": {}}}
    address = f"{lookups.base}/vonage/identity-insights/v1/requests"
    answer = lookups.http.post(address, json=wanted, headers=header).json()["insights"]["format"]
    assert set(answer) <= set(told)
    assert {key: type(value) for key, value in answer.items()} == {key: type(told[key]) for key in answer}
    broken = lookups.http.post(address, content=b"{", headers=header)
    problem = json.loads((SPECS / "vonage" / "identity_insights_fixtures" / "insight_error.json").read_text())
    assert broken.status_code == 400
    assert set(broken.json()) == set(problem)
