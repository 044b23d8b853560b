"""What HubSpot calls things: the standard field map, and what a portal really has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.crm import FieldInfo, FieldMap
from connectors.hubspot_wire import Wire
from ringtrue.errors import SettingsError

CONTACTS = FieldMap(
    phones=("phone", "mobilephone", "hs_whatsapp_phone_number"),
    first_name="firstname",
    last_name="lastname",
    email="email",
    country=("hs_country_region_code", "country"),
    state=("hs_state_code", "state"),
    city="city",
    postal_code="zip",
    owner="hubspot_owner_id",
    account="company",
    lead_source=(
        "hs_analytics_source",
        "hs_analytics_source_data_1",
        "hs_analytics_source_data_2",
        "hs_object_source_label",
        "hs_object_source_detail_1",
    ),
    # HubSpot has no do-not-call property of its own: settings name the portal's.
    do_not_call=(),
    email_opt_out=("hs_email_optout",),
    linkedin="hs_linkedin_url",
)

_MAPS: Mapping[str, FieldMap] = {"contacts": CONTACTS}


def default_map(object_name: str) -> FieldMap:
    """The standard map of an object. Raises SettingsError for an object we do not keep."""
    if object_name not in _MAPS:
        raise SettingsError(f"RingTrue keeps no HubSpot object {object_name!r}: use {', '.join(_MAPS)}.")
    return _MAPS[object_name]


def describe_object(wire: Wire, object_name: str) -> dict[str, FieldInfo]:
    """Every property the token can see, by name."""
    data = wire.send(
        "describe",
        "GET",
        wire.paths.properties(object_name),
        query=[("archived", "false")],
        what=f"read the properties of {object_name}",
    ).data
    return {row["name"]: _field(row) for row in data["results"]}


def _field(row: Mapping[str, Any]) -> FieldInfo:
    rules = row.get("modificationMetadata") or {}
    return FieldInfo(
        name=row["name"],
        label=row.get("label") or row["name"],
        type=row.get("type") or "string",
        writable=not rules.get("readOnlyValue") and not row.get("calculated"),
        custom=not row.get("hubspotDefined"),
    )


def keep_known(fields: FieldMap, known: Mapping[str, FieldInfo]) -> FieldMap:
    """The same map without the properties a portal does not have."""

    def many(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in known)

    def one(name: str | None) -> str | None:
        return name if name in known else None

    return FieldMap(
        phones=many(fields.phones),
        first_name=one(fields.first_name),
        last_name=one(fields.last_name),
        full_name=one(fields.full_name),
        email=one(fields.email),
        country=many(fields.country),
        state=many(fields.state),
        city=one(fields.city),
        postal_code=one(fields.postal_code),
        owner=one(fields.owner),
        account=one(fields.account),
        lead_source=many(fields.lead_source),
        do_not_call=many(fields.do_not_call),
        email_opt_out=many(fields.email_opt_out),
        linkedin=one(fields.linkedin),
        extra=many(fields.extra),
    )
