"""Nobody's number, address or secret stands in full in a log, an error or the UI, whatever goes wrong."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from assets.definitions import build
from tests.pipeline.people import contact, number, person
from tests.pipeline.project import Project

ADDRESS = "shy.person@example.com"
SECRETS = ("sandbox-secret", "sandbox-token", "0123456789abcdef0123456789abcdef")


@pytest.fixture
def shy(shared: Project) -> list[str]:
    """People with numbers and addresses that must not be seen; the digits of their numbers."""
    numbers = [number() for _ in range(4)]
    contact(shared, numbers[0], Email=ADDRESS)
    contact(shared, numbers[1], Email=ADDRESS, DoNotCall=True)
    person(shared, f"0{numbers[2][3:]}", email=f"{numbers[2][3:]}.{ADDRESS}")
    person(shared, f"0{numbers[3][3:]}")
    (shared.home / "imports" / "list.csv").write_text(
        f"name,phone,email\nShy,{numbers[0]},{ADDRESS}\n", encoding="utf-8"
    )
    return [one[3:] for one in numbers]


def seen_in(project: Project, words: list[str]) -> list[tuple[str, str]]:
    """Files of the Dagster home that hold one of the words."""
    found = []
    for path in (project.home / "dagster_home").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [(path.name, word) for word in words if word.encode() in content]
    return found


def test_nothing_shows_in_what_dagster_keeps_or_the_terminal_prints(
    shared: Project, shy: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    hidden = [*shy, ADDRESS, *SECRETS]
    salesforce, hubspot = shared.sandbox["salesforce"], shared.sandbox["hubspot"]
    printed = ""
    # Rows that the CRM refuses, in its own words; a number in the vendor's message is the worst case.
    rule = {
        "object": "Contact",
        "field": "RingTrue_Status__c",
        "pattern": "^$",
        "message": f"Not for +44{shy[0]} or {ADDRESS}.",
    }
    salesforce.settings(validation_rules=[rule])
    refused = shared.sync("salesforce")
    assert not refused.success
    salesforce.settings(validation_rules=[])
    hubspot.fault("write", "status_500", times=0)
    down = shared.sync("hubspot")
    assert not down.success
    hubspot.clear_faults()
    for name in ("salesforce", "hubspot", "files"):
        ran = shared.sync(name)
        assert ran.success, ran.failures
        printed += repr(ran.metadata) + repr(ran.checks)
    # A defect of our own: the database's words must not show either.
    with shared.ledger() as ledger, ledger.write() as book:
        book.execute(text("CREATE TRIGGER broken BEFORE INSERT ON phones BEGIN SELECT RAISE(ABORT, 'broken'); END"))
    contact(shared, f"+44{shy[0]}", Email=ADDRESS)
    broken = shared.sync("salesforce")
    assert not broken.success
    assert any("Unexpected" in failure for failure in broken.failures)
    with shared.ledger() as ledger, ledger.write() as book:
        book.execute(text("DROP TRIGGER broken"))
    for ran in (refused, down, broken):
        printed += repr(ran.failures) + repr(ran.checks) + repr(ran.metadata)
    out, err = capfd.readouterr()
    printed += out + err
    assert [word for word in hidden if word in printed] == []
    assert seen_in(shared, hidden) == []


def test_errors_kept_in_the_ledger_are_masked(shared: Project, shy: list[str]) -> None:
    rule = {
        "object": "Contact",
        "field": "RingTrue_Status__c",
        "pattern": "^$",
        "message": f"Not for +44{shy[0]} or {ADDRESS}.",
    }
    shared.sandbox["salesforce"].settings(validation_rules=[rule])
    shared.sync("salesforce")
    shared.sandbox["salesforce"].settings(validation_rules=[])
    errors = shared.query("SELECT error FROM changes WHERE state = 'failed'")
    assert errors
    said = repr(errors) + repr(shared.query("SELECT reason FROM rejects"))
    assert [word for word in (*shy, ADDRESS) if word in said] == []


def test_the_launchpad_and_the_settings_show_no_secret(shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "pat-very-secret")
    shown = repr(build(shared.settings()).resources) + shared.path.read_text(encoding="utf-8")
    assert [word for word in (*SECRETS, "pat-very-secret") if word in shown] == []
