"""Every property of the simulated world, each a parameter of `python -m benchmarks.truth`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from sandbox.lead_sources import LEAD_SOURCES, LeadSource

REGIONS = ("US", "CN", "BD")
KINDS = ("mobile", "landline", "business_direct", "voip")


@dataclass(frozen=True)
class Service:
    """One lookup service: whom it covers (share of the numbers, by region), how often it errs, and how late it learns.

    `misses`: dead numbers called alive; `slanders`: live ones called dead; `unsure`: answers in weaker words; `lag_days`: how old its picture of a line is.
    Starting values are those of the sandbox's stand-ins.
    """

    name: str
    product: str
    us: float = 0.0
    cn: float = 0.0
    bd: float = 0.0
    landlines: bool = True
    misses: float = 0.03
    slanders: float = 0.005
    abstains: float = 0.05
    unsure: float = 0.0
    lag_days: int = 1
    lifetime_days: int = 30

    def covers(self, region: int) -> float:
        """The share of a region's numbers that the service can tell anything about."""
        return (self.us, self.cn, self.bd)[region]


SERVICES = (
    Service("twilio", "line_status", us=0.9, landlines=False, lifetime_days=14),
    Service("realphonevalidation", "scrub", us=0.98, unsure=0.1, lag_days=3),
    Service("melissa", "premium", us=0.95, abstains=0.08, lag_days=10),
    Service("alibaba", "status", cn=0.97, landlines=False, misses=0.01, lifetime_days=7),
)


@dataclass(frozen=True)
class Settings:
    """The world. Shares lie in 0 to 1, rates are per month of 30.44 days, odds are per call."""

    numbers: int = 100_000
    months: int = 24
    seed: int = 1
    harshness: float = 1.0
    """Multiplies churn, suspensions, fault days, false failures, the services' errors and silences, and the bad shares of the lead sources."""
    new_leads: float = 0.25
    """Share of the numbers that arrive during the simulation."""
    share_us: float = 0.5
    share_cn: float = 0.3
    share_bd: float = 0.2
    calls_per_day: float = 0.03
    """Planned dials on a working day, as a share of the list."""
    attempts: int = 5
    """Most dials in one campaign; it stops at a conversation."""
    churn_mobile: float = 0.008
    churn_landline: float = 0.004
    churn_business_direct: float = 0.012
    churn_voip: float = 0.03
    dead_at_start: float = 0.04
    """Share of the oldest leads that died before the simulation, beside what their source brought."""
    reassigned: float = 1 / 3
    """Share of dead numbers that get a new owner, 60 to 400 days later."""
    suspended_us: float = 0.001
    suspended_cn: float = 0.006
    suspended_bd: float = 0.008
    """Mobiles that are barred in a month; for 20 to 90 days, then three in four come back."""
    switched_off: float = 0.001
    trunks: int = 6
    fault_days: float = 0.02
    """Share of a trunk's days on which it is in trouble, and how many of its calls then fail with a false 404."""
    fault_share: float = 0.6
    false_404: float = 0.008
    false_intercept: float = 0.005
    """Chance that a call to a live line fails as if nobody had the number, on any day."""
    false_suspended: float = 0.00003
    ringing_dead: float = 0.02
    """Share of dead lines that always ring."""
    suspended_heard: float = 0.6
    """Chance that a call to a suspended line brings the announcement."""
    voicemail_us: float = 0.5
    voicemail_cn: float = 0.03
    voicemail_bd: float = 0.03
    """Chance that an unanswered call to a live line ends in a voicemail."""
    pick_up: float = 1.0
    """Multiplies the pick-up odds."""
    opt_outs_in_calls: float = 0.015
    opt_outs_otherwise: float = 0.001
    """Share of conversations that end in "do not call again"; share of contacts that opt out by another way in a month."""
    opt_outs_by_mistake: float = 0.05
    """Share of the latter that are entered in error and withdrawn."""
    listed: float = 0.14
    listed_later: float = 0.002
    """US numbers on the National registry at the start, and new ones in a month."""
    two_numbers: float = 0.15
    duplicates: float = 0.04
    """Share of contacts with a second number; share of numbers that a second record carries too."""
    rules_miss: float = 0.02
    rules_lag: float = 0.0001
    """Impossible numbers that the numbering rules let pass; good ones that they refuse because a range is new."""
    persistent: float = 0.5
    """Share of a service's errors that come back each time; the rest are fresh with each question."""
    shared: float = 0.1
    """Share of the persistent errors that all services make alike."""
    sources: tuple[LeadSource, ...] = LEAD_SOURCES
    services: tuple[Service, ...] = field(default=SERVICES)

    @property
    def days(self) -> int:
        """Length of the simulation."""
        return round(self.months * 30.44)

    def churn(self) -> tuple[float, ...]:
        """By kind of line: share that dies in a month, harshness included."""
        rates = (self.churn_mobile, self.churn_landline, self.churn_business_direct, self.churn_voip)
        return tuple(rate * self.harshness for rate in rates)

    def harsh(self, share: float, most: float = 0.9) -> float:
        """A share made as harsh as the world."""
        return min(most, share * self.harshness)

    def harsh_services(self) -> tuple[Service, ...]:
        """The services with their errors, silences and gaps made as harsh as the world."""
        harsh = self.harsh
        return tuple(
            replace(
                one,
                misses=harsh(one.misses),
                slanders=harsh(one.slanders),
                abstains=harsh(one.abstains),
                unsure=harsh(one.unsure),
                us=1 - harsh(1 - one.us, 1.0) if one.us else 0.0,
                cn=1 - harsh(1 - one.cn, 1.0) if one.cn else 0.0,
                bd=1 - harsh(1 - one.bd, 1.0) if one.bd else 0.0,
            )
            for one in self.services
        )


def changed(settings: Settings, sources: list[str], services: list[str]) -> Settings:
    """Settings with `NAME.FIELD=VALUE` applied to lead sources and services. Raises ValueError naming what does not exist."""
    by_slug = {one.slug: one for one in settings.sources}
    for text in sources:
        name, attribute, value = _assignment(text, by_slug)
        by_slug[name] = LeadSource(**{**by_slug[name]._asdict(), attribute: value})
    by_name = {one.name: one for one in settings.services}
    for text in services:
        name, attribute, value = _assignment(text, by_name)
        by_name[name] = Service(**{**vars(by_name[name]), attribute: value})
    return replace(settings, sources=tuple(by_slug.values()), services=tuple(by_name.values()))


def _assignment(text: str, known: Mapping[str, object]) -> tuple[str, str, float]:
    target, _, value = text.partition("=")
    name, _, attribute = target.partition(".")
    if name not in known or not value or not isinstance(getattr(known[name], attribute, None), int | float):
        raise ValueError(f"{text!r} is no NAME.FIELD=VALUE of a number; names are {', '.join(known)}.")
    return name, attribute, type(getattr(known[name], attribute))(float(value))


def plain_fields() -> list[tuple[str, type, int | float]]:
    """Name, type and default of the settings that are one number."""
    return [
        (one.name, type(one.default), one.default) for one in fields(Settings) if isinstance(one.default, int | float)
    ]
