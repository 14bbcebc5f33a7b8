"""Time and memory against the number of rows, at three bandwidths, of our algorithms and of peers.

Queries are N rows and points N others, uniform in a cube; sigma is a share of the spread of the
points (root mean square distance from the mean, over sqrt(d)). Every cell runs in a process of its
own, which after a small warm-up makes one call at full size, of which the growth of the largest
resident memory is noted, and up to `--repeats` more for the time. Errors of the mean are in units
of sigma, against long double on 64 random queries. A cell that would take longer than `--limit`
seconds, judged by the sizes before it, is skipped. What sums all pairs takes as long at any sigma,
and runs at the middle one only unless `--all` is given.

    python -m benchmarks.cost_curve costs.csv [--sizes 1000 ... 1000000] [--limit 20] [--all]
    python -m benchmarks.cost_curve costs.csv --plot costs.png

The second command draws costs_seconds.png and costs_megabytes.png.
"""

import argparse
import csv
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.cost_plot import draw_costs
from benchmarks.harness import Missing, n_threads
from benchmarks.peers import PEERS, reference
from benchmarks.report import machine, table

SIZES = [1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000]
WIDTHS, SHARES = [2, 3, 8, 32], [0.02, 0.1, 0.5]
TOLERANCE = 1e-6  # where one is given
OURS = {
    "auto": {"algorithm": "auto"},
    "auto, tolerance 1e-6": {"algorithm": "auto", "tolerance": TOLERANCE},
    "dense": {"algorithm": "dense"},
    "blocks": {"algorithm": "blocks"},
    "nufft, tolerance 1e-6": {"algorithm": "nufft", "tolerance": TOLERANCE},
}
FIXED = {"dense", *PEERS}  # in time, whatever sigma is
FIELDS = ["contender", "d", "share", "dtype", "n", "seconds", "megabytes", "error", "note"]
WARM_UP = 5000  # rows; fewer are never summed in blocks
ROWS = 64


def run_cell(contender, d, share, dtype, n, repeats=3, threads=2):
    """Figures of one cell, in this process."""
    rng = np.random.default_rng(0)
    X, Z = rng.random((2, n, d)).astype(dtype)
    sigma = share * float(np.sqrt(X.var(axis=0).mean()))
    rows = rng.permutation(n)[:ROWS]
    try:
        with n_threads(threads):
            make(contender, Z[:WARM_UP], X[:WARM_UP], sigma)()
        with n_threads(threads):  # also what has been loaded since
            before = peak_memory(reset=True)
            start = time.perf_counter()
            mean = make(contender, Z, X, sigma)
            means = np.asarray(mean())
            seconds = [time.perf_counter() - start]
            megabytes = (peak_memory() - before) / 2**20
            while len(seconds) <= repeats and sum(seconds[1:]) < 5:  # the first may compile
                start = time.perf_counter()
                mean()
                seconds.append(time.perf_counter() - start)
    except Missing as error:
        return {"note": str(error)}
    except (ImportError, MemoryError, RuntimeError, ValueError) as error:
        return {"note": str(error).partition("\n")[0]}
    if means.dtype != dtype:
        return {"note": f"result is {means.dtype}, not {dtype}"}
    error = np.abs(means[rows] - reference(Z[rows], X, sigma)).max() / sigma
    seconds = float(np.median(seconds[1:] or seconds))
    return {"seconds": seconds, "megabytes": megabytes, "error": float(error), "note": ""}


def make(contender, Z, X, sigma):
    if contender in PEERS:
        return PEERS[contender](Z, X, sigma)
    from skflow._kernels import kernel_mean

    return lambda: kernel_mean(Z, X, sigma, **OURS[contender])[0]


def peak_memory(reset=False):
    """Largest resident memory of this process in bytes; since the last reset, where that can be."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):
        import resource  # not on every system

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def predict(sizes, seconds, n):
    """Seconds at n rows, as they grew between the last two sizes; at first, as the pairs do."""
    if not sizes:
        return 0.0
    power = 2.0
    if len(sizes) > 1:
        power = math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])
    return seconds[-1] * (n / sizes[-1]) ** min(max(power, 1.0), 2.0)


def run_curve(contender, d, share, dtype, sizes, limit, repeats=3, threads=2):
    """Yield the figures of every size, each from a process of its own."""
    cell = {"contender": contender, "d": d, "share": share, "dtype": dtype}
    done, seconds = [], []
    for n in sizes:
        predicted = predict(done, seconds, n)
        if predicted > limit:
            yield {**cell, "n": n, "note": f"skipped: predicted {predicted:.0f} s"}
            continue
        task = {**cell, "n": n, "repeats": repeats, "threads": threads}
        figures = in_a_process(task, timeout=max(60, 10 * limit))
        if "seconds" in figures:
            done.append(n)
            seconds.append(figures["seconds"])
        yield {**cell, "n": n, **figures}


def in_a_process(task, timeout):
    command = [sys.executable, "-m", "benchmarks.cost_curve", "--cell", json.dumps(task)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"note": f"stopped after {timeout:.0f} s"}
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["no message; out of memory?"]
        return {"note": f"ended with {ended.returncode}: {last[0]}"}
    return json.loads(ended.stdout.splitlines()[-1])


def curves(widths, shares, contenders, everything=False):
    """Contender, width and share of every curve that there is."""
    middle = sorted(shares)[len(shares) // 2]
    for d in widths:
        for share in shares:
            for contender in contenders:
                too_wide = contender.startswith("nufft") and d > 3
                the_same = contender in FIXED and share != middle and not everything
                if not (too_wide or the_same):
                    yield contender, d, share


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("csv", nargs="?", type=Path)
    parser.add_argument("--plot", metavar="PNG", help="draw the CSV, and measure nothing")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES)
    parser.add_argument("--contenders", nargs="+", default=[*OURS, *PEERS])
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--limit", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.cell:
        print(json.dumps(run_cell(**json.loads(options.cell))))
        return
    if options.csv is None:
        parser.error("the name of a CSV file is needed")
    if options.plot:
        with open(options.csv, newline="") as file:
            rows = list(csv.DictReader(file))
        draw_costs(rows, options.plot, contenders=[*OURS, *PEERS], fixed=FIXED)
        return
    print(f"Limit {options.limit:g} s; {options.threads} threads; {machine()}\n")
    print(table(FIELDS, []))
    with open(options.csv, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        settings = options.dtype, options.sizes, options.limit, options.repeats, options.threads
        for curve in curves(options.widths, options.shares, options.contenders, options.all):
            for row in run_curve(*curve, *settings):
                writer.writerow(row)
                file.flush()
                print(table([_cell(row, name) for name in FIELDS], [], rule=False), flush=True)


def _cell(row, name):
    formats = {"seconds": ".4f", "megabytes": ".0f", "error": ".1e"}
    return format(row[name], formats.get(name, "")) if name in row else ""


if __name__ == "__main__":
    main()
