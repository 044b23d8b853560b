"""Faults on the wire, and the ways of HTTP that clients rely on."""

from __future__ import annotations

import gzip
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import httpx
import pytest

from tests.sandbox.hubspot_wire import CONTACTS, HubSpotWire


@pytest.mark.parametrize(
    ("kind", "status", "key", "value"),
    [
        ("status_429", 429, "errorType", "RATE_LIMIT"),
        ("status_500", 500, "status", "error"),
        ("status_503", 503, "status", "error"),
        ("expired_session", 401, "category", "EXPIRED_AUTHENTICATION"),
    ],
)
def test_a_refusal_falls_on_the_request_it_was_set_for(
    portal: HubSpotWire, kind: str, status: int, key: str, value: str
) -> None:
    portal.hands.fault("read", kind, nth=2, times=2)
    answers = [portal.call("GET", CONTACTS) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, status, status, 200]
    assert answers[1].json()[key] == value
    assert portal.hands.call("GET", "/faults")[0]["hits"] == 2


def test_faults_of_other_ops_do_not_count_the_request(portal: HubSpotWire) -> None:
    portal.hands.fault("write", "status_500")
    assert portal.call("GET", CONTACTS).status_code == 200
    assert portal.call("POST", CONTACTS, {"properties": {}}).status_code == 500
    assert portal.call("POST", CONTACTS, {"properties": {}}).status_code == 201


def test_retry_after_and_stripped_headers(portal: HubSpotWire) -> None:
    portal.hands.fault("read", "status_429", retry_after=3, policy="DAILY")
    answer = portal.call("GET", CONTACTS)
    assert (answer.headers["retry-after"], answer.json()["policyName"]) == ("3", "DAILY")
    portal.hands.fault("read", "strip_header", name="X-HubSpot-RateLimit-Interval-Milliseconds")
    assert "x-hubspot-ratelimit-interval-milliseconds" not in portal.call("GET", CONTACTS).headers
    assert "x-hubspot-ratelimit-interval-milliseconds" in portal.call("GET", CONTACTS).headers


def test_a_gateway_answers_in_html(portal: HubSpotWire) -> None:
    portal.hands.fault("any", "html_502")
    answer = portal.call("GET", CONTACTS)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")


def test_expired_for_ever_lasts_until_cleared(portal: HubSpotWire) -> None:
    portal.hands.fault("any", "expired_for_ever")
    assert {portal.call("GET", CONTACTS).status_code for _ in range(5)} == {401}
    portal.hands.clear_faults()
    assert portal.call("GET", CONTACTS).status_code == 200


def test_a_line_cut_before_leaves_nothing_and_one_cut_after_leaves_the_write(portal: HubSpotWire) -> None:
    portal.hands.fault("write", "drop_before")
    with pytest.raises(httpx.TransportError):
        portal.create(firstname="Ann")
    assert portal.ids() == []
    portal.hands.fault("write", "drop_after")
    with pytest.raises(httpx.TransportError):
        portal.create(firstname="Ben")
    assert len(portal.ids()) == 1


def test_half_an_answer(portal: HubSpotWire) -> None:
    portal.create(firstname="Ann")
    portal.hands.fault("read", "drop_mid_body")
    with pytest.raises(httpx.TransportError):
        portal.call("GET", CONTACTS)
    assert portal.call("GET", CONTACTS).status_code == 200


def test_locked_records(portal: HubSpotWire) -> None:
    record_id = portal.create(firstname="Ann")
    portal.hands.fault("write", "row_locked")
    assert portal.update((record_id, {"phone": "1"})).status_code == 423
    assert portal.update((record_id, {"phone": "1"})).status_code == 200


