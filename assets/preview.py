"""`<connection>/changes`: what would be written to one CRM. This is the preview; nothing leaves the machine."""

from collections.abc import Iterator

import dagster as dg
from dagster import MetadataValue

from assets.dialling_lists import extra_stages
from assets.plan_limits import check_result, check_spec, counted_of, judge, limits_table
from assets.planner import plan_changes
from assets.stage import columns, counts, plain_errors, root_run, sample
from connectors.resources import LedgerResource, target_of
from ringtrue.settings import Connection, load_settings


class ChangesConfig(dg.Config):
    """What one run plans."""

    full: bool = False
    """Compare every record again, not only those that something happened to."""


def build_changes(name: str, connection: Connection) -> dg.AssetsDefinition:
    """The preview of one connection's write-back."""

    @dg.asset(
        key=[name, "changes"],
        deps=[dg.AssetKey("status"), dg.AssetKey([name, "contacts"]), *extra_stages(name, connection)],
        group_name=name,
        kinds={"python"},
        owners=["team:data"],
        pool=f"ledger_{name}",
        check_specs=[check_spec(name)],
        metadata={
            "dagster/column_schema": columns(
                record_id="the record in the CRM",
                fields="field: before and after",
                guarded="people edit one of the fields: it is read before it is written",
                decisions="the decisions it rests on",
                state="planned, sending, applied, failed, conflict, skipped, superseded, reverted",
            )
        },
    )
    def changes_asset(
        context: dg.AssetExecutionContext, config: ChangesConfig, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Compares every touched record with what is known and journals the smallest set of changes."""
        settings = load_settings()
        with plain_errors(), ledger.open() as book:
            planned = plan_changes(book, settings, name, root_run(context), full=config.full)
            verdict = judge(book, settings, name, planned.plan, counted_of(planned))
        plan = planned.plan
        opened = target_of(name, connection).writes(settings.connections[name])
        if not opened:
            state = "closed: preview only"
        elif verdict.reasons:
            state = "open, but a person has to approve this plan first"
        else:
            state = "open: write-back will send this"
        yield dg.MaterializeResult(
            metadata={
                "changes": MetadataValue.int(plan.records),
                **counts(planned.totals),
                "fields": MetadataValue.json(planned.by_field),
                "plan": MetadataValue.text(plan.plan_id),
                "plan hash": MetadataValue.text(plan.hash),
                "gate": MetadataValue.text(state),
                "why it stops": MetadataValue.text(" ".join(verdict.reasons) or "it does not"),
                "limits": limits_table(verdict.compared),
                "sample": sample(planned.first, {"changes": "text"}),
            },
            check_results=[check_result(name, plan, verdict, opened=opened)],
        )

    return changes_asset
