"""`lead_source/<name>`: each named lead source is a node upstream of the pulls, with its history as plots."""

import dagster as dg
from dagster import MetadataValue

from ringtrue.ledger import Ledger, lead_sources
from ringtrue.settings import Settings, load_settings
from ringtrue.source_names import SourceMap


def source_key(slug: str) -> dg.AssetKey:
    """The node of a source."""
    return dg.AssetKey(["lead_source", slug])


def build_sources(settings: Settings) -> list[dg.AssetSpec]:
    """An external asset for each source that ringtrue.toml names, and `other` for all the rest."""
    sources = SourceMap(settings.sources)
    return [
        dg.AssetSpec(
            source_key(slug),
            group_name="lead_sources",
            description=f"Lead source: {sources.label(slug)}",
            owners=["team:marketing"],
            kinds={"lead_source"},
            tags={"source_group": rule.group.replace(" ", "_")}
            if (rule := settings.sources.get(slug)) and rule.group
            else {},
        )
        for slug in sources.slugs
    ]


def observe_sources(context: dg.AssetExecutionContext, ledger: Ledger, name: str) -> None:
    """Log on each source's node how many leads and numbers this connection holds from it."""
    sources = SourceMap(load_settings().sources)
    with ledger.read() as book:
        origins = lead_sources.origins(book, name)
    if origins.empty:
        return
    origins["slug"] = sources.slugs_of(origins["connection"], origins["raw"])
    for slug, group in origins.groupby("slug", observed=True):
        context.log_event(
            dg.AssetObservation(
                source_key(str(slug)),
                metadata={
                    f"leads in {name}": MetadataValue.int(int(group["contacts"].sum())),
                    f"numbers in {name}": MetadataValue.int(int(group["numbers"].sum())),
                },
            )
        )
