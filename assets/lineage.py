"""What each table holds and which columns it is made from: schema and column lineage for the UI and for OpenLineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.lineage_tables import CALLS, OWN, OWN_CHANGES, PULLS, SOURCES, TABLES, Table
from ringtrue.openlineage import Column


def table_of(key: dg.AssetKey) -> Table | None:
    """The table of an asset, whichever connection or source it belongs to."""
    name = key.path[0] if key.path[0] == "lead_source" or len(key.path) == 1 else key.path[-1]
    return TABLES.get(name)


@dataclass(frozen=True)
class Graph:
    """The names that the placeholders in `TABLES` stand for."""

    pulls: tuple[dg.AssetKey, ...]
    calls: tuple[dg.AssetKey, ...]
    sources: tuple[dg.AssetKey, ...]

    def columns(self, key: dg.AssetKey) -> dict[str, list[tuple[dg.AssetKey, str]]]:
        """Each column of an asset with the columns it is made from."""
        table = table_of(key)
        return {
            name: [(stage, column) for word, column in made.of for stage in self._stages(key, word)]
            for name, made in (table.columns if table else {}).items()
        }

    def openlineage(self, key: dg.AssetKey) -> list[Column]:
        """The same for OpenLineage events."""
        table = table_of(key)
        made_from = self.columns(key)
        return [
            Column(
                name,
                made.type,
                made.holds,
                tuple(("/".join(stage.path), column) for stage, column in made_from[name]),
                masking=made.masking,
            )
            for name, made in (table.columns if table else {}).items()
        ]

    def metadata(self, key: dg.AssetKey) -> dict[str, Any]:
        """`dagster/column_schema` and `dagster/column_lineage` of an asset; nothing for one without a table."""
        table = table_of(key)
        if table is None:
            return {}
        schema = dg.TableSchema([dg.TableColumn(name, made.type, made.holds) for name, made in table.columns.items()])
        deps = {
            name: [dg.TableColumnDep(asset_key=stage, column_name=column) for stage, column in of]
            for name, of in self.columns(key).items()
            if of
        }
        lineage = {"dagster/column_lineage": dg.TableColumnLineage(deps)} if deps else {}
        return {"dagster/column_schema": schema, **lineage}

    def _stages(self, key: dg.AssetKey, word: str) -> Sequence[dg.AssetKey]:
        if word == PULLS:
            return self.pulls
        if word == CALLS:
            return self.calls
        if word == SOURCES:
            return self.sources
        if word == OWN:
            return [dg.AssetKey([key.path[0], "contacts"])]
        if word == OWN_CHANGES:
            return [dg.AssetKey([key.path[0], "changes"])]
        return [dg.AssetKey(word)]


def with_lineage(
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec], graph: Graph
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The same assets, each with its schema and column lineage."""
    return [
        part.merge_attributes(metadata=graph.metadata(part.key))
        if isinstance(part, dg.AssetSpec)
        else part.map_asset_specs(lambda spec: spec.merge_attributes(metadata=graph.metadata(spec.key)))
        for part in assets
    ]
