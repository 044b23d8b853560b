"""What lookups cost and answered, by month: the picture on the run's page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from io import BytesIO

from ringtrue.ledger.spend import ALL, MILLIONTHS, Period
from ringtrue.lookup_words import comparable
from ringtrue.report.drawing import BLUE, GRID, ORANGE, SOFT, drawing, figure

_COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#666666")


def spend_png(months: Sequence[Period]) -> bytes:
    """Three plots side by side: money by service, what became of the questions, disagreements. Money is in US dollars by fixed rates."""
    names = sorted({period.period for period in months})
    services = sorted({period.service for period in months if period.service != ALL})
    known = {(period.service, period.period): period for period in months}
    with drawing():
        drawn = figure("wide", 2.6)
        money, questions, opposed = drawn.subplots(1, 3)
        base = [0.0] * len(names)
        for service, colour in zip(services, _COLOURS * len(services), strict=False):
            heights = [dollars(known[service, name]) if (service, name) in known else 0.0 for name in names]
            money.bar(names, heights, 0.6, bottom=base, color=colour, label=service)
            base = [below + height for below, height in zip(base, heights, strict=True)]
        money.set_title("Cost (USD)", loc="left")
        base = [0.0] * len(names)
        for label, fields, colour in (
            ("answered", ("answered",), BLUE),
            ("could not tell", ("abstained",), "#E69F00"),
            ("refused or lost", ("refused", "lost"), SOFT),
        ):
            heights = [
                float(
                    sum(
                        getattr(known[service, name], field)
                        for service in services
                        if (service, name) in known
                        for field in fields
                    )
                )
                for name in names
            ]
            questions.bar(names, heights, 0.6, bottom=base, color=colour, label=label)
            base = [below + height for below, height in zip(base, heights, strict=True)]
        questions.set_title("Questions", loc="left")
        opposed.bar(
            names, [known[ALL, name].disagreed if (ALL, name) in known else 0 for name in names], 0.6, color=ORANGE
        )
        opposed.set_title("Opposite answers of two services", loc="left")
        for axes in (money, questions, opposed):
            axes.grid(axis="y", color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.tick_params(axis="x", labelrotation=45 if len(names) > 4 else 0, length=0)
            axes.margins(x=max(0.05, 1.2 / (len(names) + 1) ** 2))
            axes.set_ylim(bottom=0)
        for axes in (money, questions):
            if axes.get_legend_handles_labels()[0]:
                axes.legend(frameon=False, fontsize=8)
        held = BytesIO()
        drawn.savefig(held, format="png", dpi=110, pil_kwargs={"optimize": True})
    return held.getvalue()


def dollars(period: Period) -> float:
    """A period's money in US dollars by fixed rates."""
    return comparable(Decimal(period.cost) / MILLIONTHS, period.currency) if period.currency else 0.0
