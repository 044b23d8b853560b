"""Do-not-call registries in the ledger: which file is in force for what, and which of our numbers it lists.

A file replaces what stood before in one transaction, so that a load that fails leaves the previous version in force. The suppressions chain
holds an event with hash and count for each file taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple

import numpy as np
import orjson
from sqlalchemy import Connection, text

from ringtrue.ledger import dirty, registry_blocks, suppressions
from ringtrue.ledger.database import batch_of, fetch, insert_rows, take_turns
from ringtrue.ledger.registry_blocks import Numbers, digits
from ringtrue.ledger.suppressions import Suppression
from ringtrue.registry_freshness import part_of

SCRUB = "scrub"
"""Stage of numbers that have to be compared with the registries."""
DAY_MS = 86_400_000
_AREA = 10_000_000
_COUNTRY = 10_000_000_000
_PAGE = 50_000
State = Literal["in_force", "replaced", "refused", "withdrawn"]


class Part(NamedTuple):
    """What is in force for one area code, or for a whole registry (part empty)."""

    registry_id: int
    list_date: int
    numbers: int


class Version(NamedTuple):
    """A registry file as it is about to be taken."""

    name: str
    kind: str
    region: str
    form: str
    file: str
    sha256: str
    parts: dict[str, int]
    san: str | None
    list_date: int
    context: str


class Loaded(NamedTuple):
    """What a file that was taken changed."""

    registry_id: int
    numbers: int
    added: int
    removed: int


def parts_in_force(connection: Connection, name: str | None = None) -> dict[tuple[str, str], Part]:
    """What is in force, by (registry, part)."""
    rows = fetch(
        connection,
        "SELECT name, part, registry_id, list_date, numbers FROM registry_parts WHERE :name IS NULL OR name = :name",
        {"name": name},
    )
    return {(row[0], row[1]): Part(row[2], row[3], row[4]) for row in rows}


def known_files(connection: Connection, name: str) -> dict[tuple[str, str], tuple[State, str, str | None]]:
    """Files looked at before, by SHA-256 and name: state, context, reason of refusal. The newest look counts.

    An unchanged list that is downloaded again has a new date in its name, and is as current as that.
    """
    rows = fetch(
        connection,
        "SELECT sha256, file, state, context, reason FROM registries WHERE name = :name ORDER BY registry_id",
        {"name": name},
    )
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


def context_of(connection: Connection, name: str, settings: str) -> str:
    """What a refusal hangs on: the settings and what is in force. While both are the same, the same file is refused again."""
    held = sorted((part, row.registry_id) for (_, part), row in parts_in_force(connection, name).items())
    return sha256(orjson.dumps([settings, held])).hexdigest()[:16]


def refuse(connection: Connection, version: Version, reason: str, run: str, now: int) -> None:
    """Note that a file was refused, and why. What is in force stays."""
    _insert(connection, version, "refused", 0, 0, 0, None, reason, run, now)


def _insert(
    connection: Connection, version: Version, state: State, numbers: int, added: int, removed: int, base: int | None,
    reason: str | None, run: str, now: int,
) -> int:  # fmt: skip
    insert_rows(
        connection,
        "registries",
        ["name", "kind", "region", "form", "file", "sha256", "numbers", "added", "removed", "area_codes", "san", "list_date",
         "loaded_at", "base", "state", "reason", "context", "run"],
        [(version.name, version.kind, version.region, version.form, version.file, version.sha256, numbers, added, removed,
          orjson.dumps(sorted(filter(None, version.parts))).decode(), version.san, version.list_date, now, base, state, reason,
          version.context, run)],
    )  # fmt: skip
    rows = fetch(connection, "SELECT max(registry_id) FROM registries WHERE name = :name", {"name": version.name})
    return int(rows[0][0])


def _range(part: str) -> tuple[int, int]:
    first = _COUNTRY + int(part) * _AREA
    return first, first + _AREA - 1


def load_full(
    connection: Connection, key: bytes, version: Version, portions: Iterator[Numbers], run: str, now: int
) -> Loaded:
    """Put a full list in force for its parts, in the transaction of `connection`."""
    held = parts_in_force(connection, version.name)
    before = sum(part.numbers for (_, name), part in held.items() if name in version.parts)
    for part in version.parts:
        registry_blocks.clear(connection, version.name, *(_range(part) if part else ()))
    counts = dict.fromkeys(version.parts, 0)
    count = registry_blocks.write(connection, version.name, _counted(portions, counts))
    registry_id = _insert(connection, version, "in_force", count, count, before, None, None, run, now)
    _enforce(connection, version, registry_id, counts)
    _chain(connection, key, version, registry_id, count, now)
    return Loaded(registry_id, count, count, before)


def _counted(portions: Iterator[Numbers], counts: dict[str, int]) -> Iterator[Numbers]:
    """The portions as they come; each number is counted for its part, once."""
    for numbers in portions:
        if "" in counts:
            counts[""] += len(numbers)
        else:
            codes, amounts = np.unique((numbers - _COUNTRY) // _AREA, return_counts=True)
            for code, amount in zip(codes.tolist(), amounts.tolist(), strict=True):
                counts[f"{code:03}"] += amount
        yield numbers


def load_change(
    connection: Connection,
    key: bytes,
    version: Version,
    portions: Iterator[tuple[Numbers, Numbers]],
    run: str,
    now: int,
) -> Loaded:
    """Apply a change list to what is in force for its parts, in the transaction of `connection`."""
    held = parts_in_force(connection, version.name)
    base = min(held[(version.name, part)].registry_id for part in version.parts)
    came, went = registry_blocks.change(connection, version.name, portions)
    counts = {
        part: registry_blocks.count(connection, version.name, *_range(part)) if part else came - went
        for part in version.parts
    }
    registry_id = _insert(connection, version, "in_force", sum(counts.values()), came, went, base, None, run, now)
    _enforce(connection, version, registry_id, counts)
    _chain(connection, key, version, registry_id, came + went, now)
    return Loaded(registry_id, sum(counts.values()), came, went)


def _enforce(connection: Connection, version: Version, registry_id: int, counts: Mapping[str, int]) -> None:
    insert_rows(
        connection,
        "registry_parts",
        ["name", "part", "registry_id", "list_date", "numbers"],
        [(version.name, part, registry_id, version.list_date, count) for part, count in counts.items()],
        on_conflict="(name, part) DO UPDATE SET registry_id = excluded.registry_id, list_date = excluded.list_date, "
        "numbers = excluded.numbers",
    )
    connection.execute(
        text(
            "UPDATE registries SET state = 'replaced' WHERE name = :name AND state = 'in_force' AND registry_id NOT IN "
            "(SELECT registry_id FROM registry_parts WHERE name = :name)"
        ),
        {"name": version.name},
    )


def _chain(connection: Connection, key: bytes, version: Version, registry_id: int, count: int, now: int) -> None:
    evidence = {
        "file": version.file, "sha256": version.sha256, "form": version.form, "numbers": count, "area codes": sorted(version.parts),
        "list date": version.list_date, "san": version.san, "registry": version.name,
    }  # fmt: skip
    event = Suppression(
        kind="import",
        scope="registry",
        number=None,
        contact_id=None,
        cause=f"registry {registry_id}",
        source=f"registry:{version.kind}",
        evidence=orjson.dumps(evidence).decode(),
        actor="RingTrue",
        at=version.list_date,
    )
    suppressions.append(connection, key, [event], now)


def withdraw(connection: Connection, registry_id: int) -> str | None:
    """Take a file that was loaded in error out of force: its parts hold nothing until another file is loaded. Returns the registry's name."""
    rows = fetch(
        connection, "SELECT name FROM registries WHERE registry_id = :id AND state = 'in_force'", {"id": registry_id}
    )
    if not rows:
        return None
    name = str(rows[0][0])
    for part in [part for (_, part), row in parts_in_force(connection, name).items() if row.registry_id == registry_id]:
        registry_blocks.clear(connection, name, *(_range(part) if part else ()))
        connection.execute(
            text("DELETE FROM registry_parts WHERE name = :name AND part = :part"), {"name": name, "part": part}
        )
    connection.execute(text("UPDATE registries SET state = 'withdrawn' WHERE registry_id = :id"), {"id": registry_id})
    return name


