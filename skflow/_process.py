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


def _one_blas_thread():
    return _threads().limit(limits=1, user_api="blas")


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
    """A context of the process: the first of all threads in it enters it, and the last leaves it.

    threadpoolctl hears one thread at a time, until it has lifted its limits or has ended. So the
    one that entered leaves the context when it goes; for those who stay, a thread that ends at once
    enters it again, which another can undo.
    """

    def __init__(self, make):
        self._make, self._context = make, None
        self._n_inside, self._owner, self._n_of_owner = 0, None, 0
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_others)

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                self._enter()
                self._owner, self._n_of_owner = threading.get_ident(), 0
            self._n_inside += 1
            self._n_of_owner += self._owner == threading.get_ident()

    def __exit__(self, *error):
        with self._lock:
            if self._n_inside == 0:  # the fork of a process was inside
                return
            self._n_inside -= 1
            if self._owner == threading.get_ident():
                self._n_of_owner -= 1
                if self._n_of_owner == 0:
                    self._leave()
                    self._owner = None
                    if self._n_inside:
                        _run_in_a_thread(self._enter)
            elif self._n_inside == 0:
                _run_in_a_thread(self._leave)

    def _enter(self):
        self._context = self._make()

    def _leave(self):
        self._context.__exit__(None, None, None)
        self._context = None

    def _forget_others(self):
        """The threads that are inside are not in a forked child."""
        self._lock = threading.Lock()
        if self._n_inside:
            self._n_inside = 0
            self._leave()


def _run_in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


one_blas_thread = _Shared(_one_blas_thread)
unconverged_is_fine = _Shared(_unconverged_is_fine)
