"""Threads over chunks: one tree, prompt failures, and BLAS limits that come back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
import scipy.linalg.blas  # noqa: F401  its BLAS must be loaded before it is counted
from threadpoolctl import ThreadpoolController, threadpool_limits

from mvngrad.core import helpers
from mvngrad.core.threads import default_threads, map_reduce, single_blas

THREADS = (1, 2, 3, 5)


def limits():
    return [
        library.num_threads
        for library in ThreadpoolController().lib_controllers
        if library.user_api == "blas"
    ]


@pytest.fixture(autouse=True)
def limits_come_back():
    before = limits()
    yield
    assert limits() == before


def pair(a, b):
    return (a, b)


def standing():
    return {thread.ident for thread in threading.enumerate() if thread.name == "mvngrad"}


@pytest.mark.parametrize(
    ("count", "tree"),
    [
        (1, 0),
        (2, (0, 1)),
        (3, ((0, 1), 2)),
        (4, ((0, 1), (2, 3))),
        (7, (((0, 1), (2, 3)), ((4, 5), 6))),
    ],
)
@pytest.mark.parametrize("threads", THREADS)
def test_tree_is_fixed_by_the_indices(count, tree, threads):
    def slowly(i):
        time.sleep(0.002 * (count - i))  # the last is ready first
        return i

    assert map_reduce(slowly, range(count), pair, threads) == tree


@pytest.mark.parametrize("threads", THREADS)
def test_any_iterable_and_any_result(threads):
    assert map_reduce(str, (i for i in range(10)), lambda a, b: a + b, threads) == "0123456789"
    assert map_reduce(lambda _: None, range(5), lambda *_: None, threads) is None


def test_few_results_are_alive():
    alive, most = 0, 0
    lock = threading.Lock()

    def task(_):
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return 1

    def merge(a, b):
        nonlocal alive
        with lock:
            alive -= 1
        return a + b

    assert map_reduce(task, range(1024), merge, 2) == 1024
    assert most <= 2 * (10 + 2)


def test_no_items_is_an_error():
    with pytest.raises(ValueError, match="at least one item"):
        map_reduce(str, [], pair, 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_single_item_or_thread_starts_none(threads, monkeypatch):
    monkeypatch.setattr("mvngrad.core.threads.lend", lambda _: pytest.fail("a thread was asked"))
    assert map_reduce(abs, [-1], pair, threads) == 1
    assert map_reduce(abs, [-1, -2], pair, 1) == (1, 2)


@pytest.mark.parametrize("threads", THREADS)
def test_blas_is_pinned_for_several_items_only(threads):
    def task(_):
        return limits()

    assert map_reduce(task, [0], pair, threads) == limits()
    pinned = map_reduce(task, range(4), lambda a, b: a + b, threads)
    assert set(pinned) == {1}


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["task", "merge", "items"])
def test_failures_come_out_promptly(threads, error, where):
    begun = []

    def fail_at(place, i):
        if place == where and i == 3:
            raise error("three")

    def items():
        for i in range(10_000):
            fail_at("items", i)
            yield i

    def task(i):
        begun.append(i)
        time.sleep(1e-4)
        fail_at("task", i)
        return i

    def merge(a, b):
        fail_at("merge", b)
        return b

    with pytest.raises(error, match="three"):
        map_reduce(task, items(), merge, threads)
    assert len(begun) < 100
    assert len(standing()) == len(helpers._idle)


def test_error_state_of_the_caller_holds_in_every_thread():
    def task(_):
        return np.array([np.inf]) - np.inf

    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        assert np.isnan(map_reduce(task, range(20), np.add, 3)).all()
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        map_reduce(task, range(20), np.add, 3)


def test_limits_survive_interleaved_exits():
    before = limits()
    inside, first_out, seen = threading.Barrier(3), threading.Event(), []

    def early():
        with single_blas():
            inside.wait()
        first_out.set()

    def late():
        with single_blas():
            inside.wait()
            first_out.wait()
            seen.extend(limits())

    threads = [threading.Thread(target=f) for f in (early, late)]
    for thread in threads:
        thread.start()
    inside.wait()
    for thread in threads:
        thread.join()
    assert set(seen) == {1}
    assert limits() == before


def test_first_in_may_be_first_out_of_a_living_thread():
    before = limits()
    inside, done = threading.Event(), threading.Event()

    def first():
        with single_blas():
            inside.set()
            done.wait(5)

    with single_blas():
        pass
    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(5)
    with single_blas():
        done.set()
        thread.join()
        assert set(limits()) == {1}
    assert limits() == before


def test_pin_holds_in_any_thread_while_another_controls_blas():
    seen = []

    def pinned():
        with single_blas():
            seen.extend(limits())

    with threadpool_limits(2, user_api="blas"):
        before = limits()
        thread = threading.Thread(target=pinned)
        thread.start()
        thread.join()
        assert limits() == before
    assert set(seen) == {1}


def test_many_jobs_at_once_restore_the_limits():
    results = []

    def job():
        results.extend(map_reduce(float, range(50), lambda a, b: a + b, 2) for _ in range(20))

    jobs = [threading.Thread(target=job) for _ in range(4)]
    for thread in jobs:
        thread.start()
    for thread in jobs:
        thread.join()
    assert results == [1225.0] * 80


def test_default_follows_the_limit_in_force():
    outside = default_threads()
    assert outside >= 1
    with threadpool_limits(1, user_api="blas"):
        assert default_threads() == 1
    with single_blas():
        assert default_threads() == outside
    assert default_threads() == outside


def test_threads_stand_by_for_the_next_job():
    map_reduce(time.sleep, [0.01] * 4, pair, 2)
    before = standing()
    for _ in range(20):
        map_reduce(time.sleep, [0.001] * 4, pair, 2)
    assert standing() == before
    assert len(before) == len(helpers._idle)


def test_no_more_stand_by_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(helpers, "MOST", len(standing()))
    map_reduce(time.sleep, [0.05] * 9, pair, len(standing()) + 3)
    deadline = time.monotonic() + 5.0
    while len(standing()) > helpers.MOST and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(standing()) == len(helpers._idle) == helpers.MOST


def test_a_thread_that_stands_by_keeps_no_data():
    class Rows:
        pass

    rows = [Rows() for _ in range(4)]
    alive = [weakref.ref(r) for r in rows]
    map_reduce(lambda _: time.sleep(0.01), iter(rows), pair, 2)
    rows.clear()
    gc.collect()
    assert not any(r() for r in alive)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    code = """
        import os, time
        from mvngrad.core.threads import map_reduce
        pair = lambda a, b: a + b
        slowly = lambda i: time.sleep(0.01) or i
        assert map_reduce(slowly, range(4), pair, 2) == 6
        if (child := os.fork()) == 0:
            os._exit(0 if map_reduce(slowly, range(4), pair, 2) == 6 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    subprocess.run(command, check=True, timeout=60)
