"""`lookups`: asks services about the numbers that rules and our own calls leave open, within a budget, the cheapest sufficient one first."""

import asyncio
import base64
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path

import dagster as dg
import numpy as np
import numpy.typing as npt
from dagster import MetadataValue

from assets.deciding import deciding
from assets.lookup_choice import DAY_MS, LOOK_DAYS, Choice, Grounds, choose
from assets.lookup_emails import choose_emails
from assets.lookup_judge import Judge
from assets.stage import columns, counts, now_ms, plain_errors, root_run
from connectors.lookups import open_services
from connectors.lookups.active import Active, active
from connectors.lookups.book import LedgerBook
from connectors.lookups.callbacks import vonage_callbacks
from connectors.lookups.desk import Desk
from connectors.lookups.protocol import LookupService, Question
from connectors.lookups.report import DeskReport, ServiceReport
from connectors.lookups.routes import routes
from connectors.lookups.service import Surroundings
from connectors.resources import LedgerResource
from ringtrue.ledger import Ledger, emails, lookups, meta, spend
from ringtrue.ledger.spend import Period
from ringtrue.masking import mask_text
from ringtrue.report.spend_plot import spend_png
from ringtrue.settings import Settings, load_settings


class LookupsConfig(dg.Config):
    """What one run asks."""

    full: bool = False
    """Look at every number, not only at those whose time has come. What was answered within its lifetime is not asked again all the same."""


@dataclass
class Outcome:
    """What a run of the lookups did."""

    totals: Counter[str] = field(default_factory=Counter)
    services: dict[str, ServiceReport] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """One sentence for each service that was of no use."""
    said: list[str] = field(default_factory=list)
    months: list[Period] = field(default_factory=list)
    sandbox: bool = False


def run(
    ledger: Ledger,
    settings: Settings,
    config: LookupsConfig,
    run_id: str,
    root: str,
    is_over: Callable[[str], bool] = lambda _run: False,
) -> Outcome:
    """Ask what is worth its price. `is_over` says whether a run that left questions open has ended; else their lease decides.

    Raises SettingsError where the sandbox and the real world would be mixed. A service's own errors are in the outcome.
    """
    now = now_ms()
    chosen = active(settings)
    outcome = Outcome(sandbox=chosen.sandbox)
    around = Surroundings(
        environ=chosen.environ,
        callbacks=vonage_callbacks(settings, ledger, os.environ),
        folder=Path(chosen.settings.folder),
    )
    services, unopened = open_services(chosen.settings, around)
    for sentence in unopened:
        name, _, why = sentence.partition(" was left out: ")
        outcome.left_out[name] = why
    grounds = Grounds(deciding(ledger, settings, now), services, chosen.settings)
    with ledger.write() as connection:
        for left in spend.open_runs(connection):
            if left != run_id and is_over(left):
                spend.end_run(connection, left)
        seen = _fingerprint(chosen, services)
        everything = config.full or meta.value(connection, "lookups") != seen
        touched = np.asarray(lookups.waiting_contacts(connection), np.int64)
        if everything:
            touched = np.asarray(lookups.all_contacts(connection), np.int64)
    # Without a service nobody is asked, and nothing has to be decided for it.
    later = now + LOOK_DAYS * DAY_MS

    def rests(numbers: Sequence[str]) -> None:
        with ledger.write() as connection:
            lookups.set_dates(connection, [(number, later) for number in numbers])

    choice = choose(grounds, everything=everything, rests=rests) if services else Choice(0)
    asyncio.run(_ask(grounds, settings, choice, touched, run_id, root, outcome))
    with ledger.write() as connection:
        spend.note_disagreements(connection, root, outcome.totals["disagreements"], now)
        meta.set_value(connection, "lookups", seen)
        outcome.months = spend.months(connection)
    outcome.totals["numbers looked at"] = choice.looked_at
    outcome.totals["questions left for the next run"] = choice.left_over
    outcome.totals["numbers nobody may call"] = choice.closed
    outcome.totals["numbers no service can answer"] = choice.no_route
    return outcome


_NO_MATTER = {"sandbox_url", "base_url", "secrets", "budget", "rate_per_second", "concurrency", "timeout_seconds"}
"""Settings of a service that do not change which questions are worth asking."""


