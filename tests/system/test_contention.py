"""What a stopwatch learns about others in this process."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends.system.contention import WatchedLock, tally, working


def test_own_work_is_neither_waiting_nor_others() -> None:
    before = tally()
    with WatchedLock().held():
        time.sleep(0.05)
    seen = tally().since(before)
    assert seen.waited < 0.02 and seen.others == pytest.approx(0, abs=1e-3)


def test_waiting_for_a_lock_and_the_work_under_it_are_seen() -> None:
    lock, holds = WatchedLock(), threading.Event()

    def other() -> None:
        with lock.held():
            holds.set()
            time.sleep(0.2)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(other)
        assert holds.wait(10)
        before = tally()
        with lock.held():
            seen = tally().since(before)
    assert 0.1 < seen.waited <= seen.others + 0.05


def test_work_that_goes_on_is_seen_before_it_has_ended() -> None:
    begun, end = threading.Event(), threading.Event()

    def other() -> None:
        with working():
            begun.set()
            assert end.wait(10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(other)
        assert begun.wait(10)
        before = tally()
        time.sleep(0.05)
        seen = tally().since(before)
        end.set()
    assert seen.waited == 0 and seen.others >= 0.05
