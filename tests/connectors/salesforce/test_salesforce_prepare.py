"""Making our fields in an org: nothing on a dry run, everything once, and steps for a person where the org says no."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.crm import StepPrepared, WantedField
from connectors.salesforce import SalesforceCrm
from connectors.salesforce_ids import id18
from ringtrue.errors import CredentialRefused
from ringtrue.records import RecordWrite
from tests.connectors.salesforce.kit import DATA, FIELDS, ORG, USER, connect, field, scripted
from tests.stand_ins import StandIn, running_sandbox
from tests.wire import Reply, Seen

OPTIONS = (
    ("active", "Active"),
    ("invalid", "Does not exist"),
    ("disconnected", "Disconnected"),
    ("do_not_call", "Do not call"),
)
WANTED = [
    one
    for name in ("Contact", "Lead")
    for one in (
        WantedField(
            name, "RT_Status__c", "Phone status", "picklist", options=OPTIONS, help_text="What RingTrue knows."
        ),
        WantedField(name, "RT_Reason__c", "Phone status: why", "text", 120),
        WantedField(name, "RT_Notes__c", "Phone notes", "long_text", 1000),
        WantedField(name, "RT_Checked__c", "Phone checked at", "datetime"),
        WantedField(name, "RT_Sure__c", "Phone confidence", "number"),
        WantedField(name, "RT_Flag__c", "Phone flag", "checkbox"),
        WantedField(name, "RT_Link__c", "Phone link", "url"),
    )
]


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """An org of one's own, in which nothing was made yet."""
    with running_sandbox(tmp_path_factory.mktemp("org"), "--seed", "3", "--contacts", "20") as running:
        yield running["salesforce"]


@pytest.fixture
def own(fresh: StandIn) -> Iterator[SalesforceCrm]:
    connection = connect(fresh.url)
    yield connection
    connection.close()


ADMIN = id18("005Sb0000000002")
SALES_TEAM = "Permission set RingTrue_Sales for the sales team"


def results(steps: list[StepPrepared]) -> dict[str, str]:
    """Result by step, without the one that only a person can do."""
    found: dict[str, str] = {step.what: step.result for step in steps}
    assert found.pop(SALES_TEAM) == "by_hand"
    return found


def test_dry_run_then_create_then_nothing_left_to_do(own: SalesforceCrm, fresh: StandIn) -> None:
    planned = own.prepare(WANTED, dry_run=True)
    assert set(results(planned).values()) == {"would_create"}
    assert "RT_Status__c" not in own.describe("Contact")
    assert fresh.count("PermissionSet") == 0
    assert fresh.count("FieldPermissions") == 0

    made = own.prepare(WANTED, dry_run=False)
    assert set(results(made).values()) == {"created"}
    names = {step.what for step in made}
    assert {f"Field {one.object_name}.{one.name}" for one in WANTED} < names
    assert any("Section RingTrue on the layout Contact-Contact Layout" in name for name in names)
    assert any("List view RingTrue_Bad_Numbers of Lead" in name for name in names)

    again = own.prepare(WANTED, dry_run=False)
    assert set(results(again).values()) == {"exists"}
    assert own.prepare(WANTED, dry_run=True) == again
    assert own.prepare([], dry_run=False) == []


def test_what_was_made_can_be_written_and_read(own: SalesforceCrm, fresh: StandIn) -> None:
    own.prepare(WANTED, dry_run=False)
    infos = own.describe("Contact")
    assert infos["RT_Status__c"].writable
    assert (infos["RT_Reason__c"].type, infos["RT_Reason__c"].max_length) == ("string", 120)
    record_id = fresh.create("Contact", {"LastName": "Prepared"})
    values: dict[str, str | None] = {
        "RT_Status__c": "disconnected",
        "RT_Checked__c": "2026-11-01T10:00:00.000Z",
        "RT_Sure__c": "85",
        "RT_Flag__c": "true",
        "RT_Link__c": "https://example.com/why/1",
    }
    assert own.write("Contact", [RecordWrite(record_id, values)])[0].outcome == "applied"
    assert own.read("Contact", [record_id], list(values))[record_id].values == values
    assert own.write("Contact", [RecordWrite(record_id, {"RT_Status__c": "wishful"})])[0].outcome == "failed"


