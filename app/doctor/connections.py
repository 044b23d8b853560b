"""Each connection: credentials, version, allowance, fields, clock, and what listens to the fields we write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.doctor.finding import Finding, joined
from app.wanted import wanted_feedback, wanted_fields
from assets.files import lists_in
from connectors.crm import Crm
from connectors.listening import Listener
from connectors.resources import connect, target_of
from ringtrue.errors import FieldMissing, HostUnreachable, RingTrueError
from ringtrue.fields import own_fields
from ringtrue.ledger import Ledger, inbox
from ringtrue.settings import Connection, Settings

CLOCK_WARNING, CLOCK_WRONG = 30.0, 240.0
"""Seconds of skew. Signed logins and webhooks are refused from five minutes on."""


def files(name: str, connection: Connection) -> Iterator[Finding]:
    """A folder of lists."""
    folder = Path(connection.folder)
    if not folder.is_dir():
        said = f"There is no folder {folder.resolve()}: nothing is imported."
        yield Finding(name, "folder", "warning", said, f"Make it, or correct folder under [connections.{name}].")
        return
    yield Finding(name, "folder", "ok", f"{folder.resolve()}: {len(lists_in(folder))} lists")


def crm(name: str, connection: Connection, settings: Settings, ledger: Ledger | None) -> Iterator[Finding]:
    """A CRM. What follows the login is looked at only when it worked."""
    target = target_of(name, connection)
    opened = connect(name, connection, soon=True)
    try:
        try:
            identity = opened.identity()
        except HostUnreachable:
            if target.live:
                raise
            todo = f"Start `ringtrue sandbox`, or set {' and '.join(target.missing)} for the real one."
            yield Finding(
                name, "credentials", "wrong", f"The sandbox does not answer at {connection.sandbox_url}.", todo
            )
            return
        where = "" if target.live else f" of the sandbox: {' and '.join(target.missing)} are not set"
        yield Finding(name, "credentials", "ok", f"logged in to {identity}{where}")
        yield from _same_org(name, identity, ledger)
        yield _gate(name, connection, live=target.live)
        yield _version(name, connection)
        yield from _fields(opened, name, connection, settings)
        yield from _listeners(opened, name, connection)
        yield _allowance(opened, name, connection)
        yield _clock(opened, name)
    finally:
        opened.close()


def _same_org(name: str, identity: str, ledger: Ledger | None) -> Iterator[Finding]:
    if ledger is None:
        return
    with ledger.read() as book:
        known = inbox.identities(book, [name]).get(name)
    if known is not None and known != identity:
        yield Finding(
            name,
            "same org",
            "wrong",
            f"The ledger knows this connection as {known}.",
            "Use the credentials of that org, or another ledger: records of two orgs would be mixed.",
        )


def _gate(name: str, connection: Connection, *, live: bool) -> Finding:
    if not live:
        return Finding(name, "writing", "ok", "open: the sandbox always is")
    if connection.enabled:
        return Finding(name, "writing", "ok", "open")
    return Finding(
        name, "writing", "ok", f"closed: changes are previewed only, until enabled = true under [connections.{name}]"
    )


def _version(name: str, connection: Connection) -> Finding:
    if connection.kind == "salesforce":
        if connection.auth == "password":
            return Finding(
                name,
                "API",
                "warning",
                f"version {connection.api_version}, by password login, which Salesforce ends in summer 2027",
                'Change to auth = "client_credentials" (docs/connect-salesforce.md).',
            )
        return Finding(name, "API", "ok", f"version {connection.api_version}")
    if connection.paths == "v3":
        return Finding(
            name, "API", "ok", 'numbered paths, until September 2027; paths = "2026-09" switches to the dated ones'
        )
    return Finding(name, "API", "ok", f"paths of {connection.paths}")


def _fields(opened: Crm, name: str, connection: Connection, settings: Settings) -> Iterator[Finding]:
    missing: list[str] = []
    closed: list[str] = []
    wanted = wanted_fields(opened, connection, settings.policy.language)
    feedback = wanted_feedback(connection) if name in settings.source_quality.feedback else []
    ours = {(field.object_name, field.name) for field in wanted}
    for object_name in opened.objects:
        ours |= {(object_name, field) for field in _guarded(opened, object_name, connection)}
    ours |= {(field.object_name, field.name) for field in feedback if field.object_name in opened.objects}
    for object_name, field in sorted(ours):
        info = opened.describe(object_name).get(field)
        if info is None:
            missing.append(f"{object_name}.{field}")
        elif not info.writable:
            closed.append(f"{object_name}.{field}")
    if missing:
        yield Finding(
            name,
            "fields",
            "wrong",
            f"{len(missing)} of {len(ours)} are missing or hidden: {joined(missing)}.",
            f"Run `ringtrue prepare {name}`; if they are there, let our user see them (field-level security).",
        )
    if closed:
        yield Finding(
            name,
            "fields",
            "wrong",
            f"Our user may not write {joined(closed)}.",
            "Give it edit access to them (Salesforce: permission set RingTrue_Integration).",
        )
    if not missing and not closed:
        yield Finding(name, "fields", "ok", f"{len(ours)} fields are there and may be written")


def _guarded(opened: Crm, object_name: str, connection: Connection) -> list[str]:
    """Fields of other people that we write: the do-not-call flag, and in mode `replace` the phone fields."""
    assert connection.kind != "files"  # noqa: S101 callers pass CRMs only
    phones = connection.phones.get(object_name) or opened.available_fields(object_name).phones
    flag = own_fields(connection.kind, phones, connection.do_not_call_property).do_not_call
    return [flag, *(phones if connection.mode == "replace" else ())]


def _listeners(opened: Crm, name: str, connection: Connection) -> Iterator[Finding]:
    assert connection.kind != "files"  # noqa: S101 callers pass CRMs only
    fields: dict[str, list[str]] = {}
    for object_name in opened.objects:
        try:
            phones = connection.phones.get(object_name) or opened.available_fields(object_name).phones
        except FieldMissing:
            phones = ()
        own = list(own_fields(connection.kind, phones, connection.do_not_call_property).names())
        fields[object_name] = [*own, *(phones if connection.mode == "replace" else ())]
    try:
        found = opened.listening(fields)
    except RingTrueError as error:
        yield Finding(
            name,
            "automation",
            "warning",
            f"It cannot be told what listens to our fields: {error}",
            "Ask the CRM's admin before the first write.",
        )
        return
    for one in found.listeners:
        yield Finding(
            name,
            "automation",
            "warning",
            _listens(one),
            "Look at it before the first write: it runs for every record we change.",
        )
    if found.unseen:
        right = 'the right "View Setup and Configuration"' if opened.kind == "salesforce" else "the scope automation"
        yield Finding(
            name,
            "automation",
            "warning",
            f"Our user may not see {' and '.join(found.unseen)}.",
            f"Give it {right} while you look, or ask the admin what runs on updates.",
        )
    elif not found.listeners:
        yield Finding(name, "automation", "ok", "nothing listens to the fields we write")


def _listens(one: Listener) -> str:
    said = f"{one.kind} {one.name!r} on {one.object_name}"
    if one.fields:
        return f"{said} names {joined(one.fields)}."
    return f"{said} runs at every update" + ("." if one.read else "; its definition is hidden.")


def _allowance(opened: Crm, name: str, connection: Connection) -> Finding:
    used, allowed = opened.usage.used_today, opened.usage.allowed_today
    if used is None or not allowed:
        return Finding(name, "allowance", "ok", "the service names no limit")
    said = f"{used:,} of {allowed:,} API calls of the day are used; our share ends at {connection.allowance_share:.0%}"
    if used >= allowed * connection.allowance_share:
        return Finding(name, "allowance", "wrong", said, "Run later, or raise allowance_share in ringtrue.toml.")
    if used >= allowed * connection.allowance_share * 0.9:
        return Finding(
            name, "allowance", "warning", said, "Runs may stop today: run less often, or raise allowance_share."
        )
    return Finding(name, "allowance", "ok", said)


def _clock(opened: Crm, name: str) -> Finding:
    skew = opened.clock_skew()
    said = (
        "the same as the service's"
        if abs(skew) < 1
        else f"{abs(skew):.0f} seconds {'behind' if skew > 0 else 'ahead of'} the service's"
    )
    if abs(skew) > CLOCK_WRONG:
        return Finding(
            name,
            "clock",
            "wrong",
            said,
            "Set this machine's clock (NTP): signed logins are refused from five minutes on.",
        )
    if abs(skew) > CLOCK_WARNING:
        return Finding(name, "clock", "warning", said, "Set this machine's clock (NTP).")
    return Finding(name, "clock", "ok", said)
