"""Rate limits, tokens and scopes of the HubSpot stand-in, with their own envelopes and headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.sandbox.hubspot_wire import CONTACTS, HubSpotWire, serving


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[HubSpotWire]:
    with serving(None, tmp_path, burst=5, search_per_second=2, daily=12) as wire:
        yield wire


def test_the_burst_is_a_rolling_window_with_its_own_envelope(limited: HubSpotWire) -> None:
    for left in (4, 3, 2, 1, 0):
        answer = limited.call("GET", CONTACTS)
        assert answer.headers["x-hubspot-ratelimit-max"] == "5"
        assert answer.headers["x-hubspot-ratelimit-remaining"] == str(left)
        assert answer.headers["x-hubspot-ratelimit-interval-milliseconds"] == "10000"
        limited.clock.move(1)
    answer = limited.call("GET", CONTACTS)
    body = answer.json()
    assert (answer.status_code, body["errorType"], body["policyName"]) == (429, "RATE_LIMIT", "TEN_SECONDLY_ROLLING")
    assert "category" not in body
    assert "retry-after" not in answer.headers
    limited.clock.move(5.1)
    assert limited.call("GET", CONTACTS).status_code == 200
    assert limited.call("GET", CONTACTS).status_code == 429


def test_searches_have_a_limit_of_their_own_and_no_headers(limited: HubSpotWire) -> None:
    answers = [limited.call("POST", f"{CONTACTS}/search", {"limit": 1}) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].json()["policyName"] == "SECONDLY"
    assert not any(name.startswith("x-hubspot-ratelimit") for one in answers for name in one.headers)
    limited.clock.move(1.1)
    assert limited.call("POST", f"{CONTACTS}/search", {"limit": 1}).status_code == 200


def test_the_days_allowance_ends_and_returns_at_midnight(limited: HubSpotWire) -> None:
    limited.hands.settings(burst=0)
    while (answer := limited.call("GET", CONTACTS)).status_code == 200:
        pass
    assert answer.json()["policyName"] == "DAILY"
    assert limited.hands.stats()["by_status"] == {"200": 12, "429": 1}
    limited.clock.move(24 * 3600)
    usage = limited.json("GET", "/account-info/v3/api-usage/daily/private-apps")["results"][0]
    assert (usage["usageLimit"], usage["currentUsage"]) == (12, 1)
    assert usage["resetsAt"].endswith("T00:00:00.000Z")


def test_a_portal_may_send_retry_after(limited: HubSpotWire) -> None:
    limited.hands.settings(retry_after_on_429=7, burst=1)
    limited.call("GET", CONTACTS)
    assert limited.call("GET", CONTACTS).headers["retry-after"] == "7"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sandbox-token"}])
def test_no_token_or_a_wrong_one(portal: HubSpotWire, headers: dict[str, str]) -> None:
    answer = httpx.get(portal.url + CONTACTS, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


@pytest.mark.parametrize("path", ["/oauth/v1/token", "/oauth/v3/token", "/oauth/2026-09/token"])
def test_refreshed_tokens_live_half_an_hour(portal: HubSpotWire, path: str) -> None:
    form = {
        "grant_type": "refresh_token",
        "client_id": "sandbox-client",
        "client_secret": "sandbox-secret",
        "refresh_token": "sandbox-refresh",
    }
    token = httpx.post(portal.url + path, data=form, trust_env=False).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert portal.call("GET", CONTACTS, headers=headers).status_code == 200
    portal.clock.move(1801)
    assert portal.refused("GET", CONTACTS, headers=headers)[1]["category"] == "EXPIRED_AUTHENTICATION"
    assert httpx.post(portal.url + path, data={**form, "client_secret": "x"}, trust_env=False).status_code == 400


def test_a_missing_scope_is_named(portal: HubSpotWire) -> None:
    portal.hands.settings(missing_scopes=["crm.objects.contacts.write"])
    status, body = portal.refused("POST", CONTACTS, {"properties": {}})
    assert (status, body["category"]) == (403, "MISSING_SCOPES")
    assert body["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.contacts.write"]
    assert portal.call("GET", CONTACTS).status_code == 200
