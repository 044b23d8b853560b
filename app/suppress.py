"""`ringtrue suppress`: who must not be called. Sticky, provable, and lifted only by two people with a reason."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from app.console import out, print_json
from assets.stage import now_ms
from connectors.registries import generic
from connectors.registries.bytes_in import fingerprint, unpacked
from connectors.registries.entries import Entries
from connectors.resources import open_ledger
from connectors.safe_csv import write_csv_safely
from ringtrue.errors import FileUnreadable, SettingsError
from ringtrue.ledger import Ledger, dialing, registries, suppressing, suppressions
from ringtrue.ledger.suppressing import Event, Signed
from ringtrue.phone import normalize_arrow
from ringtrue.registry_freshness import stale_reason
from ringtrue.settings import Settings, load_settings

suppress = typer.Typer(help="Keep people from being called, and prove it.", no_args_is_help=True)
blacklist = typer.Typer(help="Numbers that cannot be reached.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str, typer.Option("--by", help="Your name.", prompt="Your name")]
Second = Annotated[
    str, typer.Option("--second", help="Name of the second person, who agrees.", prompt="Name of the second person")
]
Region = Annotated[str, typer.Option(help="Country of numbers without a country code.")]
BATCH = 20_000


@contextmanager
def opened() -> Iterator[tuple[Settings, Ledger]]:
    """The settings and their ledger."""
    settings = load_settings()
    ledger = open_ledger(settings)
    try:
        yield settings, ledger
    finally:
        ledger.close()


def one_number(text: str, region: str) -> str:
    """A number as typed, in E.164. Raises SettingsError."""
    table = normalize_arrow([text], [region])
    found = [
        e164
        for e164, sure in zip(table.column("e164").to_pylist(), table.column("sure").to_pylist(), strict=True)
        if e164 and sure
    ]
    if len(found) != 1:
        raise SettingsError("That is no single phone number. Write it with its country code, as in +441212345678.")
    return str(found[0])


def signed(by: str, second: str, reason: str) -> Signed:
    """Two different people and a reason. Raises SettingsError."""
    names = [" ".join(name.split()) for name in (by, second)]
    if not all(names) or names[0].casefold() == names[1].casefold():
        raise SettingsError("Two different people have to stand for this: give --by and --second.")
    if not reason.strip():
        raise SettingsError("Say why, in words that somebody will understand in five years.")
    return Signed(names[0], names[1], reason.strip())


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@suppress.command("add")
def add(
    number: Annotated[str, typer.Argument(help="The number that must not be called.")],
    by: By,
    evidence: Annotated[str, typer.Option(help="Who said so, when and how.", prompt="Evidence")],
    record: Annotated[
        str | None, typer.Option(help="CONNECTION/ID of the person who asked: covers their other numbers too.")
    ] = None,
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Suppress a number everywhere, now and at every later import. With --record also the person and all their numbers."""
    e164 = one_number(number, region)
    cause = secrets.token_hex(6)
    now = now_ms()
    with opened() as (settings, ledger), ledger.write() as book:
        suppressing.add(
            book, ledger.key, [(e164, cause)], source="manual", evidence=evidence, actor=by, at=now, now=now
        )
        if record is not None:
            name, _, record_id = record.partition("/")
            person = suppressing.add_person(
                book, ledger.key, name, record_id, cause=cause, evidence=evidence, actor=by, at=now,
                switchboard_people=settings.policy.switchboard_people, now=now,
            )  # fmt: skip
            if person is None:
                raise SettingsError(
                    f"The ledger knows no record {record_id!r} of {name!r}. Write CONNECTION/ID, as in salesforce/003…."
                )
        last = suppressing.events_of(book, ledger.key, e164)[-1]
    if as_json:
        print_json({"event": last.event_id, "hash": last.hash})
    else:
        out.print(f"Suppressed (event {last.event_id}). Every record with the number is flagged within minutes.")