class Listing(NamedTuple):
    """A number that a registry in force lists."""

    number: str
    name: str
    kind: str
    registry_id: int
    since: int


def listings(connection: Connection, numbers: Sequence[str]) -> list[Listing]:
    """Of the numbers given, those found listed by the last scrub."""
    with batch_of(connection, list(numbers)) as batch:
        rows = fetch(
            connection,
            f"SELECT l.number, l.name, l.kind, l.registry_id, l.since FROM {batch} AS b JOIN registry_listings AS l ON l.number = b.key "
            "ORDER BY l.number, l.name",
        )
    return [Listing(*row) for row in rows]


def check(connection: Connection, numbers: Sequence[str]) -> list[Listing]:
    """Compare numbers with everything in force, now."""
    held = _registries(connection)
    values = digits(numbers)
    found: list[Listing] = []
    for name, (kind, parts) in held.items():
        hits = registry_blocks.contains(connection, name, values)
        for place in np.flatnonzero(hits).tolist():
            part = parts.get(part_of(numbers[place])) or parts.get("")
            if part is not None:
                found.append(Listing(numbers[place], name, kind, part.registry_id, part.list_date))
    return found


def _registries(connection: Connection) -> dict[str, tuple[str, dict[str, Part]]]:
    kinds = dict(
        fetch(
            connection,
            "SELECT DISTINCT p.name, r.kind FROM registry_parts AS p JOIN registries AS r ON r.registry_id = p.registry_id",
        )
    )
    held: dict[str, tuple[str, dict[str, Part]]] = {}
    for (name, part), row in parts_in_force(connection).items():
        held.setdefault(name, (kinds[name], {}))[1][part] = row
    return held