def test_two_permission_sets_one_edits_one_reads(own: SalesforceCrm, fresh: StandIn) -> None:
    fresh.settings(hidden_fields=["Contact.DoNotCall", "Lead.DoNotCall"])
    assert "DoNotCall" not in own.describe("Contact")
    own.prepare(WANTED, dry_run=False)
    sets = {one["fields"]["Name"]: one["record_id"] for one in fresh.records("PermissionSet")}
    assert set(sets) >= {"RingTrue_Integration", "RingTrue_Sales"}
    rights: dict[str, dict[str, tuple[bool, bool]]] = {}
    for one in fresh.records("FieldPermissions"):
        fields: dict[str, Any] = one["fields"]
        rights.setdefault(fields["ParentId"], {})[fields["Field"]] = (
            fields["PermissionsRead"],
            fields["PermissionsEdit"],
        )
    assert rights[sets["RingTrue_Integration"]]["Lead.RT_Status__c"] == (True, True)
    assert rights[sets["RingTrue_Integration"]]["Contact.DoNotCall"] == (True, True)
    assert rights[sets["RingTrue_Sales"]]["Contact.RT_Status__c"] == (True, False)
    assert "Contact.DoNotCall" not in rights[sets["RingTrue_Sales"]]
    assigned = [one["fields"] for one in fresh.records("PermissionSetAssignment")]
    assert [(one["PermissionSetId"], one["AssigneeId"]) for one in assigned] == [(sets["RingTrue_Integration"], USER)]
    assert own.describe("Contact")["DoNotCall"].writable
    fresh.create("PermissionSetAssignment", {"PermissionSetId": sets["RingTrue_Sales"], "AssigneeId": ADMIN})
    assert {step.what: step.result for step in own.prepare(WANTED, dry_run=True)}[SALES_TEAM] == "exists"
    assert id18(own.identity()) == ORG


def test_a_field_added_later_is_made_alone(own: SalesforceCrm) -> None:
    own.prepare(WANTED[:3], dry_run=False)
    later = results(own.prepare([*WANTED[:3], WANTED[3]], dry_run=False))
    assert later["Field Contact.RT_Status__c"] == "exists"
    assert later["Field Contact.RT_Checked__c"] == "created"
    assert later["Access of RingTrue_Integration to 5 fields"] == "updated"
    assert later["Section RingTrue on the layout Contact-Contact Layout"] == "created"
    assert "RT_Checked__c" in own.describe("Contact")


def test_a_field_of_the_wrong_type_is_left_for_a_person(own: SalesforceCrm) -> None:
    own.prepare([WantedField("Contact", "RT_Status__c", "Phone status", "text", 40)], dry_run=False)
    step = own.prepare(WANTED[:1], dry_run=False)[0]
    assert step.result == "by_hand"
    assert step.instruction
    assert step.instruction.startswith("1. The field is there with type string, but RingTrue needs picklist. 2. ")


