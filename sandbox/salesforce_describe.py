"""Describe: the versions, the resources, the objects and their fields as this user sees them. Hidden fields are simply absent."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sandbox.salesforce_errors import RequestError
from sandbox.salesforce_fields import Field
from sandbox.salesforce_http import Call, Rule, json_response
from sandbox.salesforce_org import NEWEST_VERSION
from sandbox.salesforce_schema import View

_SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "datetime": "xsd:dateTime",
    "date": "xsd:date",
    "address": "urn:address",
}
_RELEASES = ("Winter", "Spring", "Summer")


def rules() -> list[Rule]:
    """The paths."""
    return [
        Rule("GET", "/services/data", versions, open=True),
        Rule("GET", r"/services/data/v(?P<version>\d+\.\d)", resources),
        Rule("GET", "/data/sobjects", global_describe),
        Rule("GET", "/data/sobjects/{sobject}/describe", describe),
        Rule("GET", "/data/sobjects/{sobject}", basic),
    ]


async def versions(call: Call) -> Response:
    """Every API version that still answers."""
    first, last = int(call.org.settings["oldest_version"]), int(NEWEST_VERSION)
    return json_response(
        [
            {"label": _release(one), "url": f"/services/data/v{one}.0", "version": f"{one}.0"}
            for one in range(first, last + 1)
        ]
    )


async def resources(call: Call) -> Response:
    """What a version offers."""
    names = ("tooling", "query", "queryAll", "composite", "limits", "sobjects", "jobs", "metadata")
    return json_response({name: f"{call.data_path}/{name}" for name in names})


async def global_describe(call: Call) -> Response:
    """Every object, without fields."""
    views = [view for name in call.org.schema.names() if (view := call.org.schema.view(name))]
    return json_response({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [_head(call, view) for view in views]})


async def basic(call: Call) -> Response:
    """One object, without fields."""
    return json_response({"objectDescribe": _head(call, view_of(call)), "recentItems": []})


async def describe(call: Call) -> Response:
    """One object with its visible fields."""
    view = view_of(call)
    closed = set(call.org.settings["restricted_picklists"])
    fields = [
        _field(field, restricted=field.restricted or f"{view.name}.{field.name}" in closed)
        for field in view.fields.values()
    ]
    children = [
        {
            "cascadeDelete": False,
            "childSObject": child,
            "deprecatedAndHidden": False,
            "field": field,
            "relationshipName": relationship,
        }
        for relationship, child, field in view.sobject.children
    ]
    master = {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": "012000000000000AAA",
    }
    return json_response(
        {
            **_head(call, view),
            "fields": fields,
            "childRelationships": children,
            "recordTypeInfos": [master],
            "supportedScopes": [],
        }
    )


def view_of(call: Call) -> View:
    """The object named by the path. Raises RequestError NOT_FOUND where there is none."""
    view = call.org.schema.view(call.parts["sobject"])
    if view is None:
        raise RequestError(404, "NOT_FOUND", "The requested resource does not exist")
    return view


def _head(call: Call, view: View) -> dict[str, Any]:
    sobject = view.sobject
    path = f"{call.data_path}/sobjects/{sobject.name}"
    return {
        "name": sobject.name,
        "label": sobject.label,
        "labelPlural": sobject.plural,
        "keyPrefix": sobject.prefix,
        "createable": sobject.createable,
        "updateable": sobject.createable,
        "deletable": sobject.deletable,
        "undeletable": sobject.deletable,
        "queryable": True,
        "retrieveable": True,
        "searchable": sobject.name in {"Account", "Contact", "Lead", "Campaign", "Task", "User"},
        "mergeable": sobject.name in {"Account", "Contact", "Lead"},
        "replicateable": True,
        "triggerable": True,
        "custom": False,
        "customSetting": False,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "layoutable": True,
        "activateable": False,
        "urls": {"sobject": path, "describe": f"{path}/describe", "rowTemplate": f"{path}/{{ID}}"},
    }


def _field(field: Field, *, restricted: bool) -> dict[str, Any]:
    text = field.readable_text
    long_text = field.type == "textarea" and field.length > 255
    return {
        "name": field.name,
        "label": field.label,
        "type": field.type,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "length": field.length,
        "byteLength": field.length * 3 if text else field.length,
        "precision": 18 if field.type == "double" else 0,
        "scale": field.scale,
        "digits": 8 if field.type == "int" else 0,
        "nillable": field.nillable,
        "createable": field.createable,
        "updateable": field.updateable,
        "filterable": field.type != "address" and not long_text,
        "sortable": field.type != "address" and not long_text,
        "groupable": field.type not in {"address", "datetime", "double"} and not long_text,
        "aggregatable": field.type != "address",
        "custom": field.custom,
        "calculated": False,
        "autoNumber": False,
        "unique": field.unique,
        "externalId": field.external_id,
        "idLookup": field.type == "id" or field.external_id or field.name == "Email",
        "caseSensitive": False,
        "nameField": field.name == "Name",
        "namePointing": len(field.references) > 1,
        "polymorphicForeignKey": len(field.references) > 1,
        "defaultedOnCreate": field.default is not None or field.name == "OwnerId" or not field.createable,
        "defaultValue": field.default if field.type == "boolean" else None,
        "restrictedPicklist": restricted,
        "picklistValues": [
            {"active": True, "defaultValue": value == field.default, "label": value, "validFor": None, "value": value}
            for value in field.values
        ],
        "referenceTo": list(field.references),
        "relationshipName": field.relationship,
        "compoundFieldName": field.compound,
        "permissionable": field.source == "json" and (field.nillable or field.type == "boolean"),
        "deprecatedAndHidden": False,
        "encrypted": False,
        "inlineHelpText": None,
    }


def _release(version: int) -> str:
    """The release of an API version: 68 is Winter '27, and three come out a year."""
    count = version - 68
    return f"{_RELEASES[count % 3]} '{27 + count // 3}"
