"""What a processor can do at most: in a matrix product, and in a loop that stays in registers."""

from functools import reduce

import numba
import numpy as np

from benchmarks.harness import Missing, measure, n_threads, need
from skflow._kernels.builder import inner_loop
from skflow._kernels.threads import run_in_threads
from skflow._kernels.vectors import N_REGISTERS, lanes

_CHAINS = N_REGISTERS // 2  # sums that do not wait for each other
_ROUNDS = 4_000_000


def gemm_peak(dtype, threads=2, size=2048, repeats=5):
    """Multiply-adds a second of the best matrix product of numpy and torch."""
    a, b = np.random.default_rng(0).standard_normal((2, size, size)).astype(dtype)
    contenders = {"numpy": lambda: a @ b}
    try:
        torch = need("torch")
        of_torch = torch.from_numpy(a), torch.from_numpy(b)
        contenders["torch"] = lambda: of_torch[0] @ of_torch[1]
    except Missing:
        pass
    return size**3 / _fastest(contenders, threads, repeats)


def register_peak(dtype, threads=2, rounds=_ROUNDS, repeats=5):
    """Multiply-adds a second of a loop that does nothing else."""
    numbers = np.full((_CHAINS, lanes(dtype)), 0.5, dtype)
    numbers[:, 0] = np.arange(_CHAINS)  # or the compiler would see that all sums are one
    n_pieces = 4 * threads

    def multiply():
        sums = np.empty((n_pieces, lanes(dtype)), dtype)

        def run(start, stop):
            for piece in range(start, stop):
                _multiply(numbers, rounds, sums[piece])

        run_in_threads(run, n_pieces, threads)
        return sums

    seconds = _fastest({"registers": multiply}, threads, repeats)
    return n_pieces * rounds * numbers.size / seconds


def _fastest(contenders, threads, repeats):
    with n_threads(threads):
        results = measure(contenders, repeats=repeats, threads=threads)
    refused = [result.reason for result in results.values() if not result.seconds]
    if refused:
        raise RuntimeError("; ".join(refused))
    return min(min(result.seconds) for result in results.values())


@inner_loop
def _multiply_adds(code, signature):
    """(numbers (_CHAINS, lanes), n, sums (lanes,)): n times x -> x x_0 + x_1, from each vector."""
    numbers, n, sums = code.arguments
    vectors = [code.load(numbers, code.number(i * code.lanes)) for i in range(_CHAINS)]
    totals = [code.variable(vector) for vector in vectors]
    with code.loop(code.number(0), n):
        for total in totals:
            next_one = code.multiply_add(code.builder.load(total), *vectors[:2])
            code.builder.store(next_one, total)
    code.store(reduce(code.builder.fadd, code.get(totals)), sums, code.number(0))


@numba.njit(nogil=True)
def _multiply(numbers, n, sums):
    _multiply_adds((numbers, n, sums))