@pytest.mark.parametrize(("at", "written"), [("before", 0), ("received", 1), ("answered", 1)])
def test_a_client_is_killed_at_a_boundary(portal: HubSpotWire, at: str, written: int) -> None:
    program = (
        "import sys, httpx\n"
        "sys.stdin.readline()\n"
        "r = httpx.post(sys.argv[1], json={'properties': {}}, headers={'Authorization': 'Bearer sandbox-token'}, trust_env=False)\n"
        "print(r.status_code, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    client = subprocess.Popen(
        [sys.executable, "-c", program, portal.url + CONTACTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        portal.hands.fault("write", "kill", pid=client.pid, at=at)
        assert client.stdin
        client.stdin.write("go\n")
        client.stdin.flush()
        assert client.wait(20) == -signal.SIGKILL
    finally:
        client.kill()
        client.communicate()
    assert len(portal.ids()) == written


def test_unknown_faults_and_settings_are_refused_with_a_sentence(portal: HubSpotWire) -> None:
    for path, body in (
        ("/faults", {"op": "write", "kind": "fire"}),
        ("/faults", {"op": "cook", "kind": "slow"}),
        ("/settings", {"speed": 1}),
    ):
        answer = httpx.post(f"{portal.url}/__sandbox__{path}", json=body, trust_env=False)
        assert answer.status_code == 400
        assert "Unknown" in answer.json()["error"]
    answer = httpx.post(
        f"{portal.url}/__sandbox__/edit", json={"object": "contacts", "id": "9", "fields": {}}, trust_env=False
    )
    assert answer.status_code == 404


def test_counters_name_paths_by_template(portal: HubSpotWire) -> None:
    record_id = portal.create(firstname="Ann")
    portal.hands.reset_stats()
    portal.get(record_id)
    portal.call("GET", f"/crm/objects/2026-09/contacts/{record_id}")
    stats = portal.hands.stats()
    assert stats["by_path"] == {"GET /objects/{}/{}": 2}
    assert stats["by_op"] == {"read": 2}
    assert stats["bytes_out"] > 0


def test_chunked_bodies_are_read(portal: HubSpotWire) -> None:
    def parts() -> object:
        text = json.dumps({"properties": {"firstname": "Ann"}}).encode()
        for start in range(0, len(text), 7):
            yield text[start : start + 7]

    answer = portal.http.post(CONTACTS, content=parts(), headers={"Content-Type": "application/json"})  # type: ignore[arg-type]  # an iterator of bytes
    assert answer.status_code == 201


def test_gzip_on_request(full_portal: HubSpotWire) -> None:
    address = urlsplit(full_portal.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    headers = {"Authorization": "Bearer sandbox-token", "Accept-Encoding": "gzip"}
    connection.request("GET", f"{CONTACTS}?limit=100", headers=headers)
    answer = connection.getresponse()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.read()))["results"]) == 100
    connection.request("GET", f"{CONTACTS}?limit=100", headers={"Authorization": "Bearer sandbox-token"})
    plain = connection.getresponse()
    assert plain.headers["Content-Encoding"] is None
    assert len(json.loads(plain.read())["results"]) == 100
    connection.close()


def test_one_connection_serves_many_calls_without_delay(full_portal: HubSpotWire) -> None:
    address = urlsplit(full_portal.url)
    with socket.create_connection((str(address.hostname), address.port)) as line:
        request = f"GET {CONTACTS}?limit=1 HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer sandbox-token\r\n\r\n".encode()
        for _ in range(20):
            line.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer or b'"archived":false}]' not in answer:
                answer += line.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")


def test_slow_answers_hold_up_nobody_else(portal: HubSpotWire) -> None:
    portal.hands.fault("write", "slow", seconds=2)
    statuses: list[int] = []
    slow = threading.Thread(
        target=lambda: statuses.append(
            httpx.post(
                portal.url + CONTACTS,
                json={"properties": {}},
                headers=dict(portal.http.headers),
                timeout=20,
                trust_env=False,
            ).status_code
        )
    )
    slow.start()
    while not portal.hands.call("GET", "/faults")[0]["hits"]:
        pass
    assert portal.call("GET", CONTACTS).status_code == 200
    assert statuses == []
    slow.join(20)
    assert statuses == [201]
