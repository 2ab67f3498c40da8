"""Threads that stand by: to start one takes longer than many a chunk of work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from typing import Final, TypeAlias

Job: TypeAlias = Callable[[], None]
Jobs: TypeAlias = "SimpleQueue[tuple[Job, threading.Lock]]"

MOST: Final = 64  # that stand by; who comes back to a full bench goes home
_idle: Final[list[Jobs]] = []  # the queue each of them listens to; pop and append are atomic


def lend(job: Job) -> threading.Lock:
    """Run a job that raises nothing on a thread of its own; the lock is held until it is done."""
    busy = threading.Lock()
    busy.acquire()
    _helper().put((job, busy))
    return busy


def _helper() -> Jobs:
    try:
        return _idle.pop()
    except IndexError:
        return _started()


def _started() -> Jobs:
    _forget_in_children()
    jobs: Jobs = SimpleQueue()
    threading.Thread(target=_serve, args=(jobs,), name="mvngrad", daemon=True).start()
    return jobs


def _serve(jobs: Jobs) -> None:
    """Job after job. Back on the bench before the lock is free, so that the next call finds it."""
    while True:
        job, busy = jobs.get()
        try:
            job()
            del job  # it knows the data
            if len(_idle) >= MOST:
                return
            _idle.append(jobs)
        finally:
            busy.release()


@cache
def _forget_in_children() -> None:
    """A forked process has none of these threads."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_idle.clear)
