"""`<connection>/writeback`: applies the open plan to one CRM, under the one gate of `ringtrue.toml`."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import dagster as dg
from dagster import MetadataValue

from assets.ahead import settle_ahead
from assets.delivery import Delivery
from assets.plan_limits import how_to_approve, judge, note_passed
from assets.planner import fields_by_object
from assets.stage import counts, now_ms, plain_errors, root_run, usage_metadata
from connectors.crm import Crm
from connectors.resources import CrmResource, LedgerResource, target_of
from ringtrue.collector import rare_collections
from ringtrue.errors import PlanRefused
from ringtrue.ledger import Ledger, journal
from ringtrue.ledger.journal import Plan
from ringtrue.settings import Connection, Settings, load_settings

HOUR_MS = 3_600_000


class WritebackConfig(dg.Config):
    """What one run may send."""

    limit: int | None = None
    """Send this many records and leave the others planned: a canary."""
    record: str | None = None
    """Send the changes of this one record only."""
    approve: str | None = None
    """Hash of the plan that a person approves from the launchpad."""
    approved_by: str | None = None
    """Who approves, with `approve`."""


class Outcome(NamedTuple):
    """What a write-back did."""

    plan: Plan | None
    planned: int
    totals: Counter[str]
    errors: Counter[str]
    window_ms: int | None
    """p99 of the time between looking at guarded fields and having written them."""


@rare_collections()
def write_back(
    ledger: Ledger, crm: Crm, settings: Settings, name: str, run: str, root: str, config: WritebackConfig
) -> Outcome:
    """Settle what a crash left, then carry out the open plan. Raises PlanRefused with what a person has to do."""
    with ledger.alone(f"writing to {name}"):
        return _write_back(ledger, crm, settings, name, run, root, config)


def _write_back(
    ledger: Ledger, crm: Crm, settings: Settings, name: str, run: str, root: str, config: WritebackConfig
) -> Outcome:
    connection = settings.connections[name]
    delivery = Delivery(ledger, crm, name, fields_by_object(ledger, name, connection), run, root, connection.bulk_from)
    delivery.settle()
    delivery.totals["settled after a crash"] += settle_ahead(ledger, crm, settings, name, run, root)[0]
    with ledger.write() as book:
        plan = journal.open_plan(book, name)
        if plan is not None and config.approve is not None:
            if config.approve != plan.hash:
                raise PlanRefused(
                    f"The approval is for another plan; the open one is {plan.plan_id}. Look at it again."
                )
            journal.approve(book, plan, config.approved_by or "launchpad", now_ms())
            plan = plan._replace(approved_hash=plan.hash)
    if plan is None or plan.records == 0:
        return Outcome(plan, 0, delivery.totals, delivery.errors, None)
    age_hours = (now_ms() - plan.created_at) / HOUR_MS
    if age_hours > settings.guard.plan_hours:
        raise PlanRefused(
            f"Plan {plan.plan_id} is {age_hours:.0f} hours old; at most {settings.guard.plan_hours:.0f} are allowed. "
            f"Materialize {name}/changes again, then {name}/writeback."
        )
    verdict = judge(ledger, settings, name, plan)
    if verdict.reasons:
        raise PlanRefused(f"Nothing was written: {' '.join(verdict.reasons)} {how_to_approve(name, plan)}")
    note_passed(ledger, name, plan, verdict)
    delivery.deliver(plan.plan_id, limit=config.limit, only=config.record)
    windows = sorted(delivery.windows_ms)
    window = windows[min(len(windows) - 1, int(len(windows) * 0.99))] if windows else None
    return Outcome(plan, plan.records, delivery.totals, delivery.errors, window)


def build_writeback(name: str, connection: Connection) -> dg.AssetsDefinition:
    """The write-back of one connection."""
    key = dg.AssetKey([name, "writeback"])

    @dg.asset(
        key=key,
        deps=[dg.AssetKey([name, "changes"])],
        group_name=name,
        kinds={"python", connection.kind},
        owners=["team:data"],
        pool=f"crm_{name}",
        required_resource_keys={name, "ledger"},
        check_specs=[
            dg.AssetCheckSpec(
                "gate_is_open", asset=key, description="Writing to this CRM is enabled in ringtrue.toml."
            ),
            dg.AssetCheckSpec("all_rows_applied", asset=key, description="The CRM took every change that was sent."),
        ],
    )
    def writeback_asset(
        context: dg.AssetExecutionContext, config: WritebackConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Writes only differences, journal first. Rows that failed make the run fail and are tried again by the next one."""
        settings = load_settings()
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        with plain_errors(), book.open() as ledger:
            if not target_of(name, connection).writes(settings.connections[name]):
                with ledger.read() as reading:
                    plan = journal.open_plan(reading, name)
                yield _closed(name, plan.records if plan else 0)
                return
            with resource.open() as crm:
                outcome = write_back(ledger, crm, settings, name, context.run.run_id, root_run(context), config)
                usage = crm.usage
        failed = outcome.totals["failed"]
        reasons = "; ".join(f"{count} x {reason.rstrip('.')}" for reason, count in outcome.errors.most_common(5))
        yield dg.MaterializeResult(
            metadata={
                "planned": MetadataValue.int(outcome.planned),
                **counts(
                    {state: outcome.totals[state] for state in ("sent", "applied", "failed", "conflict", "skipped")}
                ),
                "settled after a crash": MetadataValue.int(outcome.totals["settled after a crash"]),
                "edits restored": MetadataValue.int(outcome.totals["edits restored"]),
                "do-not-call window p99 (ms)": MetadataValue.int(outcome.window_ms or 0),
                "reasons": MetadataValue.json(dict(outcome.errors.most_common(50))),
                "plan": MetadataValue.text(outcome.plan.plan_id if outcome.plan else ""),
                **usage_metadata(usage),
            },
            check_results=[
                dg.AssetCheckResult(check_name="gate_is_open", passed=True),
                dg.AssetCheckResult(
                    check_name="all_rows_applied",
                    passed=failed == 0,
                    description=f"{failed} records were refused: {reasons}" if failed else "Every change was taken.",
                ),
            ],
        )
        if failed:
            raise dg.Failure(
                f"{failed} of {outcome.totals['sent']} changes were refused: {reasons}. The others were written; the next run "
                "tries the refused ones again.",
                allow_retries=False,
            )

    return writeback_asset


def _closed(name: str, planned: int) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        metadata={"planned": MetadataValue.int(planned), "sent": MetadataValue.int(0)},
        check_results=[
            dg.AssetCheckResult(
                check_name="gate_is_open",
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"Nothing is written to {name}: set enabled = true under [connections.{name}] in ringtrue.toml when the preview is right.",
            ),
            dg.AssetCheckResult(check_name="all_rows_applied", passed=True),
        ],
    )
