"""What makes a sensor start something: opt-outs as they are committed, news of records as webhooks leave them in the inbox."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

from app.serve.call_taking import take
from assets.stage import now_ms
from ringtrue.ledger import inbox, suppressing
from ringtrue.ledger.inbox import Told
from ringtrue.records import PulledCall
from tests.pipeline.project import Project

_EVENT = count(1)


def opt_out(project: Project, *numbers: str, source: str = "manual") -> None:
    """What `ringtrue suppress add` commits."""
    with project.ledger() as ledger, ledger.write() as book:
        now = now_ms()
        told = [(each, f"{source} {next(_EVENT)}") for each in numbers]
        suppressing.add(book, ledger.key, told, source=source, evidence="letter", actor="Ann", at=now, now=now)


def stop_call(project: Project, phone: str) -> None:
    """What `POST /v1/calls` commits for a call in which somebody said stop."""
    now = datetime.now(UTC)
    call = PulledCall(
        call_id=f"call {next(_EVENT)}", contact_ids=(), number=phone, outcome=None, label=None, status=None,
        direction="outbound", duration_seconds=20.0, notes="Please take me off your list and never call me again.",
        started_at=now, modified_at=now,
    )  # fmt: skip
    with project.ledger() as ledger, ledger.write() as book:
        assert take(book, ledger.key, "dialler", "generic", [call], 5, now_ms()).opt_outs


def told(project: Project, name: str, kind: str, object_name: str, record: str, body: str = "") -> None:
    """What a webhook or an outbound message puts into the inbox."""
    source = f"{project.settings().connections[name].kind}:{name}"
    event = Told(source, f"event {next(_EVENT)}", kind, name, object_name, record, body)
    with project.ledger() as ledger, ledger.write() as book:
        inbox.put(book, [event], now_ms())
