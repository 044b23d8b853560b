"""`python -m sandbox`: a second start continues, a real list can take the world's place, and equal starts make equal CRMs."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.stand_ins import Sandbox, running_sandbox

EPOCH = "2026-11-20T09:00:00+00:00"


def _everything(sandbox: Sandbox) -> list[object]:
    return [
        list(sandbox[crm].records(name))
        for crm, names in (("salesforce", ("Contact", "Lead", "Account")), ("hubspot", ("contacts", "calls")))
        for name in names
    ]


def test_equal_starts_make_equal_crms_and_a_second_start_continues(tmp_path: Path) -> None:
    arguments = ("--seed", "5", "--contacts", "80", "--epoch", EPOCH)
    homes = [tmp_path / "a", tmp_path / "b"]
    for home in homes:
        home.mkdir()
    with running_sandbox(homes[0], *arguments) as first, running_sandbox(homes[1], *arguments) as second:
        assert _everything(first) == _everything(second)
        record = next(iter(first["hubspot"].records("contacts")))["record_id"]
        first["hubspot"].edit("contacts", record, {"phone": "new"}, "user:ann")
        first["hubspot"].settings(missing_id_status=400)
    with running_sandbox(homes[0], "--contacts", "9999") as again:
        assert again["hubspot"].record("contacts", record)["fields"]["phone"] == "new"
        assert again["hubspot"].history("contacts", record, "phone")[0]["source"] == "user:ann"
        assert again["hubspot"].settings()["missing_id_status"] == 400
        assert again["hubspot"].count("contacts") == 80


def test_a_real_list_fills_both_crms(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Facility Name", "Telephone Number", "Second phone", "City/Town", "State", "ZIP Code"])
        writer.writerows(
            [[f"Clinic {n}", f"(415) 555-01{n:02d}", f"415-555-02{n:02d}", "Oakland", "CA", "94601"] for n in range(30)]
        )
    home = tmp_path / "home"
    home.mkdir()
    with running_sandbox(home, "--data", str(path), "--data-country", "US") as sandbox:
        salesforce = [one["fields"] for one in sandbox["salesforce"].records("Contact")]
        hubspot = [one["fields"] for one in sandbox["hubspot"].records("contacts")]
    assert len(salesforce) == len(hubspot) == 20
    names = {one["LastName"] for one in salesforce} | {one["lastname"] for one in hubspot}
    assert names == {f"Clinic {n}" for n in range(30)}
    assert (salesforce[0]["Phone"], salesforce[0]["OtherPhone"], salesforce[0]["MailingCountryCode"]) == (
        "(415) 555-0100",
        "415-555-0200",
        "US",
    )
    assert (hubspot[0]["phone"], hubspot[0]["mobilephone"], hubspot[0]["city"]) == (
        "(415) 555-0100",
        "415-555-0200",
        "Oakland",
    )