def test_what_the_org_refuses_comes_back_as_numbered_steps() -> None:
    """An org that lets us look but not change anything."""

    def answer(request: Seen) -> Reply | None:
        body = request.body.decode()
        if request.path == f"{DATA}/query/":
            return Reply({"totalSize": 0, "done": True, "records": []})
        if request.path == f"{DATA}/tooling/query/":
            return Reply({"totalSize": 0, "done": True, "records": []})
        if request.path == f"{DATA}/tooling/sobjects/CustomField/":
            return Reply([{"errorCode": "FIELD_INTEGRITY_EXCEPTION", "message": "Too many custom fields"}], 400)
        if request.path == f"{DATA}/sobjects/PermissionSet":
            return Reply({"id": "0PSSb0000000001AAA", "success": True})
        if request.path == f"{DATA}/sobjects/PermissionSetAssignment":
            return Reply([{"errorCode": "LICENSE_LIMIT_EXCEEDED", "message": "No licence is left"}], 400)
        if request.path == f"{DATA}/composite/sobjects":
            errors = [{"statusCode": "FIELD_INTEGRITY_EXCEPTION", "message": "no"}]
            return Reply([{"success": False, "errors": errors} for _ in request.json()["records"]])
        if "/services/Soap/m/" in request.path:
            return Reply(b"<fault/>", 500) if "createMetadata" in body else Reply(b"<Envelope/>")
        return None

    with scripted(answer) as server:
        crm = connect(server.url)
        steps = crm.prepare(WANTED[:1], dry_run=False)
        crm.close()
    by_hand = [step for step in steps if step.result == "by_hand"]
    assert [step.what.split(" ")[0] for step in by_hand] == ["Field", "Access", "Permission", "Permission", "Section"]
    for step in by_hand:
        assert step.instruction
        assert "1. " in step.instruction
        assert "2. " in step.instruction


def test_options_that_an_org_lacks_are_added() -> None:
    patched: list[Any] = []
    present = [{"value": "active", "label": "Active"}]
    status = field("RT_Status__c", "picklist", custom=True, picklistValues=present)

    def answer(request: Seen) -> Reply | None:
        empty = {"totalSize": 0, "done": True, "records": []}
        if request.path.endswith("/describe"):
            return Reply({"fields": [*FIELDS, status]})
        if request.path == f"{DATA}/tooling/query/":
            one = {"Id": "00NSb0000000001AAA", "DeveloperName": "RT_Status", "TableEnumOrId": "Contact"}
            return Reply({"totalSize": 1, "done": True, "records": [one]})
        if request.path == f"{DATA}/tooling/sobjects/CustomField/00NSb0000000001AAA":
            if request.method == "PATCH":
                patched.append(request.json())
                return Reply(b"", 204)
            value_set = {"valueSetDefinition": {"value": [{"fullName": "active", "label": "Active"}]}}
            return Reply({"Metadata": {"label": "Phone status", "type": "Picklist", "valueSet": value_set}})
        if request.path == f"{DATA}/query/":
            return Reply(empty)
        if request.path in (f"{DATA}/sobjects/PermissionSet", f"{DATA}/sobjects/PermissionSetAssignment"):
            return Reply({"id": "0PSSb0000000001AAA", "success": True})
        if request.path == f"{DATA}/composite/sobjects":
            return Reply([{"success": True, "id": "01kSb0000000001AAA"} for _ in request.json()["records"]])
        return Reply(b"<Envelope/>") if "/services/Soap/m/" in request.path else None

    with scripted(answer) as server:
        crm = connect(server.url)
        assert crm.prepare(WANTED[:1], dry_run=True)[0].result == "would_create"
        assert patched == []
        assert crm.prepare(WANTED[:1], dry_run=False)[0].result == "updated"
        crm.close()
    values = patched[0]["Metadata"]["valueSet"]["valueSetDefinition"]["value"]
    assert [one["fullName"] for one in values] == ["active", "invalid", "disconnected", "do_not_call"]
    assert values[1] == {"fullName": "invalid", "label": "Does not exist", "default": False}


def test_a_refused_session_is_no_step_for_a_person() -> None:
    def answer(request: Seen) -> Reply | None:
        if "/services/Soap/m/" in request.path:
            return Reply(b"", 401)
        if "query" in request.path:
            one = {"Id": "0PSSb0000000001AAA", "Name": "RingTrue_Integration", "Field": "x", "PermissionsEdit": True}
            return Reply({"totalSize": 0, "done": True, "records": [] if "tooling" in request.path else [one]})
        return None

    with scripted(answer) as server:
        crm = connect(server.url)
        with pytest.raises(CredentialRefused):
            crm.prepare(WANTED[:1], dry_run=True)
        crm.close()
