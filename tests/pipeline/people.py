"""Records that tests make in the sandbox's CRMs, each with numbers of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from typer.testing import CliRunner

from app.cli import cli
from tests.pipeline.project import Project

_LAST_DIGITS = count(123500)
"""Behind libphonenumber's example of a British mobile number."""


def number() -> str:
    """A valid number that no other test uses."""
    return f"+447400{next(_LAST_DIGITS)}"


def national(e164: str) -> str:
    """A British number as people there write it."""
    return f"0{e164[3:7]} {e164[7:]}"


def contact(project: Project, phone: str, **fields: Any) -> str:
    """A Salesforce contact; its id."""
    return project.sandbox["salesforce"].create("Contact", {"LastName": "Test", "MobilePhone": phone, **fields})


def lead(project: Project, phone: str, **fields: Any) -> str:
    """A Salesforce lead; its id."""
    values = {"LastName": "Test", "Company": "Test", "Status": "Open", "MobilePhone": phone, **fields}
    return project.sandbox["salesforce"].create("Lead", values)


def person(project: Project, phone: str, **fields: Any) -> str:
    """A HubSpot contact; its id. A number written the national way is British."""
    values = {"lastname": "Test", "phone": phone, "hs_country_region_code": "GB", **fields}
    return project.sandbox["hubspot"].create("contacts", values)


def in_salesforce(project: Project, record_id: str, object_name: str = "Contact") -> dict[str, Any]:
    """The fields of a record as the sales team sees them."""
    found: dict[str, Any] = project.sandbox["salesforce"].record(object_name, record_id)["fields"]
    return found


def in_hubspot(project: Project, record_id: str) -> dict[str, Any]:
    """The properties of a contact as the sales team sees them."""
    found: dict[str, Any] = project.sandbox["hubspot"].record("contacts", record_id)["fields"]
    return found


def command(*arguments: str) -> Any:
    """What `ringtrue ... --json` prints, run in this process. Its errors are raised."""
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout)


def await_that(condition: Callable[[], Any]) -> None:
    """Wait until something is so; half a minute at most."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
