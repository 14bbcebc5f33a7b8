"""Settings of the whole process, changed for a while: fits run side by side in threads.

Saved by one thread and restored by another in the wrong order, such a setting would stay changed
for good. So the first one in changes it, and the last one out restores it.
"""

import os
import sys
import threading
import warnings
from contextlib import ExitStack

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread", "one_openmp_thread", "unconverged_is_fine"]

_known = 0, None


def _threads():
    """Controller of the libraries that are loaded by now; to look for them takes milliseconds."""
    global _known
    n_modules, controller = _known
    if n_modules != len(sys.modules):
        controller = ThreadpoolController()
        _known = len(sys.modules), controller
    return controller


class _OneBlasThread:
    """Limit set and lifted by threads of their own.

    threadpoolctl lets one thread at a time have its way, and forgets one that has ended: so what
    one thread has limited another can restore.
    """

    def __init__(self):
        _run_in_a_thread(self._set)

    def _set(self):
        self._limiter = _threads().limit(limits=1, user_api="blas")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        _run_in_a_thread(self._limiter.restore_original_limits)


def _run_in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def one_openmp_thread():
    """Context with one thread of OpenMP, which counts them for each thread: nothing is shared."""
    return _threads().limit(limits=1, user_api="openmp")


def _unconverged_is_fine():
    stack = ExitStack()
    stack.enter_context(warnings.catch_warnings())
    # Not our own, which other threads may have to say at the same time.
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module=r"sklearn\.")
    return stack


class _Shared:
    """A context that is entered by the first of all threads in it, and left by the last."""

    def __init__(self, make):
        self._make, self._context, self._n_inside = make, None, 0
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_others)

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                self._context = self._make()
                self._context.__enter__()
            self._n_inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._n_inside = max(self._n_inside - 1, 0)  # after a fork in here it is 0 already
            if self._n_inside == 0 and self._context is not None:
                self._context.__exit__(None, None, None)
                self._context = None

    def _forget_others(self):
        """The threads that are inside are not in a forked child."""
        self._lock = threading.Lock()
        if self._n_inside:
            self._n_inside = 0
            self._context.__exit__(None, None, None)
            self._context = None


one_blas_thread = _Shared(_OneBlasThread)
unconverged_is_fine = _Shared(_unconverged_is_fine)