def _fingerprint(chosen: Active, services: Sequence[LookupService]) -> str:
    """Changes with what can be asked and how it is chosen: then every number is looked at again."""
    names = sorted(service.facts.name for service in services)
    plain = [(name, chosen.settings.services[name].model_dump_json(exclude=_NO_MATTER)) for name in names]
    common = chosen.settings
    content = f"{plain}{common.cadence.model_dump_json()}{common.keep_in_country}{common.line_types}"
    return blake2b(content.encode(), digest_size=12).hexdigest()


async def _ask(
    grounds: Grounds,
    settings: Settings,
    choice: Choice,
    touched: npt.NDArray[np.int64],
    run_id: str,
    root: str,
    outcome: Outcome,
) -> None:
    """First the numbers; then, knowing whom no number reaches, the e-mail addresses."""
    judge = Judge(grounds.way, choice.line)
    groups = {name: each.group for name, each in grounds.settings.services.items() if each.group}
    book = LedgerBook(
        grounds.ledger,
        run_id,
        root_run=root,
        lease=timedelta(minutes=grounds.settings.lease_minutes),
        groups=groups,
        heard=judge.heard,
    )
    writes_to = [service for service in grounds.services if _kinds(service) == {"email"}]
    calls_at = [service for service in grounds.services if service not in writes_to]
    try:
        await _round(grounds, calls_at, book, choice.questions, judge, outcome)
        for kind in ("line_status", "reassigned", "line_type"):
            outcome.totals[f"questions {kind}"] = sum(question.kind == kind for question in choice.questions)
        dates = _next_look(grounds, [q for q in choice.questions if q.kind != "line_type"], judge, LOOK_DAYS * DAY_MS)
        with grounds.ledger.write() as connection:
            lookups.set_dates(connection, list(dates.items()))
        if any("email" in _kinds(service) for service in grounds.services):
            # The answers may have taught what lead sources bring, and with that whom no number reaches.
            told = replace(grounds, way=deciding(grounds.ledger, settings, grounds.now))
            addresses = choose_emails(told, np.union1d(choice.contacts(), touched), settings.policy.registry_flags)
            outcome.totals["questions email"] = len(addresses)
            able = [
                each for each in grounds.services if "email" in _kinds(each) and each.facts.name not in outcome.left_out
            ]
            await _round(grounds, able, book, addresses, judge, outcome)
            again = _next_look(grounds, addresses, judge, None)
            with grounds.ledger.write() as connection:
                emails.look_again(connection, list(again.items()))
    finally:
        for service in grounds.services:
            await service.close()


def _kinds(service: LookupService) -> set[str]:
    return {kind for offer in service.facts.offers for kind in offer.kinds}


async def _round(
    grounds: Grounds,
    services: Sequence[LookupService],
    book: LedgerBook,
    questions: Sequence[Question],
    judge: Judge,
    outcome: Outcome,
) -> None:
    if not services:
        return
    report: DeskReport = await Desk(services, book, grounds.settings).run(questions, judge.still_open)
    for name in ("questions", "settled", "unsettled", "never_sent", "elsewhere", "disagreements"):
        outcome.totals[name.replace("_", " ")] += getattr(report, name)
    outcome.services.update(report.services)
    outcome.said += report.sentences()
    outcome.left_out |= {name: each.left_out for name, each in report.services.items() if each.left_out}


def _next_look(
    grounds: Grounds, questions: Sequence[Question], judge: Judge, settled_for: int | None
) -> dict[str, int]:
    """When each subject asked about is to be looked at again: at once while somebody has not been asked, else when the first may be asked again.

    `settled_for`: a settled question rests for so many milliseconds; None: as long as its answer stands.
    """
    with grounds.ledger.read() as connection:
        asked = spend.standing(connection, [question.subject for question in questions], grounds.now)
    dates: dict[str, int] = {}
    for question in questions:
        told = asked.get(question.subject, [])
        standing = {(each.service, each.product): each.until for each in told}
        if (question.subject, question.kind) in judge.settled and settled_for is not None:
            look_at = grounds.now + settled_for
        else:
            found = [
                (service.facts.name, offer.product)
                for service, offer, _ in routes(grounds.services, grounds.settings, question)
            ]
            settled = (question.subject, question.kind) in judge.settled
            left = [each for each in found if each not in standing]
            ends = [until for each in found if (until := standing.get(each)) is not None]
            look_at = grounds.now if left and not settled else min(ends, default=grounds.now + LOOK_DAYS * DAY_MS)
        dates[question.subject] = min(look_at, dates.get(question.subject, look_at))
    return dates


