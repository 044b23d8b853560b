"""`dialing_list`: who may be called now and on which number, and why the others may not. It fails closed on permission."""

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pandas as pd
from dagster import MetadataValue

from assets.stage import columns, counts, now_ms, plain_errors
from connectors.lookups.active import suspension_seen_in
from connectors.resources import LedgerResource
from connectors.safe_csv import safe_csv
from ringtrue.calling_rules import table
from ringtrue.calling_window import callable_now
from ringtrue.changes import CALLABLE, NumberState, PlanRules, is_suppressed
from ringtrue.countries import region_of
from ringtrue.ledger import Ledger, dialing, registries
from ringtrue.ledger.dialing import Page, Person
from ringtrue.list_objects import NO_FIELDS
from ringtrue.records import BEST_NUMBER_ORDER
from ringtrue.registry_freshness import stale_reason
from ringtrue.settings import Settings, load_settings

PAGE = 5_000
MAY = ("connection", "object", "record_id", "name", "number", "extension", "status", "call_before", "lists")
MAY_NOT = ("connection", "object", "record_id", "name", "cause", "why", "from", "lists")
_RANK = {status: rank for rank, status in enumerate(BEST_NUMBER_ORDER)}


class Verdict(NamedTuple):
    """What keeps a number from being called: a cause in one word, why in a sentence, and from when it may be called, if that is known."""

    cause: str
    why: str
    opens: str = ""


class Listed(NamedTuple):
    """What a run wrote."""

    may: int
    causes: Counter[str]
    folder: Path


