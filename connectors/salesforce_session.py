"""The one door to Salesforce: a requests session that simple-salesforce and our own code both call through.

simple-salesforce takes a session, and everything it lacks is done here, for every call it or we make: time-outs, retries, one renewal of an expired session
with the call's headers kept, the token of the moment (also for Bulk handlers that captured an old one), our errors, counting, and the share of the day's calls.
The library itself is given a session id only, so it never logs in: its own renewal drops headers, and in `SFType` it repeats without end.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import orjson
import requests
from simple_salesforce.api import Salesforce

from connectors.crm import Usage
from connectors.http import (
    LoopGuard,
    RetryPolicy,
    Timeouts,
    TokenBucket,
    TurnedAway,
    mask_body,
    mount,
    never_arrived,
    retrying,
)
from connectors.salesforce_auth import Credentials, Login, checked, log_in
from connectors.salesforce_errors import error_of
from ringtrue.errors import (
    AllowanceSpent,
    ConnectionLost,
    CredentialRefused,
    RingTrueError,
    SchemaChanged,
    ServiceUnavailable,
)

CallKind = Literal[
    "query",
    "query_page",
    "bulk_control",
    "bulk_page",
    "bulk_upload",
    "poll",
    "read",
    "write",
    "describe",
    "limits",
    "prepare",
    "login",
    "other",
]

_WHOLE_SECONDS = 5.0
_USED = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")
_STARTS_WORK = frozenset({"query", "query_page", "bulk_upload", "read", "write", "prepare"})
"""Kinds that the day's share holds back. What ends begun work (polls, results, closing a job) always goes through."""


class Call(NamedTuple):
    """What a request is for, and whether sending it twice does no more than sending it once."""

    kind: CallKind
    repeatable: bool


@dataclass(frozen=True)
class Wire:
    """How to talk to Salesforce. `stop_at_share`: of the org's daily calls, by everybody, 0.8 is 80 %; None never stops."""

    api_version: str = "59.0"
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    stop_at_share: float | None = 0.9
    client_name: str = "RingTrue"


def classify(method: str, url: str) -> Call:
    """The kind of a request by its method and path."""
    path = urlsplit(url).path.lower().rstrip("/")
    rest = path.partition("/services/data/")[2].partition("/")[2]
    get = method.upper() == "GET"
    if "/services/soap/m/" in path or rest.startswith(
        ("tooling", "sobjects/permissionset", "sobjects/fieldpermissions")
    ):
        return Call("prepare", get)
    if rest in ("query", "queryall"):
        return Call("query", True)
    if rest.startswith(("query/", "queryall/")):
        return Call("query_page", True)
    if rest.startswith("jobs/"):
        return _classify_job(method.upper(), rest)
    if rest.startswith("composite/sobjects/"):
        return Call("read", True) if method.upper() in ("GET", "POST") else Call("write", False)
    if rest.endswith("/describe"):
        return Call("describe", True)
    if rest == "limits":
        return Call("limits", True)
    if get:
        return Call("read", True)
    return Call("write" if rest.startswith(("composite/", "sobjects/")) else "other", False)


def _classify_job(method: str, rest: str) -> Call:
    if rest.endswith(("results", "unprocessedrecords")):
        return Call("bulk_page", True)
    if rest.endswith("/batches"):
        return Call("bulk_upload", False)
    if method == "GET":
        return Call("poll", True)
    # A job opened twice leaves an open one that never runs; a state change is settled by asking for the state.
    return Call("bulk_control", method == "POST")


