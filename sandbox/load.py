"""Fill the stand-ins' record stores from the seeded world, in a stream."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sandbox.calls import PastCall, hubspot_words, past_calls, salesforce_words
from sandbox.people import Person
from sandbox.places import BY_CODE
from sandbox.salesforce_ids import record_id, record_number
from sandbox.store import RecordStore
from sandbox.world import World, Written

Row = tuple[str, int, dict[str, Any]]
_BATCH = 5000

SALES_TEAM = (("Ann", "Archer"), ("Ben", "Baker"), ("Cem", "Çelik"), ("Dina", "Duarte"), ("Eva", "Ekberg"))
FIRST_SALES_USER = 11
_HUBSPOT_CONTACT, _HUBSPOT_CALL, _HUBSPOT_OWNER = 100_000_000_001, 200_000_000_001, 71_000_001
HUBSPOT_OWNERS = tuple(str(_HUBSPOT_OWNER + place) for place in range(len(SALES_TEAM)))
_CONTACT_FIELDS = {"work": "Phone", "mobile": "MobilePhone", "home": "HomePhone", "other": "OtherPhone", "fax": "Fax"}
_LEAD_FIELDS = {"work": "Phone", "mobile": "MobilePhone", "fax": "Fax"}
_HUBSPOT_FIELDS = {"work": "phone", "mobile": "mobilephone", "fax": "fax", "whatsapp": "hs_whatsapp_phone_number"}
_COUNTRY_SPELLINGS = {
    "US": ("United States", "USA", "U.S.", "us"),
    "GB": ("United Kingdom", "UK", "England"),
    "DE": ("Germany", "Deutschland"),
}


def salesforce_id(person: Person) -> tuple[str, str]:
    """(object, record id) of a person at Salesforce."""
    name = "Lead" if person.is_lead else "Contact"
    return name, record_id(name, person.serial + 1)


def hubspot_id(person: Person) -> str:
    """The record id of a person at HubSpot."""
    return str(_HUBSPOT_CONTACT + person.serial)


def person_of(world: World, crm: str, identifier: str) -> Person | None:
    """The person behind a record that was loaded from the world; None for a record made later or in a world of real data."""
    if world.real_data:
        return None
    serial = record_number(identifier) - 1 if crm == "salesforce" else int(identifier) - _HUBSPOT_CONTACT
    if not 0 <= serial < world.crowd.size or world.crowd.crms(serial) not in (crm, "both"):
        return None
    return world.person(serial)


def load_salesforce(store: RecordStore, world: World, calls: bool = True) -> int:
    """Users, accounts, contacts, leads and (if `calls`) call tasks of the world; returns how many contacts and leads."""
    created = min((person.created_at for person in world.people(0, 1)), default=world.epoch_ms)
    store.insert_many("User", _sales_users(created))
    last_company = world.crowd.company_index(world.crowd.size - 1)
    store.insert_many("Account", (_account(world, serial, created) for serial in range(last_company + 1)))
    batches = _Batches(store)
    loaded = tasks = 0
    for person in world.members("salesforce"):
        written = world.written(person, "salesforce")
        batches.add("Lead" if person.is_lead else "Contact", (_lead if person.is_lead else _contact)(person, written))
        loaded += 1
        for call in past_calls(world, person, "salesforce", written) if calls else ():
            tasks += 1
            batches.add("Task", _task(call, tasks))
    batches.flush()
    return loaded


def load_hubspot(store: RecordStore, world: World, calls: bool = True) -> int:
    """Contacts and (if `calls`) calls of the world with their associations; returns how many contacts."""
    batches = _Batches(store)
    loaded = called = 0
    for person in world.members("hubspot"):
        written = world.written(person, "hubspot")
        batches.add("contacts", _hubspot_contact(person, written))
        loaded += 1
        for call in past_calls(world, person, "hubspot", written) if calls else ():
            row = _hubspot_call(call, called)
            called += 1
            batches.add("calls", row)
            batches.link("calls", row[0], "contacts", hubspot_id(person))
    batches.flush()
    return loaded


class _Batches:
    """Rows of several objects, and associations, written whenever 5,000 of a kind have come together."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._rows: dict[str, list[Row]] = {}
        self._links: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def add(self, object_name: str, row: Row) -> None:
        rows = self._rows.setdefault(object_name, [])
        rows.append(row)
        if len(rows) >= _BATCH:
            self._store.insert_many(object_name, rows)
            rows.clear()

    def link(self, from_object: str, from_id: str, to_object: str, to_id: str) -> None:
        pairs = self._links.setdefault((from_object, to_object), [])
        pairs.append((from_id, to_id))
        if len(pairs) >= _BATCH:
            self._store.link_many(from_object, to_object, pairs)
            pairs.clear()

    def flush(self) -> None:
        for object_name, rows in self._rows.items():
            self._store.insert_many(object_name, rows)
        for (from_object, to_object), pairs in self._links.items():
            self._store.link_many(from_object, to_object, pairs)
        self._rows.clear()
        self._links.clear()


