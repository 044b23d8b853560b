"""`ringtrue consent`: who agreed to be called or texted, with evidence."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from app.console import out, print_json
from app.suppress import AsJson, By, Region, one_number, opened
from assets.stage import now_ms
from ringtrue.errors import SettingsError
from ringtrue.ledger import consents
from ringtrue.ledger.consents import Channel, Consent

consent = typer.Typer(help="Record consents to call or to text.", no_args_is_help=True)


@consent.command("add")
def add(
    number: Annotated[str, typer.Argument(help="The number.")],
    channel: Annotated[str, typer.Option(help="call or sms.")],
    by: By,
    evidence: Annotated[
        str, typer.Option(help="Who agreed, when, to what text, and where that is kept.", prompt="Evidence")
    ],
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Record a consent. It does not lift a suppression: `ringtrue suppress reconsent` does, with a second person."""
    _record("given", number, channel, by, evidence, region, as_json)


@consent.command("withdraw")
def withdraw(
    number: Annotated[str, typer.Argument(help="The number.")],
    channel: Annotated[str, typer.Option(help="call or sms.")],
    by: By,
    evidence: Annotated[str, typer.Option(help="Who withdrew it, when and how.", prompt="Evidence")],
    region: Region = "US",
    as_json: AsJson = False,
) -> None:
    """Record that a consent was withdrawn."""
    _record("withdrawn", number, channel, by, evidence, region, as_json)


def _record(
    kind: Literal["given", "withdrawn"], number: str, channel: str, by: str, evidence: str, region: str, as_json: bool
) -> None:
    if channel not in ("call", "sms"):
        raise SettingsError(f"channel must be call or sms, not {channel!r}.")
    if not evidence.strip():
        raise SettingsError("A consent needs its evidence: who, when, to what text, and where that is kept.")
    chosen: Channel = "sms" if channel == "sms" else "call"
    e164 = one_number(number, region)
    now = now_ms()
    with opened() as (_, ledger), ledger.write() as book:
        consents.add(book, ledger.key, [Consent(kind, chosen, e164, "manual", evidence, by, now)], now)
    if as_json:
        print_json({"number": e164, "channel": channel, "consent": kind})
    else:
        out.print(f"The consent to {channel} is on record as {kind}.")
