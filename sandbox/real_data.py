"""Fill a CRM from a real list instead of the seeded world: a CSV whose columns are found by their names."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.salesforce_ids import record_id
from sandbox.store import RecordStore
from sandbox.world import World

_WORDS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "address": ("address", "street"),
    "city": ("city", "town"),
    "state": ("state", "region", "province"),
    "postcode": ("zip", "postal", "postcode"),
    "country": ("country",),
    "email": ("email", "e-mail"),
}
_SALESFORCE_PHONES = ("Phone", "OtherPhone", "MobilePhone", "HomePhone", "AssistantPhone")
_HUBSPOT_PHONES = ("phone", "mobilephone", "hs_whatsapp_phone_number", "fax")
_SPREAD = ("both", "salesforce", "hubspot")
_FIRST_HUBSPOT_ID = 100_000_000_001
Row = tuple[str, int, dict[str, Any]]


def load_list(store: RecordStore, world: World, path: Path, crm: str, country: str | None = None) -> int:
    """Load one CRM's share of a list: of three rows one goes to both CRMs, one to Salesforce, one to HubSpot; returns how many.

    A column is taken for what its heading says (name, phone or telephone, address, city or town, state or region, zip or postcode, country, e-mail); all phone
    columns are kept. `country` (ISO code) fills in where the list has no country column. Raises ValueError if there is no name or no phone column.
    """
    if crm == "salesforce":
        return store.insert_many("Contact", _salesforce(path, world.epoch_ms, country))
    return store.insert_many("contacts", _hubspot(path, world.epoch_ms, country))


def _rows(path: Path, crm: str) -> Iterator[tuple[int, dict[str, str], list[str]]]:
    """(number, values by meaning, phone texts) of this CRM's rows."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        headings = list(reader.fieldnames or [])
        phones = [one for one in headings if "phone" in one.lower() or one.lower().startswith("tel")]
        columns = {
            meaning: next(
                (one for one in headings if one not in phones and any(word in one.lower() for word in words)), None
            )
            for meaning, words in _WORDS.items()
        }
        if not phones or columns["name"] is None:
            raise ValueError(
                f"{path.name} needs a column with 'name' and one with 'phone' in its heading; it has: {', '.join(headings)}."
            )
        for number, row in enumerate(reader):
            if _SPREAD[number % 3] in (crm, "both"):
                values = {meaning: (row[column] or "").strip() for meaning, column in columns.items() if column}
                yield number, values, [row[column] or "" for column in phones]


def _salesforce(path: Path, epoch: int, country: str | None) -> Iterator[Row]:
    for number, values, phones in _rows(path, "salesforce"):
        fields: dict[str, Any] = {
            "LastName": values["name"][:80] or f"Row {number + 1}",
            "MailingStreet": values.get("address") or None,
            "MailingCity": (values.get("city") or "")[:40] or None,
            "MailingState": values.get("state") or None,
            "MailingPostalCode": (values.get("postcode") or "")[:20] or None,
            "MailingCountry": values.get("country") or None,
            "MailingCountryCode": country,
            "Email": values.get("email") or None,
            "LeadSource": "List Import",
            "OwnerId": record_id("User", 1),
            "DoNotCall": False,
            "HasOptedOutOfEmail": False,
            "HasOptedOutOfFax": False,
        }
        fields |= {name: text[:40] or None for name, text in zip(_SALESFORCE_PHONES, phones, strict=False)}
        yield record_id("Contact", number + 1), epoch - 1000 * (1_000_000 - number), fields


def _hubspot(path: Path, epoch: int, country: str | None) -> Iterator[Row]:
    for number, values, phones in _rows(path, "hubspot"):
        fields: dict[str, Any] = {
            "lastname": values["name"] or f"Row {number + 1}",
            "address": values.get("address") or None,
            "city": values.get("city") or None,
            "state": values.get("state") or None,
            "zip": values.get("postcode") or None,
            "country": values.get("country") or None,
            "hs_country_region_code": country,
            "email": (values.get("email") or "").lower() or None,
            "hs_analytics_source": "OFFLINE",
            "hs_analytics_source_data_1": "IMPORT",
            "hs_analytics_source_data_2": path.name,
            "hs_object_source": "IMPORT",
            "hs_object_source_label": "Import",
        }
        fields |= {name: text or None for name, text in zip(_HUBSPOT_PHONES, phones, strict=False)}
        yield str(_FIRST_HUBSPOT_ID + number), epoch - 1000 * (1_000_000 - number), fields
