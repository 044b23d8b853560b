"""Failures and red checks reach people once, by webhook and mail, with what to do, and without a number or a secret in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import tomli_w
from dagster._core.storage.runs.schema import RunsTable

from assets.alerts import build_alerts
from assets.run_owner import PROCESS_TAG
from assets.stage import plain_errors
from connectors.alerts import LONGEST_POST, unusable, ways
from ringtrue.alert_settings import AlertsSettings, EmailSettings
from ringtrue.alerting import RUNS_REMEMBERED, TRIES, Alerts, Ended, Finding, Message
from ringtrue.errors import (
    CredentialRefused,
    HostUnreachable,
    RecordRefused,
    ServiceUnavailable,
    SettingsError,
    StopRun,
)
from tests.operating.receivers import PASSWORD, MailServer, Webhook, mail_server, webhook

NUMBER = "+15062345678"
# Standard output is not taken into logs: that would start four processes for each run.
NO_LOGS = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as running:
        yield running


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path) as running:
        yield running


def by_mail(mail: MailServer, **changed: object) -> EmailSettings:
    values = {
        "to": ("oncall@example.com", "data@example.com"), "sender": "ringtrue@example.com", "host": "127.0.0.1",
        "port": mail.port, "ca_file": mail.ca_file, "user": "ringtrue",
    }  # fmt: skip
    return EmailSettings.model_validate({**values, **changed})


class Outside:
    """What the stages of the test's jobs meet."""

    refuses = False
    red = False


def sync() -> dg.Definitions:
    """A small project: a stage that may be refused, and one whose check may be red."""

    @dg.asset(key=["hubspot", "contacts"])
    def contacts() -> None:
        with plain_errors():
            if Outside.refuses:
                raise StopRun(f"HubSpot refused the token of {NUMBER}, token=pat-secret-77. Renew HUBSPOT_TOKEN.")

    @dg.asset(check_specs=[dg.AssetCheckSpec("us_is_fresh", asset="registries")])
    def registries() -> Iterator[dg.MaterializeResult[None]]:
        told = f"32 days old; numbers such as {NUMBER} are not callable. Download a new list."
        yield dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(check_name="us_is_fresh", passed=not Outside.red, description=told),
            ]
        )

    job = dg.define_asset_job("sync_hubspot", selection=dg.AssetSelection.assets(contacts, registries))
    return dg.Definitions(assets=[contacts, registries], jobs=[job], executor=dg.in_process_executor)


class Project:
    """A Dagster with that project, its sensor, and the sensor's cursor."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.sensor = build_alerts()
        self.cursor: str | None = None
        self.said = ""
        self.look()

    def run(self, *, refuses: bool = False, red: bool = False) -> str:
        Outside.refuses, Outside.red = refuses, red
        job = sync().resolve_job_def("sync_hubspot")
        return job.execute_in_process(instance=self.instance, raise_on_error=False, tags={PROCESS_TAG: "test"}).run_id

    def look(self) -> str:
        """A tick of the sensor; returns what it says of itself."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        self.said = data.skip_message or ""
        return self.said

    def state(self) -> Alerts:
        """What the sensor remembers."""
        return Alerts.model_validate_json(self.cursor or "")


