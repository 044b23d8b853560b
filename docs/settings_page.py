"""Writes docs/settings.md from the settings themselves: names, defaults and words are those of the code. `make docs` renews the page."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ringtrue.lookup_settings import ServiceSettings
from ringtrue.policy import Policy
from ringtrue.settings import Settings

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

`ringtrue.toml` is the one settings file. It is read at every run; `RINGTRUE_SETTINGS` names another file. It holds no secrets: those stand in the
environment, and settings that end in `_variable` name the variable. A misspelt name or an impossible value is refused with a sentence that names it.

This page is written by `make docs` from the code that reads the file. A setting that is not in the file has the default shown.
"""

WORDS = {
    "Connection.campaigns": "Ids of Salesforce campaigns whose members are dialled.",
    "Connection.email_preferences_per_run": "Most contacts whose preferences one run asks for: each is a request.",
    "Policy.alive_from": "Active from this P(no subscriber) down.",
    "Policy.strongest_dead": "Most that one observation may say against a number, as log likelihood ratio.",
    "Policy.strongest_alive": "Most that one observation may say for a number.",
    "Policy.rule_confidence": "Rule mode: the confidence shown.",
    "Policy.suspended_recheck_days": "A suspended number is asked again this soon.",
    "Policy.no_answer_attempts": "Unanswered attempts that `no_answer` needs.",
    "Policy.no_answer_span_days": "Days they must span.",
    "Policy.no_answer_parts_of_day": "Different parts of the day they must fall in.",
    "Policy.no_answer_window_days": "Attempts older than this do not count.",
    "Policy.no_answer_expires_days": "`no_answer` is over this long after the last attempt.",
    "Policy.no_answer_evening": "Whether one attempt must have been in the evening.",
    "Policy.no_answer_weekend": "Whether one attempt must have been at a weekend.",
    "Policy.pick_up_a": "First parameter of the Beta prior of a live number's chance to be picked up.",
    "Policy.pick_up_b": "Second parameter; the two give the confidence of `no_answer`.",
    "Policy.wrong_person_confidence": "The confidence of `wrong_person`.",
    "Policy.hazard_landline": "Share of live landlines that lose their subscriber in a month.",
    "Policy.hazard_mobile": "The same for mobiles.",
    "Policy.hazard_business_direct": "The same for direct lines in companies.",
    "Policy.hazard_voip": "The same for VoIP numbers.",
    "Policy.hazard_unknown": "The same for numbers whose kind of line is not known.",
    "SourceQualitySettings.currency": "Currency of the costs.",
    "Connection.kind": "`salesforce`, `hubspot`, or `files` for a folder of lists.",
    "Connection.schedule": "When the connection's job runs (cron).",
    "Connection.timezone": "Time zone of the schedule.",
    "Connection.mode": "`separate_field`: E.164 goes to fields of its own. `replace`: a phone field that holds exactly one sure, valid number is rewritten as E.164.",
    "Connection.overlap_minutes": "How far back of the last pull the next one begins. Default: what the vendor's indexes need.",
    "Connection.auth": "How to log in to Salesforce: docs/connect-salesforce.md.",
    "Connection.domain": "The org's My Domain, such as `acme.my`; `login` or `test` for JWT and password logins.",
    "Connection.api_version": "Salesforce API version.",
    "Connection.paths": "HubSpot's paths: `v3`, or the date-versioned ones that replace it.",
    "Connection.folder": "Folder whose lists are imported.",
    "Connection.columns": 'What a column holds, by kind, where its heading does not tell: `{ phone = "Rufnummer" }`.',
    "LedgerSettings.url": "SQLAlchemy address of the database.",
    "GuardSettings.records_changed_share": "A plan that changes a larger share of a connection's records waits for approval.",
    "GuardSettings.newly_retired_share": "The same for records that become invalid, disconnected or wrong person.",
    "GuardSettings.newly_do_not_call_share": "The same for records that become do-not-call.",
    "GuardSettings.reversed_share": "The same for records that turn from dead to alive or back.",
    "GuardSettings.plan_hours": "An older plan is not written; `changes` has to run again.",
    "PolicySettings.mode": "`bayes` weighs signals; `rule` needs two hard signals and nothing else (docs/statuses.md).",
    "PolicySettings.language": "Language of the reason sentences and of labels in the CRMs.",
    "PolicySettings.registry_flags": "A registry listing flags the record when `any` of its numbers is listed, or when `all` callable ones are.",
    "WhySettings.url": "Address of the why page; without it the field in the CRM holds an opaque id.",
    "ReportSettings.folder": "Where reports are written.",
    "ReportSettings.schedule": "When the report is written (cron).",
    "ReportSettings.timezone": "Time zone of the schedule and of the report's dates.",
    "SourceRule.label": "What people call the source.",
    "SourceRule.match": "How its contacts are recognised: docs/lead-sources.md.",
    "RegistrySettings.kind": "Which registry's files these are: docs/do-not-call.md.",
    "DialingSettings.folder": "Where the dialling lists are written.",
    "DialingSettings.schedule": "When they are written (cron).",
    "DialingSettings.countries": "Changes to the lawful calling hours by country, in the words of ringtrue/data/calling.",
    "ServiceSettings.enabled": "Whether the real service is asked. Its stand-in is asked while every CRM is the sandbox.",
    "ServiceSettings.budget": "Most that may be spent in a `run`, a `day`, a `month`, in the service's currency: `{ run = 60, month = 600 }`.",
    "ServiceSettings.secrets": "Environment variables of the service's secrets, where they differ from the usual ones.",
    "ServiceSettings.rate_per_second": "Most questions a second. Default: what the service allows.",
    "ServiceSettings.concurrency": "Most questions at the same time. Default: the service's own.",
    "ServiceSettings.timeout_seconds": "How long to wait for an answer.",
    "CadenceSettings.mode": "`worth`: a number is asked again when that is worth its price. `fixed`: at fixed intervals (docs/costs.md).",
    "CadenceSettings.cost_per_attempt": "What one call to a dead number costs, in US dollars.",
    "CadenceSettings.min_days": "Never asked again sooner.",
    "CadenceSettings.max_days": "Asked again at the latest.",
    "CadenceSettings.jitter": "Share by which dates are spread, so that an import does not come due on one day.",
    "CadenceSettings.fixed_days": "Days by kind of line, in mode `fixed`.",
    "CadenceSettings.default_days": "Days for other kinds of lines, in mode `fixed`.",
    "KeySettings.variable": "Environment variable that holds the key.",
    "KeySettings.may": "What the key opens: `check`, `calls`, `suppressed`.",
    "KeySettings.rate_per_second": "Requests a second.",
    "KeySettings.burst": "Requests at once.",
    "HubspotHook.connection": "The connection whose portal sends.",
    "OidcSettings.issuer": "Address of the identity provider.",
    "OidcSettings.client_id": "Id of the application there.",
    "OidcSettings.secret_variable": "Environment variable with the application's secret.",
    "OidcSettings.scope": "What is asked of the provider.",
    "SignInSettings.oidc": "Sign-in with the company's own accounts.",
    "SignInSettings.session_hours": "How long a sign-in lasts.",
    "ServeSettings.host": "Address to listen on.",
    "ServeSettings.port": "Port to listen on.",
    "ServeSettings.body_bytes": "Largest request taken.",
    "ServeSettings.visitor_per_second": "Requests a second of one address behind a public key, and of tries to sign in.",
    "ServeSettings.keys": "Who may ask.",
    "ServeSettings.hubspot": "Webhooks of HubSpot.",
    "ServeSettings.salesforce": "Outbound messages of Salesforce.",
    "ServeSettings.twilio": "Messages of Twilio.",
    "ServeSettings.vonage": "Answers of Vonage.",
    "ServeSettings.sign_in": "Who may open the why page.",
    "Policy.mode": "See above.",
    "Policy.language": "See above.",
    "Policy.registry_flags": "See above.",
}
"""Words for settings whose code says enough to its reader, but not to this page's."""


