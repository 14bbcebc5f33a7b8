"""Ordinary threads for compiled loops that release the GIL, as many as numba is set to.

numba's own parallel loops are not used: their workqueue layer aborts the process when two threads
launch at once, and their OpenMP layer dies in a forked child.

All callers share the cores. A caller is helped where a core has nothing to do; while callers alone
take all cores, however many these are, nobody helps.
"""

import itertools
import math
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import current_process
from typing import NamedTuple

import numba

_INLINE_WORK = 2**24  # multiply-adds in float32, below which a thread costs more than it saves
_PIECES = 4  # per thread: a core that others use too gets fewer
_PIECE_WORK = 2**26  # that more pieces than threads are worth; each waits for the interpreter
_HEAD_START = 2**22  # work that the caller has done when those that it asks begin

_lock = threading.RLock()
_thread = threading.local()  # .team
_pool = None
_n_computing = 0
_forked = False


def _forget_others():
    """After a fork the child has the pool but not its threads, nor any other caller."""
    global _pool, _n_computing, _forked
    _pool, _n_computing, _forked = None, 0, True
    _lock.release()


if hasattr(os, "register_at_fork"):
    # A child could wait forever for a lock that another thread held at the fork.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget_others
    )


def n_threads(work):
    """Threads that as much time as so many multiply-adds in float32 take is worth."""
    return _setting() if work >= _INLINE_WORK else 1


def n_openmp_threads(work):
    """The same for OpenMP: after a fork its threads are gone, and GNU's waits for them forever."""
    return 1 if _forked else n_threads(work)


def _setting():
    """Threads that numba is set to; one in a process of a pool, unless it was set to others."""
    try:
        with _lock:  # numba takes locks of its own to tell
            number = numba.get_num_threads()
    except ValueError:  # it was told to use a threading layer that is not there; it is not needed
        number = numba.config.NUMBA_NUM_THREADS
    # Processes of a pool share the cores. loky sets numba in its own, the others are daemonic.
    shared = number == numba.config.NUMBA_DEFAULT_NUM_THREADS and current_process().daemon
    return 1 if shared else number


def _most():
    """Threads that may compute at the same time, as far as it is not the callers' choice."""
    return min(numba.config.NUMBA_DEFAULT_NUM_THREADS, numba.config.NUMBA_NUM_THREADS)


