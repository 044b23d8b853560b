"""Whether a number's registries are current: permission fails closed. It decides who may be dialled, never a status or a flag."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ringtrue.calling_rules import area_codes
from ringtrue.registry_settings import RegistrySettings

DAY_MS = 86_400_000
_TERRITORIES = frozenset({"PR", "VI", "GU", "AS", "MP"})
"""The US registry covers these too."""
_BY_PLACE = frozenset({"us_state", "litigator"})
"""Lists that cover a part of their country: numbers elsewhere do not wait for them."""


def country_of(number: str) -> str:
    """Country of an E.164 number as far as registries go; empty where none is known."""
    if number.startswith("+1"):
        country = area_codes().get(number[2:5], ("US", None))[0]
        return "US" if country in _TERRITORIES else country
    return "GB" if number.startswith("+44") else "FR" if number.startswith("+33") else ""


def part_of(number: str) -> str:
    """The area code under which a registry covers a number; empty outside the North American Numbering Plan."""
    return number[2:5] if number.startswith("+1") else ""


def stale_reason(
    registries: Mapping[str, RegistrySettings],
    list_dates: Mapping[tuple[str, str], int],
    required: Collection[str],
    now: int,
) -> Callable[[str], str | None]:
    """A function that says why a number may not be called for want of a fresh scrub, or None.

    `list_dates` are the dates (ms) of what is in force by (registry, area code or ""). `required` are countries that need a registry.
    """
    known: dict[tuple[str, str], str | None] = {}

    def reason(number: str) -> str | None:
        place = (country_of(number), part_of(number))
        if place not in known:
            known[place] = _reason(place[0], place[1], registries, list_dates, required, now)
        return known[place]

    return reason


def _reason(
    country: str,
    area: str,
    registries: Mapping[str, RegistrySettings],
    list_dates: Mapping[tuple[str, str], int],
    required: Collection[str],
    now: int,
) -> str | None:
    gates = {
        name: settings
        for name, settings in registries.items()
        if settings.country == country and settings.legal_age_days is not None
    }
    covered = False
    for name, settings in sorted(gates.items()):
        dated = list_dates.get((name, area), list_dates.get((name, "")))
        if settings.kind in _BY_PLACE:
            if dated is None and area not in settings.area_codes:
                continue
        else:
            covered = True
        if dated is None:
            return f"registry {name} does not cover area code {area}" if area else f"registry {name} was never loaded"
        age = (now - dated) / DAY_MS
        if age > (settings.legal_age_days or 0):
            return f"registry {name} is {int(age)} days old; at most {settings.legal_age_days} are allowed"
    if not covered and country in required:
        return f"no registry of {country} is loaded"
    return None
