"""`<connection>/contacts` for a folder of files: every CSV and Excel list in it, each row stored or rejected with its reason."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import dagster as dg
from dagster import MetadataValue

from assets.contacts import in_chunks
from assets.lead_sources import observe_sources
from assets.stage import columns, counts, now_ms, plain_errors, root_run
from connectors.files import FileContacts, RejectedRow
from connectors.resources import LedgerResource
from ringtrue.errors import FileUnreadable
from ringtrue.ledger import Ledger, contacts, rejects
from ringtrue.ledger.contacts import Origin, PullCounts
from ringtrue.records import PulledRecord
from ringtrue.settings import Connection, load_settings

SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".xlsx"})


class FilesConfig(dg.Config):
    """What one run imports."""

    full: bool = False
    """Import every file again, not only new and changed ones."""


class Imported(NamedTuple):
    """What became of a folder's files."""

    counted: PullCounts
    files: int
    unchanged_files: int
    reasons: Counter[str]
    refused: list[str]
    """Files that could not be read at all, each with one sentence."""


def lists_in(folder: Path) -> list[Path]:
    """The contact lists of a folder, in name order."""
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~"))
    )


def import_folder(ledger: Ledger, name: str, connection: Connection, run: str, *, full: bool) -> Imported:
    """Import new and changed lists. A list that cannot be read is reported and the others go on."""
    counted = PullCounts()
    reasons = Counter[str]()
    refused: list[str] = []
    seen = unchanged = 0
    for path in lists_in(Path(connection.folder)):
        seen += 1
        try:
            source = FileContacts(path, mapping=connection.columns)
            fingerprint = source.fingerprint()
            with ledger.read() as book:
                known, _ = contacts.sync_state(book, name, path.name)
            if known == fingerprint and not full:
                unchanged += 1
                continue
            _import(ledger, name, path, source, fingerprint, run, counted, reasons)
        except FileUnreadable as error:
            refused.append(str(error))
    return Imported(counted, seen, unchanged, reasons, refused)


def _import(
    ledger: Ledger,
    name: str,
    path: Path,
    source: FileContacts,
    fingerprint: str,
    run: str,
    counted: PullCounts,
    reasons: Counter[str],
) -> None:
    origin_field = source.fields.lead_source[0] if source.fields.lead_source else None
    fields = replace(source.fields, lead_source=("file_name", "source"))
    origin = Origin(name, path.name, fields, None)
    now = now_ms()
    bad: list[RejectedRow] = []

    def pages() -> Iterator[tuple[list[PulledRecord], str | None]]:
        for page in source.pull():
            bad.extend(page.rejected)
            records = [
                record._replace(
                    values={
                        **record.values,
                        "file_name": path.name,
                        "source": record.values.get(origin_field) if origin_field else None,
                    }
                )
                for record in page.records
            ]
            yield records, None

    for records, _ in in_chunks(pages()):
        with ledger.write() as book:
            contacts.store_page(book, origin, records, ledger.key, now, counted)
            rejects.add(book, "contacts", name, [(f"{path.name}:{row.line}", row.reason) for row in bad], run, now)
        reasons.update(row.reason for row in bad)
        counted.rejected += len(bad)
        bad.clear()
    with ledger.write() as book:
        contacts.store_cursor(book, name, path.name, fingerprint, now, full=True)


def build_files(name: str, sources: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The import of one folder."""
    key = dg.AssetKey([name, "contacts"])

    @dg.asset(
        key=key,
        deps=list(sources),
        group_name=name,
        kinds={"python", "csv"},
        owners=["team:data"],
        pool=f"crm_{name}",
        check_specs=[
            dg.AssetCheckSpec("all_files_readable", asset=key, description="Every list in the folder could be read.")
        ],
        metadata={
            "dagster/column_schema": columns(
                record_id="id column of the file, or a hash of the row",
                phones="phone columns as typed",
                source="file name and source column",
            )
        },
    )
    def files_asset(
        context: dg.AssetExecutionContext, config: FilesConfig, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Imports new and changed contact lists. A row that cannot be used is kept with its reason and line."""
        with plain_errors(), ledger.open() as book:
            imported = import_folder(book, name, load_settings().connections[name], root_run(context), full=config.full)
            observe_sources(context, book, name)
        counted = imported.counted
        yield dg.MaterializeResult(
            metadata={
                **counts(
                    {
                        "files": imported.files,
                        "files unchanged": imported.unchanged_files,
                        "files refused": len(imported.refused),
                        "rows read": counted.read + counted.rejected,
                        "new": counted.new,
                        "changed": counted.changed,
                        "unchanged": counted.unchanged,
                        "rejected": counted.rejected,
                    }
                ),
                "reasons": MetadataValue.json(dict(imported.reasons.most_common(50))),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="all_files_readable",
                    passed=not imported.refused,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=" ".join(imported.refused[:10]) or "All lists were read.",
                )
            ],
        )

    return files_asset
