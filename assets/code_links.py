"""Links from each asset in the UI to the function that makes it."""

import warnings
from collections.abc import Sequence

import dagster as dg


def with_code_links(
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec],
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The same assets, each with the file and line of its function. Lead sources have none."""
    with warnings.catch_warnings():
        # Dagster calls the function a beta at every load.
        warnings.simplefilter("ignore", dg.BetaWarning)
        linked = dg.with_source_code_references([part for part in assets if isinstance(part, dg.AssetsDefinition)])
    return [*(part for part in assets if isinstance(part, dg.AssetSpec)), *linked]  # type: ignore[list-item]