@suppress.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="A list of numbers: one a line, or a table with --column.")],
    by: By,
    evidence: Annotated[str, typer.Option(help="Where the list comes from.", prompt="Where does the list come from")],
    column: Annotated[str | None, typer.Option(help="Header of the column with the numbers.")] = None,
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Suppress every number of a list. Refused whole when more than one line in a thousand is no number."""
    if not file.is_file():
        raise FileUnreadable(f"There is no file {file}.")
    entries = generic.read_table(file, column, region) if column else _read(file, region)
    try:
        if entries.bad * 1000 > entries.lines:
            raise FileUnreadable(
                f"{file.name}: {entries.bad:,} of {entries.lines:,} lines are no phone number. Correct them, or give --column and --region."
            )
        import_id = f"i{secrets.token_hex(4)}"
        now = now_ms()
        count = 0
        proof = {"file": file.name, "sha256": fingerprint(file), "lines": entries.lines, "said": evidence}
        with opened() as (_, ledger), ledger.write() as book:
            suppressing.note_import(
                book, ledger.key, import_id, evidence=orjson.dumps(proof).decode(), actor=by, now=now
            )
            for portion in entries.numbers():
                rows = [(f"+{number}", f"{import_id}/{count + place}") for place, number in enumerate(portion.tolist())]
                for start in range(0, len(rows), BATCH):
                    suppressing.add(
                        book, ledger.key, rows[start : start + BATCH], source=f"import:{import_id}",
                        evidence=f"{file.name}: {evidence}", actor=by, at=now, now=now,
                    )  # fmt: skip
                count += len(rows)
    finally:
        entries.close()
    if as_json:
        print_json({"import": import_id, "numbers": count, "lines": entries.lines, "unreadable": entries.bad})
    else:
        out.print(
            f"Import {import_id}: {count:,} numbers suppressed. `ringtrue suppress retract {import_id}` would take them back."
        )


def _read(file: Path, region: str) -> Entries:
    with unpacked(file) as stream:
        return generic.read(stream, file.name, region)


@suppress.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="CSV to write.")],
    as_json: AsJson = False,
) -> None:
    """Write every suppression that holds, with its source and evidence. The file holds numbers in full."""
    header = ("event", "scope", "number", "source", "since", "evidence", "entered_by")
    with opened() as (_, ledger), ledger.read() as book:
        rows = (
            (str(one.event_id), one.scope, one.number, one.source, _moment(one.at), one.evidence, one.actor)
            for one in suppressing.all_live(book)
        )
        count = write_csv_safely(file, header, rows)
    if as_json:
        print_json({"file": str(file), "suppressions": count})
    else:
        out.print(f"{count:,} suppressions in {file}.")


@suppress.command("check")
def check(
    numbers: Annotated[list[str], typer.Argument(help="Numbers to look up.")],
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Say whether numbers may be called as far as permission goes: suppressions, registries, and how fresh those are."""
    wanted = [one_number(number, region) for number in numbers]
    with opened() as (settings, ledger), ledger.read() as book:
        held = suppressing.of_numbers(book, ledger.key, wanted)
        listed: dict[str, list[str]] = {}
        for listing in registries.check(book, wanted):
            listed.setdefault(listing.number, []).append(listing.name)
        dates = {place: part.list_date for place, part in registries.parts_in_force(book).items()}
    stale = stale_reason(settings.registries, dates, settings.dialing_list.registries_required, now_ms())
    report: list[dict[str, Any]] = []
    for number in wanted:
        reasons = [f"event {one.event_id}: {one.source}, since {_moment(one.at)}" for one in held.get(number, [])]
        reasons += [f"listed in {name}" for name in listed.get(number, [])]
        fresh = stale(number)
        reasons += [fresh] if fresh else []
        report.append({"number": number, "may_be_called": not reasons, "reasons": reasons})
    if as_json:
        print_json(report)
        return
    for row in report:
        out.print(
            f"{row['number']}: " + ("nothing speaks against it" if row["may_be_called"] else "; ".join(row["reasons"]))
        )