def _sales_users(created: int) -> Iterator[Row]:
    for place, (first, last) in enumerate(SALES_TEAM):
        address = f"{first.lower()}@sandbox.example"
        fields = {"Username": address, "FirstName": first, "LastName": last, "Email": address, "IsActive": True}
        fields |= {"TimeZoneSidKey": "Europe/London", "ProfileId": record_id("Profile", 1), "UserType": "Standard"}
        yield record_id("User", FIRST_SALES_USER + place), created, fields


_OWNERS = tuple(record_id("User", FIRST_SALES_USER + place) for place in range(len(SALES_TEAM)))


def _owner(serial: int) -> str:
    return _OWNERS[serial % len(_OWNERS)]


@lru_cache(maxsize=64)
def _account_id(serial: int) -> str:
    return record_id("Account", serial + 1)


def _account(world: World, serial: int, created: int) -> Row:
    company = world.crowd.company(serial)
    place, number = company.place, company.switchboard
    fields = {
        "Name": company.name,
        "Type": "Prospect",
        "Phone": f"+{number.calling_code} {number.area} {number.rest}",
        "Website": f"https://www.{company.domain}",
        "OwnerId": _owner(serial),
        **_salesforce_address("Billing", company.country, place.city, place.state, place.state_code, place.postcode),
    }
    return record_id("Account", serial + 1), created, fields


def _salesforce_address(
    prefix: str, country: str, city: str, state: str, state_code: str, postcode: str
) -> dict[str, Any]:
    values = {
        "City": city,
        "State": state,
        "PostalCode": postcode,
        "Country": BY_CODE[country].name,
        "CountryCode": country,
    }
    if country in ("US", "CA", "AU", "BR", "MX", "IN", "IT"):
        values["StateCode"] = state_code
    return {f"{prefix}{name}": value for name, value in values.items()}


def _salesforce_person(person: Person, written: list[Written], fields: dict[str, str], address: str) -> dict[str, Any]:
    place = person.place
    values: dict[str, Any] = {
        "FirstName": person.first,
        "LastName": person.last,
        "Email": person.email,
        "Title": person.job,
        "LeadSource": person.source.salesforce,
        "OwnerId": _owner(person.company.serial),
        "DoNotCall": person.opt_out is not None and person.opt_out.where in ("both", "salesforce"),
        "HasOptedOutOfEmail": person.email_opt_out,
        "HasOptedOutOfFax": False,
        "__modified__": person.modified_at,
        **_salesforce_address(address, person.country, place.city, place.state, place.state_code, place.postcode),
    }
    for field in written:
        if field.field in fields:
            values[fields[field.field]] = field.raw[:40]
    if person.linkedin:
        values["LinkedIn__c"] = person.linkedin
    return values


def _contact(person: Person, written: list[Written]) -> Row:
    values = _salesforce_person(person, written, _CONTACT_FIELDS, "Mailing")
    values["AccountId"] = _account_id(person.company.serial)
    return record_id("Contact", person.serial + 1), person.created_at, values


