"""Sends OpenLineage events to a collector over HTTP, or appends them to a file, one JSON object a line."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import httpx
import orjson

from connectors.http import RetryPolicy, error_for_status, mask_body, mask_url, retrying
from ringtrue.errors import CredentialRefused, FileUnreadable, SettingsError, StopRun
from ringtrue.openlineage import Emitter, Event, OpenLineageSettings

COLLECTOR_PATH = "/api/v1/lineage"


class HttpEmitter:
    """Posts events to `<url>/api/v1/lineage`, the path Marquez and other collectors share; a `url` that has a path of its own is used as it is.

    An event that arrives twice does no harm (same run, same state), so every passing failure is tried again. Redirects are not followed: they could carry the key elsewhere.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_seconds: float = 10.0,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = httpx.URL(url)
        if address.scheme not in ("http", "https") or not address.host:
            raise StopRun("The OpenLineage address must begin with http:// or https:// and name a host.")
        self._url = address if address.path.strip("/") else address.copy_with(path=COLLECTOR_PATH)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        self._client = httpx.Client(timeout=timeout_seconds, headers=headers, follow_redirects=False)
        self._policy = policy or RetryPolicy(attempts=4, total_seconds=60.0)
        self._sleep = sleep

    def emit(self, event: Event) -> None:
        """Send one event. Raises RetryLater when the collector stays away, CredentialRefused or StopRun when it will not take the event."""
        body = orjson.dumps(event)
        retrying(lambda: self._post(body), policy=self._policy, sleep=self._sleep)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, body: bytes) -> None:
        answer = self._client.post(self._url, content=body)
        if answer.is_success:
            return
        where = mask_url(str(self._url))
        error = error_for_status("The OpenLineage collector", answer.status_code, answer.headers, answer.text)
        if error is not None:
            raise error
        if answer.status_code in (401, 403):
            raise CredentialRefused(f"The OpenLineage collector at {where} refused the key. Check its variable.")
        raise StopRun(
            f"The OpenLineage collector at {where} did not take the event (HTTP {answer.status_code}: "
            f"{mask_body(answer.text)}). Check the address."
        )


class FileEmitter:
    """Appends events to a file, made with mode 0600. Several runs may write to the same file: each event is one write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Append one event. Raises FileUnreadable when the file cannot be written."""
        line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        try:
            with self._lock:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(opened, line)
                finally:
                    os.close(opened)
        except OSError as exc:
            raise FileUnreadable(
                f"OpenLineage events cannot be written to {self._path.name} ({exc.strerror}). Check its folder and the space left."
            ) from exc


def emitters(settings: OpenLineageSettings, environment: Mapping[str, str] = os.environ) -> list[Emitter]:
    """Where the settings send events; none when nothing is named. Raises SettingsError when the key's variable is not set."""
    found: list[Emitter] = []
    if settings.file:
        found.append(FileEmitter(Path(settings.file)))
    if settings.url:
        name = settings.api_key_variable
        if name and not environment.get(name):
            raise SettingsError(f"[openlineage] names the variable {name}, which is not set. Set it or take it out.")
        found.append(HttpEmitter(settings.url, api_key=environment[name] if name else None))
    return found
