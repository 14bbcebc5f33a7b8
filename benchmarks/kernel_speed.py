"""The dense kernel mean against its peers: times, errors, targets and the arithmetic limit.

Queries and points are standard normal and sigma is sqrt(d), so that every kernel counts. The first
tables have, for each contender, nanoseconds per pair of a query and a point (median over the
repeats, plus or minus half the range between the quartiles), the threads that were at work, and the
largest error of the mean in units of sigma against long double on 64 rows: of those queries, and of
64 that are 100 sigma away. Both errors of ours must keep the limit of the dtype, that of a peer the
first only.

The last table compares ours with the strongest peer, with numpy (the better of two) and with KeOps.
The arithmetic limit is 2d + 15 multiply-adds a pair in float32 and 2d + 20 in float64, at the rate
of the best matrix product of numpy and torch. The multiply-adds alone, 2d + 5 and 2d + 10 with
those of the exponential, are compared with the rate of a loop that does nothing else.

    python -m benchmarks.kernel_speed [--sizes 4096 16384] [--repeats 7] [--threads 2]
        [--widths 2 3 10 50 200 784] [--dtypes float32 float64] [--limit 30]

A contender that would need more than `--limit` seconds for a call is skipped, judged by calls with
64 and with 128 queries: what the second takes more is what queries cost, and not the points.
"""

import argparse
import time

import numpy as np

from benchmarks.harness import measure, n_threads, prepare
from benchmarks.peak import gemm_peak, register_peak
from benchmarks.peers import PEERS, reference
from benchmarks.report import machine, table
from skflow._kernels import Points, kernel_mean

LIMITS = {"float32": 1e-5, "float64": 1e-12}
TARGETS = {2: 2.0, 3: 2.0, 10: 1.5, 50: 1.2, 200: 1.0, 784: 1.0}  # against the strongest peer
NUMPY_TARGET, NUMPY_WIDTH, KEOPS_TARGET = 5.0, 10, 1.0
ROWS, AWAY = 64, 100.0


def ours(Z, X, sigma):
    return lambda: kernel_mean(Z, X, sigma, algorithm="dense")[0]


def ours_laid_out(Z, X, sigma):
    points = Points(X)
    return lambda: kernel_mean(Z, points, sigma, algorithm="dense")[0]


OURS = {"skflow": ours, "skflow, points laid out": ours_laid_out}


