"""Freshness policies from the schedules: an asset that missed one run is yellow in the UI, after two it is red."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import dagster as dg
from dagster._utils.schedules import cron_string_iterator

_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_TICKS = 2_500
_HORIZON = timedelta(days=1_100)
GRACE = timedelta(minutes=10)
GRACE_SHARE = 0.1
"""A run takes time and may wait for another one: a tenth of the interval and at least ten minutes."""


def windows(cron: str, timezone: str) -> tuple[timedelta, timedelta]:
    """The longest that a schedule goes without a run, and the longest that two of its intervals take, each with some grace.

    Weekends and nights in an expression are thereby allowed for. Raises whatever Dagster raises for an expression that is none.
    """
    ticks = []
    for tick in islice(cron_string_iterator(_FROM.timestamp(), cron, timezone), _TICKS):
        ticks.append(tick)
        if tick - _FROM > _HORIZON and len(ticks) > 3:
            break
    one = max(later - sooner for sooner, later in pairwise(ticks))
    two = max(later - sooner for sooner, later in zip(ticks, ticks[2:], strict=False))
    grace = max(GRACE, one * GRACE_SHARE)
    return one + grace, two + grace


def freshness_of(cron: str, timezone: str) -> dg.FreshnessPolicy:
    """The freshness policy of an asset that a schedule materializes."""
    warn, fail = windows(cron, timezone)
    return dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=warn)


def with_freshness(
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec], policies: Mapping[dg.AssetKey, dg.FreshnessPolicy]
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The same assets, each with the policy of its schedule. One that no schedule materializes by itself has none."""

    def fresh(spec: dg.AssetSpec) -> dg.AssetSpec:
        policy = policies.get(spec.key)
        return dg.apply_freshness_policy(spec, policy) if policy else spec

    return [part if isinstance(part, dg.AssetSpec) else part.map_asset_specs(fresh) for part in assets]
