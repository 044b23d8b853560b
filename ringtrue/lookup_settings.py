"""What `ringtrue.toml` may say under `[lookups]`: which services are asked, with how much money, and which numbers never leave their country."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ringtrue.errors import SettingsError

_STAND_IN_RATE = 2_000.0
_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")

Money = Annotated[Decimal, Field(ge=0)]
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Budget(BaseModel):
    """How much one service may cost, in the service's own currency. None means no limit of that kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Money | None = None
    day: Money | None = None
    month: Money | None = None


class ServiceSettings(BaseModel):
    """One lookup service. Every field that is not named here is an option of that service and checked by its own file.

    `secrets` maps what the service calls its secret to the name of the environment variable that holds it, never to the secret itself.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    enabled: bool = False
    products: tuple[str, ...] = ()
    """Which of the service's products may be bought; empty means the service's default."""
    budget: Budget = Budget()
    secrets: dict[str, str] = Field(default_factory=dict)
    base_url: str | None = None
    """Another address than the vendor's own: a regional host, a proxy."""
    sandbox_url: str | None = None
    """The stand-in's address, used as long as none of the service's secrets is in the environment."""
    regions: tuple[Region, ...] = ()
    """Only numbers of these regions are sent; empty means every region the service covers."""
    never_regions: tuple[Region, ...] = ()
    """Numbers of these regions are never sent to this service."""
    rate_per_second: float | None = Field(default=None, gt=0)
    concurrency: int | None = Field(default=None, ge=1, le=1000)
    lifetime_days: float | None = Field(default=None, gt=0)
    """How long one answer stands before the same question may be bought again."""
    timeout_seconds: float = Field(default=20.0, gt=0)
    group: str | None = None
    """The database behind the service, where another service resells the same one: their answers then count as one source. By default the service's name."""
    prices: dict[str, Money] = Field(default_factory=dict)
    """Your contract's price per question by product, where it differs from `data/lookups/prices.toml`."""

    @field_validator("secrets")
    @classmethod
    def _names_only(cls, secrets: dict[str, str]) -> dict[str, str]:
        for name, variable in secrets.items():
            if not _ENVIRONMENT_NAME.match(variable):
                raise ValueError(
                    f"secrets.{name} must be the name of an environment variable, such as LOOKUP_{name.upper()}, and not the secret itself"
                )
        return secrets

    @property
    def options(self) -> dict[str, object]:
        """What only this service understands."""
        return dict(self.model_extra or {})


class CadenceSettings(BaseModel):
    """When a number is asked again: when it is `worth` its price (`ringtrue/staleness.py`), or at `fixed` intervals.

    `cost_per_attempt` is what one call to a dead number costs, in US dollars. `fixed_days` maps segments (mobile, landline, voip, ...) to days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["worth", "fixed"] = "worth"
    cost_per_attempt: float = Field(default=0.25, gt=0)
    min_days: float = Field(default=14, ge=0)
    max_days: float = Field(default=365, gt=0)
    jitter: float = Field(default=0.1, ge=0, lt=1)
    fixed_days: dict[str, float] = Field(default_factory=dict)
    default_days: float = Field(default=90, gt=0)
    chance_listed: float = Field(default=1.0, ge=0, le=1)
    """Chance that a number is called within the next month when its contact is on a dialling list."""
    chance_in_use: float = Field(default=0.8, ge=0, le=1)
    """The same for a contact that is new or was called, both within the last 30 days."""
    chance_other: float = Field(default=0.3, ge=0, le=1)
    """The same for everybody else."""


class LookupsSettings(BaseModel):
    """The `[lookups]` part of the settings: one table per service, and what holds for all of them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    keep_in_country: tuple[Region, ...] = ()
    """Numbers of these regions are sent to no service that stands outside their country."""
    lease_minutes: float = Field(default=30.0, gt=0)
    """After so long an intent of another run without an answer counts as left by a crash."""
    line_types: bool = False
    """Whether the line type is bought too, with what money is left, for numbers whose numbering plan does not tell it."""
    folder: str = "data/lookups"
    """Where services without an interface leave and find their files."""
    cadence: CadenceSettings = CadenceSettings()
    __pydantic_extra__: dict[str, ServiceSettings] = Field(init=False)

    @property
    def services(self) -> dict[str, ServiceSettings]:
        """Every service that has a table, by the name of its file in `connectors/lookups`."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def enabled(self) -> dict[str, ServiceSettings]:
        """The services that are switched on."""
        return {name: service for name, service in self.services.items() if service.enabled}


def read_secrets(
    service: str,
    settings: ServiceSettings,
    defaults: Mapping[str, str],
    environ: Mapping[str, str],
    stand_in: Mapping[str, str] | None = None,
) -> tuple[dict[str, str], ServiceSettings]:
    """Fetch a service's secrets from the environment; `defaults` names the variable of each secret the service needs.

    Where none is set and the settings have a `sandbox_url`, the secrets are `stand_in` and the settings point there. Raises SettingsError, naming the variables
    that are not set.
    """
    variables = {**defaults, **settings.secrets}
    missing = sorted(variable for variable in variables.values() if not environ.get(variable))
    if len(missing) == len(variables) and settings.sandbox_url and stand_in is not None:
        # A vendor's usual pace would make a demo slow; the stand-in's own limits are switched on where a test wants them.
        faster = {"rate_per_second": settings.rate_per_second or _STAND_IN_RATE}
        return dict(stand_in), settings.model_copy(update={"base_url": settings.sandbox_url, **faster})
    if missing:
        raise SettingsError(
            f"The lookup service {service} is switched on, but the environment variable {' and '.join(missing)} is not set. "
            f"Set it, or set enabled = false under [lookups.{service}]."
        )
    return {name: environ[variable] for name, variable in variables.items()}, settings
