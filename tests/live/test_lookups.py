"""One question to each lookup service. It costs what the service charges for one number."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from connectors.lookups import open_services
from connectors.lookups.protocol import Answer, LookupService, Question
from connectors.lookups.service import Surroundings
from ringtrue.lookup_settings import LookupsSettings
from tests.live.conftest import LOOKUPS, lookups

SUBJECTS = {"zerobounce": ("valid@example.com", None), "alibaba": ("+8613123456789", "CN")}
"""An address that ZeroBounce keeps for tests; libphonenumber's example of a Chinese mobile number."""
US = ("+12015550123", "US")
OPTIONS: dict[str, dict[str, object]] = {"vonage": {"api": "number_insight", "products": ["basic"]}}
"""Number Insight needs no application of its own."""


def service(name: str, folder: Path) -> LookupService:
    url = os.environ.get(f"LIVE_{name.upper()}_URL")
    options = {"enabled": True, **OPTIONS.get(name, {}), **({"base_url": url} if url else {})}
    settings = LookupsSettings.model_validate({name: options})
    environ = {variable: os.environ[f"LIVE_{variable}"] for variable in LOOKUPS[name]}
    opened, left_out = open_services(settings, Surroundings(environ=environ, folder=folder))
    assert left_out == []
    return opened[0]


async def ask(found: LookupService, subject: str, region: str | None) -> tuple[str, Answer]:
    offer = found.facts.offers[0]
    try:
        (answer,) = [each async for each in found.ask(offer, [Question(subject, offer.kinds[0], region)])]
    finally:
        await found.close()
    return offer.kinds[0], answer


@pytest.mark.parametrize("name", lookups())
def test_a_question_is_answered_in_known_words(name: str, tmp_path: Path) -> None:
    subject, region = SUBJECTS.get(name, US)
    kind, answer = asyncio.run(ask(service(name, tmp_path), subject, region))
    assert answer.result in ("answered", "abstain"), answer.error_class
    assert answer.question.kind == kind
    assert answer.review == (), "words that no table knows"
    assert answer.cost >= 0
