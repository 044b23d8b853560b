"""Privacy requests: everything about a number and the people who carry it, and how it is erased. What is whose stands in `personal`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import orjson
import phonenumbers
from sqlalchemy import Connection, Table, text

from ringtrue.countries import region_of
from ringtrue.errors import LedgerError
from ringtrue.ledger import dirty, suppressions
from ringtrue.ledger.database import batch_of, fetch, insert_rows, stream, take_turns
from ringtrue.ledger.personal import ERASED, RULES, Rule, without_person
from ringtrue.ledger.schema import metadata
from ringtrue.ledger.suppressions import PRIVACY, Suppression, number_key
from ringtrue.phone import normalize_arrow

Row = dict[str, Any]
Found = dict[str, list[Row]]
_TAIL = 9
"""Digits by which a number is recognised in a text, however it is written: the last ones."""


class Subject(NamedTuple):
    """Whom a request is about. `numbers` are those that nobody else carries: the one asked about first, when it is among them."""

    number: str
    numbers: tuple[str, ...]
    contact_ids: tuple[int, ...]
    emails: tuple[str, ...]
    people: tuple[tuple[str, str], ...]
    """Connection and record id of each record."""
    names: tuple[str, ...]
    faces: tuple[tuple[str, str], ...]
    """Name and address of each record in small letters, empty where there is none; without records merged into another of them."""
    pattern: re.Pattern[str]
    """Finds number, address and full name in a text."""


class Request(NamedTuple):
    """A request that was carried out."""

    request_id: int
    counts: dict[str, int]
    """Rows by table."""


def carriers(connection: Connection, number: str, email: str | None = None) -> list[int]:
    """Contacts that carry a number or an address, carried the number before they were deleted, or were delivered with it."""
    typed = _typed(connection, number)
    rows = fetch(
        connection,
        "SELECT contact_id FROM phones WHERE number = :number UNION SELECT contact_id FROM source_arrivals WHERE number = :number "
        "UNION SELECT contact_id FROM contacts WHERE lower(email) = lower(:email) AND forgotten_at IS NULL",
        {"number": number, "email": email},
    )
    return sorted({*typed, *(row[0] for row in rows)})


def _typed(connection: Connection, number: str) -> list[int]:
    """Deleted contacts have no numbers any more, but what was typed stays."""
    tail = re.compile(_digits_of(number))
    home = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    read: list[tuple[int, str, str | None]] = []
    for contact_id, country, typed in stream(
        connection, "SELECT contact_id, country, phones FROM contacts WHERE deleted_at IS NOT NULL AND phones <> '{}'"
    ):
        if tail.search(typed):
            read += [(contact_id, raw, region_of(country) or home) for raw in orjson.loads(typed).values()]
    if not read:
        return []
    table = normalize_arrow([raw for _, raw, _ in read], [region for _, _, region in read])
    rows = zip(table.column("row").to_pylist(), table.column("e164").to_pylist(), strict=True)
    return sorted({read[row][0] for row, e164 in rows if e164 == number})


def record_of(connection: Connection, name: str, record_id: str) -> list[int]:
    """The contacts behind a record of a connection."""
    rows = fetch(
        connection,
        "SELECT contact_id FROM contacts WHERE connection = :name AND record_id = :record",
        {"name": name, "record": record_id},
    )
    return [row[0] for row in rows]


def subject_of(connection: Connection, number: str, contact_ids: Sequence[int]) -> Subject:
    """A number with some people and all that belongs to them alone. Records merged into theirs are theirs."""
    with batch_of(connection, contact_ids, empty=int) as batch:
        rows = fetch(
            connection,
            f"WITH RECURSIVE family (contact_id) AS (SELECT key FROM {batch} UNION "
            "SELECT loser.contact_id FROM family AS f JOIN contacts AS m ON m.contact_id = f.contact_id "
            "JOIN contacts AS loser ON loser.merged_into = m.record_id AND loser.connection = m.connection) "
            "SELECT c.contact_id, c.connection, c.record_id, c.name, c.email, c.merged_into FROM family AS f "
            "JOIN contacts AS c ON c.contact_id = f.contact_id ORDER BY c.contact_id",
        )
    people = [row[0] for row in rows]
    with batch_of(connection, people, empty=int) as batch:
        held = fetch(
            connection,
            f"SELECT p.number, p.raw FROM phones AS p WHERE p.contact_id IN (SELECT key FROM {batch}) "
            f"UNION SELECT a.number, a.raw FROM source_arrivals AS a WHERE a.contact_id IN (SELECT key FROM {batch})",
        )
        with batch_of(connection, [number, *(row[0] for row in held)]) as numbers:
            alone = [
                row[0]
                for row in fetch(
                    connection,
                    f"SELECT n.key FROM {numbers} AS n WHERE NOT EXISTS (SELECT 1 FROM phones AS p JOIN contacts AS c "
                    "ON c.contact_id = p.contact_id WHERE p.number = n.key AND c.deleted_at IS NULL "
                    f"AND p.contact_id NOT IN (SELECT key FROM {batch}))",
                )
            ]
    known = {(row[1], row[2]) for row in rows}
    emails = {row[4] for row in rows if row[4]}
    names = {row[3] for row in rows if row[3]}
    own = sorted(alone, key=lambda each: (each != number, each))
    raws = {raw for other, raw in held if other in alone and raw}
    return Subject(
        number,
        tuple(own),
        tuple(people),
        tuple(sorted({email.lower() for email in emails})),
        tuple((row[1], row[2]) for row in rows),
        tuple(sorted(names)),
        tuple(
            (" ".join((row[3] or "").split()).casefold(), (row[4] or "").strip().casefold())
            for row in rows
            if (row[1], row[5]) not in known
        ),
        _pattern(own, raws, emails, names),
    )


def _digits_of(number: str) -> str:
    digits = [character for character in number if character.isdigit()][-_TAIL:]
    return r"[\s().\-/]{0,3}".join(digits) + r"(?!\d)"


def _pattern(numbers: Sequence[str], raws: set[str], emails: set[str], names: set[str]) -> re.Pattern[str]:
    parts = [r"\+?(?:\d[\s().\-/]{0,3}){0,6}" + _digits_of(number) for number in numbers if number.startswith("+")]
    parts += [re.escape(raw.strip()) for raw in raws if sum(map(str.isdigit, raw)) > 4]
    parts += [re.escape(email) for email in emails]
    # A single name is a word that means other things too.
    parts += [r"\b" + r"\s+".join(map(re.escape, name.split())) + r"\b" for name in names if len(name.split()) > 1]
    return re.compile("|".join(sorted(parts, key=len, reverse=True)) or r"(?!)", re.IGNORECASE)


def one_person(subject: Subject) -> bool:
    """Whether the records are surely one person's: one record, or all under one name without two addresses."""
    names = {name for name, _ in subject.faces}
    addresses = {address for _, address in subject.faces if address}
    return len(subject.faces) < 2 or ("" not in names and len(names) == 1 and len(addresses) < 2)


