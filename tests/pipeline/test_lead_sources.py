"""Lead sources through Dagster, over the seeded world whose sources' true quality is known."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import jsonschema
import pytest
import tomli_w
from typer.testing import CliRunner

from app.cli import cli
from app.sync import Ran, run_job
from assets.definitions import build
from assets.lead_sources import source_key
from ringtrue.errors import SettingsError
from ringtrue.source_grades import grade_is_right
from tests.pipeline.project import Project, make_home, open_project
from tests.pipeline.test_main_job import CRMS
from tests.sources.seeded import tell_the_truth, true_shares, world_of
from tests.stand_ins import ROOT, running_sandbox

CONTACTS = 1_000
SCHEMA = json.loads((ROOT / "tests/sources/schema/openlineage.json").read_text(encoding="utf-8"))
HOSTILE = {
    "slashes": "../../etc/passwd/..//x.y",
    "quotes": "say \"hi\", 'you' `there`",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "long": "x" * 10_000,
    "nothing": "",
    "formula": "=HYPERLINK(1)",
    "control": "red\x1b[31m and \u202e backwards",
    "markdown": "| [a](javascript:alert(3)) | **b** |",
}


class Seeded:
    """A project whose CRMs hold the seeded world, and what was learned of its numbers in the first days."""

    def __init__(self, project: Project, home: Path) -> None:
        self.project = project
        self.home = home
        self.reports = project.home / "reports"
        self.lineage = project.home / "lineage.jsonl"

    def run(self, job: str) -> Ran:
        with self.instance() as instance:
            return run_job(build(self.project.settings()), instance, job)

    def instance(self) -> Any:
        return dg.instance_for_test(temp_dir=str(self.project.home / "dagster_home"))

    def cli(self, *arguments: str) -> str:
        """What the command line prints, called in this process."""
        done = CliRunner().invoke(cli, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    folder = tmp_path_factory.mktemp("seeded")
    home = folder / "sandbox"
    home.mkdir()
    with (
        running_sandbox(home, "--seed", "5", "--contacts", str(CONTACTS)) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        project = open_project(make_home(folder), sandbox)
        for name, value in project.environment.items():
            patch.setenv(name, value)
        made = Seeded(project, home)
        values = tomllib.loads(project.path.read_text(encoding="utf-8"))
        values |= {"report": {"folder": str(made.reports)}, "openlineage": {"file": str(made.lineage)}, "lookups": {}}
        project.path.write_text(tomli_w.dumps(values), encoding="utf-8")
        project.prepare()
        for name in CRMS:
            ran = project.sync(name)
            assert ran.success, ran.failures
        with project.ledger() as ledger:
            tell_the_truth(ledger, world_of(home))
        assert project.sync("hubspot").success
        yield made


def figures(seeded: Seeded) -> dict[str, dict[str, Any]]:
    return {row["source"]: row for row in json.loads(seeded.cli("sources", "list", "--json"))}


def test_the_grade_is_right_for_sources_of_200_leads_and_more(seeded: Seeded) -> None:
    with seeded.project.ledger() as ledger:
        truth = true_shares(ledger, world_of(seeded.home), seeded.project.settings())
    measured = figures(seeded)
    large = {slug: share for slug, (share, numbers) in truth.items() if numbers >= 200}
    assert len(large) >= 8
    right = [grade_is_right(measured[slug]["grade"], share) for slug, share in large.items()]
    assert sum(right) / len(right) >= 0.95
    for slug, share in large.items():
        assert measured[slug]["bad_low"] - 0.03 <= share <= measured[slug]["bad_high"] + 0.03, slug


def test_each_source_is_a_node_whose_page_plots_its_figures(seeded: Seeded) -> None:
    with seeded.instance() as instance:
        for slug in ("web_form", "purchased_list", "other"):
            events = instance.fetch_observations(source_key(slug), limit=5).records
            metadata = [record.event_log_entry.asset_observation.metadata for record in events]
            plotted = {
                name for entry in metadata for name, value in entry.items() if isinstance(value.value, int | float)
            }
            assert plotted >= {"leads", "numbers", "bad on arrival", "money wasted", "status invalid", "alarm sum"}
            assert any(name.startswith("leads in ") for name in plotted), "the pulls log what came from it"


def test_schema_and_column_lineage_stand_on_every_asset(seeded: Seeded) -> None:
    definitions = build(seeded.project.settings())
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    known: dict[str, set[str]] = {}
    for key in graph.get_all_asset_keys():
        schema = graph.get(key).metadata.get("dagster/column_schema")
        assert isinstance(schema, dg.TableSchema), key
        known[key.to_user_string()] = {column.name for column in schema.columns}
    traced = 0
    for key in graph.get_all_asset_keys():
        lineage = graph.get(key).metadata.get("dagster/column_lineage")
        if lineage is None:
            assert not graph.get(key).parent_keys, f"{key} is made from something"
            continue
        traced += 1
        for column, deps in lineage.deps_by_column.items():
            assert column in known[key.to_user_string()]
            for dep in deps:
                assert dep.column_name in known[dep.asset_key.to_user_string()], (key, column, dep)
    assert traced >= 10


def test_the_report_is_one_file_without_a_number_and_the_pack_has_them_all(seeded: Seeded) -> None:
    ran = seeded.run("lead_source_report")
    assert ran.success, ran.failures
    path = Path(ran.metadata["report"]["path"])
    page = path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Purchased list" in page
    assert not re.search(r"https?://", page.replace("http://www.w3.org", ""))
    numbers = {row[0] for row in seeded.project.query("SELECT DISTINCT e164 FROM phones WHERE e164 IS NOT NULL")}
    assert not any(number[1:] in page for number in numbers)
    assert str(ran.metadata["report"]["ranking"]).startswith("![ranking](data:image/png;base64,")
    [pack] = seeded.reports.glob("refund-purchased_list-*.csv")
    rows = list(csv.DictReader(pack.read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) > 50
    assert {row["finding"] for row in rows} == {"invalid", "disconnected", "wrong person"}
    assert all(row["delivered_on"] and row["checked_on"] and row["evidence"] for row in rows)
    assert all(float(row["days_between"]) <= 7 for row in rows)
    assert json.loads(seeded.cli("refund", "Purchased list", "--json"))["numbers"] == len(rows)


def test_finished_runs_are_reported_as_openlineage_events(seeded: Seeded) -> None:
    with seeded.instance() as instance:
        sensor = build(seeded.project.settings()).resolve_sensor_def("openlineage")
        seeded.lineage.mkdir()
        context = dg.build_sensor_context(instance=instance, cursor="0")
        assert "cannot be written" in str(sensor(context))
        assert context.cursor == "0", "what was not taken is sent again"
        seeded.lineage.rmdir()
        sensor(context)
        sensor(context)
    events = [json.loads(line) for line in seeded.lineage.read_text(encoding="utf-8").splitlines()]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for event in events:
        validator.validate(event)
    assert len({(event["run"]["runId"], event["eventType"]) for event in events}) == len(events), "each event once"
    done = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    assert {"sync_hubspot", "hubspot/contacts", "phones", "status", "lead_source_quality"} <= set(done)
    fields = done["phones"]["outputs"][0]["facets"]["columnLineage"]["fields"]["e164"]["inputFields"]
    assert {(field["name"], field["field"]) for field in fields} >= {("hubspot/contacts", "phones")}
    assert done["phones"]["run"]["facets"]["parent"]["job"]["name"] == "sync_hubspot"
    assert done["hubspot/contacts"]["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] > 0


def test_a_trace_leads_from_the_source_to_the_change(seeded: Seeded) -> None:
    [(number, record)] = seeded.project.query(
        "SELECT p.number, c.record_id FROM phones AS p JOIN contacts AS c ON c.contact_id = p.contact_id "
        "JOIN changes AS h ON h.contact_id = c.contact_id JOIN observations AS o ON o.number = p.number "
        "JOIN source_arrivals AS a ON a.number = p.number AND a.contact_id = c.contact_id "
        "WHERE c.connection = 'salesforce' AND p.valid AND h.state = 'applied' ORDER BY p.number LIMIT 1"
    )
    for subject in (number, f"salesforce:{record}"):
        told = json.loads(seeded.cli("trace", subject, "--json"))
        kinds = {step["kind"] for way in told["ways"] for step in way["steps"]}
        assert kinds >= {"source", "contact", "field", "evidence", "decision", "arrival", "change"}
        assert number[1:] not in json.dumps(told)
        for way in told["ways"]:
            assert [step["at"] for step in way["steps"]] == sorted(step["at"] for step in way["steps"])
    assert number in seeded.cli("trace", number, "--full")
    told = json.loads(seeded.cli("trace", "spring_fair", "--limit", "3", "--json"))
    assert len(told["ways"]) == 3
    assert told["contacts_not_shown"] > 50
    page = seeded.project.home / "trace.html"
    seeded.cli("trace", number, "--html", str(page))
    assert "decision" in page.read_text(encoding="utf-8")
    assert number[1:] not in page.read_text(encoding="utf-8")
    with pytest.raises(SettingsError, match="neither a number"):
        seeded.cli("trace", "nothing of the kind")


def test_a_source_that_turns_bad_fails_its_check_with_what_to_change(seeded: Seeded) -> None:
    before = seeded.project.sync("salesforce")
    assert not any("lead_source/web_form" in check for check in before.checks)
    make = seeded.project.sandbox["salesforce"].create
    for place in range(120):
        make("Lead", {"LastName": f"L{place}", "Company": "X", "LeadSource": "Web", "Phone": f"4.4{place:03d}E+11"})
    ran = seeded.project.sync("salesforce")
    assert ran.success, "a warning stops nothing"
    [check] = [check for check in ran.checks if "lead_source/web_form" in check]
    assert "The share of bad numbers from 'Web form' has risen since" in check
    assert "lost their digits in Excel: ask for text columns." in check
    assert figures(seeded)["web_form"]["alarm_since"]
    seeded.cli("sources", "accept", "web_form", "--by", "Ann")
    assert not figures(seeded)["web_form"]["alarm_since"]
    assert not any("lead_source/web_form" in check for check in seeded.project.sync("salesforce").checks)


def test_hostile_source_names_break_nothing_and_are_shown_safely(seeded: Seeded) -> None:
    lists = seeded.project.home / "imports"
    with (lists / "names & <b>lists.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["name", "phone", "source"])
        for place, (name, source) in enumerate(HOSTILE.items()):
            writer.writerow([name, f"+1202555{place + 100:04d}", source])
            writer.writerow([name, "12", source])
    before = build(seeded.project.settings()).resolve_asset_graph().get_all_asset_keys()
    ran = seeded.project.sync("files")
    assert ran.success, ran.failures
    assert seeded.run("lead_source_report").success
    assert build(seeded.project.settings()).resolve_asset_graph().get_all_asset_keys() == before
    table = ran.metadata["lead_source_quality"]["table"]
    assert "<" not in table
    told = seeded.cli("trace", "other", "--limit", "50", "--json")
    assert len(told) < 200_000, "long names are shortened"
    suggested = json.loads(seeded.cli("sources", "suggest", "--limit", "200", "--json"))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,59}", entry["slug"]) for entry in suggested)
    page = seeded.project.home / "other.html"
    seeded.cli("trace", "other", "--limit", "50", "--html", str(page))
    for text in (
        page.read_text(encoding="utf-8"),
        next(seeded.reports.glob("lead-sources-*.html")).read_text(encoding="utf-8"),
    ):
        assert "<script" not in text
        assert "<img src=x" not in text
    written = {path.relative_to(seeded.project.home).parts[0] for path in seeded.project.home.rglob("*")}
    assert not any("passwd" in name or "<" in name for name in written)