def settings() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of the file as (TOML table, model), in the order of the file."""
    yield from _tables("", Settings)


def _tables(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    if path:
        yield path, model
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        if inner is not None:
            many = get_origin(field.annotation) is dict
            place = f"{path}.{name}" if path else name
            yield from _tables(f"{place}.<name>" if many else place, inner)
    if path == "lookups":
        yield from _tables("lookups.<service>", ServiceSettings)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a setting holds, or holds many of by name; None for a plain value or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation.__name__ != "Budget":
        return annotation
    if get_origin(annotation) is tuple:
        return None
    return next((found for one in get_args(annotation) if (found := _model_of(one)) is not None), None)


def docstrings(cls: type) -> dict[str, str]:
    """The sentence below each attribute of a class, its bases included."""
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        if not one.__module__.startswith("ringtrue."):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        assert isinstance(body, ast.ClassDef)  # noqa: S101 the source of a class is a class
        for item, following in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(item, ast.AnnAssign)
                and isinstance(item.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                found[item.target.id] = " ".join(following.value.value.split())
    return found


def words_of(cls: type, name: str) -> str:
    """What the page says about one setting."""
    return WORDS.get(f"{cls.__name__}.{name}") or docstrings(cls).get(name, "")


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "(must be set)"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{list(value)}`".replace("'", '"') if value else "none"
    if isinstance(value, str):
        return f'`"{value}"`' if value else "none"
    if isinstance(value, dict):
        return "none"
    return "none" if isinstance(value, BaseModel) else f"`{value}`"


def _row(cls: type, name: str, default: Any) -> str:
    text = words_of(cls, name).replace("|", "\\|")
    text = re.sub(r"(?<![\w/`\[])(docs/)([a-z-]+\.md)", r"[\2](\2)", text)
    return f"| `{name}` | {_default(default)} | {text} |"


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for path, model in settings():
        rows = []
        for name, field in model.model_fields.items():
            if _model_of(field.annotation) is not None:
                continue
            rows.append(_row(model, name, field.get_default(call_default_factory=True)))
        if rows:
            summary = " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split())
            summary = re.sub(r"^`\[[^]]*\]`[^:]*: (.)", lambda found: found[1].upper(), summary)
            parts.append(
                f"## `[{path}]`\n\n{summary}\n\n| setting | default | meaning |\n|---|---|---|\n"
                + "\n".join(rows)
                + "\n"
            )
        if path == "policy":
            parts.append(_policy())
    return "\n".join(parts)


def _policy() -> str:
    """Every threshold of the decision, which [policy] may set too."""
    shown = [name for name in Policy.__dataclass_fields__ if not WORDS.get(f"Policy.{name}")]
    rows = [_row(Policy, name, Policy.__dataclass_fields__[name].default) for name in shown]
    return (
        "### Thresholds of the decision\n\nMay stand under `[policy]` too. `ringtrue replay` shows what a change would do before it is made.\n\n"
        "| setting | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is written.\n")


if __name__ == "__main__":
    main()
