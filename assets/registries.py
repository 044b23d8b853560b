"""`registries`: do-not-call registry files, loaded when new and refused whole when wrong."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import dagster as dg
from dagster import MetadataValue

from assets.stage import columns, now_ms, plain_errors, root_run
from connectors.registries import RegistryFile, file_date, read_registry
from connectors.registries.bytes_in import fingerprint
from connectors.resources import LedgerResource
from ringtrue.errors import FileUnreadable
from ringtrue.ledger import Ledger, registries
from ringtrue.ledger.registries import DAY_MS, Version
from ringtrue.registry_settings import RegistrySettings
from ringtrue.settings import Settings, load_settings

SMALL_LIST = 100
"""Lists that held fewer numbers than this are not measured against what they held before."""


class State(NamedTuple):
    """One registry after a run."""

    taken: int
    refused: list[str]
    """One sentence for each file that was refused."""
    numbers: int
    oldest: int | None
    """Date (ms) of the oldest list in force; None where none is, or a subscribed area code has none."""
    missing: list[str]
    """Area codes subscribed for which nothing is in force."""


def run(ledger: Ledger, settings: Settings, run_id: str, now: int) -> dict[str, State]:
    """Load what is new of every registry. A file that is refused leaves the previous version in force."""
    return {name: _load(ledger, name, registry, run_id, now) for name, registry in settings.registries.items()}


def _load(ledger: Ledger, name: str, settings: RegistrySettings, run_id: str, now: int) -> State:
    taken = 0
    refused: dict[str, str] = {}
    files = {path: fingerprint(path) for path in settings.paths()}
    while True:
        progress = 0
        for path in sorted(files, key=_turn):
            with ledger.read() as book:
                known = registries.known_files(book, name).get((files[path], path.name))
                context = registries.context_of(book, name, settings.model_dump_json())
            if known is not None and known[0] != "refused":
                refused.pop(path.name, None)
                continue
            if known is not None and known[1] == context:
                refused[path.name] = known[2] or ""
                continue
            reason = _take(ledger, name, settings, path, files[path], context, run_id, now)
            if reason is None:
                progress += 1
                refused.pop(path.name, None)
            else:
                refused[path.name] = reason
        taken += progress
        # A change list may have waited for the full list that was just taken.
        if not progress or not refused:
            break
    with ledger.read() as book:
        parts = {part: row for (_, part), row in registries.parts_in_force(book, name).items()}
    missing = [] if "" in parts else [code for code in settings.area_codes if code not in parts]
    dates = [row.list_date for row in parts.values()]
    return State(
        taken,
        [refused[file] for file in sorted(refused)],
        sum(row.numbers for row in parts.values()),
        min(dates) if dates and not missing else None,
        missing,
    )


def _turn(path: Path) -> tuple[float, str]:
    """Files are taken oldest first. One with a wrong date comes last and is refused there."""
    try:
        return file_date(path).timestamp(), path.name
    except FileUnreadable:
        return math.inf, path.name


def _take(
    ledger: Ledger, name: str, settings: RegistrySettings, path: Path, digest: str, context: str, run_id: str, now: int
) -> str | None:
    """Read and load one file. Returns why it was refused, or None."""
    version = Version(
        name, settings.kind, settings.country, "unknown", path.name, digest, {}, settings.san, now, context
    )
    try:
        with read_registry(path, settings, datetime.fromtimestamp(now / 1000, UTC)) as found:
            version = version._replace(form=found.form, parts=found.parts, list_date=found.list_date)
            with ledger.write() as book:
                held = {part: row for (_, part), row in registries.parts_in_force(book, name).items()}
                _check(found, settings, held, now)
                if found.form == "full":
                    registries.load_full(book, ledger.key, version, found.entries.numbers(), run_id, now)
                else:
                    registries.load_change(book, ledger.key, version, found.entries.changes(), run_id, now)
    except FileUnreadable as error:
        with ledger.write() as book:
            registries.refuse(book, version, str(error), run_id, now)
        return str(error)
    return None


def _check(found: RegistryFile, settings: RegistrySettings, held: dict[str, registries.Part], now: int) -> None:
    """Raises FileUnreadable for a file that must not replace or change what is in force."""
    name = found.path.name
    ours = [held[part] for part in found.parts if part in held]
    if found.form == "change":
        missing = [part for part in found.parts if part not in held]
        if missing:
            raise FileUnreadable(
                f"{name} is a change list for area code {missing[0]}, of which no full list is loaded. Download the full list."
            )
        limit = settings.legal_age_days or 31
        oldest = min(row.list_date for row in ours)
        if now - oldest > limit * DAY_MS:
            raise FileUnreadable(
                f"{name} is a change list, but the list it would change is {(now - oldest) // DAY_MS} days old; at most {limit} are allowed. "
                "Download the full list."
            )
    if ours and found.list_date < max(row.list_date for row in ours):
        raise FileUnreadable(
            f"{name} is older than the list in force. Take it out of the folder, or download a newer one."
        )
    before = sum(row.numbers for row in ours)
    now_holds = (
        found.entries.lines if "" in found.parts else sum(found.parts[part] for part in found.parts if part in held)
    )
    if found.form == "full" and before >= SMALL_LIST and now_holds < settings.least_share * before:
        raise FileUnreadable(
            f"{name} holds {now_holds:,} numbers where the list in force holds {before:,}: it is cut short, or another list. "
            "Download it again; where it is right, lower `least_share`."
        )


def check_names(name: str) -> tuple[str, str]:
    """The two checks of a registry: whether it is fresh, whether its files were taken."""
    return f"{name}_is_fresh", f"{name}_files_taken"


def freshness(name: str, settings: RegistrySettings, state: State, now: int) -> dg.AssetCheckResult:
    """Yellow some days before the legal age, red past it or without a list."""
    limit = settings.legal_age_days
    check, _ = check_names(name)
    if state.oldest is None:
        what = f"area code {state.missing[0]} has no list" if state.missing else "no list is loaded"
        told = f"{what}; its numbers are not callable." if limit else f"{what}."
        return dg.AssetCheckResult(
            check_name=check, passed=False, severity=dg.AssetCheckSeverity.ERROR, description=told
        )
    age = (now - state.oldest) // DAY_MS
    if limit is None:
        return dg.AssetCheckResult(check_name=check, passed=True, description=f"{age} days old.")
    if age > limit:
        told = f"{age} days old; at most {limit} are allowed. Numbers of {settings.country} are not callable until a new list is loaded."
        return dg.AssetCheckResult(
            check_name=check, passed=False, severity=dg.AssetCheckSeverity.ERROR, description=told
        )
    if age > limit - settings.warn_days:
        told = f"{age} days old; from {limit + 1} days on, numbers of {settings.country} are not callable. Download a new list."
        return dg.AssetCheckResult(
            check_name=check, passed=False, severity=dg.AssetCheckSeverity.WARN, description=told
        )
    return dg.AssetCheckResult(check_name=check, passed=True, description=f"{age} of {limit} days old.")


def build_registries(settings: Settings) -> dg.AssetsDefinition:
    """The `registries` asset, with two checks for each registry in the settings."""
    key = dg.AssetKey("registries")
    specs = []
    for name in settings.registries:
        fresh, taken = check_names(name)
        specs.append(dg.AssetCheckSpec(fresh, asset=key, description="The list is young enough to call on."))
        specs.append(dg.AssetCheckSpec(taken, asset=key, description="Every file in its folder was taken."))

    @dg.asset(
        key=key,
        group_name="permission",
        kinds={"python"},
        owners=["team:compliance"],
        pool="ledger_permission",
        check_specs=specs,
        metadata={
            "dagster/column_schema": columns(
                name="the registry in the settings",
                part="area code, or empty for the whole registry",
                sha256="of the file as downloaded",
                numbers="how many it lists",
                list_date="how current it is",
                state="in_force, replaced, refused or withdrawn",
            )
        },
    )
    def registries_asset(
        context: dg.AssetExecutionContext, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Loads new do-not-call registry files. A file that is not what it should be is refused whole, and the version before stays."""
        now = now_ms()
        chosen = load_settings()
        with plain_errors(), ledger.open() as book:
            states = run(book, chosen, root_run(context), now)
        results: list[dg.AssetCheckResult] = []
        for name in settings.registries:
            state = states.get(name)
            if state is None:
                continue
            results.append(freshness(name, chosen.registries[name], state, now))
            results.append(
                dg.AssetCheckResult(
                    check_name=check_names(name)[1],
                    passed=not state.refused,
                    severity=dg.AssetCheckSeverity.ERROR,
                    description=" ".join(state.refused) or "Every file was taken.",
                )
            )
        yield dg.MaterializeResult(
            metadata={
                "files taken": MetadataValue.int(sum(state.taken for state in states.values())),
                "files refused": MetadataValue.int(sum(len(state.refused) for state in states.values())),
                "numbers": MetadataValue.json({name: state.numbers for name, state in states.items()}),
            },
            check_results=results,
        )

    return registries_asset