@pytest.fixture
def project(hook: Webhook, mail: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    settings = {
        "alerts": {
            "webhook_variable": "RINGTRUE_ALERT_WEBHOOK",
            "ui_url": "https://dagster.example.com",
            "email": by_mail(mail).model_dump(mode="json", exclude_defaults=True),
        }
    }
    path = tmp_path / "ringtrue.toml"
    path.write_text(tomli_w.dumps(settings), encoding="utf-8")
    monkeypatch.setenv("RINGTRUE_SETTINGS", str(path))
    monkeypatch.setenv("RINGTRUE_ALERT_WEBHOOK", hook.address)
    monkeypatch.setenv("RINGTRUE_SMTP_PASSWORD", PASSWORD)
    with dg.instance_for_test(overrides=NO_LOGS) as instance:
        yield Project(instance)


def test_a_failure_is_told_once_and_once_that_it_is_over(project: Project, hook: Webhook, mail: MailServer) -> None:
    first = project.run(refuses=True)
    project.look()
    [told] = hook.told
    assert told.splitlines() == [
        "*RingTrue: sync_hubspot failed*",
        "hubspot/contacts: HubSpot refused the token of +1********78, token=*** Renew HUBSPOT_TOKEN.",
        f"https://dagster.example.com/runs/{first}",
    ]
    [(recipients, message)] = mail.taken
    assert recipients == ["oncall@example.com", "data@example.com"]
    assert mail.was_encrypted == [True]
    assert message["Subject"] == "RingTrue: sync_hubspot failed"
    assert "Renew HUBSPOT_TOKEN." in message.get_content()

    project.run(refuses=True)
    project.run(refuses=True)
    project.look()
    project.look()
    assert (len(hook.told), len(mail.taken)) == (1, 1)

    project.run()
    project.look()
    assert len(hook.told) == 2
    assert "sync_hubspot: well again" in hook.told[1]
    assert "hubspot/contacts is well again; it had failed 3 times since" in hook.told[1]
    project.run(refuses=True)
    project.look()
    assert len(hook.told) == 3, "the next failure is news"
    everything = "\n".join([*hook.told, *(message.as_string() for _, message in mail.taken), project.cursor or ""])
    for secret in (NUMBER, NUMBER[1:], "pat-secret-77", PASSWORD, "hook-secret-9a7e"):
        assert secret not in everything


def test_a_red_check_is_told_until_it_is_green(project: Project, hook: Webhook) -> None:
    project.run(red=True)
    project.run(red=True)
    project.look()
    [told] = hook.told
    assert "*RingTrue: sync_hubspot: a check is red*" in told
    assert (
        "registries: us_is_fresh: 32 days old; numbers such as +1********78 are not callable. Download a new list."
        in told
    )
    project.run()
    project.look()
    assert "registries: us_is_fresh is well again; it was red 2 times since" in hook.told[-1]


def test_a_webhook_that_is_down_delays_its_own_messages_and_loses_none(
    project: Project, hook: Webhook, mail: MailServer
) -> None:
    hook.answers = [503, 404]
    project.run(refuses=True)
    assert "1 wait. webhook: The alert webhook" in project.look()
    assert (hook.told, len(mail.taken)) == ([], 1)
    project.run()
    assert "2 wait." in project.look(), "refused again, and the recovery waits behind it"
    assert (hook.told, len(mail.taken)) == ([], 2)
    assert "wait" not in project.look()
    assert ["failed" in hook.told[0], "well again" in hook.told[1]] == [True, True]
    assert len(mail.taken) == 2
    assert "hook-secret" not in project.said


def test_no_way_keeps_another_from_being_told_or_noted(
    project: Project, hook: Webhook, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mounted secret that ends in a newline; a password that no mail login carries; both again and again."""
    monkeypatch.setenv("RINGTRUE_ALERT_WEBHOOK", hook.address + "\n")
    monkeypatch.setenv("RINGTRUE_SMTP_PASSWORD", "pässword-77")
    project.run(refuses=True)
    project.look()
    said = project.look()
    assert "1 wait. email: RINGTRUE_SMTP_PASSWORD holds a character outside ASCII" in said
    assert (len(hook.told), mail.taken) == (1, [])
    monkeypatch.setenv("RINGTRUE_SMTP_PASSWORD", PASSWORD + "\n")
    project.look()
    assert (len(hook.told), len(mail.taken)) == (1, 1)


def test_a_message_that_is_itself_refused_is_given_up(project: Project, hook: Webhook) -> None:
    hook.answers = [400] * TRIES
    project.run(refuses=True)
    for _ in range(TRIES - 1):
        assert "HTTP 400" in project.look()
    state = project.state()
    state.waiting.append(Message(title="the next one", text="link", ways=["webhook"]))
    project.cursor = state.model_dump_json()
    assert "was given up" in project.look()
    assert hook.told == ["*the next one*\nlink"]


def test_a_run_that_becomes_visible_late_is_told(project: Project, hook: Webhook) -> None:
    late = project.run(refuses=True)
    now = datetime.now(UTC)
    with project.instance.run_storage.connect() as storage:  # type: ignore[attr-defined]
        moment = (now - timedelta(seconds=200)).replace(tzinfo=None)
        storage.execute(RunsTable.update().where(RunsTable.c.run_id == late).values(update_timestamp=moment))
    state = project.state()
    state.since, state.not_before = now.timestamp(), now.timestamp() - 600
    project.cursor = state.model_dump_json()
    assert project.look().startswith("1 runs looked at")
    assert len(hook.told) == 1
    assert project.look().startswith("0 runs looked at")


def test_more_runs_at_once_than_are_remembered_are_looked_at_once_each() -> None:
    state = Alerts.starting(0.0)
    moments = {f"run {place}": 1_000 + place / 100 for place in range(2 * RUNS_REMEMBERED)}
    looked: list[str] = []
    for _ in range(2 * RUNS_REMEMBERED // 50 + 1):
        listed = [run for run, moment in moments.items() if moment > state.after][: 50 + state.listed_again()]
        looked += [run for run in listed if state.is_new(run, moments[run])]
    assert looked == list(moments)


def test_runs_of_other_projects_are_nobodys_business_here(project: Project, hook: Webhook) -> None:
    @dg.op
    def breaks() -> None:
        raise dg.Failure("not ours")

    @dg.job
    def somebody_elses() -> None:
        breaks()

    somebody_elses.execute_in_process(instance=project.instance, raise_on_error=False)
    project.look()
    assert hook.told == []


def taken(*runs: tuple[str, Sequence[Finding]]) -> list[str]:
    state = Alerts(since=0.0)
    for place, (job, findings) in enumerate(runs):
        ended = Ended(f"run {place}", job, float(place), failed=any(each.sentence for each in findings))
        state.take(ended, findings, ["webhook"], "link")
    return [f"{message.title}: {message.text}" for message in state.waiting]


def test_a_sentence_that_differs_in_counts_only_is_no_news_and_another_one_is() -> None:
    def refused(sentence: str) -> tuple[str, list[Finding]]:
        return "sync_salesforce", [Finding("stage", "salesforce/writeback", sentence)]

    told = taken(
        refused("Nothing was written: 812 newly retired. Run `ringtrue approve a12bcd34`."),
        refused("Nothing was written: 844 newly retired. Run `ringtrue approve f00fa9b1`."),
        refused("The day's API calls are used up."),
    )
    assert len(told) == 2
    assert "used up" in told[1]


def test_one_message_a_run_and_not_longer_than_can_be_read() -> None:
    many = [
        Finding("stage", f"stage_{place}", f"broken in way {'abcdefghijklmnopqrst'[place]} " * 200)
        for place in range(20)
    ]
    [told] = taken(("sync_files", many))
    assert "And 8 more." in told
    assert len(told) < 14_000
    assert max(len(line) for line in told.splitlines()) < 1_100


def test_what_is_wrong_with_a_way_is_one_sentence(hook: Webhook, mail: MailServer) -> None:
    def tell(way: str, settings: AlertsSettings, **environment: str) -> None:
        ways(settings, environment)[way]("title\nBcc: everybody@example.com", "text")

    named = AlertsSettings(webhook_variable="HOOK")
    with pytest.raises(SettingsError, match="Set HOOK"):
        tell("webhook", named)
    with pytest.raises(SettingsError, match="must hold an https address"):
        tell("webhook", named, HOOK="http://hooks.example.com/secret")
    assert unusable(named, {"HOOK": hook.address + "\n"}) == []
    assert unusable(named, {"HOOK": "https://hooks.example.com/\x07"}) == ["HOOK must hold an https address."]
    with pytest.raises(HostUnreachable):
        tell("webhook", named, HOOK="http://127.0.0.1:9/hook-secret")
    login = {"RINGTRUE_SMTP_PASSWORD": "wrong"}
    with pytest.raises(CredentialRefused, match=r"refused the login of ringtrue\. Check RINGTRUE_SMTP_PASSWORD"):
        tell("email", AlertsSettings(email=by_mail(mail)), **login)
    with pytest.raises(SettingsError, match="Set RINGTRUE_SMTP_PASSWORD"):
        tell("email", AlertsSettings(email=by_mail(mail)))
    with pytest.raises(StopRun, match="no certificate that can be trusted"):
        tell("email", AlertsSettings(email=by_mail(mail, ca_file=None)), **login)
    with pytest.raises(HostUnreachable, match="cannot be reached"):
        tell("email", AlertsSettings(email=by_mail(mail, port=9)), **login)
    mail.refusals = ["552 too much for one message", "451 later"]
    with pytest.raises(RecordRefused, match="552 too much"):
        tell("email", AlertsSettings(email=by_mail(mail)), RINGTRUE_SMTP_PASSWORD=PASSWORD)
    with pytest.raises(ServiceUnavailable, match="451 later"):
        tell("email", AlertsSettings(email=by_mail(mail)), RINGTRUE_SMTP_PASSWORD=PASSWORD)
    tell("email", AlertsSettings(email=by_mail(mail)), RINGTRUE_SMTP_PASSWORD=PASSWORD)
    [(recipients, message)] = mail.taken
    assert message["Bcc"] is None
    assert "everybody@example.com" not in recipients


def test_a_long_text_is_cut_to_what_a_webhook_takes_and_keeps_its_link(hook: Webhook) -> None:
    lines = [*("long sentence " * 70 for _ in range(12)), "short", "https://dagster.example.com/runs/1"]
    ways(AlertsSettings(webhook_variable="HOOK"), {"HOOK": hook.address})["webhook"]("title", "\n".join(lines))
    [told] = hook.told
    assert len(told) < LONGEST_POST + 20
    assert told.splitlines()[-2:] == lines[-2:]


def test_no_text_can_call_the_whole_channel(hook: Webhook) -> None:
    ways(AlertsSettings(webhook_variable="HOOK"), {"HOOK": hook.address})["webhook"]("a & b", "<!channel> read this")
    assert hook.told == ["*a &amp; b*\n&lt;!channel&gt; read this"]


def test_a_mail_server_elsewhere_is_never_spoken_to_in_clear() -> None:
    with pytest.raises(ValueError, match="on this machine"):
        EmailSettings(to=("oncall@example.com",), host="mail.example.com", encryption="none")
