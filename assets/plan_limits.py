"""What a plan is about to send, beside its limits: the check on `changes`, and the same comparison inside `writeback`."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import dagster as dg
from dagster import MetadataValue

from assets.planner import Planning, fields_by_object
from assets.stage import now_ms
from connectors.resources import target_of
from ringtrue.guard import Compared, compare, tally
from ringtrue.ledger import Ledger, ahead, journal, plan_history
from ringtrue.ledger.journal import Plan
from ringtrue.settings import Settings

CHECK = "not_too_much"
DAY_MS = 86_400_000
FIRST = "This would be the first time anything is written to this CRM."


class Verdict(NamedTuple):
    """A plan beside its limits."""

    counted: Counter[str]
    """Of the changes that nothing has let pass yet."""
    compared: list[Compared]
    reasons: list[str]
    """Why a person has to approve the plan; empty when it may run."""
    first: bool
    """Whether no sync ever wrote to this CRM."""


def counted_of(planned: Planning) -> Counter[str] | None:
    """What a plan counts, where all of it was planned just now; None where it took over changes of an older one."""
    new = planned.totals.get("records to change", 0) + planned.totals.get("people to take off lists", 0)
    return Counter(planned.plan.summary["tally"]) if new == planned.plan.records else None


def judge(ledger: Ledger, settings: Settings, name: str, plan: Plan, counted: Counter[str] | None = None) -> Verdict:
    """Compare the open plan with its limits, from what it is about to send. `counted` saves counting where that was done."""
    connection = settings.connections[name]
    own = fields_by_object(ledger, name, connection)
    with ledger.read() as book:
        first = not journal.has_synced(book, name)
        if counted is None:
            waiting = journal.not_cleared(book, name, plan.plan_id)
            counted = tally((fields, own[object_name]) for object_name, fields in waiting)
        living = journal.living_records(book, name)
        history = plan_history.passed(book, name, now_ms() - settings.guard.usual_days * DAY_MS)
        before = ahead.counted_since(book, name, now_ms() - DAY_MS).get(ahead.TALLY, Counter())
    compared = compare(counted, living, settings.guard, history, before)
    reasons = [one.objection for one in compared if one.objection is not None]
    if first:
        # Before anything was written there is no usual to compare with: somebody looks at all of it, or nobody has to.
        asks = connection.approve_first and target_of(name, connection).live
        reasons = [FIRST] if asks and plan.records else []
    if plan.approved_hash == plan.hash:
        reasons = []
    return Verdict(counted, compared, reasons, first)


def note_passed(ledger: Ledger, name: str, plan: Plan, verdict: Verdict) -> None:
    """Note that the guard or a person let the plan pass, and what it counts."""
    with ledger.write() as book:
        journal.clear_plan(book, name, plan.plan_id)
        if verdict.counted:
            plan_history.note_passed(book, plan.plan_id, verdict.counted, first=verdict.first)


def how_to_approve(name: str, plan: Plan) -> str:
    """What a person does with a plan that was stopped."""
    return (
        f"Look at {name}/changes; if it is right, run `ringtrue approve {plan.plan_id}` and materialize {name}/writeback again, "
        "or materialize it from the launchpad with the plan hash as `approve` and your name as `approved_by`."
    )


def check_spec(name: str) -> dg.AssetCheckSpec:
    """The check on a connection's preview. It does not block: `writeback` compares itself, and says what to do in its own words."""
    return dg.AssetCheckSpec(
        CHECK,
        asset=dg.AssetKey([name, "changes"]),
        description="The plan changes no larger share of the records than [guard] allows, and not far more than the plans before.",
    )


def check_result(name: str, plan: Plan, verdict: Verdict, *, opened: bool) -> dg.AssetCheckResult:
    """The check of one plan: red where a write-back will stop, yellow where none is allowed anyway."""
    passed = not verdict.reasons
    if passed and plan.approved_by is not None and plan.approved_hash == plan.hash:
        text = f"Approved by {plan.approved_by}."
    elif passed:
        text = "Nothing is unusual."
    else:
        text = f"{' '.join(verdict.reasons)} {how_to_approve(name, plan)}"
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if opened else dg.AssetCheckSeverity.WARN,
        description=text,
        metadata={"limits": limits_table(verdict.compared)},
    )


def limits_table(compared: Sequence[Compared]) -> MetadataValue:
    """Each count of a plan, its limits, and what was usual."""
    lines = [
        "| | in this plan | of all records | at most | plans before | on average | up to | |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in compared:
        known = (
            [f"{one.usual.plans}", f"{one.usual.mean:.1f}", f"{one.usual.most}"] if one.usual else ["too few", "", ""]
        )
        ends = "stops" if one.objection else ""
        lines.append(
            f"| {one.name} | {one.found} | {one.share:.1%} | {one.share_limit:.0%} | {' | '.join(known)} | {ends} |"
        )
    return MetadataValue.md("\n".join(lines))