class SalesforceSession(requests.Session):
    """A requests session that knows who it is. Safe to share between threads."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        usage: Usage,
        wire: Wire | None = None,
        base_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        bucket: TokenBucket | None = None,
    ) -> None:
        super().__init__()
        self.wire = wire or Wire()
        self.usage = usage
        self._credentials = checked(credentials, self.wire.api_version)
        self._base_url = base_url
        self.sleep = sleep
        self._bucket = bucket
        self._login: Login | None = None
        self.clock_skew = 0.0
        """Seconds that Salesforce's clock is ahead of ours. Its header is cut to whole seconds: within five it counts as none."""
        self._renewing = threading.Lock()
        self._library: Salesforce | None = None
        mount(self, timeouts=self.wire.timeouts, base_url=base_url)
        # A callable replaces whatever Authorization the caller captured earlier, and keeps ~/.netrc out of it.
        self.auth = self._authorize

    @property
    def login(self) -> Login:
        """The present login; logs in when there is none yet."""
        with self._renewing:
            if self._login is None:
                self._login = self._log_in()
            return self._login

    @property
    def sf(self) -> Salesforce:
        """The simple-salesforce client on this session."""
        login = self.login
        if self._library is None or self._library.sf_instance != login.host:
            self._library = Salesforce(
                session_id="held by the session",
                instance=login.host,
                version=self.wire.api_version,
                session=self,
            )
        return self._library

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request and return its answer, which is a success.

        Raises errors of ringtrue.errors for everything else. A request that changes something is sent again only when it certainly did nothing; when that is not
        known, ConnectionLost is raised.
        """
        verb, address = _text(method), _text(url)
        call = classify(verb, address)
        self._hold_back(call.kind)
        kwargs.setdefault("allow_redirects", False)
        renewed = False
        login = self.login
        login_error: RingTrueError | None = None

        def once() -> requests.Response:
            nonlocal renewed, login, login_error
            response = self._send(call, verb, address, *args, **kwargs)
            if response.status_code == 401 and not renewed:
                renewed = True
                try:
                    login = self._renew(login)
                except RingTrueError as exc:
                    login_error = exc
                    raise
                response = self._send(call, verb, address, *args, **kwargs)
            if response.status_code == 401:
                raise CredentialRefused(
                    "Salesforce refuses the session it has just given us. Check the integration user, its IP restrictions and the connected app's policies."
                )
            error = error_of(response)
            if error is not None:
                raise error
            return response

        def passing(error: RingTrueError) -> bool:
            # A login has its own repeats; the call must not multiply them.
            return error is not login_error and (call.repeatable or never_arrived(error))

        try:
            return retrying(
                once,
                policy=self.wire.retry,
                retry_if=passing,
                on_retry=self.note_retry,
                sleep=self.sleep,
            )
        except ServiceUnavailable as exc:
            if call.repeatable or isinstance(exc, TurnedAway) or exc is login_error:
                raise
            raise ConnectionLost(f"{exc} It is not known whether the change was made.") from exc

    def json(self, method: str, path: str, **kwargs: Any) -> Any:
        """Call a path below /services/data/vXX.X/ (or an absolute path) and read the JSON answer. None for an empty answer."""
        host = self.login.host
        url = (
            f"https://{host}{path}"
            if path.startswith("/")
            else f"https://{host}/services/data/v{self.wire.api_version}/{path}"
        )
        response = self.request(method, url, **kwargs)
        content = response.content
        if not content:
            return None
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as exc:
            shown = mask_body(response.text, 100)
            if classify(method, url).repeatable:
                raise ServiceUnavailable(f"Salesforce answered something that is not JSON: {shown}") from exc
            raise ConnectionLost(f"Salesforce answered a change with something that is not JSON: {shown}") from exc

    def query(self, soql: str, *, deleted_too: bool = True) -> dict[str, Any]:
        """The first page of a query, up to 2,000 records."""
        path = "queryAll/" if deleted_too else "query/"
        return _page_of(self.json("GET", path, params={"q": soql}))

    def next_page(self, page: dict[str, Any]) -> dict[str, Any]:
        """The page after a page that is not the last."""
        url = page.get("nextRecordsUrl")
        if not isinstance(url, str) or not url.startswith("/"):
            raise SchemaChanged("Salesforce says the query has more rows but not where.")
        return _page_of(self.json("GET", url))

    def query_rows(self, soql: str, *, deleted_too: bool = True) -> Iterator[list[dict[str, Any]]]:
        """All records of a query, page by page."""
        guard = LoopGuard("A query")
        page = self.query(soql, deleted_too=deleted_too)
        yield page["records"]
        while not page["done"]:
            guard.see(page.get("nextRecordsUrl"))
            page = self.next_page(page)
            yield page["records"]

    def _send(self, call: Call, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        if self._bucket is not None:
            self._bucket.take()
        self.usage.count(call.kind)
        response = super().request(method, url, *args, **kwargs)
        self._note_usage(response)
        return response

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.login.token}"
        request.headers["Sforce-Call-Options"] = f"client={self.wire.client_name}"
        return request

    def _log_in(self) -> Login:
        def once() -> Login:
            return log_in(
                self._credentials,
                version=self.wire.api_version,
                base_url=self._base_url,
                timeouts=self.wire.timeouts,
                count=lambda: self.usage.count("login"),
            )

        return retrying(once, policy=self.wire.retry, on_retry=self.note_retry, sleep=self.sleep)

    def _renew(self, refused: Login) -> Login:
        """Log in again, unless another thread has done so since."""
        with self._renewing:
            if self._login is None or self._login is refused:
                self._login = None
                self._login = self._log_in()
            return self._login

    def note_retry(self, error: RingTrueError, seconds: float) -> None:
        """Count a repeat; the form that `retrying` calls."""
        del error, seconds
        self.usage.retries += 1

    def _note_usage(self, response: requests.Response) -> None:
        if date := response.headers.get("Date"):
            ahead = parsedate_to_datetime(date).timestamp() - time.time()
            self.clock_skew = ahead if abs(ahead) > _WHOLE_SECONDS else 0.0
        found = _USED.search(response.headers.get("Sforce-Limit-Info", ""))
        if found:
            self.usage.used_today, self.usage.allowed_today = int(found.group(1)), int(found.group(2))

    def _hold_back(self, kind: CallKind) -> None:
        share, used, allowed = self.wire.stop_at_share, self.usage.used_today, self.usage.allowed_today
        if share is None or used is None or not allowed or kind not in _STARTS_WORK:
            return
        if used >= share * allowed:
            raise AllowanceSpent(
                f"The org has used {used:,} of its {allowed:,} API calls of 24 hours, which is past our share of {share:.0%}. "
                "Run again later, or raise the share in ringtrue.toml."
            )


def _page_of(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict) or not {"totalSize", "done", "records"} <= answer.keys():
        raise SchemaChanged("Salesforce answered a query without totalSize, done and records.")
    return answer


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
