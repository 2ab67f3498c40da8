"""Threads of our own over chunks: one fixed merge tree, BLAS pinned behind a counted lock."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from itertools import chain
from operator import length_hint
from typing import Any, Final, Generic, TypeAlias, TypeVar

from mvngrad.core.helpers import lend

Item = TypeVar("Item")
Result = TypeVar("Result")

Limits: TypeAlias = list[tuple[Any, int]]  # of each BLAS: its controller, its number of threads

_NOTHING: Final = object()
_limit: Final[contextvars.ContextVar[int | None]] = contextvars.ContextVar("limit", default=None)
CALM: Final = 512


def default_threads() -> int:
    """Cores this process may use, or fewer where a thread-pool limit is in force.

    Joblib, Dask and `threadpoolctl` all tell a worker its share through the BLAS limit, so a
    worker that was given one thread starts none of its own.
    """
    share = min(_usable_cores(), _pin.limit_outside())
    return max(1, min(share, _limit.get() or share))


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """No more threads than these by default, in this context; None leaves it as it is."""
    token = _limit.set(threads or _limit.get())
    try:
        yield
    finally:
        _limit.reset(token)


def map_reduce(
    task: Callable[[Item], Result],
    items: Iterable[Item],
    merge: Callable[[Result, Result], Result],
    threads: int,
) -> Result:
    """merge(… merge(task(x₀), task(x₁)) …), with the same bits for every number of threads.

    The tree is fixed by the items' indices: neighbours are merged first, then neighbouring pairs,
    and so on; what has no partner joins from the right at the end. Items are drawn one at a time,
    in order, so a generator may read them from a file; besides the items in work, at most
    O(threads · log items) results are alive, where one of the threads is held up.

    With more than one item BLAS runs single-threaded inside the tasks, whatever `threads` is,
    since its own threads would change the rounding. A single item runs here and now, unpinned.

    Parameters
    ----------
    task, merge : callables, called from several threads; `merge` gets the left result first
    items : at least one
    threads : threads to use, the calling one included

    Raises
    ------
    Whatever `task`, `merge` or the items raise first, KeyboardInterrupt included; items that were
    not begun by then are left.
    """
    source = iter(items)
    first, second = next(source, _NOTHING), next(source, _NOTHING)
    if first is _NOTHING:
        raise ValueError("map_reduce needs at least one item, and got none")
    if second is _NOTHING:
        return task(first)  # type: ignore[arg-type]
    share = min(threads, 2 + length_hint(source, threads))
    work = _Work(task, chain((first, second), source), merge)  # type: ignore[arg-type]
    del first, second  # an item may be a chunk of rows
    with single_blas():
        return work.run(share)


@contextmanager
def single_blas() -> Iterator[None]:
    """BLAS on one thread, in this and in every thread, while any Python thread is inside."""
    own = _pin.enter()
    try:
        yield
    finally:
        _pin.leave(own)


def calm_blas(d: int) -> AbstractContextManager[None]:
    """BLAS on one thread for d×d matrices so small that its threads cost more than they do.

    After each call they spin for a while, and take a core from whoever else has work: from our
    own threads over chunks, or from another process.
    """
    return single_blas() if d <= CALM else nullcontext()


class _Work(Generic[Item, Result]):
    """Items shared out among threads, and the tree that gathers their results."""

    def __init__(
        self,
        task: Callable[[Item], Result],
        items: Iterable[Item],
        merge: Callable[[Result, Result], Result],
    ) -> None:
        self.task, self.merge = task, merge
        self.items = enumerate(items)
        self.lock, self.reading = threading.Lock(), threading.Lock()  # results, items
        self.waiting: dict[tuple[int, int], Result] = {}  # (level, index) of a subtree → result
        self.failure: BaseException | None = None

    def run(self, threads: int) -> Result:
        # The calling thread works too, so that Ctrl-C reaches a task and not only a wait.
        busy: list[threading.Lock] = []
        try:
            busy.extend(lend(self.in_context()) for _ in range(threads - 1))
            self.serve()
            self.wait(busy)
        except BaseException as problem:
            self.fail(problem)
            self.wait(busy)
        if self.failure is not None:
            try:
                raise self.failure
            finally:
                self.failure = None  # its traceback holds this frame, and so the data
        return self.fold()

    def in_context(self) -> Callable[[], None]:
        """A helper's work, in a copy of the context: np.errstate holds in it as it does here."""
        return partial(contextvars.copy_context().run, self.help)

    def help(self) -> None:
        try:
            with single_blas():
                self.serve()
        except BaseException as problem:  # raised again by the calling thread
            self.fail(problem)

    def serve(self) -> None:
        """Work until nothing is left or someone has failed."""
        try:
            while self.step():
                pass
        except BaseException as problem:  # raised again by the calling thread
            self.fail(problem)

    def step(self) -> bool:
        """One item, let go of before the next is read."""
        with self.reading:
            drawn = None if self.failure is not None else next(self.items, None)
        if drawn is not None:
            self.gather(drawn[0], self.task(drawn[1]))
        return drawn is not None

    def gather(self, index: int, result: Result) -> None:
        """Merge a finished subtree with its neighbour, and that one with its own, upwards."""
        level = 0
        while (other := self.meet((level, index ^ 1), (level, index), result)) is not _NOTHING:
            left, right = (other, result) if index & 1 else (result, other)
            result = self.merge(left, right)
            level, index = level + 1, index >> 1

    def meet(self, neighbour: tuple[int, int], place: tuple[int, int], result: Result) -> Any:
        with self.lock:
            other = self.waiting.pop(neighbour, _NOTHING)
            if other is _NOTHING:
                self.waiting[place] = result
            return other

    def fold(self) -> Result:
        """The subtrees left over, smallest (rightmost) first."""
        places = sorted(self.waiting)
        result = self.waiting.pop(places[0])
        for place in places[1:]:
            result = self.merge(self.waiting.pop(place), result)
        return result

    def fail(self, problem: BaseException) -> None:
        with self.lock:
            self.failure = self.failure or problem

    @staticmethod
    def wait(busy: list[threading.Lock]) -> None:
        for lock in busy:
            with lock:  # free once its helper is done
                pass


