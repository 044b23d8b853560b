"""Which numbers may be sent to which service: numbers that may not leave their country stay."""

from __future__ import annotations

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from connectors.lookups.protocol import Question, ServiceFacts
from ringtrue.lookup_settings import LookupsSettings, ServiceSettings

_SOLE_REGION = {str(code): regions[0] for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if len(regions) == 1}


def region_of(question: Question) -> str | None:
    """The region a number belongs to: by its calling code where that belongs to one region, else what the question says."""
    digits = question.subject.removeprefix("+")
    if digits != question.subject:
        for length in (1, 2, 3):
            if (region := _SOLE_REGION.get(digits[:length])) is not None:
                return region
    return question.region


def may_send(question: Question, facts: ServiceFacts, service: ServiceSettings, settings: LookupsSettings) -> bool:
    """Whether the settings let this number go to this service. Where a rule exists and the region is not known, it stays."""
    region = region_of(question)
    if region in service.never_regions:
        return False
    if service.regions and region not in service.regions:
        return False
    if settings.keep_in_country or service.never_regions:
        if region is None:
            return False
        return region not in settings.keep_in_country or region == facts.located_in
    return True
