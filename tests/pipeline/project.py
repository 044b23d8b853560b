"""A RingTrue project in a folder of its own, pointed at a running sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import tomli_w

from app.sync import Ran, run_job
from app.wanted import wanted_fields
from assets.definitions import build
from connectors.resources import connect, open_ledger
from ringtrue.ledger import Ledger
from ringtrue.ledger.database import fetch
from ringtrue.settings import SETTINGS_VARIABLE, Settings, load_settings
from tests.stand_ins import ROOT, Sandbox

OURS = {"salesforce": "RingTrue_", "hubspot": "ringtrue_"}
OBJECTS = {"salesforce": ("Contact", "Lead"), "hubspot": ("contacts",)}
FLAGS = {"salesforce": "DoNotCall", "hubspot": "ringtrue_do_not_call"}
PHONES = ("Phone", "MobilePhone", "HomePhone", "OtherPhone", "phone", "mobilephone", "hs_whatsapp_phone_number")
# Fields that tell when a decision was made: they differ between two runs of the same job.
MOMENTS = frozenset({"RingTrue_Checked_At__c", "ringtrue_checked_at"})


def make_home(folder: Path) -> Path:
    """An empty project folder."""
    home = folder / "project"
    (home / "dagster_home").mkdir(parents=True)
    (home / "imports").mkdir()
    shutil.copy(ROOT / "dagster_home" / "dagster.yaml", home / "dagster_home")
    return home


class Project:
    """Settings, ledger and Dagster home of one project, and the sandbox it speaks to."""

    def __init__(self, home: Path, sandbox: Sandbox) -> None:
        self.home = home
        self.sandbox = sandbox
        self.path = home / "ringtrue.toml"
        self.environment = {
            SETTINGS_VARIABLE: str(self.path),
            "DAGSTER_HOME": str(home / "dagster_home"),
            # Opaque ids are keyed: two projects are comparable only under one key.
            "RINGTRUE_LEDGER_KEY": "0123456789abcdef0123456789abcdef",
        }

    def write_settings(
        self,
        *,
        lookups: dict[str, dict[str, Any]] | None = None,
        common: dict[str, Any] | None = None,
        **connections: dict[str, Any],
    ) -> Settings:
        """The project's own ringtrue.toml, pointed here; keyword arguments change single connections.

        `lookups` names the lookup services that are on, as stand-ins, with what is different in their settings (None takes a setting out); without it
        all are off. `common` holds what stands under [lookups] itself.
        """
        values: dict[str, Any] = tomllib.loads((ROOT / "ringtrue.toml").read_text(encoding="utf-8"))
        delivered = values["lookups"]
        values["lookups"] = {
            name: {
                key: value
                for key, value in {
                    **delivered.get(name, {}),
                    "sandbox_url": f"{self.sandbox['lookups'].url}/{name}",
                    **changed,
                }.items()
                if value is not None
            }
            for name, changed in (lookups or {}).items()
        } | dict(common or {})
        values["ledger"] = {"url": f"sqlite:///{self.home}/ledger.db"}
        for name, connection in values["connections"].items():
            if connection["kind"] in self.sandbox.ports:
                connection["sandbox_url"] = self.sandbox[connection["kind"]].url
            if connection["kind"] == "files":
                connection["folder"] = str(self.home / "imports")
            connection.update(connections.get(name, {}))
        self.path.write_text(tomli_w.dumps(values), encoding="utf-8")
        return self.settings()

    def settings(self) -> Settings:
        return load_settings(self.path)

    def prepare(self) -> None:
        """What `ringtrue prepare` does."""
        for name, connection in self.settings().connections.items():
            if connection.kind != "files":
                crm = connect(name, connection)
                crm.prepare(wanted_fields(crm, connection, "en"), dry_run=False)
                crm.close()

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        opened = open_ledger(self.settings())
        try:
            yield opened
        finally:
            opened.close()

    def query(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the ledger."""
        with self.ledger() as ledger, ledger.read() as book:
            return fetch(book, sql, parameters)

    def sync(self, name: str, **ops: dict[str, Any]) -> Ran:
        """Run a connection's job in this process. Keyword arguments are op configs by stage, as contacts={"full": True}."""
        config = {"ops": {_op(name, stage): {"config": values} for stage, values in ops.items()}}
        with dg.instance_for_test(temp_dir=str(self.home / "dagster_home")) as instance:
            return run_job(
                build(self.settings(), retries=False), instance, f"sync_{name}", run_config=config if ops else None
            )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the command line in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def crm_state(self, name: str) -> dict[str, dict[str, Any]]:
        """What people see in a CRM: our fields, phone fields and flag of every record, moments left out."""
        shown: dict[str, dict[str, Any]] = {}
        for object_name in OBJECTS[name]:
            for record in self.sandbox[name].records(object_name):
                shown[record["record_id"]] = {
                    field: value
                    for field, value in record["fields"].items()
                    if value not in (None, "")
                    and field not in MOMENTS
                    and (field.startswith(OURS[name]) or field in PHONES or field == FLAGS[name])
                }
        return shown

    def close(self) -> None:
        """Nothing is held open between calls."""


def _op(name: str, stage: str) -> str:
    return f"{name}__{stage}" if stage in ("contacts", "changes", "writeback") else stage


def open_project(home: Path, sandbox: Sandbox) -> Project:
    """A project with settings that point at the sandbox."""
    project = Project(home, sandbox)
    os.environ["RINGTRUE_LEDGER_KEY"] = project.environment["RINGTRUE_LEDGER_KEY"]
    project.write_settings()
    return project
