"""Ordinary threads for compiled loops that release the GIL, as many as numba is set to.

numba's own parallel loops are not used: their workqueue layer aborts the process when two threads
launch at once, and their OpenMP layer dies in a forked child.
"""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numba

_INLINE_WORK = 2**15  # query-point pairs below which a thread costs more than it saves
_PIECES = 4  # per thread: a core that others use too gets fewer

_pool = None


def _forget_pool():
    """After a fork the child has the pool but not its threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def n_threads(n_pairs):
    """Threads that so many pairs of a query and a point are worth."""
    return numba.get_num_threads() if n_pairs >= _INLINE_WORK else 1


def run_in_threads(function, n_items, n_threads, least=1):
    """Call ``function(start, stop)`` on pieces of a range, of at least so many items, in threads.

    This thread is one of them. An error in any of them is raised here, after all have ended.
    """
    global _pool
    n_threads = min(n_threads, max(1, n_items // least))
    if n_threads == 1:
        function(0, n_items)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(
            numba.config.NUMBA_DEFAULT_NUM_THREADS, thread_name_prefix="skflow"
        )
    n_pieces = min(n_threads * _PIECES, n_items // least)
    edges = [n_items * i // n_pieces for i in range(n_pieces + 1)]
    pieces = iter(list(itertools.pairwise(edges)))

    def work():
        for start, stop in pieces:  # next() of a list's iterator is atomic
            function(start, stop)

    others = [_pool.submit(work) for _ in range(n_threads - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()
