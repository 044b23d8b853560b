"""`ringtrue init`: asks, tries credentials over the wire, writes no secret, and writes nothing at all when the answer is no."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from app.cli import cli
from ringtrue.errors import CredentialRefused, HostUnreachable, SettingsError
from ringtrue.settings import load_settings
from tests.stand_ins import Sandbox

SECRETS = {"SALESFORCE_CONSUMER_KEY": "sandbox-key", "SALESFORCE_CONSUMER_SECRET": "sandbox-secret", "HUBSPOT_TOKEN": "sandbox-token"}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RINGTRUE_SETTINGS", str(tmp_path / "ringtrue.toml"))
    monkeypatch.setenv("TZ", "Europe/Berlin")
    return tmp_path


@pytest.fixture
def init(home: Path, sandbox: Sandbox) -> Callable[..., Any]:
    at = [f"--at={name}={sandbox[name].url}" for name in ("salesforce", "hubspot")]

    def run(*arguments: str, told: str = "", secrets: dict[str, str] | None = None) -> Any:
        addresses = [] if any(one.startswith("--at=") for one in arguments) else at
        return CliRunner().invoke(cli, ["init", *arguments, *addresses], input=told, env=secrets or {})

    return run


def test_a_person_is_asked_and_the_file_works(init: Callable[..., Any], home: Path) -> None:
    told = "\n".join(
        [
            "both",
            "client_credentials",
            "acme.my",
            "do_not_call",
            "lists",
            "Narnia",
            "de",
            "Mars/Base",
            "Europe/Berlin",
            "zh",
        ]
    )
    done = init(told=told + "\n", secrets=SECRETS)
    assert done.exit_code == 0, done.output
    text = (home / "ringtrue.toml").read_text(encoding="utf-8")
    assert not [value for value in SECRETS.values() if value in text]
    settings = load_settings()
    assert [one.enabled for one in settings.connections.values()] == [False, False, False]
    assert settings.connections["salesforce"].domain == "acme.my"
    assert settings.connections["hubspot"].do_not_call_property == "do_not_call"
    assert {one.default_region for one in settings.connections.values()} == {"DE"}
    assert {one.timezone for one in settings.connections.values()} == {"Europe/Berlin"}
    assert settings.policy.language == "zh"
    assert (home / "lists").is_dir()
    assert "logged in; this is 00D" in done.output
    assert "no country 'NARNIA'" in done.output
    assert "no time zone 'Mars/Base'" in done.output
    assert "ringtrue doctor" in done.output
    assert "sandbox_url" not in text


def test_a_refused_login_is_a_sentence_and_asked_again_or_nothing_is_written(
    init: Callable[..., Any], home: Path
) -> None:
    wrong = {**SECRETS, "HUBSPOT_TOKEN": "not-the-token"}
    done = init(told="hubspot\n-\nn\n", secrets=wrong)
    assert done.exit_code == 1
    assert "HubSpot refused the token" in done.output
    assert "not-the-token" not in done.output
    assert not (home / "ringtrue.toml").exists()
    done = init(told="hubspot\nnonsense\ny\n-\n-\nus\n\n\n", secrets=SECRETS)
    assert done.exit_code == 0, done.output
    assert "no contact property 'nonsense'" in done.output
    assert list(load_settings().connections) == ["hubspot"]


def test_without_questions_a_refusal_ends_it(init: Callable[..., Any], home: Path) -> None:
    wrong = {**SECRETS, "SALESFORCE_CONSUMER_SECRET": "wrong"}
    plain = ("--yes", "--crm=salesforce", "--domain=acme.my")
    assert isinstance(init(*plain, secrets=wrong).exception, CredentialRefused)
    nobody = init(*plain, "--at=salesforce=http://127.0.0.1:9", secrets=SECRETS)
    assert isinstance(nobody.exception, HostUnreachable)
    assert isinstance(init("--yes").exception, SettingsError)
    assert isinstance(init("--yes", "--crm=zoho").exception, SettingsError)
    assert list(home.iterdir()) == []


def test_options_and_json_and_an_older_file(init: Callable[..., Any], home: Path) -> None:
    done = init("--yes", "--json", "--crm=salesforce", "--crm=hubspot", "--sandbox", "--region=gb")
    told = orjson.loads(done.stdout)
    assert told["connections"]["hubspot"] == {"logged_in_to": None, "missing": ["HUBSPOT_TOKEN"]}
    assert any("HUBSPOT_TOKEN" in step for step in told["next"])
    first = (home / "ringtrue.toml").read_text(encoding="utf-8")
    assert tomllib.loads(first)["connections"]["hubspot"]["sandbox_url"] == "http://127.0.0.1:8200"
    assert "stays as it is" in str(init("--yes", "--folder=lists").exception)
    assert (home / "ringtrue.toml").read_text(encoding="utf-8") == first
    again = orjson.loads(init("--yes", "--json", "--folder=lists", "--force").stdout)
    assert Path(again["kept"]).read_text(encoding="utf-8") == first
    assert list(load_settings().connections) == ["files"]
    third = orjson.loads(init("--yes", "--json", "--folder=lists", "--force").stdout)
    assert Path(third["kept"]).name == "ringtrue.toml.before-2"
    assert Path(again["kept"]).read_text(encoding="utf-8") == first


def test_giving_up_in_the_middle_writes_nothing(init: Callable[..., Any], home: Path) -> None:
    assert init(told="both\n", secrets=SECRETS).exit_code == 1
    assert not (home / "ringtrue.toml").exists()
