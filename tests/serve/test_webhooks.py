"""Messages of other systems: signed or known, kept once, acknowledged only when committed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import pytest

from app.serve.hubspot import signature as hubspot_signature
from app.serve.salesforce import ACK
from app.serve.twilio import signature as twilio_signature
from connectors.lookups.callbacks import LedgerCallbacks, vonage_callbacks
from ringtrue.ledger import contacts, inbox
from tests.serve.server import (
    ENVIRON,
    FREE,
    HUBSPOT_SECRET,
    MOBILE,
    ORGANIZATION,
    TWILIO_TOKEN,
    VONAGE_PART,
    Home,
    client,
    serving,
)  # fmt: skip

CONTACT = "003000000000001AAA"


def event(**changes: Any) -> dict[str, Any]:
    return {
        "objectId": 501, "propertyName": "phone", "propertyValue": "+447400123456", "changeSource": "CRM_UI", "eventId": 3816279340,
        "subscriptionId": 25, "portalId": 33, "appId": 1160452, "occurredAt": 1462216307945, "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0, **changes,
    }  # fmt: skip


def deliver(
    service: httpx.Client,
    events: Any,
    *,
    secret: str = HUBSPOT_SECRET,
    age: float = 0,
    path: str = "/webhooks/hubspot",
    **headers: str,
) -> httpx.Response:
    body = events if isinstance(events, bytes) else orjson.dumps(events)
    stamp = str(int((time.time() - age) * 1000))
    signed = hubspot_signature(secret, "POST", f"{str(service.base_url).rstrip('/')}{path}", body, stamp)
    given = {"X-HubSpot-Signature-v3": signed, "X-HubSpot-Request-Timestamp": stamp, **headers}
    return service.post(path, content=body, headers=given)


def waiting(home: Home) -> list[tuple[Any, ...]]:
    return home.rows("SELECT kind, connection, object, record_id FROM inbox ORDER BY inbox_id")


def test_hubspot_events_are_kept_once_and_without_values(service: httpx.Client, home: Home) -> None:
    batch = [
        event(),
        event(eventId=2, subscriptionType="contact.deletion"),
        event(eventId=3, subscriptionType="contact.merge", primaryObjectId=501, mergedObjectIds=[502], newObjectId=777),
    ]
    assert deliver(service, batch).json() == {"taken": 3, "new": 3}
    again = [{**each, "attemptNumber": 1} for each in reversed(batch)]
    assert deliver(service, again).json() == {"taken": 3, "new": 0}
    assert waiting(home) == [
        ("changed", "hubspot", "contacts", "501"),
        ("deleted", "hubspot", "contacts", "501"),
        ("merged", "hubspot", "contacts", "777"),
    ]
    assert "7400123456" not in str(home.rows("SELECT * FROM inbox"))


def test_hubspot_events_that_are_no_news_are_acknowledged_and_left_out(home: Home) -> None:
    settings = home.write({"hubspot": {"app_id": 1160452}})
    with serving(settings) as url, client(url) as service:
        batch = [
            event(subscriptionType="company.propertyChange"),
            event(subscriptionType="object.propertyChange", objectTypeId="0-2"),
            event(subscriptionType="contact.associationChange"),
            event(changeSource="INTEGRATION"),
            event(subscriptionType="object.creation", objectTypeId="0-1", objectId=600),
        ]
        assert deliver(service, batch).json() == {"taken": 5, "new": 1}
    assert waiting(home) == [("created", "hubspot", "contacts", "600")]


def test_hubspot_events_of_another_portal_are_left_out(service: httpx.Client, home: Home) -> None:
    with home.ledger() as ledger, ledger.write() as connection:
        contacts.remember_identity(connection, "hubspot", "44")
    assert deliver(service, [event(), event(portalId=44, eventId=9)]).json() == {"taken": 2, "new": 1}


def test_hubspot_signature_is_over_the_address_as_it_was_called(service: httpx.Client) -> None:
    assert deliver(service, [event()], path="/webhooks/hubspot?team=a%3Ab%2C%20c&x=%2A").status_code == 200


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"secret": "another-secret"}, 401),
        ({"age": 301}, 401),
        ({"age": -120}, 401),
        ({"X-HubSpot-Signature-v3": ""}, 401),
        ({"X-HubSpot-Request-Timestamp": "soon"}, 401),
        ({"X-HubSpot-Request-Timestamp": "1462216307945"}, 401),
    ],
)
def test_hubspot_requests_that_are_not_hubspots(
    service: httpx.Client, home: Home, options: dict[str, Any], status: int
) -> None:
    answer = deliver(service, [event()], **options)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert waiting(home) == []


@pytest.mark.parametrize("body", [b"[{", b"{}", b'[{"eventId": 1}]', b"[1]", b'[{"objectId": null}]'])
def test_hubspot_bodies_that_are_no_events(service: httpx.Client, body: bytes) -> None:
    assert deliver(service, body).status_code == 400


def test_a_changed_body_does_not_pass(service: httpx.Client) -> None:
    body = orjson.dumps([event()])
    stamp = str(int(time.time() * 1000))
    signed = hubspot_signature(
        HUBSPOT_SECRET, "POST", f"{str(service.base_url).rstrip('/')}/webhooks/hubspot", body, stamp
    )
    headers = {"X-HubSpot-Signature-v3": signed, "X-HubSpot-Request-Timestamp": stamp}
    assert service.post("/webhooks/hubspot", content=body.replace(b"501", b"502"), headers=headers).status_code == 401


def test_behind_a_proxy_the_public_address_is_signed(home: Home) -> None:
    settings = home.write({"public_url": "https://ringtrue.example.com"})
    with serving(settings) as url, client(url) as service:
        body, stamp = orjson.dumps([event()]), str(int(time.time() * 1000))
        signed = hubspot_signature(HUBSPOT_SECRET, "POST", "https://ringtrue.example.com/webhooks/hubspot", body, stamp)
        headers = {"X-HubSpot-Signature-v3": signed, "X-HubSpot-Request-Timestamp": stamp}
        assert service.post("/webhooks/hubspot", content=body, headers=headers).status_code == 200
        assert deliver(service, [event(eventId=5)]).status_code == 401


def test_the_pipeline_reads_what_waits_and_notes_what_is_gone(service: httpx.Client, home: Home) -> None:
    deliver(service, [event(), event(eventId=2), event(eventId=3, objectId=999)])
    now = int(time.time() * 1000)
    with home.ledger() as ledger, ledger.write() as connection:
        events = inbox.changed_records(connection, "hubspot")
        records = inbox.records_to_read(events)
        assert [record.record_id for record in records] == ["501", "999"]
        assert inbox.gone(connection, records, now) == 1
        inbox.handled(connection, [each.inbox_id for each in events], now)
        assert inbox.changed_records(connection, "hubspot") == []
        assert inbox.depth(connection) == {}
        assert inbox.prune(connection, now + 15 * 86_400_000) == 3
    assert home.rows("SELECT deleted_at IS NOT NULL FROM contacts WHERE record_id = '501'") == [(1,)]
    assert home.rows("SELECT count(*) FROM dirty_contacts WHERE stage = 'phones'") == [(1,)]


def outbound(*notices: tuple[str, str], organization: str = ORGANIZATION, kind: str = "sf:Contact") -> str:
    notifications = "".join(
        f'<Notification><Id>{notice}</Id><sObject xsi:type="{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
        f"<sf:Id>{record}</sf:Id><sf:Phone>+447400123456</sf:Phone></sObject></Notification>"
        for notice, record in notices
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        f'<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{organization}</OrganizationId>'
        '<ActionId>04k5g000000AAAAAA1</ActionId><SessionId xsi:nil="true"/><EnterpriseUrl>https://acme.example/soap</EnterpriseUrl>'
        f"<PartnerUrl>https://acme.example/soap</PartnerUrl>{notifications}</notifications></soapenv:Body></soapenv:Envelope>"
    )


def send(service: httpx.Client, body: str, path: str = "/webhooks/salesforce") -> httpx.Response:
    return service.post(
        path, content=body.encode(), headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    )


def test_salesforce_messages_are_acknowledged_exactly_and_kept_once(service: httpx.Client, home: Home) -> None:
    message = outbound(("04l5g000001AAAAAA1", CONTACT), ("04l5g000001AAAAAB1", "003000000000002"))
    for _ in range(2):
        answer = send(service, message)
        assert (answer.status_code, answer.text) == (200, ACK)
        assert answer.headers["content-type"].startswith("text/xml")
    assert waiting(home) == [
        ("changed", "salesforce", "Contact", CONTACT),
        ("changed", "salesforce", "Contact", "003000000000002AAA"),
    ]
    assert "7400123456" not in str(home.rows("SELECT * FROM inbox"))


def test_salesforce_messages_of_strangers_and_broken_ones(service: httpx.Client, home: Home) -> None:
    assert (
        send(service, outbound(("04l5g000001AAAAAA1", CONTACT), organization="00D9z00000ZZZZZEA2")).status_code == 403
    )
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
        + outbound(("04l5g000001AAAAAA1", CONTACT)).partition("?>")[2]
    )
    for body in (
        "",
        "hello",
        "<a/>",
        bomb,
        outbound(("04l", CONTACT)),
        outbound(("04l5g000001AAAAAA1", "'; --")),
        outbound().replace("OrganizationId", "Other"),
    ):
        answer = send(service, body)
        assert answer.status_code == 400, body
        assert list(answer.json()) == ["error"]
    assert waiting(home) == []


def test_salesforce_other_objects_are_acknowledged_and_left_out(service: httpx.Client, home: Home) -> None:
    assert send(service, outbound(("04l5g000001AAAAAA1", "001000000000001AAA"), kind="sf:Account")).text == ACK
    assert waiting(home) == []


def test_salesforce_address_with_a_secret_part(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = home.write({"salesforce": {"organizations": {"salesforce": ORGANIZATION}, "path_variable": "SF_PART"}})
    message = outbound(("04l5g000001AAAAAA1", CONTACT))
    with serving(settings, {**ENVIRON, "SF_PART": "nobody-guesses-this"}) as url, client(url) as service:
        assert send(service, message).status_code == 404
        assert send(service, message, "/webhooks/salesforce/wrong").status_code == 404
        assert send(service, message, "/webhooks/salesforce/nobody-guesses-this").text == ACK


def twilio(service: httpx.Client, path: str, token: str = TWILIO_TOKEN, **fields: str) -> httpx.Response:
    url = f"{str(service.base_url).rstrip('/')}{path}"
    signed = twilio_signature(token, url, list(fields.items()))
    headers = {"X-Twilio-Signature": signed, "Content-Type": "application/x-www-form-urlencoded"}
    return service.post(path, content=urlencode(fields), headers=headers)


def test_twilio_signature_is_twilios_own_example() -> None:
    # https://www.twilio.com/docs/usage/webhooks/webhooks-security, the worked example of the page
    fields = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+12349013030"),
        ("Digits", "1234"),
        ("From", "+12349013030"),
        ("To", "+18005551212"),
    ]
    assert (
        twilio_signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", fields)
        == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    )


def test_twilio_calls_go_into_the_call_history(service: httpx.Client, home: Home) -> None:
    path = "/callbacks/twilio/calls"
    call = {"CallSid": "CA1", "To": MOBILE, "From": "+441632960001", "Direction": "outbound-api"}
    assert twilio(service, path, **call, CallStatus="ringing").json() == {"taken": 0, "new": 0}
    for _ in range(2):
        assert (
            twilio(service, path, **call, CallStatus="failed", SipResponseCode="404", CallDuration="0").status_code
            == 200
        )
    assert home.rows("SELECT namespace, external_id, number, outcome, cause FROM calls") == [
        ("twilio", "CA1", MOBILE, "failed", "404")
    ]
    assert twilio(service, path, token="wrong", **call, CallStatus="busy").status_code == 401
    assert twilio(service, path, CallStatus="busy").status_code == 400


def test_a_text_message_that_says_stop_is_an_opt_out(service: httpx.Client, home: Home) -> None:
    path = "/callbacks/twilio/messages"
    assert twilio(service, path, MessageSid="SM0", From=FREE, Body="Thanks, see you on Monday").status_code == 200
    for _ in range(2):
        answer = twilio(service, path, MessageSid="SM1", From=FREE, Body=" Stop ")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/xml")
    assert home.rows("SELECT number, scope, source FROM suppressions") == [(FREE, "number", "opt_out:sms")]


def test_vonage_answers_wait_for_the_run_that_asked(service: httpx.Client, home: Home) -> None:
    body = {
        "request_id": "abc",
        "status": 0,
        "roaming": {"status": "roaming", "roaming_country_code": "FR"},
        "reachable": "reachable",
    }
    path = f"/callbacks/vonage/{VONAGE_PART}"
    assert service.post(path, json=body).json() == {"taken": 1, "new": 1}
    assert service.post(path, json={**body, "status": 9}).json() == {"taken": 1, "new": 0}
    assert service.post("/callbacks/vonage/wrong", json=body).status_code == 404
    assert service.post(path, json={"status": 0}).status_code == 400
    assert service.post(path, content=b"[").status_code == 400
    assert "FR" not in str(home.rows("SELECT body FROM inbox"))


def test_vonage_answers_are_found_by_another_process(home: Home) -> None:
    settings = home.write({"public_url": "https://ringtrue.example.com"})
    with home.ledger() as ledger:
        box = vonage_callbacks(settings, ledger, ENVIRON)
        assert isinstance(box, LedgerCallbacks)
        assert box.address == f"https://ringtrue.example.com/callbacks/vonage/{VONAGE_PART}"
        assert asyncio.run(box.wait("abc", 0.0)) is None
        with ledger.write() as connection:
            inbox.put(connection, [inbox.Told("vonage", "abc", "answer", body='{"status": 0}')], 1)
        assert asyncio.run(box.wait("abc", 5.0)) == b'{"status": 0}'
        assert vonage_callbacks(settings, ledger, {}) is None


def test_what_is_not_set_up_says_so(home: Home) -> None:
    with serving(home.write(), {"RINGTRUE_LEDGER_KEY": ENVIRON["RINGTRUE_LEDGER_KEY"]}) as url, client(url) as service:
        answer = deliver(service, [event()])
        assert answer.status_code == 503
        assert "HUBSPOT_CLIENT_SECRET" in answer.json()["error"]
    settings = home.write({"keys": {}})
    home.path.write_text(home.path.read_text().replace("[serve.hubspot]", ""))
    assert settings.serve.hubspot is not None
    without = settings.model_copy(update={"serve": settings.serve.model_copy(update={"hubspot": None})})
    with serving(without) as url, client(url) as service:
        assert deliver(service, [event()]).status_code == 404


def test_nothing_of_what_was_sent_is_in_the_log(
    service: httpx.Client, home: Home, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level("INFO", logger="ringtrue.serve"):
        deliver(service, [event()])
        service.post(f"/callbacks/vonage/{VONAGE_PART}", json={"request_id": "abc"})
        service.get(f"/why/{home.why_id(CONTACT)}")
        service.get("/nothing/+447400123456")
    text = caplog.text
    assert "/webhooks/hubspot 200" in text
    assert all(secret not in text for secret in (VONAGE_PART, HUBSPOT_SECRET, "7400123456", home.why_id(CONTACT)))
