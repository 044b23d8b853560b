"""The results as tables in Markdown, and the curve of spend against dials avoided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from benchmarks.truth_judge import REBORN, Tally
from benchmarks.truth_run import POLICIES
from benchmarks.truth_settings import REGIONS
from ringtrue.records import STATUSES
from ringtrue.source_grades import wilson
from ringtrue.status_table import LINES

mpl.use("Agg")
import matplotlib.pyplot as plt

Key = tuple[float, int]
"""Harshness and seed of a world."""
Results = dict[Key, dict[str, Tally]]
PRECISION = 0.98
AVOIDED, MONEY, KILLED = 0.95, 0.25, 0.001
_CLASSES = LINES[:4]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def killed_bound(tally: Tally) -> float:
    """Upper end of Wilson's 95 % interval for live numbers wrongly retired."""
    _, high = wilson([tally.wrongly_retired], [tally.live_observed])
    return float(high[0])


def avoided(world: dict[str, Tally], name: str) -> int:
    """Dials to dead numbers that `never` makes and this policy does not."""
    return world["never"].dead_dials - world[name].dead_dials


def policies(world: dict[str, Tally]) -> str:
    """Every policy in one world."""
    rows = []
    for name, title in POLICIES.items():
        if name not in world:
            continue
        one = world[name]
        rows.append(
            (
                title,
                f"{one.dials:,}",
                f"{one.dead_dials:,}",
                f"{avoided(world, name):,}",
                f"{avoided(world, name) / max(avoided(world, 'monthly'), 1):.0%}",
                f"{one.known / max(one.deaths, 1):.0%}",
                f"{one.wrongly_retired:,} of {one.live_observed:,} ({one.wrongly_retired / max(one.live_observed, 1):.3%})",
                f"{one.talks / max(world['never'].talks, 1):.1%}",
                f"{one.violations:,}",
                f"{one.money:,.0f}",
                f"{one.money / max(world['monthly'].money, 1e-9):.0%}",
            )
        )
    return table(
        (
            "policy", "dials", "to dead numbers", "avoided", "of what (a) avoids", "dead known in 30 days", "live wrongly retired", "conversations kept",
            "do-not-call violations", "USD", "of (a)'s money",
        ),
        rows,
    )  # fmt: skip


def worlds(results: Results) -> str:
    """RingTrue in every world, beside (a)."""
    rows = []
    for (harshness, seed), world in sorted(
        results.items(), key=lambda item: ({1.0: 0}.get(item[0][0], 1), -item[0][0], item[0][1])
    ):
        one = world["ringtrue"]
        rows.append(
            (
                f"{harshness:g} x",
                str(seed),
                f"{world['never'].dead_dials:,}",
                f"{avoided(world, 'monthly'):,}",
                f"{avoided(world, 'ringtrue'):,}",
                f"{avoided(world, 'ringtrue') / max(avoided(world, 'monthly'), 1):.1%}",
                f"{one.money / max(world['monthly'].money, 1e-9):.1%}",
                f"{one.known / max(one.deaths, 1):.0%} / {world['monthly'].known / max(one.deaths, 1):.0%}",
                f"{one.wrongly_retired} of {one.live_observed:,}",
                f"{killed_bound(one):.3%}",
                f"{killed_bound(world['monthly']):.2%}",
                str(one.violations),
                f"{one.false_flags} / {one.missing_flags}",
            )
        )
    return table(
        (
            "world", "seed", "dials to dead, never checking", "(a) avoids", "RingTrue avoids", "of (a)", "of (a)'s money", "known in 30 days, RingTrue / (a)",
            "live wrongly retired", "upper bound", "(a)'s upper bound", "violations", "flags without / missing",
        ),
        rows,
    )  # fmt: skip


def lines(matrix: npt.NDArray[np.int64], title: str, *, standing: bool) -> str:
    """Confusion of the line fact by region: what was shown in columns. A line given to a new owner since it died counts as alive in the strict precision.

    Recall and abstention mean something only for what stands (`standing`), not for changes of a word.
    """
    parts = [f"**{title}**"]
    for region, name in enumerate(REGIONS):
        counts = matrix[region]
        rows = [
            (truth, *(f"{int(count):,}" for count in counts[at]))
            for at, truth in enumerate((*_CLASSES, "alive, new owner since"))
        ]
        strict, lenient, recall, silent = [], [], [], []
        for at in range(4):
            right = counts[at, at] + (counts[REBORN, 0] if at == 0 else 0)
            shown = counts[:, at].sum()
            truth = counts[at].sum() + (counts[REBORN].sum() if at == 0 else 0)
            strict.append(_share(right, shown))
            lenient.append(_share(right, shown - (counts[REBORN, at] if at == 2 else 0)))
            recall.append(_share(right, truth))
            silent.append(_share(counts[at, 4] + (counts[REBORN, 4] if at == 0 else 0), truth))
        rows += [
            ("**precision**", *strict, ""),
            ("**precision for the contact** (a line lost to a new owner is lost)", *lenient, ""),
        ]
        if standing:
            rows += [("**recall**", *recall, ""), ("**abstention**", *silent, "")]
        parts.append(table((f"{name}: truth", *LINES[:4], "unknown"), rows))
    return "\n\n".join(parts)


