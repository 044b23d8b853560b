"""What the Salesforce tests share: a connection to the stand-in, and answers of a scripted one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connectors.salesforce import ClientCredentials, SalesforceCrm, SalesforceSettings
from connectors.salesforce_bulk import Polling
from connectors.salesforce_pull import PullSettings
from connectors.salesforce_session import Wire
from ringtrue.records import PulledRecord
from tests.wire import Reply, Seen, WireServer, wire_server

CREDENTIALS = ClientCredentials("sandbox-key", "sandbox-secret", "sandbox.my")
DATA = "/services/data/v59.0"
ORG, USER = "00DSb0000000001MAA", "005Sb0000000001IAA"


def connect(url: str, *, wire: Wire | None = None, naps: list[float] | None = None, **changes: Any) -> SalesforceCrm:
    """A connection that does not really wait. `changes` are of PullSettings, or of SalesforceSettings where it has them."""
    slept = naps if naps is not None else []
    own = {name: changes.pop(name) for name in list(changes) if name in SalesforceSettings.__dataclass_fields__}
    settings = SalesforceSettings(
        wire=wire or Wire(), pull=PullSettings(polling=Polling(0.01, 1.1, 0.05), **changes), **own
    )
    return SalesforceCrm.connect(CREDENTIALS, base_url=url, settings=settings, sleep=slept.append)


def pulled(
    crm: SalesforceCrm, object_name: str, fields: list[str], cursor: str | None = None
) -> tuple[list[PulledRecord], str]:
    """Everything a pull yields, and its last cursor."""
    records: list[PulledRecord] = []
    last = ""
    for page in crm.pull(object_name, fields, cursor=cursor):
        records += page.records
        last = page.cursor
    return records, last


def token_answer(request: Seen, token: str = "00DSb0000000001!t") -> Reply:
    """What the token endpoint says, with the host the client asked."""
    url = f"https://{request.headers['Host']}"
    return Reply({"access_token": token, "instance_url": url, "id": f"{url}/id/{ORG}/{USER}", "token_type": "Bearer"})


def field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    """A field of a describe answer."""
    return {"name": name, "label": name, "type": kind, "updateable": True, "custom": False, "length": 40, **more}


FIELDS = [
    field("Id", "id"),
    field("IsDeleted", "boolean"),
    field("MasterRecordId", "reference"),
    field("CreatedDate", "datetime"),
    field("SystemModstamp", "datetime"),
    field("Phone", "phone"),
    field("Description", "textarea"),
    field("DoNotCall", "boolean"),
]


@contextmanager
def scripted(answer: Callable[[Seen], Reply | None]) -> Iterator[WireServer]:
    """A wire server that logs in and describes by itself and asks `answer` for the rest."""
    logins = 0

    def reply(request: Seen) -> Reply:
        nonlocal logins
        special = answer(request)
        if special is not None:
            return special
        if request.path == "/services/oauth2/token":
            logins += 1
            return token_answer(request, f"00DSb0000000001!token{logins}")
        if request.path.endswith("/describe"):
            return Reply({"name": "Contact", "fields": FIELDS})
        return Reply([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}], 404)

    with wire_server(reply) as server:
        yield server


def csv_page(*lines: str, locator: str = "null") -> Reply:
    """A page of Bulk results."""
    return Reply("\n".join([*lines, ""]).encode(), headers={"Sforce-Locator": locator})


def bulk_job(answer: dict[str, Reply], rows: int) -> Callable[[Seen], Reply | None]:
    """A query job that is done at once and has these pages by locator ("" is the first)."""

    def reply(request: Seen) -> Reply | None:
        job = {"id": "750Sb0000000001IAA", "state": "JobComplete", "createdDate": "2026-11-01T10:00:00.000+0000"}
        if request.path == f"{DATA}/queryAll/":
            return Reply({"totalSize": 99_999, "done": True, "records": []})
        if request.path == f"{DATA}/jobs/query":
            return Reply(job)
        if request.path == f"{DATA}/jobs/query/{job['id']}":
            return Reply({**job, "numberRecordsProcessed": rows})
        if request.path.endswith("/results"):
            return answer[request.query.get("locator", [""])[0]]
        return None

    return reply
