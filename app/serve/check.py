"""`POST /v1/check`: what is to be said of a number while somebody is still at the form."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from app.serve.door import Door, LedgerAway
from app.serve.keys import Caller, Keys
from app.serve.lookup import LookupDesk
from app.serve.refusals import Refused, json_answer, json_body
from ringtrue.countries import region_of
from ringtrue.ledger.entry import Known, known
from ringtrue.phone import normalize_arrow
from ringtrue.reasons import ADVICE, REASONS

LONGEST = 200
"""Characters of a field that may hold a number."""
_FIELDS = frozenset({"number", "region", "country", "place", "lookup"})


class Asked(NamedTuple):
    """A checked request."""

    number: str
    region: str | None
    place: str | None
    lookup: bool


class Check:
    """The endpoint. Whatever goes wrong behind it, a form is answered: with `unknown` where nothing can be said."""

    def __init__(self, door: Door, keys: Keys, desk: LookupDesk) -> None:
        self._door, self._keys, self._desk = door, keys, desk
        first = next(iter(door.settings.connections.values()), None)
        self._region = first.default_region if first else "US"

    async def __call__(self, request: Request) -> Response:
        caller = self._keys.caller(request, "check")
        started = time.perf_counter()
        asked = _asked(await json_body(request))
        rows = normalize_arrow(
            [asked.number],
            asked.region or caller.settings.region or self._region,
            place=[asked.place] if asked.place else None,
        ).to_pylist()
        answer = _by_rules(rows)
        number = answer["e164"]
        if number is not None and not caller.settings.public:
            answer |= await self._by_ledger(number, answer, caller, asked.lookup)
        elif asked.lookup:
            answer["lookup"] = "not_allowed" if caller.settings.public else "not_needed"
        answer["took_ms"] = round((time.perf_counter() - started) * 1000, 1)
        return json_answer(answer)

    async def _by_ledger(self, number: str, answer: dict[str, Any], caller: Caller, lookup: bool) -> dict[str, Any]:
        try:
            found = await self._door.read(
                lambda connection, key: known(connection, key, number), self._door.serve.check_ms / 1000
            )
        except LedgerAway:
            # Nothing is held up because we cannot look: the status is not known, and neither is permission.
            return {"status": "unknown", "do_not_call": None, "lookup": "unavailable" if lookup else None}
        told = _known(found, answer)
        if not lookup:
            return told
        if not caller.settings.lookup:
            return {**told, "lookup": "not_allowed"}
        if not answer["valid"] or found.do_not_call or _settled(found, self._door.now()):
            return {**told, "lookup": "not_needed"}
        heard = await self._desk.ask(number, answer["region"], found.line_type)
        if heard.known is None:
            return {**told, "lookup": heard.state}
        return {**_known(heard.known, answer), "lookup": heard.state}


def _asked(body: Any) -> Asked:
    if not isinstance(body, dict):
        raise Refused(422, 'Send a JSON object such as {"number": "...", "region": "US"}.')
    for name in sorted(set(body) - _FIELDS):
        raise Refused(422, f"There is no field {name[:40]!r}; there are number, region, country, place and lookup.")
    number = body.get("number")
    if not isinstance(number, str) or not number.strip():
        raise Refused(422, "number must be the text of the field, as a JSON string that is not empty.")
    texts: dict[str, str | None] = {}
    for name in ("region", "country", "place"):
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(422, f"{name} must be a JSON string.")
        texts[name] = value
    if any(len(text) > LONGEST for text in (number, *filter(None, texts.values()))):
        raise Refused(422, f"A field is longer than {LONGEST} characters; send one phone field at a time.")
    lookup = body.get("lookup", False)
    if not isinstance(lookup, bool):
        raise Refused(422, "lookup must be true or false.")
    region = texts["region"]
    if region and (len(region) != 2 or region_of(region) is None):
        raise Refused(422, "region must be a two-letter country code such as US; a country's name goes into country.")
    # A country typed by hand that nobody understands holds no form up: the number is read without it.
    return Asked(number, region_of(region) or region_of(texts["country"]), texts["place"], lookup)


def _by_rules(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer as far as numbering rules go: the first number that is sure, and what else could be meant."""
    sure = next((row for row in rows if row["sure"] and row["e164"]), None)
    shown = sure or rows[0]
    suggested = next((row for row in rows if not row["sure"] and row["e164"]), None)
    more = [row["e164"] for row in rows if row["sure"] and row["e164"] and row is not shown]
    reason = shown["reason"]
    suggestion = None
    if reason != "ok" and (suggested or not shown["valid"]):
        suggestion = {"e164": suggested["e164"] if suggested else None, "text": ADVICE[reason] or REASONS[reason]}
    valid = sure is not None and bool(sure["valid"])
    return {
        "e164": sure["e164"] if sure else None,
        "extension": sure["extension"] if sure else None,
        "valid": valid,
        "type": _line_type(shown["type"]),
        "region": shown["region"],
        "status": "unverified" if valid else "invalid",
        "do_not_call": None,
        "reason": reason,
        "explanation": REASONS[reason],
        "suggestion": suggestion,
        "other_numbers": more,
        "checked_at": None,
        "confidence": None,
        "lookup": None,
    }


def _known(found: Known, answer: dict[str, Any]) -> dict[str, Any]:
    status = "do_not_call" if found.do_not_call else found.status or answer["status"]
    decided = found.decided_at is not None and status == found.status
    return {
        "status": status,
        "do_not_call": found.do_not_call,
        "type": _line_type(found.line_type) or answer["type"],
        "explanation": found.reason if decided and found.reason else answer["explanation"],
        "checked_at": _iso(found.decided_at) if found.decided_at is not None else None,
        "confidence": found.confidence if decided else None,
    }


def _settled(found: Known, now: int) -> bool:
    """Whether the ledger knows already what a lookup could tell."""
    return found.line not in (None, "unknown") and (found.recheck_at is None or found.recheck_at > now)


def _line_type(name: str | None) -> str | None:
    return None if name is None or name.casefold() == "unknown" else name.casefold()


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