class _Pin:
    """BLAS on one thread while anyone is inside.

    Most BLAS have one limit for the whole process: interleaved exits, each restoring what it
    found, would leave it at one for good. So the first to enter sets it and the last to leave
    restores it. OpenBLAS on OpenMP has a limit for each thread, which that thread keeps.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.found: Limits = []

    def enter(self) -> Limits:
        """The calling thread's own limits, to be handed back to `leave`."""
        with self.lock:
            if self.inside == 0:
                self.found = _pinned(library for library in _blas() if not _is_by_thread(library))
            self.inside += 1
        return _pinned(filter(_is_by_thread, _blas()))

    def leave(self, own: Limits) -> None:
        _restore(own)
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                _restore(self.found)

    def limit_outside(self) -> int:
        """The limit in force but for our own pin."""
        with self.lock:
            limits = [threads for _, threads in self.found] if self.inside else []
        return min(limits or [library.num_threads or 1 for library in _blas()], default=1)


_pin: Final = _Pin()


def _pinned(libraries: Iterable[Any]) -> Limits:
    found = [(library, library.num_threads) for library in libraries]
    for library, _ in found:
        _set_threads(library, 1)
    return found


def _restore(limits: Limits) -> None:
    for library, threads in limits:
        _set_threads(library, threads)
        _release(library)


def _set_threads(library: Any, threads: int) -> None:
    _release(library)
    library.set_num_threads(threads)


def _release(library: Any) -> None:
    """Newer threadpoolctl lets one Python thread set OpenBLAS and silently ignores all others."""
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)


def _is_by_thread(library: Any) -> bool:
    return getattr(library, "threading_layer", None) == "openmp"


@cache
def _blas() -> list[Any]:
    """Every BLAS of this process, found once: looking for them takes a millisecond."""
    # NumPy and SciPy each bring one; one that is loaded later would escape the limit.
    import scipy.linalg.blas  # noqa: F401
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().lib_controllers
    return [library for library in libraries if library.user_api == "blas"]


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
