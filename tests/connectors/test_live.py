"""The live tests run: against the sandbox they pass, and without credentials there is nothing to run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.live.conftest import LOOKUPS, crms, lookups
from tests.lookups.conftest import ENVIRON
from tests.stand_ins import ROOT, Sandbox


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LIVE_", "RINGTRUE_LIVE"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/live", "-n", "0", "-p", "no:cacheprovider", "--no-cov"],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_live_tests_pass_against_the_sandbox_and_run_only_when_asked_for(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = {
        "LIVE_SALESFORCE_CONSUMER_KEY": "sandbox-key",
        "LIVE_SALESFORCE_CONSUMER_SECRET": "sandbox-secret",
        "LIVE_SALESFORCE_DOMAIN": "acme.my",
        "LIVE_SALESFORCE_URL": sandbox["salesforce"].url,
        "LIVE_HUBSPOT_TOKEN": "sandbox-token",
        "LIVE_HUBSPOT_URL": sandbox["hubspot"].url,
        **{f"LIVE_{name}": value for name, value in ENVIRON.items()},
        **{f"LIVE_{name.upper()}_URL": f"{sandbox['lookups'].url}/{name}" for name in LOOKUPS},
    }
    done = run(RINGTRUE_LIVE="1", **credentials)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.partition("[100%]")[0].count(".") == 2 * 3 + len(LOOKUPS)
    assert "skipped" not in done.stdout
    for name, value in credentials.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RINGTRUE_LIVE", raising=False)
    assert crms() == lookups() == [], "with credentials, but not asked for: nothing is collected"
    monkeypatch.setenv("RINGTRUE_LIVE", "1")
    monkeypatch.delenv("LIVE_HUBSPOT_TOKEN")
    assert crms() == ["salesforce"]
