"""kernel_mean against the same soft mean in numpy (GEMM, exp, GEMM), with the errors of both.

Contenders run in turn in every repeat; times are medians, in nanoseconds per pair of a query and a
point. Errors are those of the mean, in units of sigma, against long double arithmetic.

    python -m benchmarks.kernel_speed [--size 4096] [--repeats 7] [--widths 2 10 50 200]
"""

import argparse
import time

import numpy as np

from benchmarks.report import machine, table
from skflow._kernels import kernel_mean


def numpy_mean(Z, X, sigma):
    """The soft mean with a queries-by-points matrix, as one writes it in numpy."""
    logits = (Z @ X.T - 0.5 * np.square(X).sum(axis=1)) / Z.dtype.type(sigma**2)
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    return logits @ X / logits.sum(axis=1, keepdims=True)


def reference(Z, X, sigma):
    """The soft mean in long double."""
    Z, X = Z.astype(np.longdouble), X.astype(np.longdouble)
    logits = -0.5 * np.square(Z[:, None] - X).sum(axis=-1) / np.longdouble(sigma) ** 2
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights @ X / weights.sum(axis=1, keepdims=True)


CONTENDERS = {"skflow": lambda *arguments: kernel_mean(*arguments)[0], "numpy": numpy_mean}


def run(size, n_features, dtype, repeats):
    """Median nanoseconds a pair and error, for each contender."""
    rng = np.random.default_rng(0)
    Z, X = rng.standard_normal((2, size, n_features)).astype(dtype)
    sigma = float(np.sqrt(n_features))
    few = Z[:: max(1, size // 64)]
    expected = reference(few, X, sigma)
    errors = {
        name: float(np.abs(mean(few, X, sigma) - expected).max() / sigma)
        for name, mean in CONTENDERS.items()
    }
    times = {name: [] for name in CONTENDERS}
    for repeat in range(repeats + 1):  # the first warms up
        for name, mean in CONTENDERS.items():
            time.sleep(0.1)  # BLAS threads spin for a while after a product, on a core of the next
            start = time.perf_counter()
            mean(Z, X, sigma)
            if repeat:
                times[name].append((time.perf_counter() - start) / size**2 * 1e9)
    return {name: float(np.median(times[name])) for name in CONTENDERS}, errors


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--widths", type=int, nargs="+", default=[2, 3, 10, 50, 200])
    options = parser.parse_args(arguments)
    rows = []
    for dtype in (np.float32, np.float64):
        for width in options.widths:
            times, errors = run(options.size, width, dtype, options.repeats)
            rows.append(
                [width, np.dtype(dtype).name, times["skflow"], times["numpy"]]
                + [f"{times['numpy'] / times['skflow']:.1f}"]
                + [f"{errors[name]:.1e}" for name in CONTENDERS]
            )
    print(f"N = M = {options.size}, sigma = sqrt(d), median of {options.repeats}; {machine()}\n")
    header = ["d", "dtype", "skflow ns", "numpy ns", "ratio", "skflow error", "numpy error"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
