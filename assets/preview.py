"""`<connection>/changes`: what would be written to one CRM. This is the preview; nothing leaves the machine."""

import dagster as dg
from dagster import MetadataValue

from assets.dialling_lists import extra_stages
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
    ) -> dg.MaterializeResult[None]:
        """Compares every touched record with what is known and journals the smallest set of changes."""
        with plain_errors(), ledger.open() as book:
            planned = plan_changes(book, load_settings(), name, root_run(context), full=config.full)
        plan = planned.plan
        state = (
            "open: write-back will send this"
            if target_of(name, connection).writes(connection)
            else "closed: preview only"
        )
        return dg.MaterializeResult(
            metadata={
                "changes": MetadataValue.int(plan.records),
                **counts(planned.totals),
                "fields": MetadataValue.json(planned.by_field),
                "plan": MetadataValue.text(plan.plan_id),
                "plan hash": MetadataValue.text(plan.hash),
                "gate": MetadataValue.text(state),
                "sample": sample(planned.first, {"changes": "text"}),
            }
        )

    return changes_asset
