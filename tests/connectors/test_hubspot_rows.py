"""Batches whose answers leave open which row was meant."""

from __future__ import annotations

from pathlib import Path

from ringtrue.records import RecordWrite
from tests.connectors.canned import Asked, Reply, canned
from tests.connectors.hubspot_help import connect, contact


def refuse_one(asked: Asked) -> Reply:
    """Takes all rows but number 3, of which it says only that one row was bad."""
    ids = [row["id"] for row in asked.body["inputs"]]
    taken = [contact(record_id) for record_id in ids if record_id != "3"]
    if len(taken) == len(ids):
        return Reply(200, {"results": taken})
    error = {"status": "error", "category": "VALIDATION_ERROR", "message": "One row was bad."}
    return Reply(207, {"results": taken, "numErrors": 1, "errors": [error]})


def test_a_bad_row_that_is_not_named_is_found(tmp_path: Path) -> None:
    with canned(refuse_one) as server:
        crm = connect(server.url, tmp_path)
        results = crm.write("contacts", [RecordWrite(str(number), {"phone": "x"}) for number in range(1, 6)])
        assert [(result.outcome, result.reason) for result in results] == [
            ("applied", None),
            ("applied", None),
            ("failed", "One row was bad."),
            ("applied", None),
            ("applied", None),
        ]
        crm.close()


def test_a_bad_row_that_is_named_in_a_400_costs_one_more_call(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        ids = [row["id"] for row in asked.body["inputs"]]
        if "3" in ids:
            return Reply(400, {"category": "VALIDATION_ERROR", "message": "Bad row.", "context": {"ids": ["3"]}})
        return Reply(200, {"results": [contact(record_id) for record_id in ids]})

    with canned(answer) as server:
        crm = connect(server.url, tmp_path)
        results = crm.write("contacts", [RecordWrite(str(number), {"phone": "x"}) for number in range(1, 6)])
        assert [result.outcome for result in results] == ["applied", "applied", "failed", "applied", "applied"]
        assert len(server.asked) == 2
        crm.close()


def test_a_row_that_is_neither_confirmed_nor_refused_is_tried_again_later(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/batch/read"):
            return Reply(200, {"results": [contact(row["id"]) for row in asked.body["inputs"]]})
        return Reply(200, {"results": [contact("1")]})

    with canned(answer) as server:
        crm = connect(server.url, tmp_path)
        results = crm.write("contacts", [RecordWrite("1", {"phone": "x"}), RecordWrite("2", {"phone": "x"})])
        assert [(result.outcome, result.reason) for result in results] == [
            ("applied", None),
            ("retry", "HubSpot did not confirm this row."),
        ]
        crm.close()
