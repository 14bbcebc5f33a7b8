"""The Gaussian kernel mean, compiled by numba: the engine under every flow.

For queries ``z``, points ``x_j`` with values ``v_j`` and weights ``w_j``, and the Gaussian kernel
``K(z, x) = exp(-|z - x|^2 / (2 sigma^2))``, :func:`kernel_mean` returns at each query

    mean        = sum_j w_j K(z, x_j) v_j / sum_j w_j K(z, x_j)
    log_density = log(sum_j w_j K(z, x_j) / sum_j w_j)

without ever forming a queries-by-points matrix.

How it works, from the outside in:

- ``mean``: :func:`kernel_mean` is ``finalize(partial(...))``. A :class:`KernelState` holds two
  numbers and a mean for each query and merges associatively (:func:`merge`), so that points may
  arrive in chunks, from threads or from machines.
- ``points``: :class:`Points` are centred, and keep what algorithms prepare of them for many calls.
- ``algorithms``: for each query, which way of summing. ``dense`` computes every kernel.
  ``blocks`` has points in tiles of neighbours (``sorting``) and passes over those that cannot
  count; points that ``repeats`` finds to be equal are one.
  ``fourier`` sums a Fourier series, and tells where that is not accurate enough.
- ``threads``: what is said above is a task, a generator of loops. Tasks that go ``together`` share
  the threads: nobody waits for the end of one loop while there is another.
- ``compiled`` and ``tiles``: the loops over groups of queries, which are dealt out to threads.
- ``loops``: the inner loops, generated for a dtype by a ``builder`` as explicit ``vectors``.
  Kernels are ``2^(logit - shift)``, with logits in base 2 (a bias and d multiply-adds), an inlined
  polynomial, and as the shift a bound on the largest logit, or that itself. In float32, where
  logits are small enough for it, there is no shift.
- ``scans``: the same for what looks for near points: which boxes around tiles a query may reach,
  and, for ``neighbors``, which points.
- ``noise``: normal numbers, for the noise of flows.

Precision. Writing ``-|z - x|^2 / 2`` as ``z.x - |x|^2 / 2 - |z|^2 / 2`` costs one multiply-add a
dimension, but its rounding error grows with ``|z| |x| / sigma^2`` (norms about the centre of the
points). In float32, queries for which that number exceeds ``_FLOAT32_REACH``, and all in few
dimensions where that is as fast, and in tiles, are computed by direct differences ``x - z``
instead; in float64 where these would not do either, because all kernels of a query are tiny, or
there are many dimensions. The choice depends on the query and on the points, never on the other
queries. In float64 the same number is harmless up to about 1e12 (a log-density is then good to
1e-4); where sigma is a ten-millionth of the spread of the points, a log-density is off by a tenth.

A query's arithmetic does not depend on its neighbours, so results have the same bits for any
number of threads and any split of the queries: with "dense" and "blocks", and where "auto" chooses
among these. A series leaves rows to one or the other by how many they are.
"""

from skflow._kernels.mean import (
    KernelState,
    exchange,
    finalize,
    kernel_mean,
    kernel_mean_task,
    merge,
    partial,
    partial_task,
    soft_mean_task,
)
from skflow._kernels.neighbors import Search, nearest
from skflow._kernels.noise import normals
from skflow._kernels.points import Points, mean_square
from skflow._kernels.threads import (
    alone,
    at_once,
    n_threads,
    run_in_threads,
    together,
)

__all__ = [
    "KernelState",
    "Points",
    "Search",
    "alone",
    "at_once",
    "exchange",
    "finalize",
    "kernel_mean",
    "kernel_mean_task",
    "mean_square",
    "merge",
    "n_threads",
    "nearest",
    "normals",
    "partial",
    "partial_task",
    "run_in_threads",
    "soft_mean_task",
    "together",
]