def run(size, d, dtype, repeats=7, threads=2, limit=np.inf, peers=PEERS):
    """{name: Result}, and {name: error far away}."""
    rng = np.random.default_rng(0)
    Z, X = rng.standard_normal((2, size, d)).astype(dtype)
    sigma = float(np.sqrt(d))
    rows = slice(None, None, max(1, size // ROWS))
    expected = reference(Z[rows], X, sigma)
    far = (Z[rows] + AWAY * sigma / np.sqrt(d)).astype(dtype)
    makers = {**OURS, **peers}
    contenders = prepare(makers, Z, X, sigma)
    with n_threads(threads):
        for name, seconds in _predict(makers, contenders, Z, X, sigma).items():
            if seconds > limit:
                predicted = f"{seconds:.0f} s, {seconds / size**2 * 1e9:.0f} ns a pair"
                contenders[name] = f"skipped: predicted {predicted}"
        far_errors = _far_errors(makers, contenders, far, X, sigma)
    for name in OURS:
        if not far_errors.get(name, 0.0) <= LIMITS[dtype]:
            contenders[name] = f"error {far_errors[name]:.1e} at {AWAY:g} sigma"
    results = measure(
        contenders,
        repeats=repeats,
        threads=threads,
        error=lambda mean: np.abs(mean[rows] - expected).max() / sigma,
        limit=LIMITS[dtype],
        dtype=dtype,
    )
    return results, far_errors


def _predict(makers, contenders, Z, X, sigma):
    """Seconds for a call with all queries, for those contenders that are there."""
    few = {name: makers[name] for name, mean in contenders.items() if callable(mean)}
    times = {name: [] for name in few}
    for n in (ROWS, 2 * ROWS):
        for name, mean in prepare(few, Z[:n], X, sigma).items():
            if callable(mean):
                mean()  # compiles, perhaps
                start = time.perf_counter()
                mean()
                times[name].append(time.perf_counter() - start)
    seconds = {}
    for name, (first, second) in times.items():
        a_query = max(second - first, 0.1 * first) / ROWS
        seconds[name] = first + a_query * max(0, len(Z) - ROWS)
    return seconds


def _far_errors(makers, contenders, Z, X, sigma):
    few = {name: makers[name] for name, mean in contenders.items() if callable(mean)}
    expected = reference(Z, X, sigma)
    return {
        name: float(np.abs(np.asarray(mean()) - expected).max() / sigma)
        for name, mean in prepare(few, Z, X, sigma).items()
        if callable(mean)
    }


def details(results, far_errors, size):
    rows = []
    for name, result in results.items():
        errors = [f"{result.error:.1e}", f"{far_errors.get(name, np.nan):.1e}"]
        times = [result.time(1e9 / size**2), f"{result.fastest * 1e9 / size**2:.3f}"]
        rows.append([name, *times, f"{result.use:.2f}", *errors])
    header = ["contender", "ns a pair", "fastest", "threads at work", "error", "error far away"]
    return table(header, rows)


def summary_row(results, size, d, dtype, peaks):
    """Ours beside the strongest peer, numpy and KeOps, and how near the limits it is."""

    def best(*starts):
        times = {n: r.median for n, r in results.items() if n.startswith(starts) and not r.reason}
        return min(times.items(), key=lambda item: item[1], default=("none", np.nan))

    def against(time, target):
        if not time / mine > 0:
            return "no time"
        verdict = "met" if time / mine >= (target or 0) else "missed"
        verdict = "disturbed" if disturbed else verdict
        return f"{time / mine:.2f}" + (f" (target {target:g}: {verdict})" if target else "")

    mine = results["skflow"].median
    disturbed = any(result.disturbed for result in results.values())
    name, strongest = best("torch", "numpy", "KeOps")
    of_numpy = NUMPY_TARGET if d <= NUMPY_WIDTH else None
    counts = [2 * d + {"float32": n, "float64": n + 5}[dtype] for n in (15, 5)]
    shares = [f"{n * size**2 / peak / mine:.0%}" for n, peak in zip(counts, peaks, strict=True)]
    ratios = [against(strongest, TARGETS.get(d)), against(best("numpy")[1], of_numpy)]
    ratios += [against(best("KeOps")[1], KEOPS_TARGET), against(best("C anchor")[1], None)]
    return [size, d, dtype, f"{mine / size**2 * 1e9:.3f}", name, *ratios, *shares]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 16384])
    parser.add_argument("--widths", type=int, nargs="+", default=list(TARGETS))
    parser.add_argument("--dtypes", nargs="+", choices=LIMITS, default=list(LIMITS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=30.0)
    options = parser.parse_args(arguments)
    print(f"sigma = sqrt(d), median of {options.repeats}; {machine()}")
    summary = []
    for dtype in options.dtypes:
        peaks = gemm_peak(dtype, options.threads), register_peak(dtype, options.threads)
        in_products, in_registers = (f"{peak / 1e9:.0f}" for peak in peaks)
        print(
            f"\nBillion multiply-adds a second in {dtype}: {in_products} in a matrix product, "
            f"{in_registers} in registers"
        )
        for size in options.sizes:
            for d in options.widths:
                results, far = run(size, d, dtype, options.repeats, options.threads, options.limit)
                print(f"\nN = M = {size}, d = {d}, {dtype}\n\n{details(results, far, size)}")
                print(flush=True, end="")
                summary.append(summary_row(results, size, d, dtype, peaks))
    header = ["N = M", "d", "dtype", "skflow, ns a pair", "strongest peer", "its time / ours"]
    header += ["numpy / ours", "KeOps / ours", "C anchor / ours", "of the arithmetic limit"]
    header += ["of the multiply-adds"]
    print(f"\n{table(header, summary)}")


if __name__ == "__main__":
    main()
