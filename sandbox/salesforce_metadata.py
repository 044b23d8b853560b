"""Changing the org itself: CustomField over Tooling REST, and CustomField, Layout and ListView over the Metadata API's SOAP calls.

Bodies are read by local tag name, so that zeep's prefixes and jsforce's default namespace both work. Components are kept as their own XML.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, tostring
from xml.sax.saxutils import escape

import orjson
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from starlette.responses import Response

from sandbox.salesforce_errors import RequestError, RowError, not_found
from sandbox.salesforce_http import Call, Rule, json_response, xml_response
from sandbox.salesforce_ids import long_id, record_id
from sandbox.salesforce_layouts import check_layout, check_list_view, first_layouts
from sandbox.salesforce_objects import STANDARD_OBJECTS
from sandbox.salesforce_org import Org
from sandbox.store import Record

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
MOST_COMPONENTS = 10
_TYPES = ("CustomField", "Layout", "ListView")
_COMPONENTS = "sf:metadata:"
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*__c")
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class MetadataApi:
    """The Tooling and Metadata resources of one org."""

    def __init__(self, org: Org) -> None:
        self.org = org
        for name, xml in first_layouts().items():
            if org.store.setting(f"{_COMPONENTS}Layout:{name}") is None:
                org.store.set_setting(f"{_COMPONENTS}Layout:{name}", xml)

    def rules(self) -> list[Rule]:
        """The paths; the SOAP one checks its own session, which comes in the envelope."""
        return [
            Rule("POST", "/data/tooling/sobjects/CustomField", self.create_field, "write"),
            Rule("GET", "/data/tooling/sobjects/CustomField/{identifier}", self.read_field),
            Rule("PATCH", "/data/tooling/sobjects/CustomField/{identifier}", self.update_field, "write"),
            Rule("DELETE", "/data/tooling/sobjects/CustomField/{identifier}", self.delete_field, "write"),
            Rule("GET", "/data/sobjects/{sobject}/listviews", self.list_views),
            Rule("POST", r"/services/Soap/m/(?P<version>\d+\.\d)(?:/\w+)?", self.soap, "write", open=True),
        ]

    async def create_field(self, call: Call) -> Response:
        """A custom field from `FullName` and `Metadata`."""
        body = await call.json_object()
        full_name = str(body.get("FullName") or "")
        identifier = self._save_field(full_name, body.get("Metadata") or {}, existing=False)
        return json_response({"id": identifier, "success": True, "errors": [], "warnings": [], "infos": []}, 201)

    async def read_field(self, call: Call) -> Response:
        """A custom field with its metadata."""
        record = self._field_of(call)
        values = {**record.fields, "Metadata": orjson.loads(record.fields["Metadata"])}
        path = f"{call.data_path}/tooling/sobjects/CustomField/{record.record_id}"
        return json_response({"attributes": {"type": "CustomField", "url": path}, "Id": record.record_id, **values})

    async def update_field(self, call: Call) -> Response:
        """New metadata for a custom field."""
        body = await call.json_object()
        self._save_field(self._field_of(call).fields["FullName"], body.get("Metadata") or {}, existing=True)
        return Response(status_code=204)

    async def delete_field(self, call: Call) -> Response:
        """Remove a custom field."""
        self.org.schema.delete_field(self._field_of(call).fields["FullName"])
        return Response(status_code=204)

    async def list_views(self, call: Call) -> Response:
        """The list views of an object."""
        prefix = f"{_COMPONENTS}ListView:{call.parts['sobject']}."
        found = self.org.store.settings(prefix)
        views = [
            {
                "id": record_id("ListView", place + 1),
                "developerName": key.removeprefix(prefix),
                "label": _text(fromstring(xml), "label"),
                "soqlCompatible": True,
            }
            for place, (key, xml) in enumerate(found.items())
        ]
        return json_response({"done": True, "listviews": views, "nextRecordsUrl": None, "size": len(views)})

    async def soap(self, call: Call) -> Response:
        """One Metadata API call."""
        try:
            envelope = fromstring(await call.body())
        except (ParseError, DefusedXmlException):
            return _fault("SOAP_REQUEST_ERROR", "The request is not well-formed XML.")
        session = next((element.text or "" for element in envelope.iter() if _local(element) == "sessionId"), "")
        if not self.org.sessions.valid(session, self.org.settings["session_seconds"]):
            return _fault(
                "INVALID_SESSION_ID", "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session"
            )
        if not self.org.count_call():
            return _fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        body = next((element for element in envelope if _local(element) == "Body"), None)
        operation = next(iter(body), None) if body is not None else None
        if operation is None:
            return _fault("SOAP_REQUEST_ERROR", "The envelope has no call in its body.")
        name = _local(operation)
        try:
            results = self._perform(name, operation)
        except RequestError as error:
            return _fault(error.code, error.message)
        return _answer(name, results)

    def _perform(self, name: str, operation: Element) -> list[str]:
        """The `result` elements of one call, as XML text."""
        if name in {"createMetadata", "updateMetadata", "upsertMetadata"}:
            components = [element for element in operation if _local(element) == "metadata"]
            if len(components) > MOST_COMPONENTS:
                raise RequestError(500, "LIMIT_EXCEEDED", f"The call may hold at most {MOST_COMPONENTS} components.")
            return [self._saved(component, name.removesuffix("Metadata")) for component in components]
        kind = _text(operation, "type")
        names = [(element.text or "").strip() for element in operation if _local(element) == "fullNames"]
        if name == "readMetadata":
            found = [self._read(kind, one) for one in names]
            return ["".join(xml or f'<records xsi:type="{escape(kind)}" xsi:nil="true"/>' for xml in found)]
        if name == "deleteMetadata":
            return [self._deleted(kind, one) for one in names]
        if name == "listMetadata":
            queries = [_text(element, "type") for element in operation if _local(element) == "queries"]
            return [listed for query in queries for listed in self._listed(query)]
        if name == "describeMetadata":
            objects = "".join(
                f"<metadataObjects><directoryName>objects</directoryName><inFolder>false</inFolder><metaFile>false</metaFile><suffix>object</suffix><xmlName>{one}</xmlName></metadataObjects>"
                for one in _TYPES
            )
            return [
                f"{objects}<organizationNamespace/><partialSaveAllowed>true</partialSaveAllowed><testRequired>false</testRequired>"
            ]
        raise RequestError(500, "INVALID_OPERATION", f"{name} is not supported")

    def _saved(self, component: Element, action: str) -> str:
        kind = component.get(_XSI_TYPE, "").rsplit(":", 1)[-1]
        full_name = _text(component, "fullName")
        key = f"{_COMPONENTS}{kind}:{full_name}"
        present = self._read(kind, full_name) is not None
        try:
            if kind not in _TYPES:
                raise RowError(
                    "INVALID_TYPE",
                    f"The stand-in knows {', '.join(_TYPES)}, not {kind or 'a component without xsi:type'}",
                )
            if present and action == "create":
                raise RowError("DUPLICATE_DEVELOPER_NAME", f"This developer name is already used: {full_name}")
            if not present and action == "update":
                raise RowError("INVALID_CROSS_REFERENCE_KEY", f"no {kind} named {full_name} found")
            if kind == "CustomField":
                self._save_field(full_name, _as_dict(component), existing=action != "create")
            elif kind == "Layout":
                check_layout(self.org.schema, component, full_name)
            else:
                check_list_view(self.org.schema, component, full_name)
        except RowError as error:
            return _failure(full_name, error)
        except RequestError as error:
            return _failure(full_name, RowError(error.code, error.message))
        if kind != "CustomField":
            self.org.store.set_setting(key, _record_xml(component, kind))
        created = f"<created>{str(not present).lower()}</created>" if action == "upsert" else ""
        return f"{created}<fullName>{escape(full_name)}</fullName><success>true</success>"

    def _read(self, kind: str, full_name: str) -> str | None:
        """A component as a `records` element."""
        if kind != "CustomField":
            xml: str | None = self.org.store.setting(f"{_COMPONENTS}{kind}:{full_name}")
            return xml
        record = self.org.schema.field_record(full_name)
        if record is None:
            return None
        values = {**orjson.loads(record.fields["Metadata"]), "fullName": record.fields["FullName"]}
        return _head(kind) + _as_xml(values) + "</records>"

    def _save_field(self, full_name: str, metadata: dict[str, Any], *, existing: bool) -> str:
        sobject, _, name = full_name.partition(".")
        if sobject not in STANDARD_OBJECTS or not _FIELD_NAME.fullmatch(name):
            raise RequestError(400, "FIELD_INTEGRITY_EXCEPTION", f"The name {full_name} has to be Object.Field__c")
        if self.org.schema.exists(full_name) and not existing:
            short = name.removesuffix("__c")
            raise RequestError(400, "DUPLICATE_DEVELOPER_NAME", f"There is already a field named {short} on {sobject}.")
        try:
            return self.org.schema.create_field(full_name, metadata, self.org.now_ms())
        except ValueError as exc:
            raise RequestError(400, "FIELD_INTEGRITY_EXCEPTION", str(exc)) from exc

    def _deleted(self, kind: str, full_name: str) -> str:
        if self._read(kind, full_name) is None:
            return _failure(full_name, RowError("INVALID_CROSS_REFERENCE_KEY", f"no {kind} named {full_name} found"))
        if kind == "CustomField":
            self.org.schema.delete_field(full_name)
        else:
            self.org.store.delete_setting(f"{_COMPONENTS}{kind}:{full_name}")
        return f"<fullName>{escape(full_name)}</fullName><success>true</success>"

    def _listed(self, kind: str) -> list[str]:
        prefix = f"{_COMPONENTS}{kind}:"
        names = [key.removeprefix(prefix) for key in self.org.store.settings(prefix)]
        if kind == "CustomField":
            names = [record.fields["FullName"] for record in self.org.store.query("CustomField")]
        admin = record_id("User", 2)
        made = "2026-01-01T00:00:00.000Z"
        return [
            f"<createdById>{admin}</createdById><createdByName>Ada Admin</createdByName><createdDate>{made}</createdDate>"
            f"<fileName>{kind.lower()}/{escape(name)}</fileName><fullName>{escape(name)}</fullName><id>{record_id(kind, place + 1)}</id>"
            f"<lastModifiedById>{admin}</lastModifiedById><lastModifiedByName>Ada Admin</lastModifiedByName>"
            f"<lastModifiedDate>{made}</lastModifiedDate><type>{kind}</type>"
            for place, name in enumerate(names)
        ]

    def _field_of(self, call: Call) -> Record:
        record = self.org.store.get("CustomField", long_id(call.parts["identifier"]) or "")
        if record is None:
            raise not_found()
        return record


def _local(element: Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _text(element: Element, name: str) -> str:
    return next(((child.text or "").strip() for child in element if _local(child) == name), "")


def _as_dict(element: Element) -> dict[str, Any]:
    """An element's children as a dict, repeated ones as a list."""
    found: dict[str, Any] = {}
    for child in element:
        name = _local(child)
        value: Any = _as_dict(child) if len(child) else (child.text or "").strip()
        if name in found:
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
        else:
            found[name] = value
    return found