def metadata_of(outcome: Outcome) -> dict[str, MetadataValue]:
    """What the run's page shows."""
    shown = dict(outcome.totals)
    metadata: dict[str, MetadataValue] = dict(counts(shown))
    table = [
        "| service | asked | answered | could not tell | refused | lost | declined | cost |",
        "|---|---:|---:|---:|---:|---:|---|---:|",
    ]
    for name, report in sorted(outcome.services.items()):
        metadata |= counts(
            {
                f"{name} asked": report.asked,
                f"{name} answered": report.answered,
                f"{name} could not tell": report.abstained,
                f"{name} refused": report.refused,
                f"{name} lost": report.lost,
                f"{name} waiting for a job": report.still_open,
                f"{name} over budget": sum(count for why, count in report.declined.items() if why.startswith("budget")),
                f"{name} cost ({report.currency})": float(report.cost),
            }
        )
        declined = ", ".join(f"{why} {count}" for why, count in sorted(report.declined.items()))
        table.append(
            f"| {name} | {report.asked} | {report.answered} | {report.abstained} | {report.refused} | {report.lost} | {declined} | "
            f"{report.cost.quantize(Decimal('0.001'))} {report.currency} |"
        )
    metadata["services"] = MetadataValue.md("\n".join(table))
    sentences = [f"{name} was left out: {why}" for name, why in outcome.left_out.items()]
    sentences += [sentence for sentence in outcome.said if sentence not in sentences]
    metadata["what a person should know"] = MetadataValue.md(
        "\n".join(f"* {mask_text(each)}" for each in sentences) or "Nothing."
    )
    metadata["world"] = MetadataValue.text("sandbox: answers are made up" if outcome.sandbox else "real")
    if outcome.months:
        picture = base64.b64encode(spend_png(outcome.months)).decode()
        metadata["by month"] = MetadataValue.md(
            f"![cost, answers and disagreements by month](data:image/png;base64,{picture})"
        )
    return metadata


def check_name(service: str) -> str:
    """The check of one service."""
    return f"{service}_was_of_use"


def build_lookups(settings: Settings, deps: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The `lookups` asset below numbers, calls and suppressions; one warning check for each service that the settings name."""
    names = sorted(settings.lookups.services)

    @dg.asset(
        name="lookups",
        deps=list(deps),
        group_name="evidence",
        kinds={"python"},
        owners=["team:data"],
        pool="ledger_lookups",
        check_specs=[
            dg.AssetCheckSpec(
                check_name(name), asset="lookups", description=f"{name} could be asked, or is switched off."
            )
            for name in names
        ],
        metadata={
            "dagster/column_schema": columns(
                service="who was asked",
                product="what was bought",
                subject="number or e-mail address",
                kind="validity, line_type, line_status, reassigned, email",
                state="open, answered, unknown",
                result="answered, abstain, error",
                cost="millionths of the currency",
            )
        },
    )
    def lookups_asset(
        context: dg.AssetExecutionContext, config: LookupsConfig, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Asks the switched-on services about what is worth its price. Every intent is committed before its question leaves."""

        def is_over(run_id: str) -> bool:
            record = context.instance.get_run_by_id(run_id)
            return record is not None and record.is_finished

        with plain_errors(), ledger.open() as book:
            outcome = run(book, load_settings(), config, context.run.run_id, root_run(context), is_over)
        for name, why in outcome.left_out.items():
            context.log.warning("%s was left out: %s", name, mask_text(why))
        yield dg.MaterializeResult(
            metadata=metadata_of(outcome),
            check_results=[
                dg.AssetCheckResult(
                    check_name=check_name(name),
                    passed=name not in outcome.left_out,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=mask_text(f"{name} was left out: {outcome.left_out[name]}")
                    if name in outcome.left_out
                    else f"{name} was of use, or had nothing to do.",
                )
                for name in names
            ],
        )

    return lookups_asset
