"""The calls of the Metadata API that `prepare` needs, as SOAP through our own session.

By hand rather than by simple-salesforce's `mdapi`: that brings a SOAP stack with a session of its own, past our time-outs, counts and errors, and takes
seconds to load its description.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, tostring
from xml.sax.saxutils import escape, quoteattr

from defusedxml import ElementTree

from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import SchemaChanged

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Saved(NamedTuple):
    """What became of one component. `error` is Salesforce's code and message, None for success."""

    full_name: str
    error: str | None


class Metadata:
    """The Metadata API of one org. Raises errors of ringtrue.errors for a call that failed as a whole."""

    def __init__(self, session: SalesforceSession) -> None:
        self._session = session

    def names(self, kind: str) -> list[str]:
        """Full names of all components of a kind."""
        results = self._call("listMetadata", f"<queries><type>{kind}</type></queries>")
        return [text_of(one, "fullName") for one in results]

    def read(self, kind: str, full_names: Sequence[str]) -> list[Element]:
        """The components that exist, up to ten, as elements whose children are the component's own."""
        asked = "".join(f"<fullNames>{escape(name)}</fullNames>" for name in full_names)
        results = self._call("readMetadata", f"<type>{kind}</type>{asked}")
        return [record for result in results for record in result if local(record) == "records" and len(record)]

    def create(self, kind: str, inside: str) -> Saved:
        """Make one component from its XML."""
        return self._save("createMetadata", kind, inside)

    def update(self, kind: str, component: Element) -> Saved:
        """Put a component that `read` gave back, changed."""
        return self._save("updateMetadata", kind, "".join(tostring(child, encoding="unicode") for child in component))

    def _save(self, operation: str, kind: str, inside: str) -> Saved:
        result = self._call(operation, f"<metadata xsi:type={quoteattr(kind)}>{inside}</metadata>")[0]
        if text_of(result, "success") == "true":
            return Saved(text_of(result, "fullName"), None)
        errors = next((child for child in result if local(child) == "errors"), result)
        return Saved(text_of(result, "fullName"), f"{text_of(errors, 'statusCode')}: {text_of(errors, 'message')}")

    def _call(self, operation: str, inside: str) -> list[Element]:
        login = self._session.login
        envelope = (
            f'<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="{_XSI}" '
            f'xmlns="{NAMESPACE}"><env:Header><SessionHeader><sessionId>{escape(login.token)}</sessionId></SessionHeader></env:Header>'
            f"<env:Body><{operation}>{inside}</{operation}></env:Body></env:Envelope>"
        )
        answer = self._session.request(
            "POST",
            f"https://{login.host}/services/Soap/m/{self._session.wire.api_version}",
            data=envelope.encode(),
            headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
        )
        try:
            root = ElementTree.fromstring(answer.content)
        except (ElementTree.ParseError, ValueError) as exc:
            raise SchemaChanged("The Metadata API answered something that is not XML.") from exc
        results = [element for element in root.iter() if local(element) == "result"]
        if not results and operation not in ("listMetadata", "readMetadata"):
            raise SchemaChanged("The Metadata API answered without a result.")
        return results


def local(element: Element) -> str:
    """The tag without its namespace."""
    return str(element.tag).rpartition("}")[2]


def text_of(element: Element, name: str) -> str:
    """The text of a child, empty where there is none."""
    return next(((child.text or "").strip() for child in element if local(child) == name), "")
