"""The stages of the main job called one by one, without Dagster, for tests that look between them."""

from __future__ import annotations

import os
import sys

from assets.contacts import PullConfig, pull
from assets.do_not_call import Delivered, deliver_flags
from assets.fresh_contacts import Read, check_fresh
from assets.opt_outs import OptOutsConfig
from assets.opt_outs import run as run_opt_outs
from assets.phones import PhonesConfig
from assets.phones import run as run_phones
from assets.planner import Planning, plan_changes
from assets.status import StatusConfig
from assets.status import run as run_status
from assets.writeback import Outcome, WritebackConfig, write_back
from connectors.resources import connect, open_ledger
from ringtrue.settings import Settings, load_settings


def plan(settings: Settings, name: str, run: str = "run", config: PullConfig | None = None) -> Planning:
    """Everything up to the sealed plan."""
    crm = connect(name, settings.connections[name])
    ledger = open_ledger(settings)
    try:
        pull(ledger, crm, settings, name, config or PullConfig())
        run_phones(ledger, settings, PhonesConfig())
        run_opt_outs(ledger, settings, OptOutsConfig())
        run_status(ledger, settings, StatusConfig())
        return plan_changes(ledger, settings, name, run)
    finally:
        ledger.close()
        crm.close()


def deliver(settings: Settings, name: str, run: str = "run", config: WritebackConfig | None = None) -> Outcome:
    """The write-back of the open plan."""
    crm = connect(name, settings.connections[name])
    ledger = open_ledger(settings)
    try:
        return write_back(ledger, crm, settings, name, run, run, config or WritebackConfig())
    finally:
        ledger.close()
        crm.close()


def flag(settings: Settings, name: str, run: str = "run") -> Delivered:
    """The delivery of do-not-call flags alone."""
    crm = connect(name, settings.connections[name])
    ledger = open_ledger(settings)
    try:
        return deliver_flags(ledger, crm, settings, name, run, run)
    finally:
        ledger.close()
        crm.close()


def fresh(settings: Settings, name: str, run: str = "run") -> Read:
    """The check of records that the CRM told of."""
    crm = connect(name, settings.connections[name])
    ledger = open_ledger(settings)
    try:
        return check_fresh(ledger, crm, settings, name, run, run)
    finally:
        ledger.close()
        crm.close()


def say(line: str) -> None:
    """Write a line for the test to read."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve() -> None:
    """Fork a child for each line, a connection's name: it says "ready" and its pid, waits for the word and writes back. Its end is told as well.

    A word before the name: "do-not-call" delivers the flags that wait and nothing else, "fresh" checks the records that the CRM told of.
    """
    for line in sys.stdin:
        child = os.fork()
        if not child:
            say(f"ready {os.getpid()}")
            sys.stdin.readline()
            {"do-not-call": flag, "fresh": fresh}.get(line.split()[0], deliver)(load_settings(), line.split()[-1])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    serve()
