"""What passing over points saves: blocks against dense, on uniform and on real data.

Queries are the points with noise of standard deviation sigma, as in the flow, which is a share of
the spread (root mean square distance from the mean, over sqrt(d)): a small one, where most kernels
are nothing, and a large one, where nothing can be left out and looking for it is a loss. Real data
are pixels of scikit-learn's picture of China, in random order: red and green (d = 2), all three
colours (3), with the position in the picture (5), and with the colours of the pixel to the right
(8); every column is scaled to a standard deviation of 1. Uniform data fill a cube.

Times are medians in seconds. Errors of the mean are in units of sigma, against long double on 64
rows; the limit is that of kernel_speed for points within 10 sigma of the origin, and in proportion
more for points further out, whose coordinates are rounded so much more. "as dense" is the time of
dense over that of blocks: above 1 is a gain. Without a tolerance, what is left out is below the
rounding of the sum.

    python -m benchmarks.doing_less [--size 100000] [--repeats 3] [--widths 2 3 5 8]
        [--shares 0.02 1.0] [--dtypes float64 float32] [--tolerance 1e-6] [--threads 2]
"""

import argparse
import itertools

import numpy as np
from sklearn.datasets import load_sample_image

from benchmarks.harness import measure
from benchmarks.kernel_speed import LIMITS
from benchmarks.peers import reference
from benchmarks.report import machine, table
from skflow._kernels import kernel_mean

ROWS = 64


def uniform(size, d, rng):
    return rng.random((size, d))


def pixels(size, d, rng):
    """Pixels of a photograph as rows of 2, 3, 5 or 8 columns."""
    colours = load_sample_image("china.jpg").astype(float)
    height, width, _ = colours.shape
    place = np.stack(np.mgrid[:height, :width], axis=-1)
    columns = {
        2: [colours[..., :2]],
        3: [colours],
        5: [colours, place],
        8: [colours, place, np.roll(colours, -1, axis=1)],
    }[d]
    rows = np.concatenate(columns, axis=-1)[:, :-1].reshape(-1, d)  # the last has no right
    rows = rows / rows.std(axis=0)
    return rows[rng.permutation(len(rows))[:size]]


DATA = {"uniform": uniform, "pixels": pixels}


def run(data, size, d, share, *, dtype="float64", tolerance=None, repeats=3, threads=2):
    """{algorithm: Result} of dense, blocks, blocks with the tolerance, and auto."""
    rng = np.random.default_rng(0)
    X = DATA[data](size, d, rng).astype(dtype)
    sigma = share * float(np.sqrt(X.var(axis=0).mean()))
    Z = (X + sigma * rng.standard_normal(X.shape)).astype(dtype)
    rows = rng.permutation(len(Z))[:ROWS]
    expected = reference(Z[rows], X, sigma)

    def contender(**options):
        return lambda: kernel_mean(Z, X, sigma, **options)[0]

    contenders = {name: contender(algorithm=name) for name in ("dense", "blocks", "auto")}
    limit = LIMITS[dtype] * max(1.0, np.abs(X).max() / (10 * sigma))
    limits = dict.fromkeys(contenders, limit)
    if tolerance is not None:
        name = f"blocks, tolerance {tolerance:g}"
        contenders[name] = contender(algorithm="blocks", tolerance=tolerance)
        # The tolerance is a share of the spread of the values: of their range, to be sure.
        limits[name] = limit + tolerance * float(np.ptp(X, axis=0).max()) / sigma
    return measure(
        contenders,
        repeats=repeats,
        threads=threads,
        error=lambda mean: np.abs(mean[rows] - expected).max() / sigma,
        limit=limits,
        dtype=dtype,
    )


def verdict(seconds, dense):
    """How a time compares with that of dense."""
    ratio = dense / seconds
    if not ratio > 0:
        return "no time"
    return f"{ratio:.2f}" if ratio >= 1 else f"{ratio:.2f} (a loss of {1 / ratio - 1:.0%})"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=[2, 3, 5, 8])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.02, 1.0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--dtypes", nargs="+", choices=LIMITS, default=["float64", "float32"])
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    print(f"N = M = {options.size}, median of {options.repeats}; {machine()}")
    settings = {name: getattr(options, name) for name in ("tolerance", "repeats", "threads")}
    header = ["data", "d", "sigma / spread", "algorithm", "seconds", "as dense", "error"]
    cells = list(itertools.product(options.data, options.widths, options.shares))
    for dtype in options.dtypes:
        print(f"\n{dtype}\n\n{table(header, [])}")
        for data, d, share in cells:
            results = run(data, options.size, d, share, dtype=dtype, **settings)
            for name, result in results.items():
                faster = verdict(result.median, results["dense"].median)
                line = [data, d, f"{share:g}", name, result.time(), faster]
                print(table([*line, f"{result.error:.1e}"], [], rule=False), flush=True)


if __name__ == "__main__":
    main()