def find(connection: Connection, key: bytes, subject: Subject) -> Found:
    """Every row about the subject, by table, in the order of the primary keys. Tables with none are left out."""
    found: Found = {}
    with ExitStack() as stack:
        people = stack.enter_context(batch_of(connection, subject.contact_ids, empty=int))
        numbers = stack.enter_context(batch_of(connection, list(subject.numbers)))
        keys = stack.enter_context(batch_of(connection, [number_key(key, each) for each in subject.numbers]))
        emails = stack.enter_context(batch_of(connection, list(subject.emails)))
        calls = _calls(connection, subject)
        call_ids = stack.enter_context(batch_of(connection, [row[0] for row in calls], empty=int))
        places = stack.enter_context(batch_of(connection, [f"{row[1]}:{row[2]}" for row in calls]))
        for name, rule in RULES.items():
            conditions = {
                "number": f"t.{rule.subject} IN (SELECT key FROM {numbers})",
                "key": f"t.number_key IN (SELECT key FROM {keys})",
                "person": f"t.contact_id IN (SELECT key FROM {people})",
                "email": f"lower(t.{rule.subject}) IN (SELECT key FROM {emails})",
                "record": f"EXISTS (SELECT 1 FROM contacts AS c JOIN {people} AS p ON p.key = c.contact_id "
                "WHERE c.connection = t.connection AND c.record_id = t.record_id)",
                "call": f"t.call_id IN (SELECT key FROM {call_ids})"
                if name == "calls"
                else f"t.suggestion IN (SELECT key FROM {places})",
            }
            where = [conditions[by] for by in rule.found_by if by != "text"]
            rows = _rows(connection, metadata.tables[name], " OR ".join(where)) if where else []
            if "text" in rule.found_by:
                rows = _together(rows, _naming(connection, metadata.tables[name], rule, subject), metadata.tables[name])
            if rows:
                found[name] = rows
    return found


