"""The bucket that all processes of a machine share."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from connectors.hubspot_wire import pace
from connectors.shared_bucket import SharedBucket


def take_many(folder: Path, count: int) -> None:
    bucket = SharedBucket("portal", 100.0, 1.0, folder=folder)
    for _ in range(count):
        bucket.take()


def test_processes_share_one_bucket(tmp_path: Path) -> None:
    """hubspot-api-nodejs 416: limiters of one process each break the limit together."""
    context = multiprocessing.get_context("spawn")
    started = time.monotonic()
    workers = [context.Process(target=take_many, args=(tmp_path, 30)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    # Sixty tokens at a hundred a second, from a bucket that held one.
    assert time.monotonic() - started >= 0.59


@pytest.mark.parametrize("most", [100, 190, 250])
def test_our_pace_keeps_to_the_limit_in_every_ten_seconds(tmp_path: Path, most: int) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    rate, burst = pace(most, 10.0)
    bucket = SharedBucket("portal", rate, burst, folder=tmp_path, clock=lambda: now[0], sleep=sleep)
    sent: list[float] = []
    for _ in range(5 * most):
        bucket.take()
        sent.append(now[0])
    assert max(sum(start <= moment < start + 10.0 for moment in sent) for start in sent) <= most
    assert len(sent) / now[0] > 0.85 * most / 10.0


def test_a_pause_holds_back_everybody_and_a_reboot_nobody(tmp_path: Path) -> None:
    now = [1_000.0]
    waits: list[float] = []

    def bucket() -> SharedBucket:
        return SharedBucket("portal", 10.0, 5.0, folder=tmp_path, clock=lambda: now[0], sleep=waits.append)

    bucket().take()
    bucket().pause(10.0)
    bucket().take()
    assert waits[-1] == pytest.approx(10.1)
    now[0] = 5.0
    bucket().take()
    assert len(waits) == 1
