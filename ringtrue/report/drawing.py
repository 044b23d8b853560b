"""Type, colours and labels of the plots: readable at arm's length on a phone, in black and white, and for colour-blind eyes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from typing import Any, Final, Literal

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

Width = Literal["narrow", "wide"]
INCHES: Final[dict[Width, float]] = {"narrow": 3.6, "wide": 9.0}
"""Figure widths. Shown at 100 pixels an inch, so that the smallest type stays 11 pixels high on a phone 390 pixels wide."""

GRADE_LOOKS: Final[dict[str, tuple[str, str, str]]] = {
    "F": ("#D55E00", "X", "F: above 20 %"),
    "D": ("#E69F00", "^", "D: above 15 %, or not told apart from it"),
    "C": ("#666666", "D", "C: under 15 %"),
    "B": ("#56B4E9", "s", "B: under 10 %"),
    "A": ("#0072B2", "o", "A: under 5 %"),
    "": ("#666666", "o", "not enough data"),
}
"""Colour (Okabe and Ito's palette), marker and legend of each grade: the marker tells grades apart without the colour."""

INK: Final = "#222222"
SOFT: Final = "#666666"
GRID: Final = "#DDDDDD"
BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"

_OTHER_SCRIPTS: Final = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Arial Unicode MS",
    "Noto Sans",
)
_LOCK = threading.Lock()


@contextmanager
def drawing() -> Iterator[None]:
    """Our type and lines for the figures made inside. One thread at a time: matplotlib keeps these settings in one place."""
    look: dict[Any, Any] = {
        "font.family": list(_families()),
        "font.size": 9.0,
        "axes.edgecolor": SOFT,
        "axes.labelcolor": INK,
        "axes.titlesize": 9.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": SOFT,
        "ytick.color": INK,
        "text.color": INK,
        "svg.hashsalt": "ringtrue",
        "figure.facecolor": "white",
        "axes.unicode_minus": False,
        "text.parse_math": False,
    }
    with _LOCK, mpl.rc_context(look):
        yield


def figure(width: Width, height: float) -> Figure:
    """An empty figure, laid out so that nothing is cut off."""
    return Figure(figsize=(INCHES[width], height), layout="constrained")


def png(drawn: Figure) -> bytes:
    """The figure as a PNG, sharp on dense screens."""
    return _saved(drawn, "png")


def svg(drawn: Figure) -> bytes:
    """The figure as an SVG whose letters are outlines: it looks the same whatever fonts a reader has."""
    return _saved(drawn, "svg")


def drawable(label: str, fallback: str, limit: int) -> str:
    """A label as it can be drawn: shortened, letters that no installed font has left out, the slug where little of it remains."""
    known = _characters()
    kept = "".join(character for character in label if ord(character) in known).strip()
    if len(kept) * 2 < len(label):
        kept = fallback
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def source_axis(axes: Axes, labels: list[str]) -> None:
    """Names of sources down the left side, first on top. They are text, never formulas."""
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    there = set(font_manager.fontManager.get_font_names())
    return ("DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in there))


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    found: set[int] = {ord("…")}
    for family in _families():
        found |= set(FT2Font(font_manager.findfont(family)).get_charmap())
    return frozenset(found)


def _saved(drawn: Figure, kind: Literal["png", "svg"]) -> bytes:
    held = BytesIO()
    if kind == "png":
        drawn.savefig(held, format="png", dpi=200)
    else:
        drawn.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    return held.getvalue()
