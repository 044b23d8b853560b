"""What a supplier is shown who delivered bad numbers: a CSV with the numbers in full, and a page to print that masks them."""

from __future__ import annotations

import csv
from datetime import datetime
from io import StringIO
from typing import Final

import pandas as pd

from ringtrue.masking import mask_number
from ringtrue.report.render import templates
from ringtrue.sources import bad_on_arrival, display

REFUND_COLUMNS: Final[dict[str, str]] = {
    "source": "slug",
    "record": "CONNECTION:RECORD of the contact",
    "raw": "the field as delivered, or null",
    "e164": "the number in E.164, null where it could not be read",
    "created_at": "datetime, UTC: when the contact was created",
    "first_verified_at": "datetime, UTC",
    "first_status": "status at the first verification",
    "reason": "reason code, or null",
    "evidence": "what the decision rests on, in words, or null",
}
"""The rows `refund_pack` takes; more columns do no harm."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def refund_pack(
    rows: pd.DataFrame,
    source: str,
    *,
    label: str,
    generated_at: datetime,
    arrival_days: float = 7.0,
    delivered: int | None = None,
) -> tuple[bytes, str]:
    """CSV (UTF-8 with a mark, so that spreadsheets read it) and HTML of the numbers of one source that were bad on arrival, oldest first.

    Numbers stand as `tel:+...` (RFC 3966): every digit survives a spreadsheet, and no cell begins like a formula. Cells that would get an apostrophe in front.
    `delivered`: numbers of the source in all; without it as many as it has rows.
    """
    own = rows[(rows["source"] == source) & bad_on_arrival(rows, arrival_days=arrival_days)]
    own = own.sort_values(["created_at", "record"], kind="stable")
    lines = []
    for position, row in enumerate(own[list(REFUND_COLUMNS)].to_dict("records"), start=1):
        values = {name: "" if pd.isna(value) else value for name, value in row.items()}
        created, checked = pd.Timestamp(row["created_at"]), pd.Timestamp(row["first_verified_at"])
        lines.append(
            {
                "line": position,
                "record": str(values["record"]),
                "number": f"tel:{values['e164']}" if values["e164"] else "",
                "as_delivered": str(values["raw"]),
                "delivered_on": f"{created:%Y-%m-%d}",
                "checked_on": f"{checked:%Y-%m-%d}",
                "days_between": f"{(checked - created) / pd.Timedelta(days=1):.1f}",
                "finding": str(values["first_status"]).replace("_", " "),
                "reason": "" if values["reason"] == "ok" else str(values["reason"]).replace("_", " "),
                "evidence": str(values["evidence"]),
            }
        )
    count = int((rows["source"] == source).sum()) if delivered is None else delivered
    return _csv(lines), _page(lines, display(label), generated_at, arrival_days, count)


def _csv(lines: list[dict[str, object]]) -> bytes:
    held = StringIO()
    names = [
        "line",
        "number",
        "as_delivered",
        "record",
        "delivered_on",
        "checked_on",
        "days_between",
        "finding",
        "reason",
        "evidence",
    ]
    writer = csv.DictWriter(held, names, lineterminator="\r\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: _harmless(str(value)) for name, value in line.items()})
    return held.getvalue().encode("utf-8-sig", "replace")


def _harmless(cell: str) -> str:
    """A cell no spreadsheet takes for a formula, without control characters."""
    cleaned = "".join(character if character.isprintable() else " " for character in cell)
    return f"'{cleaned}" if cleaned.lstrip().startswith(_FORMULA_STARTS) else cleaned


def _page(
    lines: list[dict[str, object]], label: str, generated_at: datetime, arrival_days: float, delivered: int
) -> str:
    masked = [
        {**line, "number": mask_number(str(line["number"] or line["as_delivered"]).removeprefix("tel:"))}
        for line in lines
    ]
    findings = pd.Series([str(line["finding"]) for line in lines], dtype="str").value_counts()
    return (
        templates()
        .get_template("refund.html.j2")
        .render(
            lines=masked,
            label=label,
            generated_at=generated_at,
            arrival_days=arrival_days,
            delivered=delivered,
            findings=list(findings.items()),
        )
    )
