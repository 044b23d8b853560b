"""The report beside the cleaned copy: how many, why not, and what to enter differently. It holds no number of anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.clean.answers import Tally
from app.clean.writing import whole_file
from ringtrue.errors import SettingsError
from ringtrue.reasons import ADVICE, REASONS

SHOWN_SHAPES = 3
SHOWN_REGIONS = 8
TEMPLATES = {".html": "clean_report.html.j2", ".htm": "clean_report.html.j2", ".md": "clean_report.md.j2"}


def check_report(path: Path) -> Path:
    """The path, if a report of its kind can be written. Raises SettingsError."""
    if path.suffix.lower() not in TEMPLATES:
        raise SettingsError(f"The report is a page: name it .html or .md, not {path.name}.")
    return path


def write_report(path: Path, facts: dict[str, Any], tallies: list[Tally]) -> None:
    """Write the report as HTML or Markdown, by its name."""
    environment = Environment(
        loader=PackageLoader("app"),
        autoescape=select_autoescape(("html", "html.j2")) if path.suffix.lower() != ".md" else False,  # noqa: S701 Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    text = environment.get_template(TEMPLATES[path.suffix.lower()]).render(
        **facts,
        today=datetime.now(UTC).date().isoformat(),
        columns=[_column(tally) for tally in tallies],
    )
    with whole_file(path) as place:
        place.write_text(text, encoding="utf-8")


def _column(tally: Tally) -> dict[str, Any]:
    filled = sum(tally.statuses.values()) - tally.statuses["empty"]
    return {
        "name": tally.name,
        "filled": filled,
        "numbers": tally.numbers,
        "valid_share": f"{tally.statuses['valid'] / filled:.1%}" if filled else "0.0%",
        "statuses": tally.statuses.most_common(),
        "types": tally.types.most_common(),
        "regions": tally.regions.most_common(SHOWN_REGIONS),
        "reasons": [
            {
                "code": code,
                "count": count,
                "means": REASONS[code],
                "advice": ADVICE[code],
                "shapes": tally.shapes[code].most_common(SHOWN_SHAPES) if code in tally.shapes else [],
            }
            for code, count in tally.reasons.most_common()
            if code not in ("ok", "empty")
        ],
    }