class Scrubbed(NamedTuple):
    """What a scrub found."""

    numbers: int
    listed: int
    newly_listed: int
    delisted: int
    whole: bool


def scrub(connection: Connection, run: str, now: int, only: Sequence[str] | None = None) -> Scrubbed:
    """Compare our numbers with the registries in force: the new ones, or all of them when a version changed. What changed waits for `status`.

    `only` names a few new numbers; nothing is done for them alone while all have to be compared.

    Listings that no registry in force bears out any more are taken away; what people asked for themselves is no matter of this.
    """
    take_turns(connection, "scrub")
    versions = orjson.dumps(
        sorted((name, part, row.registry_id) for (name, part), row in parts_in_force(connection).items())
    ).decode()
    last = fetch(connection, "SELECT registries FROM scrubs ORDER BY scrub_id DESC LIMIT 1")
    whole = not last or last[0][0] != versions
    totals = [0, 0, 0, 0]
    few = None
    if only is not None:
        few = (
            []
            if whole
            else [(str(number), token) for number, token in dirty.marks_of(connection, "number", SCRUB, only)]
        )
    if few == [] or (not whole and not dirty.waiting(connection, "number", SCRUB)):
        return Scrubbed(0, 0, 0, 0, whole=False)
    pages = _pages(connection, whole) if few is None else iter([([number for number, _ in few], few)])
    for numbers, marks in pages:
        before = {(row.number, row.name): row for row in listings(connection, numbers)}
        after = {(row.number, row.name): row for row in check(connection, numbers)}
        new = [row for place, row in after.items() if place not in before]
        gone = [place for place in before if place not in after]
        insert_rows(connection, "registry_listings", Listing._fields, new)
        for number, name in gone:
            connection.execute(
                text("DELETE FROM registry_listings WHERE number = :number AND name = :name"),
                {"number": number, "name": name},
            )
        dirty.mark_numbers(connection, "status", [row.number for row in new] + [number for number, _ in gone])
        dirty.clear(connection, "number", SCRUB, marks)
        for place, amount in enumerate(
            (len(numbers), len({row.number for row in after.values()}), len(new), len(gone))
        ):
            totals[place] += amount
    insert_rows(
        connection,
        "scrubs",
        ["run", "at", "whole", "numbers", "listed", "newly_listed", "delisted", "registries"],
        [(run, now, whole, *totals, versions)],
    )
    return Scrubbed(totals[0], totals[1], totals[2], totals[3], whole)


def _pages(connection: Connection, whole: bool) -> Iterator[tuple[list[str], list[tuple[str, int]]]]:
    after = ""
    while True:
        if whole:
            rows = fetch(
                connection,
                "SELECT q.number, d.token FROM (SELECT DISTINCT number FROM phones WHERE number > :after AND e164 IS NOT NULL "
                "ORDER BY number LIMIT :limit) AS q LEFT JOIN dirty_numbers AS d ON d.stage = :stage AND d.number = q.number "
                "ORDER BY q.number",
                {"after": after, "limit": _PAGE, "stage": SCRUB},
            )
            numbers, marks = [row[0] for row in rows], [(row[0], row[1]) for row in rows if row[1] is not None]
        else:
            marks = dirty.next_numbers(connection, SCRUB, _PAGE, after)
            numbers = [number for number, _ in marks]
        if not numbers:
            return
        after = numbers[-1]
        yield numbers, marks
