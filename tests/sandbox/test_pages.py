"""The sales team's pages, over a whole running sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.sandbox.hubspot_wire import CONTACTS
from tests.stand_ins import Sandbox

Pages = httpx.Client


@pytest.fixture
def pages(sandbox: Sandbox) -> Iterator[Pages]:
    with httpx.Client(base_url=f"http://127.0.0.1:{sandbox.ports['pages']}", trust_env=False, timeout=30) as client:
        yield client


def test_the_list_shows_both_crms_and_leads_on(pages: Pages) -> None:
    for crm, label in (("salesforce", "Salesforce"), ("hubspot", "HubSpot")):
        page = pages.get("/", params={"crm": crm}).text
        assert f">{label}</span>" in page or f">{label} lead</span>" in page
        assert page.count("<tr>") > 30
    seen, link = 0, "/?crm=hubspot"
    while link and seen < 2000:
        page = pages.get(link).text
        seen += page.count('<td class="who">')
        link = (
            page.split('<a class="button" href="')[1].split('"')[0].replace("&amp;", "&")
            if 'class="button"' in page
            else ""
        )
    assert seen >= 590


def test_a_contact_shows_what_ringtrue_wrote_and_what_was_there_before(sandbox: Sandbox, pages: Pages) -> None:
    hubspot = sandbox["hubspot"]
    hubspot_http = httpx.Client(
        base_url=hubspot.url, headers={"Authorization": "Bearer sandbox-token"}, trust_env=False
    )
    record_id = hubspot.create("contacts", {"firstname": "Zelda", "lastname": "Quill<b>", "phone": "(415) 555-2671"})
    hubspot_http.post("/crm/v3/properties/contacts/groups", json={"name": "pages", "label": "Pages"})
    options = [{"label": word, "value": word} for word in ("disconnected", "active")]
    for name, kind, field_type in (
        ("ringtrue_status", "enumeration", "select"),
        ("ringtrue_phone_status", "enumeration", "select"),
        ("ringtrue_phone_e164", "string", "text"),
        ("ringtrue_reason", "string", "text"),
    ):
        body = {
            "name": name,
            "label": name,
            "type": kind,
            "fieldType": field_type,
            "groupName": "pages",
            "options": options if kind == "enumeration" else [],
        }
        hubspot_http.post("/crm/v3/properties/contacts", json=body)
    before = pages.get(f"/hubspot/contacts/{record_id}").text
    assert "RingTrue has not looked at this record yet" in before
    values = {
        "ringtrue_status": "disconnected",
        "ringtrue_phone_status": "disconnected",
        "ringtrue_phone_e164": "+14155552671",
        "ringtrue_reason": "Three calls met the tone of a vacant number.",
    }
    answer = hubspot_http.patch(f"{CONTACTS}/{record_id}", json={"properties": values})
    assert answer.status_code == 200, answer.text
    hubspot.edit("contacts", record_id, {"phone": "415 555 2672"}, "user:ben")
    after = pages.get(f"/hubspot/contacts/{record_id}").text
    for text in (
        "Disconnected",
        "+14155552671",
        "Three calls met the tone of a vacant number.",
        "RingTrue",
        "Ben",
        "(415) 555-2671",
        "415 555 2672",
    ):
        assert text in after
    assert "Quill&lt;b&gt;" in after
    assert "Zelda" in pages.get("/", params={"q": "zelda quill"}).text
    hubspot.delete("contacts", record_id)
    hubspot_http.close()


def test_a_salesforce_record_leads_to_its_twin(sandbox: Sandbox, pages: Pages) -> None:
    twin = next(
        page
        for record in sandbox["salesforce"].records("Contact")
        if "Also in" in (page := pages.get(f"/salesforce/Contact/{record['record_id']}").text)
    )
    path = "/hubspot/contacts/" + twin.split('href="/hubspot/contacts/')[1].split('"')[0]
    assert "Also in" in pages.get(path).text
    assert "Behind the scenes" in twin


def test_an_unknown_record_is_a_page_of_its_own(pages: Pages) -> None:
    for path in ("/hubspot/contacts/1", "/salesforce/User/x", "/oracle/contacts/1"):
        answer = pages.get(path)
        assert answer.status_code == 404
        assert "There is no such record" in answer.text


def test_no_page_needs_anything_from_elsewhere(pages: Pages, sandbox: Sandbox) -> None:
    record = next(iter(sandbox["hubspot"].records("contacts")))["record_id"]
    for path in ("/", f"/hubspot/contacts/{record}"):
        text = pages.get(path).text
        assert "<script" not in text
        assert 'src="http' not in text
        assert 'rel="stylesheet" href="/style.css"' in text
