"""`/why/<opaque id>`: what is known about a record's numbers, and what the person who looks at it knows."""

from __future__ import annotations

import re
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.serve.door import Door
from app.serve.pages import Pages, own_form
from app.serve.refusals import Refused
from app.serve.sessions import Person, Sessions
from app.serve.sign_in import SignIn
from app.serve.why_page import Reader
from assets.deciding import policy_of
from ringtrue.ledger import why
from ringtrue.ledger.why import Found, Said

SECONDS = 10.0
_ANSWERS: dict[str, Said] = {"talked": "talked", "wrong_person": "wrong_person", "stop": "stop"}
_ANSWER_ID = re.compile(r"[0-9a-f]{24}")


class WhyPage:
    """The page and its form."""

    def __init__(self, door: Door, pages: Pages, sessions: Sessions, sign_in: SignIn) -> None:
        self._door, self._pages, self._sessions, self._sign_in = door, pages, sessions, sign_in
        self._timezone = policy_of(door.settings).report_timezone

    async def show(self, request: Request) -> Response:
        """The page. Who is not signed in is asked to first, whether or not there is such a record."""
        why_id: str = request.path_params["why_id"]
        person = self._sign_in.person(request)
        if person is None:
            return self._pages.goto(f"/sign-in?next={why_id}")
        found = await self._found(why_id)
        if found is None:
            return self._pages.message("not_found_title", "not_found", 404, person=person)
        said = {"yes": "thanks", "again": "thanks_again"}.get(request.query_params.get("saved", ""))
        return self._show(found, why_id, person, said)

    async def answer(self, request: Request) -> Response:
        """Take an answer. It is committed before the page says thank you."""
        why_id: str = request.path_params["why_id"]
        person = self._sign_in.person(request)
        if person is None:
            return self._pages.goto(f"/sign-in?next={why_id}")
        fields = await request.form()
        answer_id, token = str(fields.get("answer", "")), str(fields.get("token", ""))
        found = await self._found(why_id)
        if found is None:
            return self._pages.message("not_found_title", "not_found", 404, person=person)
        ours = own_form(request, self._door.serve) and _ANSWER_ID.fullmatch(answer_id)
        if not ours or not self._sessions.fits(token, person, why_id, answer_id):
            return self._show(found, why_id, person, "failed_form", 403)
        said = _ANSWERS.get(str(fields.get("said", "")))
        handle = str(fields.get("number", ""))
        number = next((each.number for each in found.numbers if each.e164 and each.handle == handle), None)
        if said is None or (number is None and (handle or said != "stop")):
            return self._show(found, why_id, person, "failed_choice", 422)
        people, now = self._door.settings.policy.switchboard_people, self._door.now()
        contact_id = found.person.contact_id

        def keep(connection: Any, key: bytes) -> bool:
            return why.say(connection, key, contact_id, number, said, person.name, answer_id, people, now)

        try:
            new = await self._door.commit(keep)
        except Refused:
            return self._away()
        return self._pages.goto(f"/why/{why_id}?saved={'yes' if new else 'again'}")

    async def _found(self, why_id: str) -> Found | None:
        return await self._door.read(lambda connection, key: why.find(connection, key, why_id), SECONDS)

    def _show(self, found: Found, why_id: str, person: Person, message: str | None, status: int = 200) -> Response:
        answer_id = secrets.token_hex(12)
        reader = Reader(self._door.settings, self._pages.words, self._timezone, self._door.now())
        return self._pages.page(
            "why",
            status=status,
            person=person,
            page=reader.page(found),
            why_id=why_id,
            answer_id=answer_id,
            token=self._sessions.form_token(person, why_id, answer_id),
            message=self._pages.words[message] if message else None,
            message_good=status == 200,
        )

    def _away(self) -> Response:
        return self._pages.message("away_title", "away", 503)

    async def away(self, _request: Request, _error: Exception) -> Response:
        """The handler of LedgerAway."""
        return self._away()
