"""Reading contacts and leads: by REST, by Bulk, and everything that can go missing on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from connectors.crm import FieldMap
from connectors.salesforce import SalesforceCrm, SalesforceSettings
from connectors.salesforce_bulk import Polling
from connectors.salesforce_cursor import decode
from connectors.salesforce_pull import PullSettings
from connectors.salesforce_records import pruned, time_text
from ringtrue.errors import ConnectionLost, FieldMissing, LoopDetected, SchemaChanged, ServiceUnavailable, SettingsError
from tests.connectors.salesforce.kit import CREDENTIALS, DATA, bulk_job, connect, csv_page, pulled, scripted
from tests.stand_ins import StandIn
from tests.wire import Reply, Seen

HEADER = '"Id","IsDeleted","MasterRecordId","CreatedDate","SystemModstamp","Phone"'


def row(number: int, phone: str = "") -> str:
    return f'"003Sb{number:010d}AAA","false","","2026-01-01T00:00:00.000Z","2026-10-01T00:00:{number % 60:02d}.000Z","{phone}"'


def test_rest_and_bulk_hand_over_the_same_records(org: StandIn) -> None:
    org.create(
        "Contact", {"LastName": "Ünal", "Phone": '+49 30 901820, ext "7"', "OtherPhone": "1\n2", "DoNotCall": True}
    )
    rest = connect(org.url)
    bulk = connect(org.url, bulk_from_rows=0, bulk_page_rows=70, page_rows=32)
    for name in rest.objects:
        fields = [*rest.available_fields(name).all_fields(), "CreatedDate"]
        one, _ = pulled(rest, name, fields)
        other, _ = pulled(bulk, name, fields)
        assert {record.record_id: record for record in one} == {record.record_id: record for record in other}
        assert len(one) == len(other)
        assert len({record.record_id for record in one if not record.deleted}) == org.count(name)
    assert rest.usage.calls.get("bulk_page") is None
    assert bulk.usage.calls["bulk_page"] > 2
    rest.close()
    bulk.close()


def test_values_are_text_in_one_form(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = org.create(
        "Contact", {"LastName": "Form", "DoNotCall": True, "MobilePhone": "0049 170 1234567", "HomePhone": "1\n2"}
    )
    record = sf.read("Contact", [record_id], ["DoNotCall", "MobilePhone", "HomePhone", "Fax", "CreatedDate"])[record_id]
    assert record.values["DoNotCall"] == "true"
    assert record.values["MobilePhone"] == "0049 170 1234567"
    assert record.values["HomePhone"] == "1\n2"
    assert record.values["Fax"] is None
    created = record.values["CreatedDate"]
    assert created
    assert created.endswith("Z")
    assert datetime.fromisoformat(created) == record.created_at
    assert record.modified_at.utcoffset() == timedelta(0)


def test_small_pulls_come_oldest_change_first_with_a_cursor_each(org: StandIn) -> None:
    org.settings(query_page=200)
    crm = connect(org.url, page_rows=200)
    pages = list(crm.pull("Contact", ["Phone"], cursor=None))
    assert len(pages) > 1
    marks = [(record.modified_at, record.record_id) for page in pages for record in page.records]
    assert marks == sorted(marks)
    for page in pages:
        assert decode(page.cursor, "Contact").record_id == page.records[-1].record_id
    crm.close()


def test_the_next_pull_reads_the_overlap_and_what_changed(sf: SalesforceCrm, org: StandIn) -> None:
    _, cursor = pulled(sf, "Lead", ["Phone"])
    record_id = org.create("Lead", {"LastName": "Fresh", "Company": "Fresh Ltd", "Phone": "020 7946 0000"})
    records, later = pulled(sf, "Lead", ["Phone"], cursor)
    assert record_id in {record.record_id for record in records}
    assert len(records) < org.count("Lead")
    assert decode(later, "Lead").stamp >= decode(cursor, "Lead").stamp
    again, _ = pulled(sf, "Lead", ["Phone"], later)
    assert record_id in {record.record_id for record in again}, "changes within the overlap are read again"


def test_the_overlap_is_a_setting(org: StandIn) -> None:
    org.create("Lead", {"LastName": "Last", "Company": "Last Ltd"})
    crm = connect(org.url, overlap_seconds=0.0)
    _, cursor = pulled(crm, "Lead", ["Phone"])
    stamp = datetime.fromisoformat(decode(cursor, "Lead").stamp)
    records, _ = pulled(crm, "Lead", ["Phone"], cursor)
    assert records
    assert all(record.modified_at >= stamp for record in records)
    crm.close()


@pytest.mark.parametrize("bulk_from_rows", [10_000, 0], ids=["rest", "bulk"])
def test_deleted_and_merged_records_are_noticed(org: StandIn, bulk_from_rows: int) -> None:
    crm = connect(org.url, bulk_from_rows=bulk_from_rows)
    deleted, survivor, loser = (org.create("Contact", {"LastName": name}) for name in ("Deleted", "Survivor", "Loser"))
    _, cursor = pulled(crm, "Contact", ["Phone"])
    org.delete("Contact", deleted)
    org.merge("Contact", survivor, loser)
    records = {record.record_id: record for record in pulled(crm, "Contact", ["Phone"], cursor)[0]}
    assert records[deleted].deleted
    assert records[deleted].merged_into is None
    assert records[loser].deleted
    assert records[loser].merged_into == survivor
    assert not records[survivor].deleted
    assert not {deleted, loser} & {one for page in crm.pull_ids("Contact") for one in page}
    crm.close()


@pytest.mark.parametrize("bulk_from_rows", [10_000, 0], ids=["rest", "bulk"])
def test_ids_of_the_living_by_either_way(org: StandIn, bulk_from_rows: int) -> None:
    crm = connect(org.url, bulk_from_rows=bulk_from_rows, bulk_page_rows=100, page_rows=64)
    ids = [one for page in crm.pull_ids("Contact") for one in page]
    assert len(ids) == len(set(ids)) == org.count("Contact")
    crm.close()


def test_the_first_page_decides_so_that_the_choice_costs_no_call(org: StandIn) -> None:
    crm = connect(org.url)
    since = datetime(2000, 1, 1, tzinfo=UTC)
    list(crm.pull("Lead", ["Phone"], cursor=None, since=since))
    assert crm.usage.calls == {"login": 1, "describe": 1, "query": 1}
    crm.close()


def test_a_time_newer_than_the_cursor_does_not_skip_what_lies_between(sf: SalesforceCrm, org: StandIn) -> None:
    _, cursor = pulled(sf, "Lead", ["Phone"])
    tomorrow = datetime.now(UTC) + timedelta(days=400)
    pages = list(sf.pull("Lead", ["Phone"], cursor=cursor, since=tomorrow))
    assert [page.cursor for page in pages] == [cursor]
    older = datetime(2001, 1, 1, tzinfo=UTC)
    everything = [one for page in sf.pull("Lead", ["Phone"], cursor=cursor, since=older) for one in page.records]
    assert len({one.record_id for one in everything if not one.deleted}) == org.count("Lead")


@pytest.mark.parametrize("taken", [1, 2], ids=["within a page", "between pages"])
def test_a_bulk_pull_cut_short_goes_on_where_it_was(org: StandIn, taken: int) -> None:
    sizes: dict[str, Any] = {"bulk_from_rows": 0, "bulk_page_rows": 300, "page_rows": 40}
    first = connect(org.url, **sizes)
    pages = first.pull("Contact", ["Phone"], cursor=None)
    before = [next(pages) for _ in range(taken)]
    first.close()
    seen = {record.record_id for page in before for record in page.records}
    assert len(seen) < org.count("Contact")

    second = connect(org.url, **sizes)
    records, last = pulled(second, "Contact", ["Phone"], before[-1].cursor)
    after = {record.record_id for record in records if not record.deleted}
    assert len(after | seen) >= org.count("Contact")
    assert bool(after & seen) is (taken == 1), "only the page that was not finished is fetched again"
    assert decode(last, "Contact").bulk is None
    assert "bulk_control" not in second.usage.calls, "the job of the first try is used"
    second.close()


def test_a_bulk_pull_whose_job_is_gone_starts_again(org: StandIn) -> None:
    crm = connect(org.url, bulk_from_rows=0, bulk_page_rows=100, page_rows=50)
    cursor = next(iter(crm.pull("Contact", ["Phone"], cursor=None))).cursor
    place = decode(cursor, "Contact").bulk
    assert place is not None
    gone = cursor.replace(place.job_id, "750Sb00000zzzzzAAA")
    records, _ = pulled(crm, "Contact", ["Phone"], gone)
    assert len({record.record_id for record in records if not record.deleted}) == org.count("Contact")
    crm.close()


def test_other_fields_than_the_job_was_asked_for_start_a_new_job(org: StandIn) -> None:
    crm = connect(org.url, bulk_from_rows=0, bulk_page_rows=100, page_rows=50)
    cursor = next(iter(crm.pull("Contact", ["Phone"], cursor=None))).cursor
    records, _ = pulled(crm, "Contact", ["Phone", "Email"], cursor)
    assert len({record.record_id for record in records if not record.deleted}) == org.count("Contact")
    assert all("Email" in record.values for record in records)
    crm.close()


@pytest.mark.parametrize(
    "kind", ["drop_mid_body", "drop_before", "status_503", "status_500", "html_502", "expired_session"]
)
@pytest.mark.parametrize("op", ["bulk", "query"])
def test_passing_faults_lose_nothing(org: StandIn, op: str, kind: str) -> None:
    crm = connect(org.url, bulk_from_rows=0 if op == "bulk" else 10_000, bulk_page_rows=100)
    org.settings(query_page=200)
    for nth in (1, 3):
        org.fault(op, kind, nth=nth, times=1)
    ids = [record.record_id for record in pulled(crm, "Contact", ["Phone"])[0] if not record.deleted]
    assert len(ids) == len(set(ids)) == org.count("Contact")
    crm.close()


def test_a_slow_job_is_polled_with_growing_waits(org: StandIn) -> None:
    naps: list[float] = []
    crm = connect(org.url, naps=naps, bulk_from_rows=0)
    org.fault("bulk", "slow_job", seconds=0.2)
    pulled(crm, "Lead", ["Phone"])
    assert crm.usage.calls["poll"] > 2
    assert len(naps) == crm.usage.calls["poll"] - 1
    assert max(naps) <= 0.05
    crm.close()


def test_a_failed_job_says_so(org: StandIn) -> None:
    crm = connect(org.url, bulk_from_rows=0)
    org.fault("bulk", "job_failed", times=0)
    with pytest.raises(ServiceUnavailable, match="ended as Failed"):
        pulled(crm, "Lead", ["Phone"])
    crm.close()


def test_a_proxy_that_strips_the_locator_cannot_make_a_short_pull_look_whole(org: StandIn) -> None:
    crm = connect(org.url, bulk_from_rows=0, bulk_page_rows=100)
    org.fault("bulk", "strip_header", name="sforce-locator", times=0)
    with pytest.raises(ServiceUnavailable, match="handed over 100"):
        pulled(crm, "Contact", ["Phone"])
    crm.close()


def test_a_proxy_that_strips_the_number_of_records_harms_nobody(org: StandIn) -> None:
    crm = connect(org.url, bulk_from_rows=0, bulk_page_rows=100)
    org.fault("bulk", "strip_header", name="sforce-numberofrecords", times=0)
    records, _ = pulled(crm, "Contact", ["Phone"])
    assert sum(not record.deleted for record in records) == org.count("Contact")
    crm.close()


@pytest.mark.parametrize("bulk_from_rows", [10_000, 0], ids=["rest", "bulk"])
def test_a_hidden_field_is_named(org: StandIn, bulk_from_rows: int) -> None:
    org.fault("any", "hidden_field", field="Contact.HomePhone")
    crm = connect(org.url, bulk_from_rows=bulk_from_rows)
    assert "HomePhone" not in crm.available_fields("Contact").phones
    assert crm.default_fields("Contact").phones == ("Phone", "MobilePhone", "HomePhone", "OtherPhone")
    with pytest.raises(FieldMissing, match=r"HomePhone of Contact.*permission set.*ringtrue prepare"):
        pulled(crm, "Contact", ["Phone", "HomePhone"])
    crm.close()


def test_a_field_hidden_after_we_looked_is_named_too(org: StandIn) -> None:
    for rows in (10_000, 0):
        org.clear_faults()
        crm = connect(org.url, bulk_from_rows=rows)
        crm.describe("Contact")
        org.fault("any", "hidden_field", field="Contact.HomePhone")
        with pytest.raises(FieldMissing, match="HomePhone of Contact"):
            list(crm.pull("Contact", ["HomePhone"], cursor=None, since=datetime(2020, 1, 1, tzinfo=UTC)))
        crm.close()


def test_codes_of_countries_only_where_the_org_has_them(org: StandIn) -> None:
    for there in (True, False):
        org.settings(state_country_picklists=there)
        crm = connect(org.url)
        assert ("MailingCountryCode" in crm.available_fields("Contact").country) is there
        assert "MailingCountry" in crm.available_fields("Contact").country
        crm.close()


def test_an_object_without_any_phone_field_is_refused(org: StandIn) -> None:
    for name in ("Phone", "MobilePhone"):
        org.fault("any", "hidden_field", field=f"Lead.{name}")
    crm = connect(org.url)
    with pytest.raises(FieldMissing, match="none of the phone fields"):
        crm.available_fields("Lead")
    crm.close()


@pytest.mark.parametrize(
    "text", ["", "nonsense", "{}", '{"v":1,"o":"Lead","t":"","id":""}', '{"v":9,"o":"Contact","t":"","id":""}']
)
def test_a_cursor_that_is_none_says_what_to_do(sf: SalesforceCrm, text: str) -> None:
    with pytest.raises(SettingsError, match="in full once"):
        pulled(sf, "Contact", ["Phone"], text)


def test_more_rows_with_one_stamp_than_a_page_holds(org: StandIn) -> None:
    org.settings(query_page=200)
    crm = connect(org.url, bulk_from_rows=100_000)
    ids = [org.create("Lead", {"LastName": f"Twin {place}", "Company": "Twins"}) for place in range(5)]
    records, _ = pulled(crm, "Lead", ["Phone"])
    assert set(ids) <= {record.record_id for record in records}
    crm.close()


def bulk_pull(pages: dict[str, Reply], rows: int) -> tuple[list[Any], int]:
    with scripted(bulk_job(pages, rows)) as server:
        crm = connect(server.url)
        records, _ = pulled(crm, "Contact", ["Phone"])
        crm.close()
        return records, crm.nul_bytes


@pytest.mark.parametrize(
    "header", [[HEADER], [], [HEADER, HEADER], ["\ufeff" + HEADER]], ids=["one", "none", "two", "bom"]
)
def test_header_rows_may_be_there_missing_or_repeated(header: list[str]) -> None:
    pages = {
        "": csv_page(*header, row(1, "+1"), row(2), locator="MQ"),
        "MQ": csv_page(*header, row(3), *header[1:], row(4, "+4")),
    }
    records, _ = bulk_pull(pages, 4)
    assert [record.record_id[5:15] for record in records] == [f"{number:010d}" for number in (1, 2, 3, 4)]
    assert [record.values["Phone"] for record in records] == ["+1", None, None, "+4"]


def test_columns_in_another_order_find_their_place() -> None:
    moved = '"Phone","Id","IsDeleted","MasterRecordId","CreatedDate","SystemModstamp"'
    line = '"+7","003Sb0000000001AAA","true","003Sb0000000002AAA","2026-01-01T00:00:00.000Z","2026-10-01T00:00:00.000Z"'
    records, _ = bulk_pull({"": csv_page(moved, line, moved)}, 1)
    assert records[0].values == {"Phone": "+7"}
    assert records[0].merged_into == "003Sb0000000002AAA"


def test_newlines_quotes_and_separators_stay_inside_their_field() -> None:
    odd = '1\r\n2\u20283\x0b4, ""5""'
    records, _ = bulk_pull({"": csv_page(HEADER, row(1, odd), row(2))}, 2)
    assert records[0].values["Phone"] == '1\r\n2\u20283\x0b4, "5"'


def test_nul_bytes_are_taken_out_and_counted() -> None:
    records, nul_bytes = bulk_pull({"": csv_page(HEADER, row(1, "+1\0 415\0"), row(2))}, 2)
    assert records[0].values["Phone"] == "+1 415"
    assert nul_bytes == 2


def test_offsets_of_times_become_z() -> None:
    records, _ = bulk_pull({"": csv_page(HEADER, row(1).replace("000Z", "000+0000"))}, 1)
    assert records[0].modified_at == datetime(2026, 10, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("expected", [1, 3])
def test_rows_must_add_up_to_what_the_job_processed(expected: int) -> None:
    with pytest.raises(ServiceUnavailable, match=f"processed {expected} rows but handed over 2"):
        bulk_pull({"": csv_page(HEADER, row(1), row(2))}, expected)


def test_an_empty_answer_is_no_proof_of_an_empty_org() -> None:
    with pytest.raises(ServiceUnavailable, match="handed over 0"):
        bulk_pull({"": Reply(b"")}, 5)
    assert bulk_pull({"": csv_page(HEADER)}, 0)[0] == []


def test_rows_cut_off_and_strange_columns_are_refused() -> None:
    with pytest.raises(ServiceUnavailable, match="cut off"):
        bulk_pull({"": csv_page(HEADER, row(1), '"003Sb0000000002AAA","false"')}, 2)
    with pytest.raises(SchemaChanged, match="other columns"):
        bulk_pull({"": csv_page('"Id","Surprise"', '"003Sb0000000002AAA","x"')}, 1)
    with pytest.raises(SchemaChanged, match="UTF-8"):
        bulk_pull({"": Reply(HEADER.encode() + b"\n" + row(1, "x").encode("utf-8").replace(b"x", b"\xff") + b"\n")}, 1)


def test_a_locator_that_goes_in_circles_is_left() -> None:
    pages = {"": csv_page(HEADER, row(1), locator="MQ"), "MQ": csv_page(HEADER, row(2), locator="MQ")}
    with pytest.raises(LoopDetected, match="Bulk query job"):
        bulk_pull(pages, 99)


def rest_record(number: int) -> dict[str, Any]:
    return {
        "attributes": {"type": "Contact"},
        "Id": f"003Sb{number:010d}AAA",
        "IsDeleted": False,
        "MasterRecordId": None,
        "CreatedDate": "2026-01-01T00:00:00.000+0000",
        "SystemModstamp": "2026-10-01T00:00:07.000+0000",
        "Phone": f"+{number}",
    }


def test_a_lost_query_locator_goes_on_after_the_last_row() -> None:
    asked: list[str] = []

    def answer(request: Seen) -> Reply | None:
        if request.path == f"{DATA}/queryAll/":
            soql = request.query["q"][0]
            asked.append(soql)
            if "COUNT()" in soql:
                return Reply({"totalSize": 3, "done": True, "records": []})
            if "Id > " in soql:
                return Reply({"totalSize": 1, "done": True, "records": [rest_record(3)]})
            more = f"{DATA}/queryAll/0r8-2"
            return Reply(
                {"totalSize": 3, "done": False, "nextRecordsUrl": more, "records": [rest_record(1), rest_record(2)]}
            )
        if "0r8-2" in request.path:
            return Reply([{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}], 400)
        return None

    with scripted(answer) as server:
        crm = connect(server.url)
        records, _ = pulled(crm, "Contact", ["Phone"])
        crm.close()
    assert [record.values["Phone"] for record in records] == ["+1", "+2", "+3"]
    stamp = "2026-10-01T00:00:07.000Z"
    assert f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '003Sb0000000002AAA'))" in asked[-1]


def test_a_record_stamped_in_the_future_hides_nothing() -> None:
    future = rest_record(2) | {"SystemModstamp": "2999-01-01T00:00:00.000+0000"}

    def answer(request: Seen) -> Reply | None:
        if request.path == f"{DATA}/queryAll/":
            return Reply({"totalSize": 2, "done": True, "records": [rest_record(1), future]})
        return None

    with scripted(answer) as server:
        crm = connect(server.url)
        _, cursor = pulled(crm, "Contact", ["Phone"])
        crm.close()
    stamp = datetime.fromisoformat(decode(cursor, "Contact").stamp)
    assert abs(stamp - datetime.now(UTC)) < timedelta(minutes=5)


def test_fewer_rows_than_counted_is_an_error_not_a_short_pull() -> None:
    def answer(request: Seen) -> Reply | None:
        if request.path == f"{DATA}/queryAll/":
            return Reply({"totalSize": 3, "done": True, "records": [rest_record(1)]})
        return None

    with scripted(answer) as server:
        crm = connect(server.url)
        with pytest.raises(ServiceUnavailable, match="counted 3 rows of Contact but handed over 1"):
            pulled(crm, "Contact", ["Phone"])
        crm.close()


def test_a_query_too_slow_to_sort_goes_by_bulk() -> None:
    bulk = bulk_job({"": csv_page(HEADER, row(1))}, 1)

    def answer(request: Seen) -> Reply | None:
        if request.path == f"{DATA}/queryAll/":
            return Reply(
                [{"errorCode": "QUERY_TIMEOUT", "message": "Your query request was running for too long."}], 400
            )
        return bulk(request)

    with scripted(answer) as server:
        crm = connect(server.url)
        pages = list(crm.pull("Contact", ["Phone"], cursor=None, since=datetime(2026, 1, 1, tzinfo=UTC)))
        crm.close()
    assert sum(len(page.records) for page in pages) == 1


def test_a_job_longer_than_the_changes_it_saw_is_not_overtaken() -> None:
    late = row(1).replace("2026-10-01T00:00:01.000Z", "2026-11-01T12:00:00.000Z")
    with scripted(bulk_job({"": csv_page(HEADER, late)}, 1)) as server:
        crm = connect(server.url)
        _, cursor = pulled(crm, "Contact", ["Phone"])
        crm.close()
    assert orjson.loads(cursor)["t"] == "2026-11-01T10:00:00.000Z", "the job began before that change"


def test_a_page_that_breaks_off_is_fetched_again_from_its_start() -> None:
    whole = csv_page(HEADER, *[row(number, "+1") for number in range(3000)])
    tries: list[int] = []

    def answer(request: Seen) -> Reply | None:
        if not request.path.endswith("/results"):
            return bulk_job({}, 3000)(request)
        tries.append(1)
        return Reply(whole.body, headers=whole.headers, cut=100_000 if len(tries) < 3 else None)

    naps: list[float] = []
    with scripted(answer) as server:
        crm = connect(server.url, naps=naps)
        records, _ = pulled(crm, "Contact", ["Phone"])
        assert crm.usage.retries == 2
        crm.close()
    assert len({record.record_id for record in records}) == len(records) == 3000
    assert len(tries) == 3
    assert len(naps) == 2


def test_a_page_that_never_arrives_whole_is_an_error() -> None:
    page = Reply(csv_page(HEADER, row(1)).body, headers={"Sforce-Locator": "null"}, cut=50)
    with pytest.raises(ConnectionLost, match="broke before"):
        bulk_pull({"": page}, 1)


def test_a_job_that_does_not_end_sends_us_home() -> None:
    def answer(request: Seen) -> Reply | None:
        if request.path.startswith(f"{DATA}/jobs/query/"):
            return Reply({"id": "750Sb0000000001IAA", "state": "InProgress"})
        return bulk_job({}, 0)(request)

    with scripted(answer) as server:
        settings = SalesforceSettings(pull=PullSettings(polling=Polling(0.01, 1.5, 0.02, give_up_seconds=0.0)))
        crm = SalesforceCrm.connect(CREDENTIALS, base_url=server.url, settings=settings, sleep=lambda _: None)
        with pytest.raises(ServiceUnavailable, match="Run again later: it goes on"):
            list(crm.pull("Contact", ["Phone"], cursor=None))
        crm.close()


@pytest.mark.parametrize("stamp", ["yesterday", "2026-13-45T00:00:00.000Z"])
def test_times_that_are_none_are_refused(stamp: str) -> None:
    with pytest.raises(SchemaChanged, match="date-time"):
        bulk_pull({"": csv_page(HEADER, row(1).replace("2026-10-01T00:00:01.000Z", stamp))}, 1)


def test_a_record_without_a_field_that_was_asked_for() -> None:
    partial = {name: value for name, value in rest_record(1).items() if name != "Phone"}

    def answer(request: Seen) -> Reply | None:
        return Reply({"totalSize": 1, "done": True, "records": [partial]}) if "queryAll" in request.path else None

    with scripted(answer) as server:
        crm = connect(server.url)
        with pytest.raises(SchemaChanged, match="without the field Phone"):
            pulled(crm, "Contact", ["Phone"])
        crm.close()


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("", ""),
        ("2026-10-01T00:00:01.000Z", "2026-10-01T00:00:01.000Z"),
        ("2026-10-01T00:00:01.000+0000", "2026-10-01T00:00:01.000Z"),
        ("2026-10-01T02:00:01.000+02:00", "2026-10-01T00:00:01.000Z"),
    ],
)
def test_times_in_every_form(text: str, tidy: str) -> None:
    assert time_text(text) == tidy


def test_maps_lose_what_an_org_does_not_show() -> None:
    field_map = FieldMap(phones=("Phone", "Fax"), email="Email", linkedin="LinkedIn__c", country=("Country",))
    assert pruned(field_map, ["Phone", "Email"]) == FieldMap(phones=("Phone",), email="Email")


def test_names_that_are_none_never_reach_a_query(sf: SalesforceCrm) -> None:
    with pytest.raises(SettingsError, match="API name"):
        list(sf.pull_ids("Contact WHERE Id != null"))
    with pytest.raises(FieldMissing, match="ringtrue prepare"):
        pulled(sf, "Contact", ["Phone FROM Contact"])
