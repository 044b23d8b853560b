"""Who can answer a question and may be told the number, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.lookups.borders import may_send
from connectors.lookups.protocol import LookupService, Offer, Question
from ringtrue.lookup_settings import LookupsSettings, ServiceSettings
from ringtrue.lookup_words import comparable


def routes(
    services: Sequence[LookupService], settings: LookupsSettings, question: Question
) -> list[tuple[LookupService, Offer, float]]:
    """The cheapest fitting product of each service that may be asked, cheapest first, with its price in comparable money."""
    found: list[tuple[LookupService, Offer, float]] = []
    for service in services:
        facts = service.facts
        if may_send(question, facts, settings.services.get(facts.name, ServiceSettings()), settings):
            priced = [
                (service, offer, comparable(offer.price, offer.currency))
                for offer in facts.offers
                if offer.answers(question)
            ]
            found.extend(sorted(priced, key=lambda each: each[2])[:1])
    return sorted(found, key=lambda each: each[2])