class Loop(NamedTuple):
    """A loop that threads may share: ``function(start, stop)`` does some items of a range.

    Pieces of the range are of at least so many items. The work of all items is that of
    :func:`n_threads`; there are some pieces a thread where it is not known.
    """

    function: Callable
    n_items: int
    least: int = 1
    work: float = math.inf

    def run(self, number=None):
        """Do all of it in so many threads, of which this is one; as many as its work is worth.

        An error in any of them is raised here, after all have ended.
        """
        number = self._worth(n_threads(self.work) if number is None else number)
        if number == 1:
            self.function(0, self.n_items)
            return
        with _Call(number) as call:
            call.add(self)
            call.work()

    def pieces(self, number, head_start):
        """What :meth:`run` does in so many threads: functions with a start and a stop.

        The first is larger than the others by so much work: the caller takes it, and begins at
        once.
        """
        number = self._worth(number)
        n_first = min(self.n_items // 2, int(self.n_items * head_start / max(self.work, 1)))
        n_rest = self.n_items - n_first
        n_pieces = max(number, self.work / _PIECE_WORK)
        n_pieces = max(1, int(min(number * _PIECES, n_pieces, n_rest // self.least)))
        edges = [n_first + n_rest * i // n_pieces for i in range(1, n_pieces + 1)]
        return [(self.function, *piece) for piece in itertools.pairwise([0, *edges])]

    def _worth(self, number):
        return min(number, max(1, self.n_items // self.least))


def run_in_threads(function, n_items, n_threads, least=1, work=math.inf):
    """Run a :class:`Loop`."""
    Loop(function, n_items, least, work).run(n_threads)


def at_once(function, *arguments):
    """A task that calls a function, in whatever thread has time for it."""
    results = []
    yield Loop(lambda *_: results.append(function(*arguments)), 1)
    return results[0]


def alone(task):
    """Result of a task: a generator that has each :class:`Loop` done that it yields."""
    try:
        while True:
            next(task).run()
    except StopIteration as end:
        return end.value


def together(work, *tasks):
    """Results of tasks, in threads where the work of all of them is worth it.

    The task with the longest piece should come first. Other threads are asked when every task is at
    a loop. Asked earlier, they would wait for the interpreter that prepares the next, and to let it
    go with someone waiting takes it longer.
    """
    number = n_threads(work)
    if number == 1:
        return [alone(task) for task in tasks]
    results, pending = [None] * len(tasks), list(range(len(tasks)))
    with _Call(number) as call:
        while pending:
            for i in pending[:]:
                try:
                    call.add(next(tasks[i]))
                except StopIteration as end:
                    results[i] = end.value
                    pending.remove(i)
            call.work()
    return results


class _Team:
    """Threads that may join a caller: in its call, and in the calls that are made within it."""

    def __init__(self, n_free):
        self.n_free = n_free


class _Call:
    """Pieces of loops, and the threads that are at them: this one, and those that help it."""

    def __init__(self, n_threads):
        self.pieces, self.n_threads = deque(), n_threads
        self.n_wanted, self.n_at_work, self.error = n_threads - 1, 0, None
        self.changed = threading.Condition()

    def __enter__(self):
        self.team = getattr(_thread, "team", None)
        self.is_first = self.team is None  # not within another call of this thread, which counts it
        if self.is_first:
            self.team = _thread.team = _Team(min(self.n_threads, _most()) - 1)
            _enter(always=True)
        return self

    def add(self, loop):
        """Have the pieces of one more loop done."""
        self.pieces.extend(loop.pieces(self.n_threads, 0 if self.pieces else _HEAD_START))

    def work(self):
        """Work at pieces until all are done; raises what went wrong with any."""
        while (piece := self.next()) is not None:
            self.invite()
            function, start, stop = piece
            function(start, stop)
        self.end()
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # which refers to this frame, and so to all arrays

    def next(self):
        """One of the pieces that nobody is at, if there is any."""
        try:
            return self.pieces.popleft()
        except IndexError:
            return None

    def __exit__(self, *_):
        self.pieces.clear()
        if self.is_first:
            _thread.team = None
            _leave()
        self.end()

    def invite(self):
        while self.n_wanted > 0 and self.team.n_free > 0 and _n_computing < _most():
            with _lock:
                if self.team.n_free == 0:
                    return
                self.team.n_free -= 1
            with self.changed:
                self.n_wanted -= 1
            if not _submit(self.help):
                return

    def help(self):
        """Work at pieces while there is a core to spare."""
        _thread.team = self.team
        with self.changed:
            self.n_at_work += 1  # before a piece is taken: who finds none must wait for this
        try:
            while _enter():
                try:
                    piece = self.next()
                    if piece is None:
                        return
                    function, start, stop = piece
                    function(start, stop)
                finally:
                    _leave()
        except BaseException as error:
            self.error = error
        finally:
            with self.changed:
                self.n_wanted += 1
                self.n_at_work -= 1
                self.changed.notify_all()
            _thread.team = None
            with _lock:
                self.team.n_free += 1

    def end(self):
        """Wait for those who are at pieces, not for who has none."""
        with self.changed:
            self.changed.wait_for(lambda: self.n_at_work == 0)


def _enter(always=False):
    """Count one more thread that computes, if there is a core to spare."""
    global _n_computing
    with _lock:
        if not always and _n_computing >= _most():
            return False
        _n_computing += 1
        return True


def _leave():
    global _n_computing
    with _lock:
        _n_computing -= 1


def _submit(function):
    """Whether a thread of the pool will call a function: none will while the interpreter ends."""
    global _pool
    try:
        with _lock:
            if _pool is None:
                _pool = ThreadPoolExecutor(_most() - 1, thread_name_prefix="skflow")
            _pool.submit(function)
    except RuntimeError:
        return False
    return True
