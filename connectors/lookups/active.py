"""Which lookup services a run asks: real ones for real CRMs, stand-ins for the sandbox, never a mixture.

A stand-in's answers are made up: they must not decide about real people's numbers. And made-up numbers are not sent to real services.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.lookups import available
from connectors.lookups.protocol import Kind
from connectors.resources import target_of
from ringtrue.errors import SettingsError
from ringtrue.lookup_settings import LookupsSettings, ServiceSettings
from ringtrue.lookup_words import word_table
from ringtrue.settings import Settings


@dataclass(frozen=True)
class Active:
    """The lookup settings in force, and the environment that secrets are read from."""

    settings: LookupsSettings
    environ: Mapping[str, str]
    sandbox: bool


def at_sandbox(settings: Settings) -> bool:
    """Whether every CRM of the settings is the sandbox. Without a CRM there is none: files hold real people."""
    crms = [(name, each) for name, each in settings.connections.items() if each.kind != "files"]
    return bool(crms) and not any(target_of(name, each).live for name, each in crms)


def active(settings: Settings, environ: Mapping[str, str] | None = None) -> Active:
    """The services in force. At the sandbox every service with a `sandbox_url` is on, as its stand-in; elsewhere those with `enabled = true`.

    Raises SettingsError, with what to do, where a real CRM and a stand-in, or a CRM of the sandbox and a real service, would come together.
    """
    environ = os.environ if environ is None else environ
    named = settings.lookups.services
    if at_sandbox(settings):
        for name, service in named.items():
            if service.enabled and not service.sandbox_url and secrets_of(name, service):
                raise SettingsError(
                    f"The CRMs are the sandbox's, but the lookup service {name} is a real one: made-up numbers would be sent to it. Give it a "
                    f"sandbox_url, or set enabled = false under [lookups.{name}]."
                )
        standing_in = {
            name: service.model_copy(update={"enabled": service.enabled or service.sandbox_url is not None})
            for name, service in named.items()
        }
        return Active(settings.lookups.model_copy(update=standing_in), {}, sandbox=True)
    for name, service in named.items():
        if service.enabled and service.sandbox_url and not any(map(environ.get, secrets_of(name, service))):
            raise SettingsError(
                f"The CRMs are real, but the lookup service {name} is only a stand-in, whose answers are made up. Set "
                f"{' and '.join(secrets_of(name, service))} in the environment, or set enabled = false under [lookups.{name}]."
            )
    real = {name: service.model_copy(update={"sandbox_url": None}) for name, service in named.items()}
    switched_on = [name for name, service in real.items() if service.enabled and secrets_of(name, service)]
    for name, connection in settings.connections.items():
        if switched_on and connection.kind != "files" and not target_of(name, connection).live:
            raise SettingsError(
                f"Connection {name!r} is the sandbox's, but the lookup service {switched_on[0]} is a real one. Give the connection its credentials, "
                f"or take [connections.{name}] out of ringtrue.toml."
            )
    return Active(settings.lookups.model_copy(update=real), environ, sandbox=False)


def secrets_of(name: str, service: ServiceSettings) -> tuple[str, ...]:
    """Environment variables that hold a service's secrets; none for a service without an interface."""
    if name not in available():
        return ()
    module = importlib.import_module(f"connectors.lookups.{name}")
    needed = module.secrets_for(service) if hasattr(module, "secrets_for") else getattr(module, "SECRETS", {})
    return tuple({**needed, **service.secrets}.values())


def kinds_of(name: str, service: ServiceSettings) -> frozenset[Kind]:
    """What a service can be asked with the products the settings choose."""
    if name not in available():
        return frozenset()
    module = importlib.import_module(f"connectors.lookups.{name}")
    if not hasattr(module, "PRODUCTS"):
        return frozenset(module.read_kinds(service))
    chosen = [product for product in module.PRODUCTS if not service.products or product.name in service.products]
    return frozenset(kind for product in chosen for kind in product.kinds)


def suspension_seen_in(settings: Settings) -> frozenset[str] | None:
    """Regions in which a switched-on service tells suspended lines from others; None for everywhere. Answer files that a person carries do not count."""
    seen: set[str] = set()
    for name, service in active(settings).settings.enabled.items():
        if not secrets_of(name, service):
            continue
        words = word_table(name).words.values()
        if not any(meaning.outcome == "lookup_suspended" for field in words for meaning in field.values()):
            continue
        module = importlib.import_module(f"connectors.lookups.{name}")
        regions = set(service.regions).union(*(product.regions for product in getattr(module, "PRODUCTS", ())))
        if not regions:
            return None
        seen |= regions - set(service.never_regions)
    return frozenset(seen)


def emails_are_checked(settings: Settings) -> bool:
    """Whether a service is switched on that tells good e-mail addresses from bad ones: then only good ones are suggested."""
    return any("email" in kinds_of(name, service) for name, service in active(settings).settings.enabled.items())
