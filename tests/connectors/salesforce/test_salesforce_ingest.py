"""Large writes by Bulk: the same meaning as small ones, and a job whose id is known before anything runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.salesforce import SalesforceCrm
from connectors.salesforce_csv import csv_of
from connectors.salesforce_errors import bulk_entry
from connectors.salesforce_ingest import split
from ringtrue.errors import ConnectionLost, FieldMissing, RecordGone, ServiceUnavailable
from ringtrue.records import RecordWrite, RowResult
from tests.connectors.salesforce.kit import DATA, connect, csv_page, scripted
from tests.stand_ins import StandIn
from tests.wire import Reply, Seen

JOB = "750Sb0000000001AAA"


def contact(org: StandIn, **fields: object) -> str:
    return org.create("Contact", {"LastName": "Bulk", **fields})


def run(crm: SalesforceCrm, rows: list[RecordWrite], fields: tuple[str, ...] = ()) -> dict[str, RowResult]:
    job_id = crm.bulk_open("Contact", fields)
    crm.bulk_upload(job_id, "Contact", rows)
    crm.bulk_close(job_id)
    crm.bulk_wait(job_id)
    return {result.record_id: result for some in crm.bulk_results(job_id) for result in some}


def test_bulk_and_small_writes_mean_the_same(sf: SalesforceCrm, org: StandIn) -> None:
    """The write paths may not differ in what None, empty text, newlines, quotes and absent fields do."""
    values: list[dict[str, str | None]] = [
        {"Phone": "+49 30 1", "DoNotCall": "true"},
        {"Phone": None},
        {"Phone": ""},
        {"MobilePhone": '1, "2"\n3'},
        {"OtherPhone": "  "},
        {"Phone": "=1+1", "HomePhone": "ü 漢 \u2028"},
    ]
    start = {"Phone": "030 1", "MobilePhone": "030 2", "HomePhone": "030 3", "OtherPhone": "030 4"}
    small, large = [[contact(org, **start) for _ in values] for _ in range(2)]
    sf.write("Contact", [RecordWrite(one, value) for one, value in zip(small, values, strict=True)])
    results = run(sf, [RecordWrite(one, value) for one, value in zip(large, values, strict=True)])
    assert {result.outcome for result in results.values()} == {"applied"}
    wanted = ("Phone", "MobilePhone", "HomePhone", "OtherPhone", "DoNotCall")
    for one, other in zip(small, large, strict=True):
        mine, theirs = org.record("Contact", one)["fields"], org.record("Contact", other)["fields"]
        assert {name: mine.get(name) for name in wanted} == {name: theirs.get(name) for name in wanted}


def test_nothing_runs_before_the_job_is_closed(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org, Phone="030 1")
    job_id = sf.bulk_open("Contact", ["Phone"])
    assert sf.bulk_state(job_id).state == "open"
    sf.bulk_upload(job_id, "Contact", [RecordWrite(record_id, {"Phone": "030 2"})])
    assert sf.bulk_state(job_id).state == "open"
    assert org.record("Contact", record_id)["fields"]["Phone"] == "030 1"
    sf.bulk_abort(job_id)
    assert sf.bulk_state(job_id).state == "aborted"
    assert org.record("Contact", record_id)["fields"]["Phone"] == "030 1"
    sf.bulk_abort(job_id)


def test_every_row_has_its_own_result(sf: SalesforceCrm, org: StandIn) -> None:
    good, long, gone, loser, survivor = (contact(org) for _ in range(5))
    org.delete("Contact", gone)
    org.merge("Contact", survivor, loser)
    rows = [
        RecordWrite(good, {"Phone": "030 1"}),
        RecordWrite(long, {"Phone": "1" * 41}),
        RecordWrite(gone, {"Phone": "030 1"}),
        RecordWrite(loser, {"Phone": "030 1"}),
    ]
    results = run(sf, rows)
    assert {record_id: result.outcome for record_id, result in results.items()} == {
        good: "applied",
        long: "failed",
        gone: "gone",
        loser: "gone",
    }
    assert results[loser].merged_into == survivor
    assert "STRING_TOO_LONG" in (results[long].reason or "")


def test_locked_rows_come_back_to_be_tried_again(sf: SalesforceCrm, org: StandIn) -> None:
    held, free = contact(org), contact(org)
    org.fault("bulk", "hold_rows", ids=[held])
    results = run(sf, [RecordWrite(one, {"Phone": "030 1"}) for one in (held, free)])
    assert (results[held].outcome, results[free].outcome) == ("retry", "applied")
    assert "UNABLE_TO_LOCK_ROW" in (results[held].reason or "")


def test_a_hidden_column_fails_the_job_and_names_the_remedy(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org)
    job_id = sf.bulk_open("Contact", ["RT_Nope__c"])
    sf.bulk_upload(job_id, "Contact", [RecordWrite(record_id, {"RT_Nope__c": "x"})])
    sf.bulk_close(job_id)
    with pytest.raises(FieldMissing, match=r"RT_Nope__c of Contact.*edit access.*ringtrue prepare"):
        sf.bulk_wait(job_id)
    job = sf.bulk_state(job_id)
    assert job.state == "failed"
    assert "RT_Nope__c" in (job.error or "")
    [result] = [one for some in sf.bulk_results(job_id) for one in some]
    assert (result.record_id, result.outcome) == (record_id, "retry")


def test_a_job_that_fails_halfway_gives_the_other_rows_back(sf: SalesforceCrm, org: StandIn) -> None:
    ids = [contact(org) for _ in range(210)]
    org.fault("bulk", "job_failed", times=0)
    results = run(sf, [RecordWrite(record_id, {"Phone": "030 1"}) for record_id in ids])
    assert set(results) == set(ids)
    for record_id, result in results.items():
        written = org.record("Contact", record_id)["fields"].get("Phone") == "030 1"
        assert result.outcome == ("applied" if written else "retry")
        assert written or result.reason
    assert {result.outcome for result in results.values()} == {"applied", "retry"}


def test_a_slow_job_is_waited_for_and_polls_are_counted_apart(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org)
    org.fault("bulk", "slow_job", seconds=0.2)
    assert run(sf, [RecordWrite(record_id, {"Phone": "030 1"})])[record_id].outcome == "applied"
    calls = dict(sf.usage.calls)
    assert calls.pop("poll") > 3
    assert calls == {"login": 1, "bulk_control": 2, "bulk_upload": 1, "bulk_page": 3}


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "drop_mid_body", "status_503", "status_500", "expired_session"]
)
def test_a_lost_answer_to_closing_closes_it_once(sf: SalesforceCrm, org: StandIn, kind: str) -> None:
    record_id = contact(org)
    job_id = sf.bulk_open("Contact", ["Phone"])
    sf.bulk_upload(job_id, "Contact", [RecordWrite(record_id, {"Phone": "030 1"})])
    org.fault("bulk", kind)
    sf.bulk_close(job_id)
    assert sf.bulk_wait(job_id).state == "complete"
    assert len(org.history("Contact", record_id, "Phone")) == 1


@pytest.mark.parametrize("kind", ["drop_after", "drop_mid_body", "status_500"])
def test_a_lost_answer_to_the_upload_is_said(sf: SalesforceCrm, org: StandIn, kind: str) -> None:
    record_id = contact(org)
    job_id = sf.bulk_open("Contact", ["Phone"])
    org.fault("bulk", kind)
    if kind == "drop_mid_body":
        org.clear_faults()
        org.fault("bulk", "drop_before")
    with pytest.raises(ConnectionLost):
        sf.bulk_upload(job_id, "Contact", [RecordWrite(record_id, {"Phone": "030 1"})])
    assert org.history("Contact", record_id, "Phone") == []
    sf.bulk_abort(job_id)
    assert sf.bulk_state(job_id).state == "aborted"


def test_an_expired_session_in_the_middle_renews_itself(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org)
    org.fault("bulk", "expired_session", nth=2, times=1)
    org.fault("bulk", "expired_session", nth=5, times=1)
    org.fault("bulk", "drop_mid_body", nth=7, times=1)
    assert run(sf, [RecordWrite(record_id, {"Phone": "030 1"})])[record_id].outcome == "applied"
    assert sf.usage.calls["login"] == 3


def test_siblings_stand_side_by_side_and_absent_fields_stay_empty() -> None:
    rows = [
        RecordWrite("003C", {"Phone": "1"}, "001B"),
        RecordWrite("003B", {"MobilePhone": None}, "001A"),
        RecordWrite("003A", {"Phone": 'say "hi", ok\nbye', "MobilePhone": "+\0"}, "001B"),
        RecordWrite("003D", {}),
    ]
    assert csv_of(rows, ["MobilePhone"]).decode() == (
        'Id,MobilePhone,Phone\n003D,,\n003B,#N/A,\n003A,+,"say ""hi"", ok\nbye"\n003C,,1\n'
    )


def test_portions_fit_a_job_and_keep_siblings_together() -> None:
    rows = [RecordWrite(f"003{number:03d}", {"Phone": "x" * 10}, f"001{number % 3}") for number in range(10)]
    portions = list(split(rows, 4))
    assert [len(portion) for portion in portions] == [4, 4, 2]
    parents = [row.parent for portion in portions for row in portion]
    assert parents == sorted(parents, key=str)
    wide = [RecordWrite(str(number), {"Phone": "x" * 6_000_000}) for number in range(9)]
    assert [len(portion) for portion in split(wide, 1000)] == [4, 4, 1]


def test_too_many_rows_for_a_job_are_refused(org: StandIn) -> None:
    crm = connect(org.url, bulk_write_rows=2)
    job_id = crm.bulk_open("Contact", ["Phone"])
    with pytest.raises(ValueError, match="at most 2 rows"):
        crm.bulk_upload(job_id, "Contact", [RecordWrite(f"003{number}", {"Phone": "1"}) for number in range(3)])
    crm.bulk_abort(job_id)
    assert [len(one) for one in crm.bulk_split([RecordWrite(str(one), {}) for one in range(5)])] == [2, 2, 1]
    crm.close()


def job_answers(state: str, processed: int, pages: dict[str, Reply]) -> Callable[[Seen], Reply | None]:
    def answer(request: Seen) -> Reply | None:
        if request.path == f"{DATA}/jobs/ingest/{JOB}":
            return Reply({"id": JOB, "object": "Contact", "state": state, "numberRecordsProcessed": processed})
        name = request.path.rpartition("/")[2]
        return pages.get(name, csv_page('"Id"')) if request.path.startswith(f"{DATA}/jobs/ingest/{JOB}/") else None

    return answer


FAILED = '"sf__Id","sf__Error","Phone","Id"'


def test_results_are_joined_by_id_in_any_order_and_column_order() -> None:
    error = '"","UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: 001xx000003DGb2:--"'
    pages = {
        "successfulResults": csv_page('"sf__Created","sf__Id","Id","Phone"', '"false","003Sb0000000002AAA","x","1\n2"'),
        "failedResults": csv_page(
            FAILED,
            f'{error},"","003Sb0000000001AAA"',
            FAILED,
            '"","STRING_TOO_LONG:Phone: too long:Phone--","1","003Sb0000000003AAA"',
        ),
    }
    with scripted(job_answers("JobComplete", 3, pages)) as server:
        crm = connect(server.url)
        found = {one.record_id: one for some in crm.bulk_results(JOB) for one in some}
        crm.close()
    assert found["003Sb0000000002AAA"].outcome == "applied"
    assert found["003Sb0000000001AAA"].outcome == "retry"
    assert found["003Sb0000000003AAA"] == (
        "003Sb0000000003AAA",
        "failed",
        "STRING_TOO_LONG: Phone: too long (Phone)",
        None,
    )


def test_results_are_asked_for_when_the_job_has_ended(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org)
    job_id = sf.bulk_open("Contact", ["Phone"])
    sf.bulk_upload(job_id, "Contact", [RecordWrite(record_id, {"Phone": "030 1"})])
    with pytest.raises(ServiceUnavailable, match="has not ended"):
        list(sf.bulk_results(job_id))
    sf.bulk_close(job_id)
    assert sf.bulk_wait(job_id).state == "complete"
    sf.bulk_close(job_id)
    sf.bulk_abort(job_id)
    assert sf.bulk_state(job_id).state == "complete"
    assert len(org.history("Contact", record_id, "Phone")) == 1


def test_results_that_do_not_add_up_are_refused() -> None:
    pages = {
        "successfulResults": csv_page('"sf__Id","sf__Created"', '"003Sb0000000001AAA","false"'),
        "failedResults": csv_page(FAILED),
    }
    with scripted(job_answers("JobComplete", 2, pages)) as server:
        crm = connect(server.url)
        with pytest.raises(ServiceUnavailable, match="processed 2 rows but reports on 1"):
            list(crm.bulk_results(JOB))
        crm.close()


def test_a_job_nobody_knows(sf: SalesforceCrm) -> None:
    with pytest.raises(RecordGone):
        sf.bulk_state("750Sb00000zzzzzAAA")
    sf.bulk_abort("750Sb00000zzzzzAAA")


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("CODE:it is so:Phone,Fax--", ("CODE", "it is so", ("Phone", "Fax"))),
        ("CODE:it is: so:--", ("CODE", "it is: so", ())),
        ("CODE:it is so--", ("CODE", "it is so", ())),
        ("CODE", ("CODE", "", ())),
    ],
)
def test_errors_of_bulk_rows_are_taken_apart(text: str, entry: tuple[str, str, tuple[str, ...]]) -> None:
    assert bulk_entry(text) == entry
