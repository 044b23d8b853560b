"""Which of our numbers a registry lists, what that does to their status, and who is not callable for want of a fresh list."""

from __future__ import annotations

from pathlib import Path

from assets.registries import run as load_registries
from assets.status import StatusConfig
from assets.status import run as run_status
from ringtrue.ledger import Ledger, dirty, registries, suppressions
from ringtrue.ledger.database import fetch
from ringtrue.ledger.suppressions import Suppression
from ringtrue.registry_freshness import stale_reason
from ringtrue.registry_settings import RegistrySettings
from ringtrue.settings import Settings
from tests.ledger.build import pull, read_numbers, record
from tests.ledger.registries.files import NOW, fiction, flat

LISTED, FREE = "+12025550100", "+12025550199"


def decide(ledger: Ledger, settings: Settings, now: int = NOW) -> dict[str, tuple[str, str]]:
    """Load, scrub and decide; status and reason by number."""
    load_registries(ledger, settings, "run", now)
    with ledger.write() as book:
        registries.scrub(book, "run", now)
    run_status(ledger, settings, StatusConfig())
    with ledger.read() as book:
        return {
            number: (status, reason)
            for number, status, reason in fetch(book, "SELECT number, status, reason FROM decisions WHERE current")
        }


def test_a_listed_number_is_do_not_call_and_a_delisted_one_is_not(
    ledger: Ledger, national: Settings, folder: Path
) -> None:
    pull(ledger, record("a", Phone=LISTED), record("b", Phone=FREE))
    read_numbers(ledger)
    flat(folder, "202", fiction(100, 50), ago=3)
    decided = decide(ledger, national)
    assert decided[LISTED][0] == "do_not_call"
    assert "US National Do Not Call Registry" in decided[LISTED][1]
    assert decided[FREE][0] == "unverified"
    with ledger.read() as book:
        held = fetch(book, "SELECT whole, numbers, listed, newly_listed, delisted FROM scrubs")
    assert [tuple(map(int, row)) for row in held] == [(1, 2, 1, 1, 0)], "each scrub is on record"
    flat(folder, "202", fiction(101, 49), ago=1)
    assert decide(ledger, national)[LISTED][0] == "unverified"


def test_a_new_number_is_scrubbed_when_it_comes_and_an_idle_run_does_nothing(
    ledger: Ledger, national: Settings, folder: Path
) -> None:
    flat(folder, "202", fiction(100, 50))
    pull(ledger, record("a", Phone=FREE))
    read_numbers(ledger)
    decide(ledger, national)
    pull(ledger, record("b", Phone=LISTED))
    read_numbers(ledger)
    assert decide(ledger, national)[LISTED][0] == "do_not_call"
    decide(ledger, national)
    with ledger.read() as book:
        assert [row[0] for row in fetch(book, "SELECT numbers FROM scrubs ORDER BY scrub_id")] == [1, 1]
        assert dirty.waiting(book, "number", registries.SCRUB) == 0


def test_delisting_never_lifts_what_a_person_asked(ledger: Ledger, national: Settings, folder: Path) -> None:
    pull(ledger, record("a", Phone=LISTED))
    read_numbers(ledger)
    flat(folder, "202", fiction(100, 50), ago=3)
    decide(ledger, national)
    with ledger.write() as book:
        stop = Suppression("opt_out", "number", LISTED, None, "call 1", "call:dialler", "said stop", "agent", NOW)
        suppressions.append(book, ledger.key, [stop], NOW)
    flat(folder, "202", fiction(101, 49), ago=1)
    status, reason = decide(ledger, national)[LISTED]
    assert status == "do_not_call"
    assert "in a call" in reason


def test_a_call_in_which_somebody_said_stop_binds_the_number_only_through_the_chain(
    ledger: Ledger, national: Settings
) -> None:
    """A switchboard is not silenced by the observation itself, and a retraction is not undone by it."""
    pull(ledger, record("a", Phone=FREE))
    read_numbers(ledger)
    with ledger.write() as book:
        from ringtrue.ledger.database import insert_rows

        insert_rows(
            book, "observations",
            ["number", "kind", "source", "outcome", "observed_at", "recorded_at", "external_id", "run"],
            [(FREE, "call", "calls:dialler", "opted_out", NOW, NOW, "1", "run")],
        )  # fmt: skip
    assert decide(ledger, national)[FREE][0] == "active"


def test_the_region_of_a_stale_or_missing_registry_is_not_callable() -> None:
    held = {
        "national": RegistrySettings(kind="us_national", folder="x", area_codes=("202", "415")),
        "tps": RegistrySettings(kind="uk_tps", folder="x"),
        "texas": RegistrySettings(kind="us_state", folder="x", area_codes=("214",)),
        "litigators": RegistrySettings(kind="litigator", folder="x"),
    }
    days = registries.DAY_MS
    dates = {("national", "202"): NOW - 31 * days, ("national", "415"): NOW - 32 * days, ("tps", ""): NOW - 29 * days}
    why = stale_reason(held, dates, ("US", "GB", "CA"), NOW)
    assert why("+12025550100") is None
    assert why("+14155550100") == "registry national is 32 days old; at most 31 are allowed"
    assert why("+13035550100") == "registry national does not cover area code 303"
    assert why("+12145550100") == "registry national does not cover area code 214"
    assert why("+441212345678") == "registry tps is 29 days old; at most 28 are allowed"
    assert why("+14165550100") == "no registry of CA is loaded"
    assert why("+4915123456789") is None
    assert stale_reason({}, {}, (), NOW)("+12025550100") is None
