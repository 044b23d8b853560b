"""Reads `ringtrue.toml`, the one settings file. It holds no secrets: those come from the environment alone."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ringtrue.alert_settings import AlertsSettings
from ringtrue.backup_settings import BackupSettings
from ringtrue.errors import SettingsError
from ringtrue.lookup_settings import LookupsSettings
from ringtrue.openlineage import OpenLineageSettings
from ringtrue.registry_settings import DialingSettings, RegistrySettings
from ringtrue.schedule_settings import RetentionSettings, SchedulesSettings
from ringtrue.serve_settings import ServeSettings
from ringtrue.source_settings import SourceQualitySettings, SourceRule, SourceSlug, check_sources

SETTINGS_VARIABLE = "RINGTRUE_SETTINGS"
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
RESERVED_CONNECTIONS = frozenset(
    {"lead_source", "phones", "status", "suppressions", "opt_outs", "report", "registries", "lookups", "other"}
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerSettings(_Part):
    """Where the ledger lives: SQLite by default, PostgreSQL by one address."""

    url: str = "sqlite:///data/ledger.db"
    password_variable: str | None = None
    """Environment variable with the database password, so that the address can stand in the file."""


class Connection(_Part):
    """One CRM org, portal or folder of files."""

    kind: Literal["salesforce", "hubspot", "files"]
    enabled: bool = False
    """The gate for writing. A connection that points at the sandbox is always open."""
    sandbox_url: str | None = None
    """Used as long as the connection's credentials are not in the environment."""
    schedule: str = "0 * * * *"
    timezone: str = "UTC"
    default_region: str = "US"
    """Region of a number when neither the number nor the record says."""
    mode: Literal["separate_field", "replace"] = "separate_field"
    phones: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Phone fields by object, where the standard ones are not enough. Replaces the standard list of that object."""
    do_not_call: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Fields by object that mean "do not call" when true, besides the standard one."""
    campaigns: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    """Dialling lists: ids of Salesforce campaigns, of HubSpot lists."""
    remove_from_lists: bool = False
    """Whether people who may not or cannot be called are taken off those lists."""
    email_preferences: bool = False
    """Whether HubSpot's communication preferences are read, so that nobody who opted out of e-mail is suggested for it."""
    email_preferences_per_run: int = Field(default=500, ge=1)
    email_opt_out: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Fields by object that mean "no e-mail" when true, besides the standard one."""
    allowance_share: float = Field(default=0.8, gt=0, le=1)
    """Share of the service's daily API allowance that a day's runs may use."""
    overlap_minutes: float | None = Field(default=None, ge=0)
    bulk_from: int = Field(default=5_000, ge=1)
    """From this many records on, Salesforce is read and written by Bulk API jobs."""
    approve_first: bool = True
    """Whether the first enabled run waits for `ringtrue approve`."""
    # Salesforce
    auth: Literal["client_credentials", "jwt", "password"] = "client_credentials"
    domain: str = "login"
    api_version: str = "64.0"
    # HubSpot
    paths: Literal["v3", "2026-09"] = "v3"
    do_not_call_property: str | None = None
    """An existing HubSpot property to use as the do-not-call flag instead of our own."""
    # files
    folder: str = "imports"
    calls_folder: str = "calls"
    """Folder of dialler exports (CSV, Excel)."""
    call_columns: dict[str, str] = Field(default_factory=dict)
    """Columns of the exports by what they hold (number, outcome, started_at, ...), where the layout is not recognised."""
    columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _region_is_a_code(self) -> Connection:
        if len(self.default_region) != 2 or not self.default_region.isalpha():
            raise ValueError(
                f"default_region must be a two-letter country code such as US, not {self.default_region!r}"
            )
        return self


class GuardSettings(_Part):
    """Limits past which a person decides before anything is written. Shares are of the connection's records."""

    records_changed_share: float = Field(default=0.25, gt=0, le=1)
    newly_retired_share: float = Field(default=0.10, gt=0, le=1)
    newly_do_not_call_share: float = Field(default=0.05, gt=0, le=1)
    reversed_share: float = Field(default=0.10, gt=0, le=1)
    small_plan: int = Field(default=100, ge=0)
    """Plans of at most this many records are never stopped for their share."""
    usual_days: int = Field(default=100, ge=1)
    """A plan is also compared with those that passed in so many days before: far more than usual waits for approval, even below the shares above."""
    usual_least_plans: int = Field(default=50, ge=3)
    """With fewer such plans only the shares count."""
    usual_chance: float = Field(default=1e-4, gt=0, lt=0.1)
    """How seldom a plan that is like the others may be stopped: 0.0001 is one in ten thousand."""
    plan_hours: float = Field(default=24, gt=0)


