"""Vendor words and prices: the tables in `ringtrue/data/lookups`, read once.

A word table maps field and word of one service to what they mean; a word that is not in it is never guessed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from ringtrue.errors import SettingsError

_FACTS = frozenset(
    {
        "outcome",
        "log_lr",
        "result",
        "error",
        "validity",
        "line_state",
        "line_type",
        "reassigned",
        "ported",
        "dnc_listed",
        "email_state",
        "charged",
        "note",
    }
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one word of a vendor says. Every field that the table leaves out is None.

    `result` "abstain" marks a word that is no answer. `error` names the class of `ringtrue.errors` that a service-wide word stands for.
    """

    outcome: str | None = None
    log_lr: float | None = None
    result: str | None = None
    error: str | None = None
    validity: str | None = None
    line_state: str | None = None
    line_type: str | None = None
    reassigned: str | None = None
    ported: bool | None = None
    dnc_listed: bool | None = None
    email_state: str | None = None
    charged: bool | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class WordTable:
    """The words of one service. `contract` names table and wire contract for the ledger."""

    service: str
    version: str
    contract: str
    words: dict[str, dict[str, Meaning]]

    def meaning(self, field: str, word: object) -> Meaning | None:
        """Look up a word, case and outer blanks aside; None when the table does not know it."""
        return self.words.get(field, {}).get(str(word).strip().casefold())


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(files("ringtrue").joinpath("data", "lookups", f"{name}.toml").read_text(encoding="utf-8"))


@cache
def word_table(service: str) -> WordTable:
    """Read `data/lookups/<service>.toml`. Raises SettingsError when it holds a key nobody reads."""
    raw = _table(service)
    words: dict[str, dict[str, Meaning]] = {}
    for field, entries in raw["words"].items():
        words[field] = {}
        for word, meaning in entries.items():
            if unknown := set(meaning) - _FACTS:
                raise SettingsError(
                    f"data/lookups/{service}.toml: {field}.{word} has the unknown key {', '.join(sorted(unknown))}."
                )
            words[field][word.casefold()] = Meaning(**meaning)
    return WordTable(raw["service"], raw["version"], raw["contract"], words)


@dataclass(frozen=True, slots=True)
class Price:
    """List price of one question, and when and where it was seen."""

    amount: Decimal
    currency: str


@cache
def _prices() -> dict[str, Any]:
    return _table("prices")


def list_price(service: str, product: str) -> Price:
    """The list price of a product. Raises SettingsError when the table has none."""
    entry = _prices()["prices"].get(service, {}).get(product)
    if entry is None:
        raise SettingsError(f"data/lookups/prices.toml has no price for {service} {product}; add one with its source.")
    return Price(Decimal(entry["amount"]), entry["currency"])


def comparable(amount: Decimal, currency: str) -> float:
    """An amount in US dollars by the table's fixed rates: good for choosing the cheaper service, not for accounts."""
    rates = _prices()["rates_to_usd"]
    if currency not in rates:
        raise SettingsError(f"data/lookups/prices.toml has no rate for {currency}; add one under [rates_to_usd].")
    return float(amount) * float(rates[currency])
