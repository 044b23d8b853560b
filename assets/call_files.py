"""`<connection>/calls` for a folder of dialler exports."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dagster as dg
from dagster import MetadataValue

from assets.files import FilesConfig, lists_in
from assets.stage import counts, now_ms, plain_errors, root_run
from connectors.dialler_files import DiallerFile
from connectors.resources import LedgerResource
from ringtrue.errors import FileUnreadable
from ringtrue.ledger import Ledger, calls, contacts, rejects
from ringtrue.ledger.calls import CallCounts
from ringtrue.settings import Connection, load_settings


class ImportedCalls(NamedTuple):
    """What became of a folder's exports."""

    counted: CallCounts
    files: int
    unchanged_files: int
    rejected: int
    reasons: Counter[str]
    refused: list[str]
    layouts: dict[str, str]
    ignored: dict[str, list[str]]


def import_calls(ledger: Ledger, name: str, connection: Connection, run: str, *, full: bool) -> ImportedCalls:
    """Import new and changed exports. One that cannot be read is reported and the others go on."""
    counted = CallCounts()
    reasons = Counter[str]()
    refused: list[str] = []
    layouts: dict[str, str] = {}
    ignored: dict[str, list[str]] = {}
    seen = unchanged = 0
    for path in lists_in(Path(connection.calls_folder)):
        seen += 1
        try:
            source = DiallerFile(path, mapping=connection.call_columns, timezone=connection.timezone)
        except FileUnreadable as error:
            refused.append(str(error))
            continue
        place = f"calls/{path.name}"
        fingerprint = source.fingerprint()
        with ledger.read() as book:
            known, _ = contacts.sync_state(book, name, place)
        if known == fingerprint and not full:
            unchanged += 1
            continue
        layouts[path.name] = source.layout.name
        if source.layout.ignored:
            ignored[path.name] = list(source.layout.ignored)
        for page in source.pull():
            with ledger.write() as book:
                calls.store_page(
                    book,
                    name,
                    source.layout.namespace,
                    page.calls,
                    counted,
                    key=ledger.key,
                    region=connection.default_region,
                )
                rows = [(f"{path.name}:{row.line}", row.reason) for row in page.rejected]
                rejects.add(book, "calls", name, rows, run, now_ms())
            reasons.update(row.reason for row in page.rejected)
        with ledger.write() as book:
            contacts.store_cursor(book, name, place, fingerprint, now_ms(), full=True)
    return ImportedCalls(counted, seen, unchanged, sum(reasons.values()), reasons, refused, layouts, ignored)


def build_call_files(name: str) -> dg.AssetsDefinition:
    """The dialler exports of one folder."""
    key = dg.AssetKey([name, "calls"])

    @dg.asset(
        key=key,
        group_name=name,
        kinds={"python", "csv"},
        owners=["team:data"],
        pool=f"crm_{name}",
        check_specs=[dg.AssetCheckSpec("all_exports_readable", asset=key, description="Every export could be read.")],
    )
    def call_files(
        context: dg.AssetExecutionContext, config: FilesConfig, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Imports new and changed dialler exports. What is known of a row is taken, the rest is listed."""
        with plain_errors(), ledger.open() as book:
            connection = load_settings().connections[name]
            imported = import_calls(book, name, connection, root_run(context), full=config.full)
        counted = imported.counted
        yield dg.MaterializeResult(
            metadata={
                **counts(
                    {
                        "files": imported.files,
                        "files unchanged": imported.unchanged_files,
                        "files refused": len(imported.refused),
                        "rows read": counted.read + imported.rejected,
                        "new": counted.new,
                        "changed": counted.changed,
                        "unchanged": counted.unchanged,
                        "rejected": imported.rejected,
                    }
                ),
                "layouts": MetadataValue.json(imported.layouts),
                "columns not used": MetadataValue.json(imported.ignored),
                "reasons": MetadataValue.json(dict(imported.reasons.most_common(50))),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="all_exports_readable",
                    passed=not imported.refused,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=" ".join(imported.refused[:10]) or "All exports were read.",
                )
            ],
        )

    return call_files