def _record_xml(component: Element, kind: str) -> str:
    """A component as a `records` element of readMetadata, its tags without a prefix."""

    def plain(element: Element, tag: str) -> Element:
        copy = Element(tag)
        copy.text = element.text if not len(element) else None
        copy.extend([plain(child, _local(child)) for child in element])
        return copy

    inside = tostring(plain(component, "records"), encoding="unicode").removeprefix("<records>")
    return _head(kind) + inside


def _head(kind: str) -> str:
    schema_instance = "http://www.w3.org/2001/XMLSchema-instance"
    return f'<records xmlns="{NAMESPACE}" xmlns:xsi="{schema_instance}" xsi:type="{kind}">'


def _as_xml(values: dict[str, Any]) -> str:
    """A dict as XML elements, lists as repeated ones."""
    parts = []
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            text = (
                _as_xml(one)
                if isinstance(one, dict)
                else escape(str(one).lower() if isinstance(one, bool) else str(one))
            )
            parts.append(f"<{name}>{text}</{name}>")
    return "".join(parts)


def _failure(full_name: str, error: RowError) -> str:
    return (
        f"<errors><message>{escape(error.message)}</message><statusCode>{error.code}</statusCode></errors>"
        f"<fullName>{escape(full_name)}</fullName><success>false</success>"
    )


def _answer(operation: str, results: list[str]) -> Response:
    inside = "".join(f"<result>{result}</result>" for result in results)
    return xml_response(
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><{operation}Response>{inside}'
        f"</{operation}Response></soapenv:Body></soapenv:Envelope>"
    )


def _fault(code: str, message: str) -> Response:
    return xml_response(
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:sf="{NAMESPACE}"><soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{escape(message)}</faultstring>'
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>",
        500,
    )