@suppress.command("prove")
def prove(
    number: Annotated[str, typer.Argument(help="The number.")],
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Print every event about a number with its hashes, and check the whole chain. Exit code 1 when the chain is broken."""
    e164 = one_number(number, region)
    with opened() as (_, ledger), ledger.read() as book:
        events = suppressing.events_of(book, ledger.key, e164)
        broken = suppressions.broken_link(book)
        length = suppressions.totals(book).events
        lifted = {event.lifts for event in events if event.kind in ("retract", "reconsent")}
        listings = registries.check(book, [e164])
    if as_json:
        print_json(
            {
                "number": e164,
                "suppressed": any(_holds(event, lifted) for event in events),
                "events": [{**event._asdict(), "holds": _holds(event, lifted)} for event in events],
                "registries": [listing._asdict() for listing in listings],
                "chain": {"events": length, "whole": broken is None, "first_broken_event": broken},
            }
        )
    else:
        _print_proof(e164, events, lifted, listings)
        out.print(
            f"The chain of {length:,} events is whole." if broken is None else f"The chain is broken at event {broken}."
        )
    if broken is not None:
        raise typer.Exit(1)


def _holds(event: Event, lifted: set[int | None]) -> bool:
    return event.kind == "opt_out" and event.event_id not in lifted


def _print_proof(number: str, events: list[Event], lifted: set[int | None], listings: list[registries.Listing]) -> None:
    out.print(f"{number}: {len(events)} events" if events else f"{number}: nobody ever asked not to be called on it.")
    for event in events:
        names = event.actor + (f" and {event.second_person}" if event.second_person else "")
        what = f"lifts event {event.lifts}" if event.lifts else ("holds" if _holds(event, lifted) else "lifted")
        out.print(
            f"  event {event.event_id}: {event.kind} of the {event.scope}, {_moment(event.at)}, {event.source}, by {names}: {what}"
        )
        out.print(f"    {event.evidence}", markup=False)
        out.print(f"    previous {event.previous_hash}", soft_wrap=True)
        out.print(f"    hash     {event.hash}", soft_wrap=True)
    for listing in listings:
        out.print(f"  listed in registry {listing.name} ({listing.kind}), list of {_moment(listing.since)}")


@suppress.command("retract")
def retract(
    entry: Annotated[str, typer.Argument(help="Event number, or id of an import.")],
    by: By,
    second: Second,
    reason: Annotated[str, typer.Option(help="Why the entry was an error.", prompt="Reason")],
    as_json: AsJson = False,
) -> None:
    """Withdraw an entry or an import that was made in error. Flags that RingTrue set are cleared by the next sync, where nothing else holds them."""
    agreed = signed(by, second, reason)
    with opened() as (_, ledger), ledger.write() as book:
        ended = suppressing.retract(book, ledger.key, entry, agreed, now_ms())
    if as_json:
        print_json({"entry": entry, "suppressions_ended": ended})
    else:
        out.print(f"{ended:,} suppressions end. Flags that people set in the CRM stay; those are theirs to clear.")


@suppress.command("reconsent")
def reconsent(
    number: Annotated[str, typer.Argument(help="The number on which somebody agreed again to be called.")],
    by: By,
    second: Second,
    evidence: Annotated[
        str, typer.Option(help="Who agreed, when, to what text, and where that is kept.", prompt="Evidence")
    ],
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Record that somebody agreed again to be called. A registry's listing stays."""
    e164 = one_number(number, region)
    agreed = signed(by, second, evidence)
    now = now_ms()
    with opened() as (_, ledger), ledger.write() as book:
        ended = suppressing.reconsent(book, ledger.key, e164, agreed, now, now)
    if as_json:
        print_json({"number": e164, "suppressions_ended": ended})
    else:
        out.print(f"The consent is on record; {ended:,} suppressions end.")


@blacklist.command("export")
def export_blacklist(
    file: Annotated[Path, typer.Argument(help="CSV to write.")],
    as_json: AsJson = False,
) -> None:
    """Write every invalid and disconnected number, for forms and importers to refuse. The file holds numbers in full."""

    def rows() -> Iterator[tuple[str, str, str, str]]:
        after = ""
        while page := dialing.retired_numbers(book, after, BATCH):
            for number, status, reason, decided_at in page:
                if number.startswith("+"):
                    yield number, status, reason, _moment(decided_at)
            after = page[-1][0]

    with opened() as (_, ledger), ledger.read() as book:
        count = write_csv_safely(file, ("number", "status", "reason", "since"), rows())
    if as_json:
        print_json({"file": str(file), "numbers": count})
    else:
        out.print(f"{count:,} numbers in {file}.")
