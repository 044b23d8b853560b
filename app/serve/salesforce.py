"""`POST /webhooks/salesforce`: outbound messages, acknowledged once they are in the ledger.

SOAP after the WSDL that Salesforce makes for each message: up to 100 notifications, repeated for 24 hours until the acknowledgement comes.
They are not signed: the organization must be ours, and the message only says which record is to be read again.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from starlette.requests import Request
from starlette.responses import Response

from app.serve.addresses import check_path
from app.serve.door import Door
from app.serve.refusals import Refused
from connectors.salesforce_ids import id18
from ringtrue.ledger import inbox
from ringtrue.ledger.inbox import Told
from ringtrue.serve_settings import SalesforceHook

ACK = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
)
_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_OBJECTS = frozenset({"Contact", "Lead"})
_ID_LENGTHS = (15, 18)


class Message(NamedTuple):
    """What an outbound message says: the organization, and (notification id, object, record id) of each notification."""

    organization: str
    records: list[tuple[str, str, str]]


class SalesforceWebhook:
    """Takes the outbound messages of the orgs we know."""

    def __init__(self, door: Door, hook: SalesforceHook) -> None:
        self._door, self._hook = door, hook
        self._names = [name for name, each in door.settings.connections.items() if each.kind == "salesforce"]

    async def __call__(self, request: Request) -> Response:
        if self._hook.path_variable is not None:
            check_path(self._door.environ, self._hook.path_variable, request.path_params.get("part", ""))
        message = read_message(await request.body())
        now = self._door.now()

        def keep(connection: Any, _key: bytes) -> int:
            known = {**inbox.identities(connection, self._names), **self._hook.organizations}
            name = next((name for name, org in known.items() if org[:15] == message.organization[:15]), None)
            if name is None:
                raise Refused(
                    403,
                    "No connection belongs to this organization: run its first sync, or name it under [serve.salesforce.organizations].",
                )
            told = [
                Told(f"salesforce:{name}", notice, "changed", name, object_name, record_id)
                for notice, object_name, record_id in message.records
                if object_name in _OBJECTS
            ]
            return inbox.put(connection, told, now)

        await self._door.commit(keep)
        return Response(ACK, media_type="text/xml")


def read_message(body: bytes) -> Message:
    """Read the SOAP envelope. Raises Refused for anything else, document types and entities included."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise Refused(400, "The body is not the SOAP message of a Salesforce outbound message.") from None
    message = root.find(f"{_SOAP}Body/{_OUTBOUND}notifications") if root.tag == f"{_SOAP}Envelope" else None
    organization = message.findtext(f"{_OUTBOUND}OrganizationId", "") if message is not None else ""
    if message is None or len(organization) not in _ID_LENGTHS:
        raise Refused(400, "The message holds no notifications with an OrganizationId.")
    records = [_notification(each) for each in message.findall(f"{_OUTBOUND}Notification")]
    return Message(organization, records)


def _notification(notification: Element) -> tuple[str, str, str]:
    notice = notification.findtext(f"{_OUTBOUND}Id", "")
    found = notification.find(f"{_OUTBOUND}sObject")
    # The fields lie in the namespace of the enterprise or the partner WSDL.
    record = (
        next((each.text or "" for each in found if each.tag.rpartition("}")[2] == "Id"), "")
        if found is not None
        else ""
    )
    if (
        found is None
        or len(notice) not in _ID_LENGTHS
        or len(record) not in _ID_LENGTHS
        or not (record.isascii() and record.isalnum())
    ):
        raise Refused(
            400, "A notification has no Id, or its sObject has none: add the field Id to the outbound message."
        )
    return notice, str(found.get(_TYPE, "")).rpartition(":")[2], id18(record)
