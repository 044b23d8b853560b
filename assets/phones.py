"""`phones`: every number of every changed contact, read and put into E.164."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
from dagster import MetadataValue

from assets.stage import BATCH, columns, counts, now_ms, plain_errors, sample
from connectors.resources import LedgerResource
from ringtrue.collector import rare_collections
from ringtrue.countries import region_of
from ringtrue.ledger import Ledger, dirty, phones, review
from ringtrue.ledger.phones import PhoneRow, Waiting, subject_of
from ringtrue.phone import normalize_arrow
from ringtrue.settings import Settings, load_settings


class PhonesConfig(dg.Config):
    """What one run reads again."""

    full: bool = False
    """Read every number again, not only what changed: after a new version of the numbering tables."""


def read_contacts(people: Sequence[Waiting], regions: dict[str, str]) -> tuple[list[PhoneRow], list[tuple[str, str]]]:
    """Numbers of contacts, and what a person should look at: (text, suggestion).

    `regions` gives the default region of each connection.
    """
    owners: list[tuple[int, str]] = []
    texts: list[str] = []
    defaults: list[str] = []
    for person in people:
        if person.deleted:
            continue
        region = region_of(person.country) or regions.get(person.connection, "US")
        for field, raw in person.phones.items():
            owners.append((person.contact_id, field))
            texts.append(raw)
            defaults.append(region)
    table = normalize_arrow(texts, defaults)
    rows: list[PhoneRow] = []
    suggestions: list[tuple[str, str]] = []
    position = 0
    last = -1
    read = (_plain(table.column(name)) for name in _READ)
    for index, e164, extension, valid, sure, reason, region, kind in zip(*read, strict=True):
        position = position + 1 if index == last else 0
        last = index
        contact_id, field = owners[index]
        raw = texts[index]
        if sure and e164 and (valid or reason != "missing_area_code"):
            number = e164
        else:
            if e164 and not sure:
                suggestions.append((raw, e164))
            number, e164, valid = subject_of(raw, defaults[index]), None, False
        rows.append(
            PhoneRow(contact_id, field, position, raw, number, e164, extension, valid, sure, reason, region, kind)
        )
    return rows, suggestions


_READ = ("row", "e164", "extension", "valid", "sure", "reason", "region", "type")


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """A column as Python objects, a fifth of the time of Arrow's own way through scalars."""
    plain: list[Any] = column.to_numpy().tolist()
    return plain


@rare_collections()
def run(
    ledger: Ledger, settings: Settings, config: PhonesConfig
) -> tuple[dict[str, int], Counter[str], list[PhoneRow]]:
    """Read the numbers of all waiting contacts. Returns counts, reasons and the first rows."""
    regions = {name: connection.default_region for name, connection in settings.connections.items()}
    totals = Counter[str]()
    reasons = Counter[str]()
    first: list[PhoneRow] = []
    if config.full:
        with ledger.write() as connection:
            phones.mark_all(connection)
    after = -1
    while True:
        with ledger.read() as connection:
            marks = dirty.next_contacts(connection, phones.STAGE, BATCH, after)
            people = phones.waiting(connection, marks) if marks else []
        if not marks:
            break
        after = marks[-1][0]
        rows, suggestions = read_contacts(people, regions)
        with ledger.write() as connection:
            phones.store(connection, marks, rows)
            phones.mark_erased_stops(connection, ledger.key, [key for key, _ in marks])
            if erased := phones.forgotten(connection, [person.contact_id for person in people]):
                rows, suggestions = read_contacts([each for each in people if each.contact_id not in erased], regions)
            review.add(connection, "number", suggestions, now_ms())
        totals["contacts"] += len(people)
        totals["contacts without a number"] += len(people) - len({row.contact_id for row in rows})
        totals["numbers"] += len(rows)
        totals["valid"] += sum(row.valid for row in rows)
        totals["suggestions for review"] += len(suggestions)
        reasons.update(row.reason or "valid" for row in rows)
        first = first or rows[:10]
    totals["not valid"] = totals["numbers"] - totals["valid"]
    return dict(totals), reasons, first


def build_phones(deps: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The `phones` asset below the pulls of all connections."""

    @dg.asset(
        name="phones",
        deps=list(deps),
        group_name="numbers",
        kinds={"python", "sqlite"},
        owners=["team:data"],
        pool="ledger_phones",
        metadata={
            "dagster/column_schema": columns(
                contact_id="the contact",
                field="API name of the field",
                position="which number of the field",
                raw="what was typed",
                number="E.164, or a key for text that holds none",
                e164="E.164",
                extension="extension",
                valid="in a range that is assigned",
                sure="read without guessing",
                reason="why it is not valid",
                region="country of the number",
                type="line type by its range",
            )
        },
    )
    def phones_asset(
        context: dg.AssetExecutionContext, config: PhonesConfig, ledger: LedgerResource
    ) -> dg.MaterializeResult[None]:
        """Reads every phone field of new and changed contacts and puts each number into E.164."""
        with plain_errors(), ledger.open() as book:
            totals, reasons, first = run(book, load_settings(), config)
        context.log.info("Read %s numbers of %s contacts.", totals.get("numbers", 0), totals.get("contacts", 0))
        return dg.MaterializeResult(
            metadata={
                **counts(totals),
                "reasons": MetadataValue.json(dict(reasons.most_common())),
                "sample": sample(
                    [row._asdict() for row in first], {"raw": "number", "number": "number", "e164": "number"}
                ),
            }
        )

    return phones_asset
