"""`ringtrue export` and `ringtrue forget`: what the ledger holds about somebody, handed out or erased on their request."""

from __future__ import annotations

import getpass
import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from sqlalchemy import Connection as Book

from app.console import out, print_json
from app.suppress import AsJson, Region, one_number, opened
from assets.stage import now_ms
from ringtrue.errors import SettingsError
from ringtrue.ledger import privacy, wiping
from ringtrue.ledger.privacy import Subject

FORM = "RingTrue privacy export 1"
_MOMENTS = frozenset({"at", "since", "list_date"})

Email = Annotated[
    str | None,
    typer.Option("--email", help="An e-mail address of the person: finds their records without this number too."),
]
Record = Annotated[
    str | None, typer.Option(help="CONNECTION/ID of the one person meant, where several carry the number.")
]
Everyone = Annotated[bool, typer.Option("--everyone", help="Everybody who carries the number is meant.")]


def _subject(book: Book, number: str, email: str | None, record: str | None, everyone: bool) -> Subject:
    """Whom the request is about. Raises SettingsError where several people may carry the number and none is named."""
    if record is not None:
        name, _, record_id = record.partition("/")
        found = privacy.record_of(book, name, record_id)
        if not found:
            raise SettingsError(
                f"The ledger knows no record {record_id!r} of {name!r}. Write CONNECTION/ID, as in salesforce/003…."
            )
        return privacy.subject_of(book, number, found)
    subject = privacy.subject_of(book, number, privacy.carriers(book, number, email))
    if not everyone and not privacy.one_person(subject):
        records = ", ".join("/".join(each) for each in subject.people[:8])
        more = ", …" if len(subject.people) > 8 else ""
        raise SettingsError(
            f"{len(subject.faces)} records that may be different people's carry this number: {records}{more}. Name the one who asked by --record CONNECTION/ID, "
            "or give --everyone."
        )
    return subject


def _shown(name: str, value: Any) -> Any:
    """A value as somebody can read it: moments as text, JSON as itself."""
    if isinstance(value, int) and not isinstance(value, bool) and (name.endswith("_at") or name in _MOMENTS):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads. Raises SettingsError where there is one already."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise SettingsError(f"There is a file {path} already. Give another name by --out.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def export(
    number: Annotated[str, typer.Argument(help="The person's number.")],
    email: Email = None,
    record: Record = None,
    everyone: Everyone = False,
    file: Annotated[Path | None, typer.Option("--out", help="File to write; only its owner can read it.")] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who carries the request out; the login name by default.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "access request",
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Write all that the ledger holds about a number and the people who carry it to one JSON file. Prints counts only."""
    e164 = one_number(number, region)
    now = now_ms()
    target = file or Path(f"privacy-export-{datetime.fromtimestamp(now / 1000, UTC):%Y%m%d-%H%M%S}.json")
    with opened() as (_, ledger), ledger.write() as book:
        subject = _subject(book, e164, email, record, everyone)
        found = privacy.find(book, ledger.key, subject)
        counts = {name: len(rows) for name, rows in found.items()}
        content = {
            "form": FORM,
            "made_at": _shown("made_at", now),
            "number": e164,
            "their_numbers": subject.numbers,
            "records": [{"connection": name, "record_id": record_id} for name, record_id in subject.people],
            "tables": {
                name: [{column: _shown(column, value) for column, value in row.items()} for row in rows]
                for name, rows in found.items()
            },
        }
        write_private(target, orjson.dumps(content, option=orjson.OPT_INDENT_2))
        privacy.note(book, ledger.key, "export", subject, counts, by or getpass.getuser(), reason, now)
    if as_json:
        print_json({"file": str(target), "people": len(subject.contact_ids), "rows": counts})
    else:
        out.print(
            f"{sum(counts.values()):,} rows of {len(counts)} tables about {len(subject.contact_ids)} records in {target}."
        )


def forget(
    number: Annotated[str, typer.Argument(help="The person's number.")],
    by: Annotated[str, typer.Option("--by", help="Your name.", prompt="Your name")],
    reason: Annotated[str, typer.Option(help="Why: who asked, when and how.", prompt="Reason")],
    email: Email = None,
    record: Record = None,
    everyone: Everyone = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Erase a number and the people who carry it from the ledger. What stays is a keyed hash, so that nobody calls it again."""
    e164 = one_number(number, region)
    if not reason.strip() or not by.strip():
        raise SettingsError("An erasure needs a reason and a name: give --reason and --by.")
    with opened() as (settings, ledger):
        with ledger.read() as book:
            subject = _subject(book, e164, email, record, everyone)
        living = len(subject.contact_ids)
        if not yes:
            typer.confirm(
                f"Erase {living} records with {len(subject.numbers)} numbers from the ledger? It cannot be undone",
                abort=True,
            )
        with ExitStack() as stack:
            # A write under way would journal its values again.
            for name in settings.connections:
                stack.enter_context(ledger.alone(f"writing to {name}"))
            book = stack.enter_context(ledger.write())
            subject = _subject(book, e164, email, record, everyone)
            done = privacy.forget(book, ledger.key, subject, by.strip(), reason.strip(), now_ms())
        wiping.wipe(ledger, [*done.counts, "dirty_numbers", "suppressions", "privacy_requests"])
    if as_json:
        print_json({"request": done.request_id, "people": len(subject.contact_ids), "rows": done.counts})
        return
    out.print(
        f"Request {done.request_id}: {sum(done.counts.values()):,} rows of {len(done.counts)} tables about {len(subject.contact_ids)} records."
    )
    out.print(
        "Files that hold numbers are not part of the ledger: backups, data/reports, data/dialing, imports, exports. docs/privacy.md says what to do with them.",
        soft_wrap=True,
    )
