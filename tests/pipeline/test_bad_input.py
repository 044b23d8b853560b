"""What a person may get wrong: one clear sentence that says what to do, no traceback, a non-zero exit, and nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from app.cli import main
from app.console import guarded
from tests.pipeline.conftest import FEW
from tests.pipeline.people import contact, in_salesforce, number
from tests.pipeline.project import Project, make_home, open_project
from tests.pipeline.stages import deliver, plan
from tests.stand_ins import ROOT, running_sandbox


def ringtrue(project: Project, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the command line does, in this process."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in {**project.environment, **environment}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["ringtrue", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out.getvalue(), err.getvalue())


def started(project: Project, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line as a person starts it, with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **project.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The error a person sees: all of standard error, on one line."""
    assert done.returncode not in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


def ledger_of(project: Project) -> dict[str, Any]:
    """How many rows the ledger holds, and the state of the journal."""
    tables = ("contacts", "phones", "decisions", "suppressions", "changes", "syncs", "plans", "rejects")
    counts = {table: project.query(f"SELECT count(*) FROM {table}") for table in tables}
    return {**counts, "journal": project.query("SELECT state, count(*) FROM changes GROUP BY state ORDER BY state")}


def change_settings(project: Project, text: str) -> str:
    """Settings written by a hand that slipped; the path to them."""
    path = project.home / f"broken{len(list(project.home.iterdir()))}.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_broken_settings(shared: Project) -> None:
    whole = shared.path.read_text(encoding="utf-8")
    values = tomllib.loads(whole)

    def changed(connection: str, **entries: Any) -> str:
        copy = {
            **values,
            "connections": {**values["connections"], connection: {**values["connections"][connection], **entries}},
        }
        return change_settings(shared, tomli_w.dumps(copy))

    cases = {
        change_settings(shared, whole + "\n[policy\n"): "is not valid TOML",
        changed("hubspot", enbled=True): "connections.hubspot.enbled: there is no such setting; check its spelling",
        changed("hubspot", mode="overwrite"): "connections.hubspot.mode: input should be 'separate_field' or 'replace'",
        changed("hubspot", schedule="every hour"): "invalid cron schedule 'every hour'",
        changed("hubspot", timezone="Mars/Base"): "Invalid execution timezone Mars/Base",
        changed("hubspot", default_region="Britain"): "default_region must be a two-letter country code",
        change_settings(
            shared, tomli_w.dumps({**values, "ledger": {"url": "ledger.db"}})
        ): "The address under [ledger] url is none",
        str(shared.home / "nowhere.toml"): "There is no settings file",
    }
    before = ledger_of(shared)
    for path, said in cases.items():
        assert said in one_sentence(ringtrue(shared, "sync", "hubspot", RINGTRUE_SETTINGS=path))
    assert ledger_of(shared) == before


def test_a_name_that_is_not_in_the_settings(shared: Project) -> None:
    assert "There is no connection 'hubspt' in the settings; there is salesforce, hubspot, files." in one_sentence(
        ringtrue(shared, "sync", "hubspt")
    )


def test_an_unreachable_host_and_a_refused_credential_lose_nothing(shared: Project) -> None:
    contact(shared, number())
    plan(shared.settings(), "salesforce")
    before = ledger_of(shared)
    shared.write_settings(hubspot={"sandbox_url": "http://127.0.0.1:9"})
    unreachable = one_sentence(started(shared, "sync", "hubspot"))
    assert "127.0.0.1" in unreachable
    shared.write_settings()
    shared.sandbox["salesforce"].fault("any", "expired_for_ever")
    refused = one_sentence(ringtrue(shared, "sync", "salesforce"))
    assert "salesforce" in refused.lower()
    shared.sandbox["salesforce"].clear_faults()
    assert ledger_of(shared) == before
    deliver(shared.settings(), "salesforce")
    missing = one_sentence(ringtrue(shared, "sync", "hubspot", RINGTRUE_SETTINGS=_without_sandbox(shared)))
    assert "set HUBSPOT_TOKEN in the environment" in missing


def _without_sandbox(project: Project) -> str:
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    del values["connections"]["hubspot"]["sandbox_url"]
    return change_settings(project, tomli_w.dumps(values))


def test_fields_that_prepare_has_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sandbox").mkdir()
    with running_sandbox(tmp_path / "sandbox", "--seed", "11", "--contacts", str(FEW)) as sandbox:
        project = open_project(make_home(tmp_path), sandbox)
        for name, value in project.environment.items():
            monkeypatch.setenv(name, value)
        said = one_sentence(ringtrue(project, "sync", "salesforce"))
        assert "ringtrue prepare" in said
        assert "RingTrue_" in said
        project.prepare()
        plan(project.settings(), "salesforce", "second")
        outcome = deliver(project.settings(), "salesforce", "second")
        assert outcome.totals["failed"] == 0
        assert project.query(
            "SELECT count(*) FROM changes WHERE state IN ('planned', 'sending', 'failed', 'conflict')"
        ) == [(0,)]


def test_a_field_our_user_may_not_write(shared: Project) -> None:
    record = contact(shared, number())
    shared.sandbox["salesforce"].fault("any", "read_only_field", field="Contact.RingTrue_Status__c")
    said = one_sentence(ringtrue(shared, "sync", "salesforce"))
    assert "RingTrue_Status__c" in said
    assert "permission set" in said
    shared.sandbox["salesforce"].clear_faults()
    plan(shared.settings(), "salesforce", "second")
    deliver(shared.settings(), "salesforce", "second")
    assert in_salesforce(shared, record)["RingTrue_Status__c"] == "unverified"


def test_a_list_without_a_phone_column_or_in_no_known_encoding(shared: Project, tmp_path: Path) -> None:
    notes, noise = tmp_path / "notes.csv", tmp_path / "noise.csv"
    notes.write_text("topic,text\nmeeting,at noon\n", encoding="utf-8")
    noise.write_bytes(bytes(range(1, 256)) * 40)
    for path in (notes, noise):
        said = one_sentence(ringtrue(shared, "demo", "--once", "--data", str(path)))
        assert path.name in said


def test_a_defect_of_ours_shows_where_it_happened_and_nobodys_data(capsys: pytest.CaptureFixture[str]) -> None:
    def defect() -> None:
        raise ValueError("cannot handle +447400123456 of shy.person@example.com")

    assert guarded(defect) == 1
    said = capsys.readouterr().err
    assert "in defect" in said
    assert "7400123456" not in said
    assert "shy.person@" not in said
