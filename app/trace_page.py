"""A trace as a page of its own: no script, nothing fetched, every text escaped."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.tracing import Trace

KINDS = ("source", "contact", "field", "evidence", "permission", "decision", "arrival", "change")


def render_trace(found: Trace) -> str:
    """The page as HTML text."""
    return _environment().get_template("trace.html.j2").render(trace=found, kinds=KINDS)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("app"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
