"""One Salesforce org: its store, switches, schema, sessions and the day's API calls; and the base rows every org has."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, LifoQueue
from typing import Any, TypeVar

from sandbox.faults import Faults
from sandbox.salesforce_ids import organization_id, record_id
from sandbox.salesforce_schema import Schema
from sandbox.store import RecordStore

CONSUMER_KEY = "sandbox-key"
CONSUMER_SECRET = "sandbox-secret"  # noqa: S105 (the stand-in's published credential)
USERNAME = "ringtrue@sandbox.example"
PASSWORD = "sandbox-password"  # noqa: S105 (the stand-in's published credential)
SECURITY_TOKEN = "sandbox-token"  # noqa: S105 (the stand-in's published credential)
INTEGRATION_USER = record_id("User", 1)
ADMIN_USER = record_id("User", 2)
ROUND_ROBIN_USER = record_id("User", 3)
NEWEST_VERSION = 68.0
SOAP_LOGIN_ENDS = 65.0
_DAY_SECONDS = 86_400
_SETTINGS = "sf:settings"
_Result = TypeVar("_Result")

DEFAULT_SETTINGS: dict[str, Any] = {
    "daily_api_limit": 100_000,
    "daily_bulk_batches": 15_000,
    "hidden_fields": [],  # "Contact.DoNotCall": closed by field-level security until a permission set grants it
    "read_only_fields": [],
    "validation_rules": [],  # {"object", "field", "pattern", "message"}: a filled field has to match, whatever else is written
    "duplicate_fields": {},  # {"Contact": ["Phone"]}: equal values trip the duplicate rule
    "restricted_picklists": [],  # "Contact.LeadSource"
    "state_country_picklists": True,
    "lead_assignment_owner": ROUND_ROBIN_USER,  # who gets a lead whose writer did not say Sforce-Auto-Assign: FALSE; null for no rule
    "session_seconds": 7200,
    "oldest_version": 31.0,
    "soap_login": True,
    "view_setup": True,  # whether our user sees flows, workflow rules and Apex triggers
    "jwt_public_key": None,  # PEM of the certificate's key for the JWT bearer flow
    "open_cursors": 10,
    "query_page": 2000,
    "bulk_page": 50_000,
    "parent_lock_rate": 0.0,  # chance that a bulk row meets a lock where its account stood in an earlier chunk of the file
    "random_lock_rate": 0.0,  # share of written rows that meet UNABLE_TO_LOCK_ROW
}


class Sessions:
    """Access tokens, valid for some time after their last use."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: dict[str, float] = {}

    def open(self) -> str:
        """A new token."""
        token = f"{organization_id()[:15]}!AQ{secrets.token_urlsafe(48)}"
        self._used[token] = self._clock()
        return token

    def valid(self, token: str, seconds: float) -> bool:
        """Whether the token was used within `seconds`; this counts as use."""
        used = self._used.get(token)
        if used is None or self._clock() - used > seconds:
            self._used.pop(token, None)
            return False
        self._used[token] = self._clock()
        return True

    def close(self, token: str) -> None:
        """End one session."""
        self._used.pop(token, None)

    def expire_all(self) -> None:
        """Log everybody out."""
        self._used.clear()


class Readers:
    """Read-only connections to the store's file for queries off the event loop, each reading one consistent state."""

    def __init__(self, path: str, threads: int = 4) -> None:
        self._path = path
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="salesforce-reader")

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of the pool."""
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = sqlite3.connect(
                f"file:{self._path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA cache_size=-16384")
        try:
            yield connection
        finally:
            self._idle.put(connection)

    async def run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """`work(connection)` in a thread."""

        def borrowed() -> _Result:
            with self.connection() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._pool, borrowed)

    async def thread(self, work: Callable[[], _Result]) -> _Result:
        """`work()` in a thread of the pool, for file work."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


class Org:
    """Everything the surface of one org works on."""

    def __init__(self, store: RecordStore, faults: Faults, now_ms: Callable[[], int] | None = None) -> None:
        self.store = store
        self.faults = faults
        self.now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self.settings: dict[str, Any] = {**DEFAULT_SETTINGS, **store.setting(_SETTINGS, {})}
        self.sessions = Sessions()
        self.readers = Readers(str(store.path))
        self.random = random.Random(7)
        self._usage_since = self.now_ms()
        self.api_calls = int(store.setting("sf:api_calls", 0))
        self.schema = Schema(
            store,
            INTEGRATION_USER,
            lambda: {*self.settings["hidden_fields"], *faults.hidden_fields()},
            lambda: {*self.settings["read_only_fields"], *faults.read_only_fields()},
            lambda: bool(self.settings["state_country_picklists"]),
        )
        seed_org(store, self.now_ms())

    def apply(self, _changes: Mapping[str, Any]) -> None:
        """Keep changed switches over a restart; called by the admin endpoint."""
        changed = {key: value for key, value in self.settings.items() if value != DEFAULT_SETTINGS[key]}
        self.store.set_setting(_SETTINGS, changed)

    def count_call(self) -> bool:
        """Count one API call; False where the rolling day's limit is used up, in which case it is not counted."""
        if self.now_ms() - self._usage_since > _DAY_SECONDS * 1000:
            self.api_calls = 0
            self._usage_since = self.now_ms()
        if self.api_calls >= self.settings["daily_api_limit"]:
            return False
        self.api_calls += 1
        if self.api_calls % 100 == 0:
            self.store.set_setting("sf:api_calls", self.api_calls)
        return True

    @property
    def limit_info(self) -> str:
        """The value of Sforce-Limit-Info."""
        return f"api-usage={self.api_calls}/{self.settings['daily_api_limit']}"


def seed_org(store: RecordStore, now_ms: int) -> None:
    """The rows an org has from its first day: the organization, profiles and users. Rows that are there already stay."""
    profile = record_id("Profile", 1)
    users = (
        (INTEGRATION_USER, USERNAME, "RingTrue", "Integration", True),
        (ADMIN_USER, "admin@sandbox.example", "Ada", "Admin", True),
        (ROUND_ROBIN_USER, "robin@sandbox.example", "Robin", "Round", True),
    )
    rows: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "Organization": [
            (
                organization_id(),
                {
                    "Name": "Sandbox",
                    "OrganizationType": "Enterprise Edition",
                    "InstanceName": "SBX1",
                    "IsSandbox": True,
                    "TimeZoneSidKey": "Europe/London",
                    "DefaultLocaleSidKey": "en_GB",
                },
            )
        ],
        "Profile": [(profile, {"Name": "Salesforce API Only System Integrations"})],
        "User": [
            (
                user,
                {
                    "Username": username,
                    "FirstName": first,
                    "LastName": last,
                    "Email": username,
                    "IsActive": active,
                    "TimeZoneSidKey": "Europe/London",
                    "ProfileId": profile,
                    "UserType": "Standard",
                },
            )
            for user, username, first, last, active in users
        ],
    }
    for sobject, wanted in rows.items():
        present = store.get_many(sobject, [identifier for identifier, _ in wanted])
        store.insert_many(
            sobject, [(identifier, now_ms, values) for identifier, values in wanted if identifier not in present]
        )
