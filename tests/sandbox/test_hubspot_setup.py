"""Properties, lists, associations, exports, preferences and webhooks of the HubSpot stand-in."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.sandbox.hubspot_wire import HubSpotWire

PROPERTIES = pytest.mark.parametrize("path", ["/crm/v3/properties/contacts", "/crm/properties/2026-09/0-1"])
STATUS = {
    "groupName": "ringtrue",
    "name": "ringtrue_status",
    "label": "Phone status",
    "type": "enumeration",
    "fieldType": "select",
    "options": [{"label": "Active", "value": "active", "hidden": False, "displayOrder": 0}],
}


def _until(check: Callable[[], Any], seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found


@PROPERTIES
def test_a_property_takes_values_once_it_exists(portal: HubSpotWire, path: str) -> None:
    record_id = portal.create(firstname="Ann")
    assert portal.refused("POST", path, STATUS)[0] == 400
    assert (
        portal.call("POST", f"{path}/groups", {"name": "ringtrue", "label": "RingTrue", "displayOrder": -1}).status_code
        == 201
    )
    assert portal.refused("POST", f"{path}/groups", {"name": "ringtrue", "label": "RingTrue"})[0] == 409
    assert portal.call("POST", path, STATUS).status_code == 201
    assert portal.refused("POST", path, STATUS)[0] == 409
    assert portal.update((record_id, {"ringtrue_status": "active"})).status_code == 200
    assert "INVALID_OPTION" in portal.update((record_id, {"ringtrue_status": "lost"})).text
    more = [*STATUS["options"], {"label": "Lost", "value": "lost"}]
    portal.json("PATCH", f"{path}/ringtrue_status", {"options": more})
    assert portal.update((record_id, {"ringtrue_status": "lost"})).status_code == 200
    assert portal.json("GET", f"{path}/ringtrue_status")["modificationMetadata"]["readOnlyValue"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Status"},
        {"name": "1status"},
        {"type": "text"},
        {"fieldType": "text"},
        {"options": []},
        {"type": "bool", "fieldType": "booleancheckbox"},
        {"label": ""},
    ],
)
def test_definitions_that_hubspot_refuses(portal: HubSpotWire, wrong: dict[str, Any]) -> None:
    portal.json("POST", "/crm/v3/properties/contacts/groups", {"name": "ringtrue", "label": "RingTrue"})
    assert portal.refused("POST", "/crm/v3/properties/contacts", {**STATUS, **wrong})[0] == 400


def test_hubspots_own_properties_cannot_be_changed(portal: HubSpotWire) -> None:
    assert portal.refused("PATCH", "/crm/v3/properties/contacts/phone", {"label": "x"})[0] == 400
    assert portal.refused("GET", "/crm/v3/properties/contacts/no_such")[0] == 404


@pytest.mark.parametrize("path", ["/crm/v3/lists", "/crm/v3/lists/", "/crm/lists/2026-09"])
def test_memberships_of_a_manual_list(portal: HubSpotWire, path: str) -> None:
    ann, ben = portal.create(firstname="Ann"), portal.create(firstname="Ben")
    made = portal.json("POST", path, {"name": "Dial today", "objectTypeId": "0-1", "processingType": "MANUAL"})["list"]
    members = f"{path.rstrip('/')}/{made['listId']}/memberships"
    assert portal.json("PUT", f"{members}/add", [ann, ben, "9"])["recordIdsMissing"] == ["9"]
    assert [one["recordId"] for one in portal.json("GET", f"{members}?limit=1")["results"]] == [ann]
    assert portal.json("GET", f"/crm/v3/lists/records/0-1/{ann}/memberships")["results"][0]["listId"] == made["listId"]
    removed = portal.json("PUT", f"{members}/remove", [ann, "9"])
    assert (removed["recordIdsRemoved"], removed["recordsIdsAdded"]) == ([ann], [])
    both = portal.json("PUT", f"{members}/add-and-remove", {"recordIdsToAdd": [ann], "recordIdsToRemove": [ben]})
    assert (both["recordsIdsAdded"], both["recordIdsRemoved"]) == ([ann], [ben])
    assert portal.call("DELETE", members).status_code == 204
    assert portal.json("GET", members)["total"] == 0


def test_a_dynamic_list_takes_no_members(portal: HubSpotWire) -> None:
    made = portal.json("POST", "/crm/v3/lists", {"name": "All", "objectTypeId": "0-1", "processingType": "DYNAMIC"})[
        "list"
    ]
    assert portal.refused("PUT", f"/crm/v3/lists/{made['listId']}/memberships/add", [])[0] == 400


def test_a_merge_moves_list_memberships(portal: HubSpotWire) -> None:
    ann, ben = portal.create(firstname="Ann"), portal.create(firstname="Ben")
    made = portal.json("POST", "/crm/v3/lists", {"name": "Dial", "objectTypeId": "0-1", "processingType": "MANUAL"})[
        "list"
    ]
    portal.json("PUT", f"/crm/v3/lists/{made['listId']}/memberships/add", [ben])
    portal.hands.merge("contacts", ann, ben)
    members = portal.json("GET", f"/crm/v3/lists/{made['listId']}/memberships")["results"]
    assert [one["recordId"] for one in members] == [ann]


@pytest.mark.parametrize("area", ["/crm/v4/associations", "/crm/associations/2026-09"])
def test_contacts_of_many_calls_at_once(full_portal: HubSpotWire, area: str) -> None:
    calls = [one["id"] for one in full_portal.json("GET", "/crm/v3/objects/calls?limit=20")["results"]]
    body = {"inputs": [{"id": one} for one in [*calls, "9"]]}
    answer = full_portal.call("POST", f"{area}/calls/contacts/batch/read", body)
    assert answer.status_code == 207
    assert [one["from"]["id"] for one in answer.json()["results"]] == calls
    living = set(full_portal.ids())
    assert all(str(to["toObjectId"]) in living for one in answer.json()["results"] for to in one["to"])


@pytest.mark.parametrize("path", ["/calling/v1/dispositions", "/twilio/v1/dispositions"])
def test_every_outcome_of_a_loaded_call_has_a_label(full_portal: HubSpotWire, path: str) -> None:
    labels = {one["id"]: one["label"] for one in full_portal.json("GET", path)}
    assert labels["17b47fee-58de-441e-a44c-c6300d46f273"] == "Wrong number"
    used = {call["fields"]["hs_call_disposition"] for call in full_portal.hands.records("calls")}
    assert len(used) > 4
    assert used <= set(labels)


@pytest.mark.parametrize("path", ["/crm/v3/exports/export/async", "/crm/exports/2026-09/export/async"])
def test_an_export_holds_every_contact(full_portal: HubSpotWire, path: str) -> None:
    body = {
        "exportType": "VIEW",
        "format": "CSV",
        "exportName": "all",
        "objectType": "CONTACT",
        "objectProperties": ["email", "phone"],
        "exportInternalValuesOptions": ["NAMES", "VALUES"],
    }
    started = full_portal.call("POST", path, body)
    assert started.status_code == 202
    status = f"{path}/tasks/{started.json()['id']}/status"
    done = _until(lambda: (found := full_portal.json("GET", status))["status"] == "COMPLETE" and found)
    assert started.json()["links"]["status"].endswith(status)
    rows = list(csv.DictReader(io.StringIO(httpx.get(done["result"], trust_env=False).text, newline="")))
    assert list(rows[0]) == ["Record ID", "email", "phone"]
    assert [row["Record ID"] for row in rows] == full_portal.ids()
    full_portal.clock.move(301)
    assert httpx.get(done["result"], trust_env=False).status_code == 403


def test_a_large_export_is_zipped(full_portal: HubSpotWire) -> None:
    properties = [one["name"] for one in full_portal.json("GET", "/crm/v3/properties/contacts")["results"]] * 40
    body = {"exportType": "VIEW", "format": "CSV", "objectType": "CONTACT", "objectProperties": properties}
    job = full_portal.json("POST", "/crm/v3/exports/export/async", body)["id"]
    status = f"/crm/v3/exports/export/async/tasks/{job}/status"
    done = _until(lambda: (found := full_portal.json("GET", status))["status"] == "COMPLETE" and found)
    with zipfile.ZipFile(io.BytesIO(httpx.get(done["result"], trust_env=False).content)) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    assert len(lines) >= 251
    assert lines[0].startswith("Record ID,Email,First Name")


def test_unsubscribing_shows_on_the_contact(portal: HubSpotWire) -> None:
    record_id = portal.create(email="ann@example.com")
    prefer = "/communication-preferences"
    assert (
        portal.json("GET", f"{prefer}/v3/status/email/ann@example.com")["subscriptionStatuses"][0]["status"]
        == "SUBSCRIBED"
    )
    portal.json("POST", f"{prefer}/v4/statuses/ann@example.com/unsubscribe-all?channel=EMAIL", {})
    assert portal.get(record_id, "hs_email_optout")["hs_email_optout"] == "true"
    assert (
        portal.json("GET", f"{prefer}/2026-09/statuses/ann@example.com?channel=EMAIL")["results"][0]["status"]
        == "UNSUBSCRIBED"
    )
    assert portal.refused("GET", f"{prefer}/v4/statuses/ann@example.com?channel=PHONE")[0] == 400


@pytest.fixture
def mailbox() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An address on loopback and what arrived there; the first delivery is turned away."""
    arrived: list[tuple[dict[str, str], bytes]] = []

    class Box(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(500 if len(arrived) == 1 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Box)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", arrived
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_webhooks_are_signed_repeated_and_say_whose_change_it_was(
    portal: HubSpotWire, mailbox: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    url, arrived = mailbox
    record_id = portal.create(firstname="Ann")
    portal.hands.settings(webhook_retry_seconds=0.01)
    portal.json("PUT", "/webhooks/v3/1/settings", {"targetUrl": url, "throttling": {"maxConcurrentRequests": 10}})
    wanted = {"eventType": "contact.propertyChange", "propertyName": "phone", "active": True}
    assert portal.call("POST", "/app-webhooks/2026-09/1/subscriptions", wanted).status_code == 201
    portal.hands.edit("contacts", record_id, {"phone": "+14155552671", "city": "Berlin"}, "user:ann")
    _until(lambda: len(arrived) == 2)
    headers, body = arrived[1]
    (event,) = json.loads(body)
    assert (event["subscriptionType"], event["propertyName"], event["propertyValue"]) == (
        "contact.propertyChange",
        "phone",
        "+14155552671",
    )
    assert (event["changeSource"], event["objectId"], event["attemptNumber"]) == ("CRM_UI", int(record_id), 1)
    text = b"POST" + url.encode() + body + headers["x-hubspot-request-timestamp"].encode()
    digest = hmac.new(b"sandbox-webhook-secret", text, hashlib.sha256).digest()
    assert headers["x-hubspot-signature-v3"] == base64.b64encode(digest).decode()
