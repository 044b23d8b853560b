"""The stages down to the lookups called one by one, without Dagster; as a program, a lookups run that can be killed."""

from __future__ import annotations

import sys

from assets.contacts import PullConfig, pull
from assets.lookups import LookupsConfig, Outcome, run
from assets.opt_outs import OptOutsConfig
from assets.opt_outs import run as run_opt_outs
from assets.phones import PhonesConfig
from assets.phones import run as run_phones
from connectors.resources import connect, open_ledger
from ringtrue.settings import Settings, load_settings


def take_in(settings: Settings, name: str) -> None:
    """Everything above the lookups, for one CRM."""
    crm = connect(name, settings.connections[name])
    ledger = open_ledger(settings)
    try:
        pull(ledger, crm, settings, name, PullConfig())
        run_phones(ledger, settings, PhonesConfig())
        run_opt_outs(ledger, settings, OptOutsConfig())
    finally:
        ledger.close()
        crm.close()


def ask(settings: Settings, run_id: str, *, over: frozenset[str] = frozenset(), full: bool = False) -> Outcome:
    """One run of the lookups. `over` names runs that are known to have ended."""
    ledger = open_ledger(settings)
    try:
        return run(ledger, settings, LookupsConfig(full=full), run_id, run_id, over.__contains__)
    finally:
        ledger.close()


if __name__ == "__main__":
    chosen = load_settings()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    ask(chosen, sys.argv[1])
