"""What the HTTP lookup services share: offers from the price table, a client, and a word table that turns vendor words into our errors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Answer, Kind, Limits, Offer, Question, ServiceFacts
from connectors.lookups.reading import Reading, error_answer
from ringtrue import errors
from ringtrue.lookup_settings import ServiceSettings
from ringtrue.lookup_words import Meaning, WordTable, list_price, word_table


@dataclass(frozen=True, slots=True)
class Product:
    """What a service's file says of one product; price and lifetime come from the tables and the settings."""

    name: str
    kinds: tuple[Kind, ...]
    regions: frozenset[str] = frozenset()
    line_types: frozenset[str] = frozenset()
    lifetime_days: float = 30.0
    batch_size: int = 1
    job: bool = False


class Callbacks(Protocol):
    """Where a service that answers by calling us back leaves its answers. The entry service keeps them, so that a crash loses none."""

    @property
    def address(self) -> str:
        """The public HTTPS address a service is told to call; it holds a part nobody can guess."""
        ...

    async def wait(self, request_id: str, timeout_seconds: float) -> bytes | None:
        """The body that arrived for a request, None when none did in time. The same body twice, or early, makes no difference."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What a service may need from us besides its settings: the environment, a receiver for callbacks, a folder for files."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    callbacks: Callbacks | None = None
    folder: Path = Path("lookups")


class Options(BaseModel):
    """Base for what only one service understands: an unknown setting is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


OptionsT = TypeVar("OptionsT", bound=Options)


def read_options(name: str, settings: ServiceSettings, model: type[OptionsT]) -> OptionsT:
    """Check a service's own settings. Raises SettingsError naming the wrong one."""
    try:
        return model.model_validate(settings.options)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise errors.SettingsError(f"ringtrue.toml: lookups.{name}.{where}: {first['msg']}.") from exc


def make_offers(
    name: str, settings: ServiceSettings, products: Iterable[Product], default: Sequence[str]
) -> tuple[Offer, ...]:
    """The products that are switched on, with price, regions and lifetime. Raises SettingsError for a product the service does not have."""
    known = {product.name: product for product in products}
    chosen = settings.products or tuple(default)
    if unknown := sorted(set(chosen) - set(known)):
        raise errors.SettingsError(
            f"ringtrue.toml: lookups.{name}.products: there is no {unknown[0]!r}; choose from {', '.join(sorted(known))}."
        )
    offers = []
    for product in (known[each] for each in chosen):
        price = list_price(name, product.name)
        regions = product.regions
        if settings.regions:
            regions = frozenset(settings.regions) & regions if regions else frozenset(settings.regions)
        offers.append(
            Offer(
                product=product.name,
                kinds=product.kinds,
                price=settings.prices.get(product.name, price.amount),
                currency=price.currency,
                regions=regions,
                line_types=product.line_types,
                lifetime_days=settings.lifetime_days or product.lifetime_days,
                batch_size=product.batch_size,
                job=product.job,
            )
        )
    return tuple(offers)


def make_limits(settings: ServiceSettings, rate_per_second: float, concurrency: int) -> Limits:
    """The service's usual limits, where the settings do not say otherwise."""
    return Limits(
        settings.rate_per_second or rate_per_second, settings.concurrency or concurrency, settings.timeout_seconds
    )


class HttpService:
    """A lookup service over HTTP: facts, client and word table."""

    def __init__(self, facts: ServiceFacts, client: LookupClient) -> None:
        self._facts = facts
        self.client = client
        self.table: WordTable = word_table(facts.name)

    @property
    def facts(self) -> ServiceFacts:
        return self._facts

    async def close(self) -> None:
        """Give back the connections."""
        await self.client.close()

    def reading(self) -> Reading:
        """An empty reading with this service's words."""
        return Reading(self.table)

    def unless_refused(self, meaning: Meaning | None, said: str) -> None:
        """Raise the error that a service-wide word stands for; nothing for any other word."""
        if meaning is None or meaning.error is None:
            return
        why = f": {meaning.note}" if meaning.note else ""
        name = self._facts.name
        advice: Mapping[str, str] = {
            "CredentialRefused": f"Check the secrets of [lookups.{name}] and what the account may use.",
            "AllowanceSpent": "Top the credit up, or lower the budget.",
            "ServiceUnavailable": "Other services go on; the next run asks again.",
            "SchemaChanged": "Look for a newer version of its contract.",
        }
        if meaning.error == "RateLimited":
            raise errors.RateLimited(f"{name} asks us to slow down ({said}).")
        error: type[errors.RingTrueError] = getattr(errors, meaning.error)
        raise error(f"{name} refuses ({said}{why}). {advice.get(meaning.error, '')}".rstrip())

    def passing(self, field_name: str, word: object) -> errors.RingTrueError | None:
        """The error of a word that means "too fast" or "not now", so that the client repeats the request; None for any other word."""
        meaning = self.table.meaning(field_name, word)
        if meaning is None or meaning.error not in ("RateLimited", "ServiceUnavailable"):
            return None
        try:
            self.unless_refused(meaning, f"{field_name} {word}")
        except errors.RingTrueError as error:
            return error
        return None

    def refused(self, offer: Offer, question: Question, error: errors.RingTrueError) -> Answer:
        """The answer to a question that the service refused by itself."""
        return error_answer(self.table, question, offer, type(error).__name__, str(error))