def _calls(connection: Connection, subject: Subject) -> list[tuple[Any, ...]]:
    """Calls that went to one of the people, or that an observation of the numbers rests on: id, connection, external id."""
    with batch_of(connection, list(subject.numbers)) as numbers:
        rows = fetch(
            connection,
            "SELECT l.call_id, l.connection, l.external_id FROM calls AS l JOIN observations AS o ON o.external_id = l.external_id "
            f"WHERE o.kind LIKE 'call%' AND o.source = 'calls:' || l.connection AND o.number IN (SELECT key FROM {numbers})",
        )
    for name, record_id in subject.people:
        rows += fetch(
            connection,
            "SELECT call_id, connection, external_id FROM calls WHERE records LIKE '%\"' || :record || '\"%' "
            "AND (connection = :name OR NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.connection = calls.connection "
            "AND c.record_id = :record))",
            {"name": name, "record": record_id},
        )
    return list(dict.fromkeys(rows))


def _columns(table: Table) -> list[str]:
    return [str(column.name) for column in table.columns]


def _rows(connection: Connection, table: Table, where: str) -> list[Row]:
    names = _columns(table)
    order = ", ".join(f"t.{column.name}" for column in table.primary_key)
    shown = ", ".join(f't."{name}"' for name in names)
    return [
        dict(zip(names, row, strict=True))
        for row in fetch(connection, f"SELECT {shown} FROM {table.name} AS t WHERE {where} ORDER BY {order}")
    ]


def _naming(connection: Connection, table: Table, rule: Rule, subject: Subject) -> list[Row]:
    (key,) = (column.name for column in table.primary_key)
    texts = ", ".join(rule.searched)
    some = " OR ".join(f"coalesce({name}, '') <> ''" for name in rule.searched)
    ids = [
        row[0]
        for row in stream(connection, f"SELECT {key}, {texts} FROM {table.name} WHERE {some}")
        if any(value and subject.pattern.search(value) for value in row[1:])
    ]
    if not ids:
        return []
    with batch_of(connection, ids, empty=int) as batch:
        return _rows(connection, table, f"t.{key} IN (SELECT key FROM {batch})")


def _together(first: list[Row], second: list[Row], table: Table) -> list[Row]:
    keys = [column.name for column in table.primary_key]
    return list({tuple(row[name] for name in keys): row for row in [*first, *second]}.values())


def note(
    connection: Connection, key: bytes, kind: str, subject: Subject, counts: Mapping[str, int], by: str, reason: str, now: int
) -> Request:  # fmt: skip
    """Record that a request was carried out: the number's keyed hash, who, why and how many rows of each table."""
    insert_rows(
        connection,
        "privacy_requests",
        ["kind", "number_key", "actor", "reason", "counts", "at"],
        [
            (kind, number_key(key, subject.number), by, subject.pattern.sub(ERASED, reason),
             orjson.dumps(dict(counts)).decode(), now)
        ],
    )  # fmt: skip
    rows = fetch(connection, "SELECT max(request_id) FROM privacy_requests WHERE kind = :kind", {"kind": kind})
    return Request(int(rows[0][0]), dict(counts))


