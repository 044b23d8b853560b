"""`opt_outs` and `suppressions`: who said stop, kept for ever in the hash chain."""

from collections import Counter
from collections.abc import Iterator, Sequence

import dagster as dg
from dagster import MetadataValue

from assets.stage import BATCH, columns, counts, now_ms, plain_errors, root_run
from connectors.resources import LedgerResource
from ringtrue.collector import rare_collections
from ringtrue.ledger import Ledger, dirty, opt_outs, registries, review, suppressions
from ringtrue.settings import Settings, load_settings


class OptOutsConfig(dg.Config):
    """What one run looks at."""

    full: bool = False
    """Go through every flagged contact again, not only through new flags."""


@rare_collections()
def run(ledger: Ledger, settings: Settings, config: OptOutsConfig) -> dict[str, int]:
    """Turn new do-not-call flags into suppressions of the person and of their numbers."""
    totals = Counter[str]()
    if config.full:
        with ledger.write() as connection:
            opt_outs.mark_flagged(connection)
    after = -1
    while True:
        with ledger.write() as connection:
            marks = dirty.next_contacts(connection, opt_outs.STAGE, BATCH, after)
            if not marks:
                break
            after = marks[-1][0]
            people = opt_outs.flagged(connection, marks)
            found = opt_outs.events_for(connection, people, settings.policy.switchboard_people)
            added = suppressions.append(connection, ledger.key, found.events, now_ms())
            review.add(
                connection,
                "switchboard",
                [(number, f"{people} people") for number, people in found.switchboards],
                now_ms(),
            )
            settled = {person.contact_id for person in people}
            dirty.clear(connection, "contact_id", opt_outs.STAGE, [mark for mark in marks if mark[0] in settled])
        totals["contacts looked at"] += len(people)
        totals["people who opted out"] += sum(person.flagged and not person.opted_out for person in people)
        totals["suppressions added"] += len(added)
        totals["suppressions known before"] += len(found.events) - len(added)
        totals["switchboards for review"] += len(found.switchboards)
    return dict(totals)


def build_opt_outs(deps: Sequence[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """The `opt_outs` asset below pulls and numbers, and `suppressions` below it."""

    @dg.asset(
        name="opt_outs",
        deps=[*deps, dg.AssetKey("phones")],
        group_name="permission",
        kinds={"python"},
        owners=["team:compliance"],
        pool="ledger_permission",
    )
    def opt_outs_asset(config: OptOutsConfig, ledger: LedgerResource) -> dg.MaterializeResult[None]:
        """Finds people who asked not to be called. A flag that RingTrue set itself is never evidence."""
        with plain_errors(), ledger.open() as book:
            totals = run(book, load_settings(), config)
        return dg.MaterializeResult(metadata=counts(totals))

    @dg.asset(
        name="suppressions",
        deps=[opt_outs_asset, dg.AssetKey("registries")],
        group_name="permission",
        kinds={"python", "sqlite"},
        owners=["team:compliance"],
        pool="ledger_permission",
        check_specs=[
            dg.AssetCheckSpec(
                "chain_is_whole",
                asset="suppressions",
                blocking=True,
                description="No suppression was changed or removed behind RingTrue's back.",
            )
        ],
        metadata={
            "dagster/column_schema": columns(
                event_id="place in the chain",
                kind="opt_out, retract or reconsent",
                scope="the number everywhere, or the person",
                number_key="keyed hash of the number",
                source="where it was said",
                hash="hash over this event and the one before",
            )
        },
    )
    def suppressions_asset(
        context: dg.AssetExecutionContext, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """The only store of permission: append-only and hash-chained. This step scrubs numbers against the registries and checks the whole chain."""
        with plain_errors(), ledger.open() as book:
            with book.write() as connection:
                scrubbed = registries.scrub(connection, root_run(context), now_ms())
            with book.read() as connection:
                broken = suppressions.broken_link(connection)
                totals = suppressions.totals(connection)
        yield dg.MaterializeResult(
            metadata={
                "live suppressions": MetadataValue.int(totals.live),
                "numbers": MetadataValue.int(totals.numbers),
                "people": MetadataValue.int(totals.people),
                "events": MetadataValue.int(totals.events),
                "by source": MetadataValue.json(totals.by_source),
                "numbers scrubbed": MetadataValue.int(scrubbed.numbers),
                "numbers listed": MetadataValue.int(scrubbed.listed),
                "newly listed": MetadataValue.int(scrubbed.newly_listed),
                "no longer listed": MetadataValue.int(scrubbed.delisted),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="chain_is_whole",
                    passed=broken is None,
                    description="The chain is whole."
                    if broken is None
                    else f"Event {broken} does not fit the one before it: restore the ledger from a backup and find out who changed it.",
                )
            ],
        )

    return [opt_outs_asset, suppressions_asset]