def _lead(person: Person, written: list[Written]) -> Row:
    values = _salesforce_person(person, written, _LEAD_FIELDS, "")
    values |= {
        "Company": person.company.name,
        "Status": ("Open - Not Contacted", "Working - Contacted")[person.serial % 2],
        "IsConverted": False,
    }
    return record_id("Lead", person.serial + 1), person.created_at, values


def _task(call: PastCall, number: int) -> Row:
    disposition, note = salesforce_words(call)
    at = datetime.fromtimestamp(call.at / 1000, UTC)
    values: dict[str, Any] = {
        "Subject": "Call",
        "WhoId": salesforce_id(call.person)[1],
        "Status": "Completed",
        "Priority": "Normal",
        "Type": "Call",
        "TaskSubtype": "Call",
        "CallType": "Outbound",
        "CallDurationInSeconds": call.seconds,
        "CallDisposition": disposition,
        "CallObject": f"dialler-{call.person.serial}-{call.at}",
        "ActivityDate": at.date().isoformat(),
        "CompletedDateTime": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "OwnerId": _owner(call.person.company.serial),
        "IsArchived": False,
        "Description": f"Dialled {call.field.e164}." + (f" {note}" if note else ""),
    }
    if not call.person.is_lead:
        values["AccountId"] = _account_id(call.person.company.serial)
    return record_id("Task", number), call.at, values


def _hubspot_contact(person: Person, written: list[Written]) -> Row:
    spellings = _COUNTRY_SPELLINGS.get(person.country) or (BY_CODE[person.country].name,)
    analytics, drill_1, drill_2 = person.source.hubspot
    place = person.place
    values: dict[str, Any] = {
        "firstname": person.first,
        "lastname": person.last,
        "email": person.email,
        "company": person.company.name,
        "jobtitle": person.job,
        "city": place.city,
        "state": place.state,
        "zip": place.postcode,
        "country": spellings[person.serial % len(spellings)],
        "lifecyclestage": ("lead", "marketingqualifiedlead", "opportunity")[person.serial % 3],
        "hubspot_owner_id": HUBSPOT_OWNERS[person.company.serial % len(HUBSPOT_OWNERS)],
        "hs_analytics_source": analytics,
        "hs_analytics_source_data_1": drill_1,
        "hs_analytics_source_data_2": drill_2,
        "hs_object_source": person.source.object_source[0],
        "hs_object_source_label": person.source.object_source[1],
        "hs_object_source_detail_1": person.source.label,
        "__modified__": person.modified_at,
    }
    if person.serial % 4:
        values["hs_country_region_code"] = person.country
    for field in written:
        name = _HUBSPOT_FIELDS.get(field.field)
        if name:
            values[name] = field.raw
            if field.kind == "plain" and name != "fax":
                values[f"_e164_{name}"] = field.e164
    if person.email_opt_out:
        values["hs_email_optout"] = "true"
    if person.opt_out is not None and person.opt_out.where in ("both", "hubspot"):
        values["do_not_call"] = "true"
    if person.linkedin:
        values["hs_linkedin_url"] = person.linkedin
    return hubspot_id(person), person.created_at, values


def _hubspot_call(call: PastCall, number: int) -> Row:
    disposition, status, note = hubspot_words(call)
    call_id = str(_HUBSPOT_CALL + number)
    at = datetime.fromtimestamp(call.at / 1000, UTC)
    values: dict[str, Any] = {
        "hs_timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{call.at % 1000:03d}Z",
        "hs_call_title": "Dialler call",
        "hs_call_direction": "OUTBOUND",
        "hs_call_disposition": disposition,
        "hs_call_duration": str(call.seconds * 1000),
        "hs_call_status": status,
        "hs_call_to_number": call.field.e164,
        "hs_call_from_number": "+18005550199",
        "hubspot_owner_id": HUBSPOT_OWNERS[call.person.company.serial % len(HUBSPOT_OWNERS)],
    }
    if note:
        values["hs_call_body"] = note
    return call_id, call.at, values
