"""The lookup stand-ins in a process of their own, and shorthand to talk to them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.lookups import open_services
from connectors.lookups.protocol import Answer, LookupService, Question
from connectors.lookups.service import Callbacks, Surroundings
from ringtrue.lookup_settings import LookupsSettings
from sandbox.world import World

ENVIRON = {
    "TWILIO_ACCOUNT_SID": "ACsandbox",
    "TWILIO_AUTH_TOKEN": "sandbox-token",
    "VONAGE_API_KEY": "sandbox-key",
    "VONAGE_API_SECRET": "sandbox-secret",
    "VONAGE_APPLICATION_ID": "sandbox-application",
    "MELISSA_LICENSE": "sandbox-license",
    "ZEROBOUNCE_API_KEY": "sandbox-key",
    "REALPHONEVALIDATION_TOKEN": "sandbox-token",
    "ALIBABA_ACCESS_KEY_ID": "sandbox-key",
    "ALIBABA_ACCESS_KEY_SECRET": "sandbox-secret",
    "ALIBABA_AUTH_CODE": "sandbox-code",
}
VENDORS = ("twilio", "vonage", "melissa", "zerobounce", "realphonevalidation", "alibaba")


@dataclass
class StandIns:
    """The running stand-ins, their world as the test sees it, and their back doors."""

    base: str
    world: World
    folder: Path
    http: httpx.Client

    def set(self, vendor: str, **settings: Any) -> None:
        """Change what a stand-in does."""
        self.http.post(f"{self.base}/{vendor}/__sandbox__/settings", json=settings).raise_for_status()

    def fault(self, vendor: str, kind: str, **options: Any) -> None:
        """Switch a wire fault on."""
        fault = {"op": "any", "kind": kind, **options}
        self.http.post(f"{self.base}/{vendor}/__sandbox__/faults", json=fault).raise_for_status()

    def billed(self, vendor: str) -> dict[str, int]:
        """How often each subject was charged."""
        told = self.http.get(f"{self.base}/{vendor}/__sandbox__/billed").json()
        return {subject: times for subject, times in told["by_subject"].items() if times}

    def requests(self, vendor: str) -> int:
        """Requests the vendor has seen."""
        return int(self.http.get(f"{self.base}/{vendor}/__sandbox__/stats").json()["requests"])

    def settings(self, **services: dict[str, Any]) -> LookupsSettings:
        """Settings in which these services are switched on and point here; other keys are passed on."""
        tables: dict[str, Any] = {}
        for name, options in services.items():
            at_home = {} if name == "roundtrip" else {"base_url": f"{self.base}/{name}"}
            tables[name] = {"enabled": True, **at_home, **options}
        return LookupsSettings.model_validate(tables)

    def open(
        self, settings: LookupsSettings, environ: dict[str, str] | None = None, callbacks: Callbacks | None = None
    ) -> list[LookupService]:
        """The services of these settings."""
        around = Surroundings(environ={**ENVIRON, **(environ or {})}, callbacks=callbacks, folder=self.folder)
        services, left_out = open_services(settings, around)
        assert not left_out
        return services

    def ask(
        self, name: str, *questions: Question, environ: dict[str, str] | None = None, **options: Any
    ) -> list[Answer]:
        """Ask one service directly, by its first product."""
        (service,) = self.open(self.settings(**{name: options}), environ)
        return asyncio.run(_ask(service, questions))

    def numbers(self, state: str, country: str, line_type: str | None = None, count: int = 5) -> list[str]:
        """Numbers of the world that are in a state now."""
        found: list[str] = []
        now = self.world.now_ms()
        for person in self.world.people():
            for digits in person.numbers.values():
                line = self.world.line(digits.e164)
                if line is None or line.country != country or line.state_at(now).state != state:
                    continue
                if (line_type is None or line.line_type == line_type) and digits.e164 not in found:
                    found.append(digits.e164)
            if len(found) >= count:
                return found[:count]
        raise AssertionError(f"The world has too few numbers that are {state} in {country}.")


async def _ask(service: LookupService, questions: Sequence[Question]) -> list[Answer]:
    offer = service.facts.offers[0]
    try:
        return [answer async for answer in service.ask(offer, questions)]
    finally:
        await service.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    """Started once for all lookup tests."""
    home = tmp_path_factory.mktemp("lookups")
    ports = home / "ports.json"
    command = [
        sys.executable,
        "-m",
        "sandbox.lookups",
        "--home",
        str(home),
        "--port",
        "0",
        "--ports-file",
        str(ports),
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not ports.exists():
            assert process.poll() is None, "the stand-ins did not start"
            assert time.monotonic() < deadline, "the stand-ins did not start in time"
            time.sleep(0.05)
        port = json.loads(ports.read_text())["lookups"]
        world = World(home / "world.db")
        with httpx.Client(trust_env=False, verify=False) as http:
            yield StandIns(f"http://127.0.0.1:{port}", world, home, http)
        world.close()
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def lookups(running: StandIns, tmp_path: Path) -> StandIns:
    """The stand-ins as at the start, without noise."""
    for vendor in VENDORS:
        running.http.delete(f"{running.base}/{vendor}/__sandbox__/settings")
        running.set(vendor, misses=0, slanders=0, abstains=0)
    return replace(running, folder=tmp_path)
