"""`POST /v1/calls`: a dialler's outcome as it happens."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.serve.call_taking import take
from app.serve.door import Door
from app.serve.keys import Caller, Keys
from app.serve.refusals import Refused, json_answer, json_body
from ringtrue.phone import normalize_arrow
from ringtrue.records import PulledCall

_TEXTS = {
    "call_id": 200, "number": 200, "region": 2, "outcome": 300, "label": 300, "status": 100, "cause": 300, "direction": 20,
    "notes": 10_000, "trunk": 100, "started_at": 40,
}  # fmt: skip
_FIELDS = frozenset({*_TEXTS, "duration_seconds", "records"})
_DIRECTIONS = {"outbound": "outbound", "out": "outbound", "inbound": "inbound", "in": "inbound"}
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)
_MOST_RECORDS = 20


class Calls:
    """The endpoint. A message is taken as a whole or not at all; the same message again changes nothing."""

    def __init__(self, door: Door, keys: Keys) -> None:
        self._door, self._keys = door, keys
        first = next(iter(door.settings.connections.values()), None)
        self._region = first.default_region if first else "US"

    async def __call__(self, request: Request) -> Response:
        caller = self._keys.caller(request, "calls")
        taken = self._read(await json_body(request), caller)
        people = self._door.settings.policy.switchboard_people
        now = self._door.now()
        namespace = caller.settings.namespace
        done = await self._door.commit(
            lambda connection, key: take(connection, key, caller.name, namespace, taken, people, now)
        )
        counted = {"taken": len(taken), "new": done.new, "changed": done.changed, "opt_outs": done.opt_outs}
        return json_answer(counted)

    def _read(self, body: Any, caller: Caller) -> list[PulledCall]:
        items = body.get("calls") if isinstance(body, dict) and "calls" in body else [body]
        if not isinstance(items, list) or not items or len(items) > self._door.serve.most_calls:
            raise Refused(422, f"calls must be an array of 1 to {self._door.serve.most_calls} calls.")
        many = len(items) > 1
        now = datetime.fromtimestamp(self._door.clock(), UTC)
        read = [_call(item, f"calls[{place}]." if many else "", now) for place, item in enumerate(items)]
        regions = [item.get("region") or caller.settings.region or self._region for item in items]
        rows = normalize_arrow([call.number or "" for call in read], regions).to_pylist()
        numbers: dict[int, str] = {}
        for row in rows:
            if row["sure"] and row["e164"]:
                numbers.setdefault(row["row"], row["e164"])
        for place, call in enumerate(read):
            if call.number and place not in numbers:
                where = f"calls[{place}].number" if many else "number"
                raise Refused(
                    422, f"{where} holds no number that can be dialled: send it with a plus and its country code."
                )
        return [call._replace(number=numbers.get(place)) for place, call in enumerate(read)]


def _call(item: Any, where: str, now: datetime) -> PulledCall:
    if not isinstance(item, dict):
        raise Refused(422, f"{where.rstrip('.') or 'The body'} must be a JSON object with call_id, number and outcome.")
    for name in sorted(set(item) - _FIELDS):
        raise Refused(422, f"There is no field {where}{name[:40]}; a call has {', '.join(sorted(_FIELDS))}.")
    texts = {name: _text(item, name, longest, where) for name, longest in _TEXTS.items()}
    records = item.get("records", [])
    if (
        not isinstance(records, list)
        or len(records) > _MOST_RECORDS
        or not all(isinstance(one, str) and 0 < len(one) <= 100 for one in records)
    ):
        raise Refused(422, f"{where}records must be an array of at most {_MOST_RECORDS} CRM record ids.")
    if not texts["call_id"]:
        raise Refused(422, f"{where}call_id is missing: without it the same call would count twice.")
    if not texts["number"] and not records:
        raise Refused(422, f"{where}number is missing: name the number that was called, or the records.")
    if not any(texts[name] for name in ("outcome", "label", "status", "cause")):
        raise Refused(422, f"{where}outcome is missing: send the dialler's word, label, status or cause.")
    direction = (texts["direction"] or "outbound").casefold()
    if direction not in _DIRECTIONS:
        raise Refused(422, f"{where}direction must be outbound or inbound.")
    seconds = item.get("duration_seconds")
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds < 0
    ):
        raise Refused(422, f"{where}duration_seconds must be a number of seconds, 0 or more.")
    return PulledCall(
        call_id=texts["call_id"],
        contact_ids=tuple(records),
        number=texts["number"],
        outcome=texts["outcome"],
        label=texts["label"],
        status=texts["status"],
        direction=_DIRECTIONS[direction],
        duration_seconds=None if seconds is None else float(seconds),
        notes=texts["notes"],
        started_at=_moment(texts["started_at"], where, now),
        modified_at=now,
        trunk=texts["trunk"],
        cause=texts["cause"],
    )


def _text(item: dict[str, Any], name: str, longest: int, where: str) -> str | None:
    value = item.get(name)
    if value is None:
        return None
    if name in ("cause", "outcome", "call_id") and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > longest:
        raise Refused(422, f"{where}{name} must be a JSON string of at most {longest} characters.")
    return value.strip() or None


def _moment(text: str | None, where: str, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(422, f"{where}started_at must be a moment with its offset, such as 2026-11-03T08:30:00Z.")
    if not _EARLIEST <= moment <= now + _AHEAD:
        raise Refused(422, f"{where}started_at lies in the future or before 1990; check the dialler's clock.")
    return moment