def forget(connection: Connection, key: bytes, subject: Subject, by: str, reason: str, now: int) -> Request:
    """Erase a number and its people, and suppress them for ever by keyed hash. Returns how many rows of each table were touched.

    Raises LedgerError while a write to one of their records or a lookup about them is not settled.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    for what in ("questions", "phones", "decisions"):
        # Stages under way look again, in the transaction that stores or asks, whether somebody was erased since they read.
        take_turns(connection, what)
    before = find(connection, key, subject)
    _refuse_unsettled(before)
    request = note(connection, key, "forget", subject, {}, by, reason, now)
    cause, evidence = f"forget {request.request_id}", "erasure asked for; the number is kept as a keyed hash only"
    events = [
        Suppression("opt_out", "number", number, None, cause, PRIVACY, evidence, by, now)
        for number in subject.numbers
        if number.startswith("+")
    ]
    events += [
        Suppression("opt_out", "person", None, contact_id, cause, PRIVACY, evidence, by, now)
        for contact_id in subject.contact_ids
    ]
    suppressions.append(connection, key, events, now)
    # What a stage read of them and has not stored yet is left out there: its mark stands no more.
    dirty.forget_contacts(connection, "phones", subject.contact_ids)
    # Others who carry one of their numbers are decided without what these people said of it.
    shared = [row["number"] for row in before.get("phones", [])]
    dirty.mark_numbers(connection, "status", set(shared) - set(subject.numbers))
    found = find(connection, key, subject)
    tokens: dict[str, str] = {}
    for name, rows in found.items():
        _erase(connection, metadata.tables[name], rows, subject, tokens, now)
    counts = {name: len(rows) for name, rows in found.items()}
    connection.execute(
        text("UPDATE privacy_requests SET counts = :counts WHERE request_id = :id"),
        {"counts": orjson.dumps(counts).decode(), "id": request.request_id},
    )
    return Request(request.request_id, counts)


def _refuse_unsettled(found: Found) -> None:
    if any(row["state"] == "sending" for row in found.get("changes", [])):
        raise LedgerError(
            "A write to one of these records was not settled: run `ringtrue sync` for its connection first."
        )
    if any(row["state"] == "open" for row in found.get("intents", [])):
        raise LedgerError(
            "A lookup about this number has no answer yet: wait for the next sync to settle it, then try again."
        )


def _erase(
    connection: Connection, table: Table, rows: Sequence[Row], subject: Subject, tokens: dict[str, str], now: int
) -> None:
    rule = RULES[table.name]
    treatment = rule.treatment()
    for row in rows:
        which = [column == row[column.name] for column in table.primary_key]
        if rule.delete:
            connection.execute(table.delete().where(*which))
            continue
        new = {
            name: _treated(what, name, row[name], subject, tokens, now)
            for name, what in treatment.items()
            if what != "keep"
        }
        if table.name == "changes" and row["state"] in ("planned", "failed"):
            new["state"] = "superseded"
        changed = {name: value for name, value in new.items() if value != row[name]}
        if changed:
            connection.execute(table.update().where(*which).values(changed))


def _treated(what: str, name: str, value: Any, subject: Subject, tokens: dict[str, str], now: int) -> Any:
    if what == "null":
        return None
    if what == "empty":
        return "{}" if name in ("phones", "question") else ""
    if what == "pseudonym":
        # A text that is no number may stand on other records too ("n/a"): its key tells nothing.
        hidden = not value.startswith("?") or value in subject.numbers
        return tokens.setdefault(value, "?" + secrets.token_hex(10)) if hidden else value
    if what == "redact":
        return subject.pattern.sub(ERASED, value) if value else value
    if what == "fields":
        # The form that a pull compares with.
        return orjson.dumps(without_person(orjson.loads(value)), option=orjson.OPT_SORT_KEYS).decode()
    if what == "false":
        return False
    return now if value is None else value


def requests(connection: Connection, key: bytes, number: str) -> list[tuple[str, int, str, str]]:
    """Requests about a number: kind, moment, who, why."""
    rows = fetch(
        connection,
        "SELECT kind, at, actor, reason FROM privacy_requests WHERE number_key = :key ORDER BY request_id",
        {"key": number_key(key, number)},
    )
    return [(row[0], int(row[1]), row[2], row[3]) for row in rows]
