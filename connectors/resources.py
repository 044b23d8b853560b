"""Thin Dagster shells around the connectors: one top-level resource per connection, so that one CRM's credentials never concern another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from connectors.crm import Crm
from connectors.http import RetryPolicy, Timeouts
from connectors.hubspot import OVERLAP, HubspotCrm
from connectors.hubspot_wire import POLICY, TIMEOUTS
from connectors.salesforce import SalesforceCrm, SalesforceSettings
from connectors.salesforce_auth import ClientCredentials, Credentials, JwtCredentials, PasswordCredentials
from connectors.salesforce_pull import PullSettings
from connectors.salesforce_session import Wire
from ringtrue.errors import LedgerError, SettingsError
from ringtrue.ledger import Ledger
from ringtrue.settings import Connection, Settings, load_settings

_SANDBOX_SALESFORCE = ClientCredentials("sandbox-key", "sandbox-secret", "acme.my")
_SANDBOX_HUBSPOT = "sandbox-token"
_SOON = RetryPolicy(
    attempts=2, first_wait_seconds=0.5, max_wait_seconds=2.0, total_seconds=10.0, unreachable_attempts=1
)
_BRIEFLY = Timeouts(connect_seconds=5.0, read_seconds=20.0)


class Target(NamedTuple):
    """Where a connection points: the real service, or the sandbox while no credentials are in the environment."""

    live: bool
    missing: tuple[str, ...]
    """Environment variables that would have to be set for the real service."""

    def writes(self, connection: Connection) -> bool:
        """The gate: the sandbox is always open, a real CRM once `enabled` is set."""
        return connection.enabled or not self.live


def variables(name: str, connection: Connection) -> tuple[str, ...]:
    """Environment variables that hold a connection's credentials."""
    prefix = name.upper()
    if connection.kind == "hubspot":
        return (f"{prefix}_TOKEN",)
    return {
        "client_credentials": (f"{prefix}_CONSUMER_KEY", f"{prefix}_CONSUMER_SECRET"),
        "jwt": (f"{prefix}_CONSUMER_KEY", f"{prefix}_USERNAME", f"{prefix}_PRIVATE_KEY_FILE"),
        "password": (f"{prefix}_USERNAME", f"{prefix}_PASSWORD", f"{prefix}_SECURITY_TOKEN"),
    }[connection.auth]


def target_of(name: str, connection: Connection) -> Target:
    """Where a connection points now."""
    if connection.kind == "files":
        return Target(live=True, missing=())
    missing = tuple(variable for variable in variables(name, connection) if not os.environ.get(variable))
    return Target(live=not missing or not connection.sandbox_url, missing=missing)


def _salesforce_credentials(name: str, connection: Connection) -> Credentials:
    values = [os.environ[variable] for variable in variables(name, connection)]
    if connection.auth == "client_credentials":
        return ClientCredentials(values[0], values[1], connection.domain)
    if connection.auth == "jwt":
        try:
            key = Path(values[2]).read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"The private key named by {name.upper()}_PRIVATE_KEY_FILE cannot be read: {error.strerror}."
            ) from error
        return JwtCredentials(values[0], values[1], key, connection.domain)
    return PasswordCredentials(values[0], values[1], values[2], connection.domain)


def _overlap(connection: Connection, usual: timedelta) -> timedelta:
    return usual if connection.overlap_minutes is None else timedelta(minutes=connection.overlap_minutes)


def _salesforce_settings(connection: Connection, *, soon: bool) -> SalesforceSettings:
    usual = PullSettings()
    overlap = _overlap(connection, timedelta(seconds=usual.overlap_seconds))
    wire = Wire(api_version=connection.api_version, stop_at_share=connection.allowance_share)
    return SalesforceSettings(
        wire=replace(wire, retry=_SOON, timeouts=_BRIEFLY) if soon else wire,
        pull=PullSettings(overlap_seconds=overlap.total_seconds(), bulk_from_rows=connection.bulk_from),
    )


def connect(name: str, connection: Connection, *, address: str | None = None, soon: bool = False) -> Crm:
    """Open a CRM connection with the credentials in the environment, or the sandbox without them.

    `address` is another one than the vendor's own. `soon`: a person waits, so give up after seconds. Raises SettingsError naming the variables to set.
    """
    target = target_of(name, connection)
    if target.live and target.missing:
        raise SettingsError(
            f"Connection {name!r} has no credentials: set {' and '.join(target.missing)} in the environment "
            "(see docs/connect-" + connection.kind + ".md)."
        )
    if connection.kind == "salesforce":
        return SalesforceCrm.connect(
            _salesforce_credentials(name, connection) if target.live else _SANDBOX_SALESFORCE,
            base_url=address if target.live else connection.sandbox_url,
            settings=_salesforce_settings(connection, soon=soon),
        )
    if connection.kind == "hubspot":
        return HubspotCrm.connect(
            os.environ[variables(name, connection)[0]] if target.live else _SANDBOX_HUBSPOT,
            base_url=address if target.live else connection.sandbox_url,
            policy=_SOON if soon else POLICY,
            timeouts=_BRIEFLY if soon else TIMEOUTS,
            paths=connection.paths,
            overlap=_overlap(connection, OVERLAP),
            daily_share=connection.allowance_share,
        )
    raise SettingsError(f"Connection {name!r} is a folder of files, not a CRM.")


def ledger_password(settings: Settings) -> str | None:
    """The password of the ledger's database, where the settings name a variable for it. Raises LedgerError."""
    if not settings.ledger.password_variable:
        return None
    password = os.environ.get(settings.ledger.password_variable)
    if not password:
        raise LedgerError(f"Set {settings.ledger.password_variable} to the password of the ledger's database.")
    return password


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger that the settings name."""
    return Ledger.open(settings.ledger.url, password=ledger_password(settings))


class CrmResource(dg.ConfigurableResource["CrmResource"]):
    """One CRM connection. The launchpad shows its name only; credentials are read from the environment when it is opened."""

    connection: str

    @contextmanager
    def open(self) -> Iterator[Crm]:
        """Connect, and give the connection back at the end."""
        crm = connect(self.connection, load_settings().connections[self.connection])
        try:
            yield crm
        finally:
            crm.close()


class LedgerResource(dg.ConfigurableResource["LedgerResource"]):
    """The ledger that `ringtrue.toml` names."""

    @contextmanager
    def open(self) -> Iterator[Ledger]:
        """Open (and migrate) the ledger, and close it at the end."""
        ledger = open_ledger(load_settings())
        try:
            yield ledger
        finally:
            ledger.close()
