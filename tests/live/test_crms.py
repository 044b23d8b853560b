"""Reading a CRM, and writing to a record that the test itself makes and deletes. Needs no field of ours."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.crm import Crm
from connectors.resources import connect
from ringtrue.records import RecordWrite
from ringtrue.settings import Connection
from tests.live.conftest import crms

OBJECT = {"salesforce": "Contact", "hubspot": "contacts"}
MOBILE = {"salesforce": "MobilePhone", "hubspot": "mobilephone"}
BEFORE, AFTER = "+447400123456", "+447400123457"
"""libphonenumber's example of a British mobile number, and the one after it."""
VERSION = "v64.0"


@pytest.fixture(params=crms())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def crm(kind: str) -> Iterator[Crm]:
    """A connection named live_<kind>, whose credentials are LIVE_ variables."""
    domain = os.environ.get("LIVE_SALESFORCE_DOMAIN", "login")
    connection = Connection(kind="salesforce" if kind == "salesforce" else "hubspot", domain=domain)
    opened = connect(f"live_{kind}", connection, address=os.environ.get(f"LIVE_{kind.upper()}_URL"))
    yield opened
    opened.close()


def http(kind: str) -> httpx.Client:
    """The vendor's API without our connector: it makes and deletes the test's record."""
    if kind == "hubspot":
        base = os.environ.get("LIVE_HUBSPOT_URL", "https://api.hubapi.com")
        return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {os.environ['LIVE_HUBSPOT_TOKEN']}"})
    login = os.environ.get("LIVE_SALESFORCE_URL", f"https://{os.environ['LIVE_SALESFORCE_DOMAIN']}.salesforce.com")
    told = httpx.post(
        f"{login}/services/oauth2/token",
        data={
            "grant_type": "client_credentials",
            "client_id": os.environ["LIVE_SALESFORCE_CONSUMER_KEY"],
            "client_secret": os.environ["LIVE_SALESFORCE_CONSUMER_SECRET"],
        },
    ).raise_for_status()
    token = told.json()
    return httpx.Client(base_url=token["instance_url"], headers={"Authorization": f"Bearer {token['access_token']}"})


@contextmanager
def own_record(kind: str) -> Iterator[str]:
    """The id of a contact that is there for this test only."""
    name = f"RingTrue live test {secrets.token_hex(4)}"
    with http(kind) as client:
        path = f"/services/data/{VERSION}/sobjects/Contact" if kind == "salesforce" else "/crm/v3/objects/contacts"
        values: dict[str, Any] = {"LastName": name, "MobilePhone": BEFORE}
        body = values if kind == "salesforce" else {"properties": {"lastname": name, "mobilephone": BEFORE}}
        made = client.post(path, json=body).raise_for_status().json()["id"]
        try:
            yield made
        finally:
            client.delete(f"{path}/{made}").raise_for_status()


def test_it_says_who_it_is_and_what_it_has(crm: Crm, kind: str) -> None:
    assert crm.identity()
    fields = crm.available_fields(OBJECT[kind])
    assert set(fields.phones) <= set(crm.describe(OBJECT[kind]))
    assert MOBILE[kind] in fields.phones
    assert abs(crm.clock_skew()) < 60
    assert isinstance(crm.call_outcomes(), dict)


def test_it_reads_what_changed_and_all_ids(crm: Crm, kind: str) -> None:
    with own_record(kind) as record_id:
        fields = crm.available_fields(OBJECT[kind]).all_fields()
        found = crm.read(OBJECT[kind], [record_id], list(fields))[record_id]
        assert found.values[MOBILE[kind]] == BEFORE
        assert not found.deleted
        page = next(
            iter(crm.pull(OBJECT[kind], list(fields), cursor=None, since=datetime.now(UTC) - timedelta(days=1))), None
        )
        assert page is None or all(record.record_id and record.modified_at.tzinfo for record in page.records)
        assert next(iter(crm.pull_ids(OBJECT[kind])))
    calls = next(iter(crm.pull_calls(cursor=None, since=datetime.now(UTC) - timedelta(days=1))), None)
    assert calls is None or all(call.call_id for call in calls.calls)


def test_it_writes_to_one_record_and_refuses_a_bad_row_alone(crm: Crm, kind: str) -> None:
    with own_record(kind) as record_id:
        missing = record_id[:-4] + "ZZZZ" if kind == "salesforce" else f"{record_id}000"
        good, bad = crm.write(
            OBJECT[kind],
            [RecordWrite(record_id, {MOBILE[kind]: AFTER}), RecordWrite(missing, {MOBILE[kind]: AFTER})],
        )
        assert good.outcome == "applied", good
        assert bad.outcome in ("gone", "failed"), bad
        assert crm.read(OBJECT[kind], [record_id], [MOBILE[kind]])[record_id].values[MOBILE[kind]] == AFTER
    gone = crm.read(OBJECT[kind], [record_id], [MOBILE[kind]])
    assert record_id not in gone or gone[record_id].deleted
