"""OpenLineage events: of the specified form, without values of records, delivered to a file or a collector."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest

from connectors.http import RetryPolicy
from connectors.openlineage import FileEmitter, HttpEmitter, emitters
from ringtrue.errors import CredentialRefused, FileUnreadable, RetryLater, SettingsError, StopRun
from ringtrue.openlineage import Column, Dataset, Metrics, OpenLineageSettings, dataset_event, run_event, step_run_id

NOW = datetime(2026, 7, 6, 9, 30, tzinfo=UTC)
RUN = "0e7b9a52-6d0c-4a58-9e6c-8f0f6d6f2b11"
SCHEMA = json.loads(Path(__file__).with_name("schema").joinpath("openlineage.json").read_text(encoding="utf-8"))

CONTACTS = Dataset("salesforce/contacts", (Column("Phone"), Column("LeadSource", description="where it came from")))
PHONES = Dataset(
    "phones",
    (
        Column("e164", comes_from=(("salesforce/contacts", "Phone"),)),
        Column("source", comes_from=(("salesforce/contacts", "LeadSource"),), how="IDENTITY"),
        Column("number_hash", comes_from=(("salesforce/contacts", "Phone"),), masking=True),
    ),
    description="Numbers in E.164",
    metrics=Metrics(rows=120, nulls={"e164": 4}, distinct={"e164": 110}, sums={"cost": 1.5}),
    uri="sqlite:///data/ledger.db",
    rows_written=120,
)


def check(event: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(event)))


@pytest.mark.parametrize("kind", ["START", "COMPLETE", "FAIL", "ABORT"])
def test_run_events_keep_the_schema(kind: Any) -> None:
    event = run_event(
        kind,
        at=NOW,
        run_id=step_run_id(RUN, "phones"),
        job="phones",
        inputs=[CONTACTS],
        outputs=[PHONES],
        parent=(RUN, "sync_salesforce"),
        error="boom" if kind == "FAIL" else None,
        engine_version="1.13.0",
    )
    check(event)
    lineage = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert lineage["e164"]["inputFields"][0]["field"] == "Phone"
    assert lineage["number_hash"]["inputFields"][0]["transformations"][0]["masking"] is True
    assert event["inputs"][0]["namespace"] == event["outputs"][0]["namespace"]


def test_a_dataset_event_keeps_the_schema() -> None:
    check(dataset_event(PHONES, at=NOW))
    check(dataset_event(Dataset("lead_source/spring_fair"), at=NOW))


def test_an_error_is_sent_without_the_number_in_it() -> None:
    event = run_event("FAIL", at=NOW, run_id=RUN, job="lookups", error="no answer for +12025550123")
    assert "2025550123" not in json.dumps(event)


def test_a_step_has_one_run_id_and_steps_differ() -> None:
    assert step_run_id(RUN, "phones") == step_run_id(RUN, "phones") != step_run_id(RUN, "status")


def test_a_time_without_zone_and_a_wrong_run_id_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        run_event("START", at=datetime(2026, 7, 6, 9, 30), run_id=RUN, job="phones")  # noqa: DTZ001  the mistake itself
    with pytest.raises(ValueError, match="UUID"):
        run_event("START", at=NOW, run_id="not a run", job="phones")


def test_the_file_holds_one_event_a_line_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "lineage" / "events.jsonl"
    emitter = FileEmitter(path)
    for kind in ("START", "COMPLETE"):
        emitter.emit(run_event(kind, at=NOW, run_id=RUN, job="phones"))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["eventType"] for line in lines] == ["START", "COMPLETE"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="cannot be written"):
        FileEmitter(tmp_path).emit(run_event("START", at=NOW, run_id=RUN, job="phones"))


class Collector(BaseHTTPRequestHandler):
    """Answers with the statuses it is given, 201 when there are none left, and keeps what it took."""

    answers: ClassVar[list[int]] = []
    taken: ClassVar[list[tuple[str, str | None, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.answers.pop(0) if self.answers else 201
        if status == 201:
            self.taken.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep the test output clean."""


@pytest.fixture
def collector() -> Iterator[str]:
    Collector.answers, Collector.taken = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def emitter(url: str) -> HttpEmitter:
    return HttpEmitter(url, api_key="k", policy=RetryPolicy(attempts=3), sleep=lambda seconds: None)


def test_a_collector_gets_the_event_also_after_it_was_away(collector: str) -> None:
    Collector.answers = [503, 500]
    with emitter(collector) as sender:
        sender.emit(run_event("COMPLETE", at=NOW, run_id=RUN, job="phones"))
    [(path, key, event)] = Collector.taken
    assert (path, key, event["eventType"]) == ("/api/v1/lineage", "Bearer k", "COMPLETE")


@pytest.mark.parametrize(
    ("answers", "error"), [([503] * 3, RetryLater), ([401], CredentialRefused), ([422], StopRun), ([302], StopRun)]
)
def test_what_a_collector_refuses_is_an_error(collector: str, answers: list[int], error: type[Exception]) -> None:
    Collector.answers = answers
    with emitter(collector) as sender, pytest.raises(error):
        sender.emit(run_event("COMPLETE", at=NOW, run_id=RUN, job="phones"))
    assert Collector.taken == []


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(StopRun, match="http"):
        HttpEmitter("file:///events")


def test_nothing_is_sent_unless_switched_on(tmp_path: Path) -> None:
    assert emitters(OpenLineageSettings(), {}) == []
    on = OpenLineageSettings(url="https://lineage.example", api_key_variable="KEY", file=str(tmp_path / "events.jsonl"))
    file, collector = emitters(on, {"KEY": "k"})
    assert isinstance(file, FileEmitter)
    assert isinstance(collector, HttpEmitter)
    collector.close()
    with pytest.raises(SettingsError, match="KEY"):
        emitters(on, {})
