"""Changing the org: custom fields, the permission sets that show them, layouts and list views."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.salesforce_wire import Wire

STATUS = {
    "type": "Picklist",
    "valueSet": {
        "restricted": True,
        "valueSetDefinition": {
            "sorted": False,
            "value": [{"fullName": one, "label": one.title(), "default": False} for one in ("valid", "invalid")],
        },
    },
}


def _described(wire: Wire, name: str) -> dict[str, Any] | None:
    fields = wire.json("GET", "/sobjects/Contact/describe")["fields"]
    return next((field for field in fields if field["name"] == name), None)


def test_a_new_field_is_invisible_until_a_permission_set_shows_it(salesforce: Wire) -> None:
    contact = salesforce.ids("Contact", 1)[0]
    salesforce.add_field("Contact.Phone_Status__c", **STATUS)
    path, values = f"/sobjects/Contact/{contact}", {"Phone_Status__c": "valid"}
    assert _described(salesforce, "Phone_Status__c") is None
    assert salesforce.refused("PATCH", path, json=values)[1]["errorCode"] == "INVALID_FIELD"
    soql = {"q": "SELECT Phone_Status__c FROM Contact"}
    assert salesforce.refused("GET", "/query", params=soql)[1]["errorCode"] == "INVALID_FIELD"
    salesforce.grant("Contact.Phone_Status__c", edit=False)
    field = _described(salesforce, "Phone_Status__c")
    assert field is not None
    assert (field["type"], field["custom"], field["updateable"], field["restrictedPicklist"]) == (
        "picklist",
        True,
        False,
        True,
    )
    assert [one["value"] for one in field["picklistValues"]] == ["valid", "invalid"]
    assert salesforce.refused("PATCH", path, json=values)[1]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    salesforce.grant("Contact.Phone_Status__c")
    salesforce.json("PATCH", path, json=values)
    wrong = salesforce.refused("PATCH", path, json={"Phone_Status__c": "perhaps"})[1]
    assert wrong["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert salesforce.json("GET", path)["Phone_Status__c"] == "valid"


def test_a_permission_set_that_is_assigned_to_nobody_shows_nothing(salesforce: Wire) -> None:
    salesforce.add_field("Contact.Phone_Status__c", type="Text", length=40)
    body = {"Name": "Loose", "Label": "Loose"}
    permission_set = salesforce.json("POST", "/sobjects/PermissionSet", json=body)["id"]
    grant = {
        "ParentId": permission_set,
        "SobjectType": "Contact",
        "Field": "Contact.Phone_Status__c",
        "PermissionsRead": True,
        "PermissionsEdit": True,
    }
    salesforce.json("POST", "/sobjects/FieldPermissions", json=grant)
    assert _described(salesforce, "Phone_Status__c") is None
    for path, again in (("PermissionSet", body), ("FieldPermissions", grant)):
        status, error = salesforce.refused("POST", f"/sobjects/{path}", json=again)
        assert (status, error["errorCode"]) == (400, "DUPLICATE_VALUE")
    missing = {**grant, "Field": "Contact.Nothing__c"}
    assert salesforce.refused("POST", "/sobjects/FieldPermissions", json=missing)[0] == 400


def test_standard_flags_can_be_hidden_and_shown_again(salesforce: Wire) -> None:
    salesforce.hands.settings(hidden_fields=["Contact.DoNotCall"])
    assert _described(salesforce, "DoNotCall") is None
    salesforce.grant("Contact.DoNotCall")
    assert _described(salesforce, "DoNotCall") is not None
    salesforce.hands.fault("any", "read_only_field", field="Contact.DoNotCall")
    field = _described(salesforce, "DoNotCall")
    assert field is not None
    assert not field["updateable"]


def test_fields_can_be_found_read_changed_and_removed_by_tooling(salesforce: Wire) -> None:
    identifier = salesforce.add_field("Contact.Phone_Status__c", **STATUS)
    soql = "SELECT Id, DeveloperName, TableEnumOrId FROM CustomField WHERE TableEnumOrId IN ('Contact', 'Lead')"
    [found] = salesforce.json("GET", "/tooling/query/", params={"q": soql})["records"]
    assert (found["Id"], found["DeveloperName"], found["TableEnumOrId"]) == (identifier, "Phone_Status", "Contact")
    path = f"/tooling/sobjects/CustomField/{identifier}"
    metadata = salesforce.json("GET", path)["Metadata"]
    metadata["valueSet"]["valueSetDefinition"]["value"].append({"fullName": "new", "label": "New", "default": False})
    assert salesforce.call("PATCH", path, json={"Metadata": metadata}).status_code == 204
    salesforce.grant("Contact.Phone_Status__c")
    field = _described(salesforce, "Phone_Status__c")
    assert field is not None
    assert [one["value"] for one in field["picklistValues"]] == ["valid", "invalid", "new"]
    assert salesforce.call("DELETE", path).status_code == 204
    assert _described(salesforce, "Phone_Status__c") is None
    assert salesforce.refused("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("full_name", "metadata", "code"),
    [
        ("Contact.Phone_Status", {"label": "x", "type": "Text", "length": 4}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Nobody.Phone_Status__c", {"label": "x", "type": "Text", "length": 4}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact.A__c", {"label": "x", "type": "Text"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact.A__c", {"label": "x", "type": "Checkbox"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact.A__c", {"label": "x", "type": "Number"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact.A__c", {"label": "x", "type": "Picklist"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact.A__c", {"type": "DateTime"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact.LinkedIn__c", {"label": "x", "type": "DateTime"}, "DUPLICATE_DEVELOPER_NAME"),
    ],
)
def test_incomplete_fields_are_refused(
    empty_salesforce: Wire, full_name: str, metadata: dict[str, Any], code: str
) -> None:
    body = {"FullName": full_name, "Metadata": metadata}
    status, error = empty_salesforce.refused("POST", "/tooling/sobjects/CustomField", json=body)
    assert (status, error["errorCode"]) == (400, code)


def test_every_kind_of_field_takes_its_values(salesforce: Wire) -> None:
    kinds: dict[str, tuple[dict[str, Any], Any, Any]] = {
        "When__c": ({"type": "DateTime"}, "2026-11-01T10:00:00.789+02:00", "2026-11-01T08:00:00.000+0000"),
        "Sure__c": ({"type": "Number", "precision": 18, "scale": 2}, 0.456, 0.46),
        "Count__c": ({"type": "Number", "precision": 18, "scale": 0}, 7, 7),
        "Flag__c": ({"type": "Checkbox", "defaultValue": "false"}, True, True),
        "Link__c": ({"type": "Url"}, "https://why.example/1", "https://why.example/1"),
        "Why__c": ({"type": "LongTextArea", "length": 2000, "visibleLines": 3}, "two\nlines", "two\nlines"),
        "E164__c": ({"type": "Text", "length": 40}, "+14155550100", "+14155550100"),
    }
    for name, (metadata, _, _) in kinds.items():
        salesforce.add_field(f"Contact.{name}", **metadata)
    salesforce.grant(*(f"Contact.{name}" for name in kinds))
    contact = salesforce.ids("Contact", 1)[0]
    salesforce.json(
        "PATCH", f"/sobjects/Contact/{contact}", json={name: value for name, (_, value, _) in kinds.items()}
    )
    record = salesforce.json("GET", f"/sobjects/Contact/{contact}")
    assert {name: record[name] for name in kinds} == {name: stored for name, (_, _, stored) in kinds.items()}
    soql = (
        "SELECT When__c, Flag__c FROM Contact WHERE When__c >= 2026-11-01T08:00:00Z AND When__c < 2026-11-02T00:00:00Z"
    )
    job = salesforce.bulk_query(soql)
    assert salesforce.rows(f"/jobs/query/{job['id']}/results") == [
        {"When__c": "2026-11-01T08:00:00.000Z", "Flag__c": "true"}
    ]


def test_the_metadata_api_works_with_zeep(salesforce: Wire) -> None:
    client: Any = salesforce.simple_salesforce()
    client.metadata_url = f"{salesforce.url}/services/Soap/m/59.0/"
    api = client.mdapi
    field = api.CustomField(
        fullName="Contact.Phone_Status__c", label="Phone Status", type=api.FieldType("Text"), length=40
    )
    api.CustomField.create(field)
    with pytest.raises(Exception, match="DUPLICATE_DEVELOPER_NAME"):
        api.CustomField.create(field)
    assert api.CustomField.read("Contact.Phone_Status__c").length == 40
    layout = api.Layout.read("Contact-Contact Layout")
    item = api.LayoutItem(behavior="Readonly", field="Phone_Status__c")
    section = api.LayoutSection(
        customLabel=True,
        detailHeading=True,
        editHeading=True,
        label="RingTrue",
        layoutColumns=[api.LayoutColumn(layoutItems=[item])],
        style=api.LayoutSectionStyle("OneColumn"),
    )
    layout.layoutSections.append(section)
    api.Layout.update(layout)
    sections = api.Layout.read("Contact-Contact Layout").layoutSections
    assert [one.label for one in sections] == ["Contact Information", "RingTrue"]
    item.field = "Nothing__c"
    with pytest.raises(Exception, match="no CustomField named"):
        api.Layout.update(layout)
    view = api.ListView(
        fullName="Contact.Bad_Numbers",
        label="Bad numbers",
        filterScope="Everything",
        columns=["NAME", "Phone_Status__c"],
        filters=[api.ListViewFilter(field="Phone_Status__c", operation="equals", value="invalid")],
    )
    api.ListView.create(view)
    assert api.ListView.read("Contact.Bad_Numbers").filters[0].value == "invalid"
    shown = salesforce.json("GET", "/sobjects/Contact/listviews")["listviews"]
    assert [(one["developerName"], one["label"]) for one in shown] == [("Bad_Numbers", "Bad numbers")]
    listed = api.list_metadata([api.ListMetadataQuery(type="CustomField")])
    assert "Contact.Phone_Status__c" in [one.fullName for one in listed]
    api.CustomField.delete(["Contact.Phone_Status__c"])
    with pytest.raises(Exception, match="INVALID_CROSS_REFERENCE_KEY"):
        api.CustomField.delete(["Contact.Phone_Status__c"])


def test_metadata_calls_need_a_session(empty_salesforce: Wire) -> None:
    envelope = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><SessionHeader><sessionId>no</sessionId>'
        "</SessionHeader></e:Header><e:Body><describeMetadata/></e:Body></e:Envelope>"
    )
    answer = empty_salesforce.http.post("/services/Soap/m/59.0", content=envelope)
    assert answer.status_code == 500
    assert "sf:INVALID_SESSION_ID" in answer.text