class PolicySettings(_Part):
    """How evidence becomes a decision. Anything `ringtrue.status.Policy` knows may be set under [policy]."""

    model_config = ConfigDict(extra="allow", frozen=True)

    mode: Literal["bayes", "rule"] = "bayes"
    language: Literal["en", "zh"] = "en"
    switchboard_people: int = Field(default=5, ge=1)
    """A number on more people than this is a switchboard: one person's opt-out does not silence it."""
    registry_flags: Literal["any", "all"] = "all"
    refresh_days: int = Field(default=30, ge=1)
    """Checked-at and reason text alone are rewritten only when they are this many days newer."""

    def extra(self) -> dict[str, Any]:
        """Policy values beyond the ones named here."""
        return dict(self.model_extra or {})


class WhySettings(_Part):
    """The page behind the link field: with an address the field holds a link, without one an opaque id."""

    url: str | None = None


class ReportSettings(_Part):
    """`[report]`: where the lead-source report and the refund packs are written."""

    folder: str = "data/reports"
    schedule: str = "0 6 * * *"
    timezone: str = "UTC"
    refund_packs: bool = True
    """Whether the report also writes the refund pack of each source whose leads cost money. The packs hold numbers in full; only the owner of the files reads them."""


class Settings(_Part):
    """All of `ringtrue.toml`."""

    ledger: LedgerSettings = LedgerSettings()
    connections: dict[Slug, Connection] = Field(default_factory=dict)
    policy: PolicySettings = PolicySettings()
    guard: GuardSettings = GuardSettings()
    why: WhySettings = WhySettings()
    sources: dict[SourceSlug, SourceRule] = Field(default_factory=dict)
    source_quality: SourceQualitySettings = SourceQualitySettings()
    report: ReportSettings = ReportSettings()
    openlineage: OpenLineageSettings = OpenLineageSettings()
    lookups: LookupsSettings = LookupsSettings()
    registries: dict[Slug, RegistrySettings] = Field(default_factory=dict)
    dialing_list: DialingSettings = DialingSettings()
    serve: ServeSettings = ServeSettings()
    backup: BackupSettings = BackupSettings()
    schedules: SchedulesSettings = SchedulesSettings()
    retention: RetentionSettings = RetentionSettings()
    alerts: AlertsSettings = AlertsSettings()

    @model_validator(mode="after")
    def _names_are_free(self) -> Settings:
        taken = RESERVED_CONNECTIONS & set(self.connections)
        if taken:
            raise ValueError(f"connection name {sorted(taken)[0]!r} is reserved; choose another name")
        check_sources(self.sources)
        for name in self.source_quality.feedback:
            if name not in self.connections or self.connections[name].kind == "files":
                raise ValueError(
                    f"[source_quality] feedback names {name!r}, which is no CRM connection; correct the name"
                )
        return self


def settings_path() -> Path:
    """The settings file in force: $RINGTRUE_SETTINGS, else `ringtrue.toml` in the working directory."""
    return Path(os.environ.get(SETTINGS_VARIABLE, "ringtrue.toml"))


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the settings file. Raises SettingsError with the line or the setting that is wrong."""
    path = path or settings_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"There is no settings file {path}. Run `ringtrue init`, or set {SETTINGS_VARIABLE} to the file's path."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read ({error}). It must be UTF-8 text.") from error
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}. Correct that place and try again.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = "there is no such setting; check its spelling"
        raise SettingsError(f"{path}: {where}: {reason[0].lower() + reason[1:]}.") from error
