"""Waiting for a moment without sleeping: to be woken takes as long as a small piece of work."""

import platform

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skflow._kernels.compiled import njit

_LOOKS = 10_000  # a few tenths of a millisecond
_HAS_PAUSE = platform.machine().lower() in ("x86_64", "amd64")


class Bell:
    """What one thread listens to for a moment, and others ring."""

    def __init__(self):
        self._rung = np.zeros(1, dtype=np.int64)

    def listen(self):
        """Return when the bell has been rung since the last time, or after a moment.

        Meanwhile other threads have the interpreter to themselves.
        """
        _watch(self._rung, _LOOKS)
        self._rung[0] = 0

    def ring(self):
        """Let the one who listens go on."""
        self._rung[0] = 1


@intrinsic
def _look(typing_context, array):
    """The first number of an array as it is now: others may change it."""

    def generate(context, builder, signature, arguments):
        if _HAS_PAUSE:  # to leave more of the core to another thread that shares it
            kind = ir.FunctionType(ir.VoidType(), [])
            pause = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause")
            builder.call(pause, [])
        place = context.make_array(array)(context, builder, arguments[0]).data
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(array), generate


@njit()
def _watch(rung, n_looks):
    for _ in range(n_looks):
        if _look(rung) != 0:
            return
