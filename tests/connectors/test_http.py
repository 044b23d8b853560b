"""Time-outs, retries, buckets and masking that all connectors share."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import httpx
import pytest
import requests
import urllib3

from connectors.http import (
    LoopGuard,
    RetryPolicy,
    Timeouts,
    TokenBucket,
    TurnedAway,
    error_for_status,
    mask_body,
    mask_url,
    mount,
    never_arrived,
    retry_after_seconds,
    retrying,
    translate_transport_error,
)
from ringtrue.errors import (
    ConnectionLost,
    HostUnreachable,
    LoopDetected,
    RateLimited,
    RetryLater,
    RingTrueError,
    RowLocked,
    ServiceUnavailable,
)
from tests.wire import Reply, Seen, wire_server


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_bucket_lets_a_burst_through_then_keeps_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 5, clock=clock, sleep=clock.sleep)
    for _ in range(25):
        bucket.take()
    assert clock.now == pytest.approx(2.0)
    assert clock.slept.count(0.0) == 0


def test_bucket_refills_no_further_than_its_burst() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 5, clock=clock, sleep=clock.sleep)
    clock.now = 1000.0
    assert [bucket.take() for _ in range(5)] == [0.0] * 5
    assert bucket.take() == pytest.approx(0.1)


def test_bucket_pauses_everybody_after_a_429() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 5, clock=clock, sleep=clock.sleep)
    bucket.pause(10)
    assert bucket.take() == pytest.approx(10.1)


def test_a_loop_is_refused() -> None:
    guard = LoopGuard("The list")
    guard.see("a")
    guard.see("b")
    with pytest.raises(LoopDetected, match="The list came back"):
        guard.see("a")


def test_retries_grow_with_jitter_and_end_with_the_last_error() -> None:
    clock = Clock()
    noted: list[RingTrueError] = []

    def call() -> None:
        raise ServiceUnavailable("down")

    with pytest.raises(ServiceUnavailable, match="down"):
        retrying(
            call,
            policy=RetryPolicy(attempts=5),
            sleep=clock.sleep,
            clock=clock,
            on_retry=lambda error, _: noted.append(error),
        )
    assert len(noted) == 4
    for slept, most in zip(clock.slept, (1, 2, 4, 8), strict=True):
        assert most / 2 <= slept <= most


def test_a_named_wait_is_kept_to_and_a_hopeless_one_is_not_begun() -> None:
    clock = Clock()
    answers: list[RateLimited | str] = [RateLimited("slow", retry_after_seconds=17), "done"]

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, RateLimited):
            raise answer
        return answer

    assert retrying(call, sleep=clock.sleep, clock=clock) == "done"
    assert clock.slept == [17]
    answers[:] = [RateLimited("slow", retry_after_seconds=86_400)]
    with pytest.raises(RateLimited):
        retrying(call, sleep=clock.sleep, clock=clock)
    assert clock.slept == [17]


def test_what_does_not_pass_is_not_repeated() -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        retrying(call, sleep=lambda _: None)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("error", "safe"),
    [
        (HostUnreachable("x"), True),
        (RateLimited("x"), True),
        (TurnedAway("x"), True),
        (RowLocked("x"), True),
        (ConnectionLost("x"), False),
        (ServiceUnavailable("x"), False),
    ],
)
def test_writes_are_repeated_only_when_they_did_nothing(error: RingTrueError, safe: bool) -> None:
    assert never_arrived(error) is safe


@pytest.mark.parametrize("library", ["requests", "urllib3", "httpx"])
def test_nobody_listening_is_unreachable_in_every_library(library: str) -> None:
    url = f"http://127.0.0.1:{free_port()}/x"
    with pytest.raises(HostUnreachable, match=r"Nobody answers at 127\.0\.0\.1"):
        retrying(lambda: get(library, url), policy=RetryPolicy(unreachable_attempts=1))


@pytest.mark.parametrize("library", ["requests", "urllib3", "httpx"])
def test_an_unknown_name_is_unreachable_in_every_library(library: str) -> None:
    with pytest.raises(HostUnreachable, match="does not resolve"):
        retrying(lambda: get(library, "http://no-such-host.invalid/x"), policy=RetryPolicy(unreachable_attempts=1))


@pytest.mark.parametrize("library", ["requests", "urllib3", "httpx"])
@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(b"0123456789", cut=4)], ids=["dropped", "half"])
def test_a_lost_answer_is_lost_in_every_library(library: str, reply: Reply) -> None:
    with wire_server(lambda _: reply) as server, pytest.raises(ConnectionLost):
        retrying(lambda: get(library, server.url), policy=RetryPolicy(attempts=1))


def get(library: str, url: str) -> bytes:
    if library == "requests":
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=5).content
    if library == "urllib3":
        with urllib3.PoolManager(retries=False) as pool:
            return pool.request("GET", url, timeout=5).data
    return httpx.get(url, timeout=5, trust_env=False).content


def test_a_silent_server_runs_into_the_default_time_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with (
            mount(
                requests.Session(),
                timeouts=Timeouts(5, 0.1),
                base_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            ) as session,
            pytest.raises(ConnectionLost, match=r"No answer at 127\.0\.0\.1"),
        ):
            retrying(lambda: session.get("https://acme.my.salesforce.com/x"), policy=RetryPolicy(attempts=1))


def test_a_routed_session_keeps_the_host_it_was_asked_for() -> None:
    hosts: list[str] = []

    def answer(request: Seen) -> Reply:
        hosts.append(request.headers["Host"])
        return Reply({})

    with wire_server(answer) as server, mount(requests.Session(), base_url=server.url) as session:
        session.get("https://login.salesforce.com/services?x=1")
    assert hosts == ["login.salesforce.com"]
    assert server.seen[0].query == {"x": ["1"]}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (400, None),
        (404, None),
        (406, ServiceUnavailable),
        (420, RateLimited),
        (429, RateLimited),
        (500, ServiceUnavailable),
        (502, ServiceUnavailable),
        (503, TurnedAway),
    ],
)
def test_statuses_that_pass_by_themselves(status: int, kind: type[RetryLater] | None) -> None:
    error = error_for_status("The service", status, {"retry-after": "7"}, "<html>down</html>")
    assert type(error) is (kind or type(None))
    if error is not None:
        assert error.retry_after_seconds == 7


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    assert retry_after_seconds({"Retry-After": "12"}) == 12
    assert retry_after_seconds({"Retry-After": "Sun, 01 Nov 2026 12:00:30 GMT"}, now) == 30
    assert retry_after_seconds({"Retry-After": "soon"}) is None
    assert retry_after_seconds({}) is None


def test_urls_and_bodies_show_no_numbers_mails_or_secrets() -> None:
    url = "https://user:pw@api.example/v1/lookup/+14155550123?token=abc&limit=5&number=%2B14155550123"
    assert mask_url(url) == "https://api.example/v1/lookup/+1********23?token=***&limit=5&number=***"
    body = mask_body('{"phone": "+1 415 555 0123", "email": "ann@example.com", "access_token": "s3cret"}' + "x" * 999)
    assert "0123" not in body
    assert "ann@" not in body
    assert "s3cret" not in body
    assert len(body) <= 303


def test_other_exceptions_are_left_alone() -> None:
    assert translate_transport_error(KeyError("x")) is None
