"""The five plots of the report: ranking, trend, reasons, statuses over time, money."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ringtrue.records import STATUSES
from ringtrue.report.data import ReportData
from ringtrue.report.drawing import (
    BLUE,
    GRADE_LOOKS,
    GRID,
    ORANGE,
    SOFT,
    Width,
    drawable,
    drawing,
    figure,
    png,
    source_axis,
)
from ringtrue.source_quality import weekly_shares

RANKED: Final = 25
TRENDS: Final = 12
REASONS: Final = 12
PAID: Final = 15
STEADY: Final = 20
"""Numbers behind a point of the trend that may set the scale of all."""

Plot = Callable[[ReportData, Width], Figure]
_PERCENT = FuncFormatter(lambda value, _: f"{value * 100:.0f} %")


def plots(data: ReportData, width: Width = "wide") -> dict[str, bytes]:
    """The plots as PNGs, by name: `ranking`, `trend`, `reasons`, `statuses`, `money`. A plot with nothing to show is left out."""
    return {name: png(drawn) for name, drawn in figures(data, width).items()}


def figures(data: ReportData, width: Width) -> dict[str, Figure]:
    """The plots that have something to show, by name."""
    with drawing():
        return {name: plot(data, width) for name, (plot, shown) in PLOTS.items() if shown(data)}


def ranking(data: ReportData, width: Width) -> Figure:
    """Bad share of each source with its 90 % interval, the surely worst on top."""
    table = data.quality[data.quality["numbers"] > 0].sort_values("blame_rank").head(RANKED)
    drawn = figure(width, 1.5 + 0.27 * len(table))
    axes = drawn.add_subplot()
    place = np.arange(len(table))
    grades = table["grade"].astype(str).to_numpy()
    for edge in (0.05, 0.10, 0.15, 0.20):
        axes.axvline(edge, color=GRID, linewidth=1, zorder=0)
    for grade, (colour, marker, legend) in GRADE_LOOKS.items():
        where = grades == grade
        if not where.any():
            continue
        part = table[where]
        axes.hlines(place[where], part["bad_low"], part["bad_high"], color=colour, linewidth=2.2, alpha=0.75)
        face = "white" if grade == "" else colour
        axes.plot(
            part["bad_share"], place[where], marker, color=colour, markerfacecolor=face, markersize=7, label=legend
        )
    source_axis(axes, _labels(table, width))
    top = min(max(float(table["bad_high"].max()) * 1.05, 0.25), 1.0)
    axes.set_xlim(0, top)
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.set_xlabel("bad on arrival, with 90 % interval" if width == "narrow" else _RANKING_LABEL)
    drawn.legend(loc="outside lower center", ncols=1 if width == "narrow" else 3, frameon=False, fontsize=8)
    return drawn


def trend(data: ReportData, width: Width) -> Figure:
    """Bad share over time, one small plot per source, worst first, all to the same scale."""
    ranked = data.quality.sort_values("blame_rank")
    weeks = _steady(data.weeks[data.weeks["evidence"] > 0])
    ranked = ranked[ranked["source"].isin(weeks["source"])]
    graded = ranked[ranked["grade"] != ""]
    ranked = (graded if len(graded) else ranked).head(TRENDS)
    shown = weeks[weeks["source"].isin(ranked["source"])]
    columns = 2 if width == "narrow" else 4
    rows = -(-len(ranked) // columns)
    drawn = figure(width, 0.5 + 1.35 * rows)
    grid = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    flat: list[Axes] = list(grid.ravel())
    labels = _labels(ranked, width, 20 if width == "narrow" else 26)
    for axes, source, label in zip(flat, ranked["source"], labels, strict=False):
        own = weeks[weeks["source"] == source].sort_values("week")
        axes.fill_between(own["week"], own["low"], own["high"], color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(own["week"], own["share"], color=BLUE, linewidth=1.6, marker="." if len(own) < 12 else None)
        if source in data.ringing:
            since = pd.Timestamp(data.ringing[source]).tz_localize(None)
            axes.axvline(_day(since), color=ORANGE, linestyle="--", linewidth=1.4)
        axes.set_title(label, loc="left", parse_math=False, fontsize=8)
        _time_axis(axes, shown["week"])
        axes.grid(axis="y", color=GRID, linewidth=0.7)
    for axes in flat[len(ranked) :]:
        axes.set_visible(False)
    steady = shown[shown["evidence"] >= STEADY]
    highest = float((steady if len(steady) else shown)["share"].max())
    flat[0].set_ylim(0, min(max(highest * 1.25, 0.10), 1.0))
    flat[0].yaxis.set_major_formatter(_PERCENT)
    flat[0].yaxis.set_major_locator(MaxNLocator(4))
    return drawn


def reasons(data: ReportData, width: Width) -> Figure:
    """What is wrong with the numbers, over all sources, commonest on top."""
    counts = data.reasons.groupby("reason", observed=True)["numbers"].sum()
    for status in ("disconnected", "wrong_person"):
        counts[status] = int(data.quality[f"status_{status}"].sum())
    counts = counts[counts > 0].sort_values(ascending=False).head(REASONS)
    total = max(int(data.quality["numbers"].sum()), 1)
    names = [str(name).replace("_", " ") for name in counts.index]
    texts = [f"{count:,} ({count / total:.1%})" for count in counts]
    return _bars(width, names, counts.to_numpy(dtype=np.float64), texts, "numbers")


def statuses(data: ReportData, width: Width) -> Figure:
    """Share of all numbers in each status over time, one small plot per status."""
    wide = data.statuses.pivot_table(index="week", columns="status", values="numbers", aggfunc="sum", observed=True)
    wide = wide.fillna(0)
    shares = wide.div(wide.sum(axis=1), axis=0)
    lines = {status: shares[status].to_numpy(dtype=np.float64) for status in STATUSES if status in shares}
    held = sorted((status for status in lines if lines[status].max() > 0), key=lambda status: -lines[status][-1])
    columns = 2 if width == "narrow" else 4
    rows = -(-len(held) // columns)
    drawn = figure(width, 0.4 + 1.35 * rows)
    flat: list[Axes] = list(drawn.subplots(rows, columns, sharex=True, squeeze=False).ravel())
    for axes, status in zip(flat, held, strict=False):
        axes.fill_between(shares.index, 0, lines[status], color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(shares.index, lines[status], color=BLUE, linewidth=1.6, marker="." if len(shares) < 8 else None)
        axes.set_title(f"{status.replace('_', ' ')}  {lines[status][-1]:.1%}", loc="left", fontsize=8)
        axes.set_ylim(0, max(float(lines[status].max()) * 1.25, 0.01))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g} %"))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        _time_axis(axes, pd.Series(shares.index))
        axes.grid(axis="y", color=GRID, linewidth=0.7)
    for axes in flat[len(held) :]:
        axes.set_visible(False)
    return drawn


def money(data: ReportData, width: Width) -> Figure:
    """What each source cost and what of it went to bad numbers, most wasted on top."""
    table = data.quality[data.quality["money_spent"] > 0].sort_values("money_wasted", ascending=False).head(PAID)
    spent, wasted = table["money_spent"].to_numpy(), table["money_wasted"].to_numpy()
    drawn = figure(width, 1.2 + 0.36 * len(table))
    axes = drawn.add_subplot()
    place = np.arange(len(table))
    axes.barh(place, spent, height=0.62, color="white", edgecolor=SOFT, linewidth=1, label="spent")
    axes.barh(place, wasted, height=0.62, color=ORANGE, hatch="////", edgecolor="white", linewidth=0, label="wasted")
    for at, (all_of_it, lost) in enumerate(zip(spent, wasted, strict=True)):
        share = f" ({lost / all_of_it:.0%})" if all_of_it else ""
        axes.annotate(
            f"{lost:,.0f}{share}", (all_of_it, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    source_axis(axes, _labels(table, width))
    axes.set_xlim(0, float(spent.max()) * (1.45 if width == "narrow" else 1.18))
    axes.xaxis.set_major_locator(MaxNLocator(3 if width == "narrow" else 6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel(f"{data.currency}; beside the bar: wasted")
    drawn.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return drawn


def _any_status(data: ReportData) -> bool:
    return len(data.statuses) > 0 and int(data.statuses["numbers"].sum()) > 0


def _any_reason(data: ReportData) -> bool:
    return len(data.reasons) > 0 or int(data.quality[["status_disconnected", "status_wrong_person"]].sum().sum()) > 0


PLOTS: Final[dict[str, tuple[Plot, Callable[[ReportData], bool]]]] = {
    "ranking": (ranking, lambda data: bool((data.quality["numbers"] > 0).any())),
    "trend": (trend, lambda data: bool((data.weeks["evidence"] > 0).any())),
    "reasons": (reasons, _any_reason),
    "statuses": (statuses, _any_status),
    "money": (money, lambda data: bool((data.quality["money_spent"] > 0).any())),
}
"""Each plot and whether there is something to draw, in the order of the report."""

_RANKING_LABEL = "numbers bad on arrival: estimate and 90 % interval (lines at 5, 10, 15 and 20 %)"


def _labels(table: pd.DataFrame, width: Width, limit: int | None = None) -> list[str]:
    letters = limit or (19 if width == "narrow" else 34)
    return [
        drawable(str(label), str(slug), letters) for label, slug in zip(table["label"], table["source"], strict=True)
    ]


def _bars(width: Width, names: list[str], values: npt.NDArray[np.float64], texts: list[str], axis_label: str) -> Figure:
    drawn = figure(width, 0.8 + 0.3 * len(names))
    axes = drawn.add_subplot()
    axes.barh(range(len(names)), values, height=0.66, color=BLUE)
    for at, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.annotate(text, (value, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
    source_axis(axes, names)
    axes.set_xlim(0, float(values.max()) * (1.75 if width == "narrow" else 1.2))
    axes.xaxis.set_major_locator(MaxNLocator(3 if width == "narrow" else 6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel(axis_label)
    return drawn


def _time_axis(axes: Axes, times: pd.Series) -> None:
    """First, middle and last date."""
    first, last = times.min(), times.max()
    marks = list(dict.fromkeys([first, first + (last - first) / 2, last]))
    form = "%d %b" if last - first < pd.Timedelta(days=300) else "%b %y"
    axes.set_xticks([_day(mark) for mark in marks], [f"{mark:{form}}" for mark in marks])
    axes.tick_params(labelsize=7.5)


def _day(moment: pd.Timestamp) -> float:
    """Days since 1970, in which matplotlib counts dates."""
    return moment.timestamp() / 86_400


def _steady(weeks: pd.DataFrame) -> pd.DataFrame:
    """Four weeks to a point where there are many: single weeks of a small source say more about chance than about the source."""
    if weeks["week"].nunique() <= 16:
        return weeks
    first = weeks["week"].min()
    four = first + ((weeks["week"] - first) // pd.Timedelta(weeks=4)) * pd.Timedelta(weeks=4)
    sums = weeks.assign(week=four).groupby(["source", "week"], as_index=False, observed=True)
    return weekly_shares(sums[["arrived", "invalid", "verified", "bad"]].sum())
