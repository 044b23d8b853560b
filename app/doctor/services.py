"""Registries, lookup services, the entry service and alerts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from app.doctor.finding import Finding
from connectors.alerts import unusable
from connectors.lookups import open_services
from connectors.lookups.active import Active, active, secrets_of
from connectors.lookups.service import Surroundings
from ringtrue.errors import RingTrueError
from ringtrue.ledger import Ledger, registries, spend
from ringtrue.ledger.spend import MILLIONTHS
from ringtrue.masking import mask_text
from ringtrue.registry_freshness import DAY_MS
from ringtrue.settings import Settings

BUDGET_LOW = Decimal("0.1")


def registry_ages(settings: Settings, ledger: Ledger | None, now: int) -> Iterator[Finding]:
    """How old each registry is against what the law allows."""
    dates: dict[str, int] = {}
    if ledger is not None:
        with ledger.read() as book:
            for (name, _), part in registries.parts_in_force(book).items():
                dates[name] = min(part.list_date, dates.get(name, part.list_date))
    for name, registry in settings.registries.items():
        limit, dated = registry.legal_age_days, dates.get(name)
        effect = (
            f"nobody in {registry.country} is on the dialling list" if limit else "it keeps nobody from being called"
        )
        if dated is None:
            files = f"{len(registry.paths())} files wait" if registry.paths() else "there are no files yet"
            yield Finding(
                "registries",
                name,
                "wrong" if limit else "warning",
                f"It was never loaded ({files}): {effect}.",
                "Download it to its folder; the next sync loads it.",
            )
            continue
        age = (now - dated) / DAY_MS
        said = f"{age:.0f} days old" + (f"; at most {limit} are allowed" if limit else "")
        if limit and age > limit:
            yield Finding("registries", name, "wrong", f"{said}: {effect}.", "Download the present one to its folder.")
        elif limit and age > limit - registry.warn_days:
            yield Finding("registries", name, "warning", f"{said}.", "Download the present one in the next days.")
        else:
            yield Finding("registries", name, "ok", said)
    covered = {one.country for one in settings.registries.values()}
    bare = [country for country in settings.dialing_list.registries_required if country not in covered]
    if bare:
        yield Finding(
            "registries",
            ", ".join(bare),
            "warning",
            f"No registry is named for {', '.join(bare)}: nobody there is on the dialling list.",
            "Name one under [registries] (docs/do-not-call.md), or take the country out of registries_required.",
        )


def lookups(settings: Settings, ledger: Ledger | None) -> Iterator[Finding]:
    """Each lookup service: on or off, its key, its credit where asking is free, and what is left of its budget."""
    if not settings.lookups.services:
        yield Finding("lookups", "services", "ok", "none is named: nothing is spent")
        return
    chosen = active(settings)
    for name, service in settings.lookups.services.items():
        if not chosen.settings.services[name].enabled:
            yield Finding("lookups", name, "ok", "off")
            continue
        if chosen.sandbox:
            yield Finding("lookups", name, "ok", "on, as its stand-in")
            continue
        missing = [variable for variable in secrets_of(name, service) if not chosen.environ.get(variable)]
        if missing:
            yield Finding(
                "lookups",
                name,
                "wrong",
                f"{' and '.join(missing)} is not set.",
                f"Set it, or set enabled = false under [lookups.{name}].",
            )
            continue
        yield _budget(name, settings, ledger)
    if not chosen.sandbox:
        yield from asyncio.run(_credit(chosen))


def _budget(name: str, settings: Settings, ledger: Ledger | None) -> Finding:
    budget = settings.lookups.services[name].budget
    if budget.month is None:
        return Finding(
            "lookups",
            name,
            "ok" if budget.day or budget.run else "warning",
            "on; no budget for the month",
            "" if budget.day or budget.run else f"Set a budget under [lookups.{name}].",
        )
    month, spent = f"{datetime.now(UTC):%Y-%m}", Decimal(0)
    if ledger is not None:
        with ledger.read() as book:
            spent = sum(
                (
                    Decimal(one.cost) / MILLIONTHS
                    for one in spend.months(book, 1)
                    if (one.service, one.period) == (name, month)
                ),
                Decimal(0),
            )
    left = budget.month - spent
    said = f"on; {left:.2f} of {budget.month:.2f} are left this month"
    if left < budget.month * BUDGET_LOW:
        return Finding("lookups", name, "warning", said, "Raise the budget, or wait for the next month.")
    return Finding("lookups", name, "ok", said)


async def _credit(chosen: Active) -> list[Finding]:
    """What is left at the services that tell it for nothing."""
    found: list[Finding] = []
    services, left_out = open_services(
        chosen.settings, Surroundings(environ=chosen.environ, folder=Path(chosen.settings.folder))
    )
    found += [
        Finding("lookups", "services", "wrong", mask_text(said), "Correct that, or switch the service off.")
        for said in left_out
    ]
    for service in services:
        name = service.facts.name
        try:
            credits_left = getattr(service, "credits_left", None)
            if credits_left is not None:
                left = await credits_left()
                state = Finding("lookups", f"{name} credit", "ok", f"{left:,} left")
                found.append(
                    state
                    if left > 0
                    else state._replace(state="wrong", todo="Top the credit up, or switch the service off.")
                )
        except RingTrueError as error:
            said, _, todo = mask_text(str(error)).partition(". ")
            found.append(Finding("lookups", f"{name} credit", "wrong", f"{said}.", todo))
        finally:
            await service.close()
    return found


def entry(settings: Settings) -> Iterator[Finding]:
    """The entry service: keys in the environment, and an address that is safe."""
    serve = settings.serve
    hooks = {
        "HubSpot's webhooks": serve.hubspot.secret_variable if serve.hubspot else None,
        "Salesforce's messages": serve.salesforce.path_variable if serve.salesforce else None,
        "Twilio's callbacks": serve.twilio.token_variable if serve.twilio else None,
        "Vonage's callbacks": serve.vonage.path_variable if serve.vonage else None,
        "sign-in": serve.sign_in.oidc.secret_variable if serve.sign_in.oidc else None,
    }
    wanted = {
        **{f"key {name}": key.variable for name, key in serve.keys.items()},
        **{what: variable for what, variable in hooks.items() if variable},
    }
    if not wanted:
        yield Finding("entry service", "keys", "ok", "nobody may ask it yet ([serve.keys] names none)")
        return
    missing = {what: variable for what, variable in wanted.items() if not os.environ.get(variable)}
    for what, variable in missing.items():
        yield Finding(
            "entry service",
            what,
            "wrong",
            f"{variable} is not set: it is switched off.",
            f"Set {variable}, or take it out of [serve].",
        )
    if not missing:
        yield Finding("entry service", "keys", "ok", f"{len(wanted)} are set")
    if serve.public_url is None:
        outside = [what for what, variable in hooks.items() if variable]
        state: Finding = Finding("entry service", "address", "ok", "this machine only")
        if outside:
            state = Finding(
                "entry service",
                "address",
                "warning",
                f"{', '.join(outside)} come from outside, but public_url is not set.",
                "Set [serve] public_url to the https address of the proxy in front.",
            )
        yield state
    else:
        yield Finding("entry service", "address", "ok", f"{serve.public_url}, TLS by the proxy in front")


def alerts(settings: Settings) -> Iterator[Finding]:
    """Whether anybody is told when something fails."""
    told = settings.alerts
    variables = [told.webhook_variable] if told.webhook_variable else []
    if told.email.to and told.email.user:
        variables.append(told.email.password_variable)
    missing = [variable for variable in variables if not os.environ.get(variable)]
    if missing:
        yield Finding(
            "alerts",
            "secrets",
            "wrong",
            f"{' and '.join(missing)} is not set: nobody is told.",
            "Set it where Dagster's daemon runs.",
        )
    elif wrong := unusable(told):
        for sentence in wrong:
            said, _, todo = sentence.partition(". ")
            yield Finding("alerts", "secrets", "wrong", f"{said.rstrip('.')}.", todo or "Correct it; nobody is told.")
    elif not told.webhook_variable and not told.email.to:
        yield Finding(
            "alerts",
            "ways",
            "warning",
            "Nobody is told when a run fails.",
            "Name a webhook or e-mail recipients under [alerts].",
        )
    else:
        ways = [
            *(["webhook"] if told.webhook_variable else []),
            *([f"{len(told.email.to)} e-mail recipients"] if told.email.to else []),
        ]
        yield Finding("alerts", "ways", "ok", " and ".join(ways))