def run(ledger: Ledger, settings: Settings, now: int) -> Listed:
    """Write `callable.csv` and `not_callable.csv` from the ledger alone."""
    chosen = settings.dialing_list
    folder = Path(chosen.folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    causes = Counter[str]()
    may = 0
    after = -1
    with (
        safe_csv(folder / "callable.csv", MAY) as let,
        safe_csv(folder / "not_callable.csv", MAY_NOT) as keep,
    ):
        while True:
            with ledger.read() as book:
                found = dialing.page(
                    book, ledger.key, after, PAGE, now,
                    only_lists=chosen.only_lists, language=settings.policy.language,
                )  # fmt: skip
                dates = {place: part.list_date for place, part in registries.parts_in_force(book).items()}
            if found is None:
                break
            after = found.last_id
            judged = Judge(found, settings, dates, now)
            for person in found.people:
                number, until, verdict = judged(person)
                about = [person.connection, person.state.object_name, person.state.record_id, person.name]
                lists = " ".join(person.lists)
                if number is not None:
                    may += 1
                    let([*about, number.e164, number.extension, number.status, until, lists])
                else:
                    causes[verdict.cause] += 1
                    keep([*about, verdict.cause, verdict.why, verdict.opens, lists])
    return Listed(may, causes, folder)


class Judge:
    """Judges the people of one page: the first of their numbers, best first, that nothing speaks against."""

    def __init__(self, found: Page, settings: Settings, dates: dict[tuple[str, str], int], now: int) -> None:
        self._page = found
        self._rules = PlanRules(NO_FIELDS, "separate_field", registry_flags=settings.policy.registry_flags)
        watched = suspension_seen_in(settings)
        self._rechecks = {
            number for number, region in found.overdue.items() if watched is not None and region not in watched
        }
        """Suspended numbers that only a call can tell more of, and whose re-check is due."""
        self._stale = stale_reason(settings.registries, dates, settings.dialing_list.registries_required, now)
        self._hours = self._windows(settings, now)

    def _windows(self, settings: Settings, now: int) -> dict[tuple[int, str], tuple[str, str, str]]:
        """By contact and number: until when it may be called, from when, and why not now. One of the first two is empty."""
        rows = [
            (person.state.contact_id, number.e164, country, _state_code(country, person.region))
            for person in self._page.people
            for country in [region_of(person.country) or ""]
            for number in person.state.numbers
            if number.e164 and self._worth_a_call(number)
        ]
        frame = pd.DataFrame(rows, columns=["contact", "number", "country", "region"])
        if frame.empty:
            return {}
        frame["consent"] = frame["number"].isin(self._page.consents)
        frame["calls_last_day"] = frame["number"].map(self._page.calls_last_day).fillna(0)
        chosen = settings.dialing_list
        told = callable_now(
            frame, pd.Timestamp(now, unit="ms", tz="UTC"), countries=chosen.countries, states=chosen.states
        )
        answers = zip(told["closes_at"], told["opens_at"], told["why"], strict=True)
        return {
            (contact, number): (_text(closes), _text(opens), why)
            for (contact, number, _, _), (closes, opens, why) in zip(rows, answers, strict=True)
        }

    def __call__(self, person: Person) -> tuple[NumberState | None, str, Verdict]:
        """The number to call and until when, or None and why not."""
        state = person.state
        if state.opted_out:
            return None, "", Verdict("do_not_call", "This person asked not to be called.")
        if not state.numbers:
            return None, "", Verdict("no_number", "There is no number on the record.")
        if is_suppressed(state, self._rules):
            listed = next(number for number in state.numbers if number.status == "do_not_call")
            return None, "", Verdict("do_not_call", listed.reason)
        first: Verdict | None = None
        for number in sorted(state.numbers, key=lambda number: _RANK[number.status]):
            verdict = self._against(state.contact_id, number)
            if verdict is None:
                return number, self._hours[(state.contact_id, number.e164 or "")][0], Verdict("", "")
            # Of several reasons the one that passes soonest is the one to read.
            if first is None or (not first.opens and verdict.opens):
                first = verdict
        return None, "", first or Verdict("no_number", "There is no number on the record.")

    def _worth_a_call(self, number: NumberState) -> bool:
        return number.e164 is not None and (number.status in CALLABLE or number.e164 in self._rechecks)

    def _against(self, contact_id: int, number: NumberState) -> Verdict | None:
        if not number.e164 or not self._worth_a_call(number):
            return Verdict(number.status, number.reason)
        if number.e164 in self._page.suppressed:
            return Verdict("do_not_call", "The number was suppressed since the last decision.")
        if number.e164 in self._page.listed:
            return Verdict("do_not_call", f"Registry {self._page.listed[number.e164]} lists the number.")
        stale = self._stale(number.e164)
        if stale is not None:
            return Verdict("registry", f"{stale[0].upper()}{stale[1:]}.")
        if number.e164 in self._page.unscrubbed:
            return Verdict("registry", "The number was not scrubbed yet; the next sync does it.")
        _, opens, why = self._hours[(contact_id, number.e164)]
        if not why:
            return None
        cause = "consent" if "consent" in why else "often" if "24 hours" in why else "hours"
        return Verdict(cause, why, opens)


def _text(moment: pd.Timestamp) -> str:
    return "" if pd.isna(moment) else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _state_code(country: str, region: str | None) -> str:
    text = (region or "").strip()
    if len(text) == 2:
        return text.upper()
    return str(_state_names().get(country, {}).get(text.casefold(), ""))


@cache
def _state_names() -> dict[str, dict[str, str]]:
    return {country: names for country, names in table("state_names").items() if isinstance(names, dict)}


def build_dialing_list(deps: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The `dialing_list` asset below status, suppressions and the dialling lists."""

    @dg.asset(
        name="dialing_list",
        deps=deps,
        group_name="decision",
        kinds={"python", "csv"},
        owners=["team:sales"],
        pool="dialing_list",
        metadata={
            "dagster/column_schema": columns(
                number="the number to call, in the file only",
                call_before="until when the call is lawful where the person may be, UTC",
                cause="what keeps the others from being called",
                why="the same in a sentence",
            )
        },
    )
    def dialing_list(ledger: LedgerResource) -> dg.MaterializeResult[None]:
        """Writes who may be called now, on which number and until when, and why the others may not. The files hold numbers in full."""
        now = now_ms()
        with plain_errors(), ledger.open() as book:
            listed = run(book, load_settings(), now)
        return dg.MaterializeResult(
            metadata={
                "callable now": MetadataValue.int(listed.may),
                "not callable": MetadataValue.int(listed.causes.total()),
                **counts({f"because of {cause}": count for cause, count in sorted(listed.causes.items())}),
                "as of": MetadataValue.text(datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")),
                "folder": MetadataValue.path(listed.folder),
            }
        )

    return dialing_list