def statuses(matrix: npt.NDArray[np.int64]) -> str:
    """Confusion of the eight statuses by region, per contact and number."""
    truths = ("do_not_call", "invalid", "disconnected", "suspended", "wrong_person", "active")
    return "\n\n".join(
        table(
            (f"{name}: truth", *STATUSES),
            [(truth, *(f"{int(count):,}" for count in matrix[region, at])) for at, truth in enumerate(truths)],
        )
        for region, name in enumerate(REGIONS)
    )


def goals(results: Results) -> str:
    """The goals, each with the worst world of each harshness."""
    rows = []
    for harshness in sorted({key[0] for key in results}, key=lambda one: (one != 1.0, -one)):
        chosen = [world for key, world in results.items() if key[0] == harshness]
        ours = [world["ringtrue"] for world in chosen]
        share = min(avoided(world, "ringtrue") / max(avoided(world, "monthly"), 1) for world in chosen)
        money = max(world["ringtrue"].money / max(world["monthly"].money, 1e-9) for world in chosen)
        killed = max(map(killed_bound, ours))
        violations, flags = sum(one.violations for one in ours), sum(one.false_flags for one in ours)
        rows += [
            (f"{harshness:g} x", f"dials avoided, of (a)'s (worst of {len(ours)} seeds)", f"{share:.1%}", f">= {AVOIDED:.0%}", _met(share >= AVOIDED)),
            (f"{harshness:g} x", "money, of (a)'s (worst)", f"{money:.1%}", f"<= {MONEY:.0%}", _met(money <= MONEY)),
            (f"{harshness:g} x", "live numbers wrongly retired, Wilson upper 95 % (worst)", f"{killed:.3%}", f"<= {KILLED:.1%}", _met(killed <= KILLED)),
            (f"{harshness:g} x", "do-not-call violations (all seeds)", str(violations), "0", _met(violations == 0)),
            (f"{harshness:g} x", "records flagged with no suppression behind them", str(flags), "0", _met(flags == 0)),
        ]  # fmt: skip
        said = np.sum([one.said for one in ours], axis=0)
        for region, name in enumerate(REGIONS):
            for at, word in enumerate(_CLASSES):
                right = said[region, at, at] + (said[region, REBORN, 0] if at == 0 else 0)
                shown = said[region, :, at].sum()
                if shown:
                    rows.append(
                        (
                            f"{harshness:g} x",
                            f"precision when said, {name} {word}",
                            f"{right / shown:.2%} of {shown:,}",
                            f">= {PRECISION:.0%}",
                            _met(right / shown >= PRECISION),
                        )
                    )
    return table(("world", "measured", "result", "goal", "met"), rows)


def curve(world: dict[str, Tally], points: list[Tally], path: Path, title: str) -> None:
    """Spend against the share of avoidable dials that were avoided, as a PNG."""
    most, unit = world["never"].dead_dials, max(world["monthly"].money, 1e-9)
    figure, axes = plt.subplots(figsize=(7, 4.2), dpi=90)
    points = sorted(points, key=lambda one: one.money)
    axes.plot(
        [one.money / unit for one in points],
        [1 - one.dead_dials / most for one in points],
        "o-",
        color="#1f5fa8",
        label="RingTrue, by budget",
    )
    rivals = (
        ("monthly", "s", "#c0392b"),
        ("quarterly", "D", "#e67e22"),
        ("never", "x", "#555555"),
        ("strikes", "^", "#8e44ad"),
        ("eager", "P", "#27ae60"),
    )
    for name, mark, color in rivals:
        if name in world:
            one = world[name]
            axes.plot(
                one.money / unit, 1 - one.dead_dials / most, mark, color=color, markersize=8, label=POLICIES[name]
            )
    axes.axvline(MONEY, color="#bbbbbb", linestyle="--", linewidth=1)
    axes.text(MONEY + 0.01, 0.03, "a quarter of (a)", color="#777777", fontsize=8)
    axes.axhline(AVOIDED * (1 - world["monthly"].dead_dials / most), color="#bbbbbb", linestyle=":", linewidth=1)
    axes.set_xlabel("money, as a share of checking all numbers monthly")
    axes.set_ylabel("dials to dead numbers avoided")
    axes.set_ylim(-0.03, 1.0)
    axes.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    axes.set_title(title, fontsize=10)
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(alpha=0.25)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _met(holds: bool) -> str:
    return "yes" if holds else "**no**"
