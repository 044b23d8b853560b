"""The report as one HTML file: styles and plots inside, nothing fetched, every text from outside escaped."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ringtrue.report.data import ReportData
from ringtrue.report.drawing import INCHES, Width, drawing, svg
from ringtrue.report.plots import figures

SHOWN_AT_ONCE: Final = 25
"""Sources listed before the rest is folded away."""

ADVISED: Final = 10
"""Sources for which the report says what to change: the surely worst, graded below A or ringing."""

HEADINGS: Final[dict[str, tuple[str, str]]] = {
    "ranking": (
        "Sources, surely worst first",
        (
            "Dot: estimated share of numbers that were bad when first checked. Line: where the true share lies with 90 % probability. Sources are ordered by the lower end of the line, so that "
            "nobody stands at the top for a handful of bad numbers."
        ),
    ),
    "trend": (
        "Trend of each source",
        "Bad share by date of creation, with the band in which it lies with 90 % confidence. A dashed line marks when an alarm began to ring.",
    ),
    "reasons": ("What is wrong with the numbers", "All sources together; the share is of all numbers."),
    "statuses": ("Statuses over time", "Share of all numbers; every status has its own scale, the figure is today's."),
    "money": ("Money", "Framed: spent on leads, calls and lookups. Filled: the part that went to bad numbers."),
}


def render_report(data: ReportData) -> str:
    """The whole report as HTML text. It loads nothing and runs no script, so it can be mailed or opened from a folder."""
    table = data.quality.sort_values("blame_rank")
    rows = [_row(values, data) for values in table.to_dict("records")]
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            data=data,
            rows=rows,
            first=[row for row in rows if row["numbers"]][:SHOWN_AT_ONCE],
            rest=[row for row in rows if row["numbers"]][SHOWN_AT_ONCE:],
            empty=[row for row in rows if not row["numbers"]],
            plots=_plots(data),
            headings=HEADINGS,
            totals={name: table[name].sum() for name in ("leads", "numbers", "money_spent", "money_wasted")},
            alarms=[row for row in rows if row["ringing"]],
            advised=[row for row in rows if row["advice"] and (row["grade"] not in ("A", "") or row["ringing"])][
                :ADVISED
            ],
        )
    )


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates: everything put into them is escaped."""
    env = Environment(
        loader=PackageLoader("ringtrue.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["percent"] = _percent
    env.filters["range"] = lambda low, high: f"{low * 100:.1f} to {high * 100:.1f} %".replace(" ", "\u00a0")
    env.filters["count"] = lambda value: f"{int(value):,}"
    env.filters["amount"] = lambda value: f"{float(value):,.0f}"
    return env


def _row(values: dict[Any, Any], data: ReportData) -> dict[str, Any]:
    source = str(values["source"])
    return {
        **{str(name): value for name, value in values.items()},
        "ringing": data.ringing.get(source, "")[:10],
        "grade_before": data.grades_before.get(source, ""),
        "advice": list(data.advice.get(source, ())),
    }


def _percent(share: float, digits: int = 0) -> str:
    return "–" if pd.isna(share) else f"{share * 100:.{digits}f} %"


def _plots(data: ReportData) -> dict[str, dict[Width, str]]:
    """Each plot drawn twice, for narrow and for wide screens: a plot scaled down to a phone cannot be read."""
    drawn: dict[str, dict[Width, str]] = {}
    for width in INCHES:
        for name, plot in figures(data, width).items():
            with drawing():
                coded = base64.b64encode(svg(plot)).decode("ascii")
            drawn.setdefault(name, {})[width] = f"data:image/svg+xml;base64,{coded}"
    return drawn
