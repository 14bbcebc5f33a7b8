"""What the questions share: trials, their spread, and what independent rows would score."""

import argparse
import time

import numpy as np
from joblib import Parallel, delayed
from scipy.spatial.distance import cdist
from scipy.stats import chi2

from benchmarks.report import machine, table
from skflow.metrics import energy_distance

INDEPENDENT = "independent rows"


def options(doc, arguments, **defaults):
    """Command line of a question: numbers, and lists of numbers, with their defaults."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=-1, help="how many run side by side")
    for name, default in defaults.items():
        if isinstance(default, tuple):
            parser.add_argument(f"--{name}", type=type(default[0]), nargs="+", default=default)
        else:
            parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args(arguments)


def side_by_side(function, settings, jobs):
    """{setting: what the function returns for it}, computed in processes of one thread each."""
    settings = list(settings)
    return dict(zip(settings, Parallel(jobs)(delayed(function)(*s) for s in settings), strict=True))


def report(settings, header, rows, start):
    """Print a table under what it was measured with."""
    print(f"{settings}; {time.perf_counter() - start:.0f} s; {machine()}\n")
    print(table(header, rows), flush=True)


def spread(values, digits=2):
    """Mean ± standard deviation over trials; "lost" where one is infinite, nothing for NaN."""
    if not np.isfinite(values).all():
        return "" if np.isnan(values).any() else "lost"
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def spreads(trials, digits=2):
    """The same for several figures: `trials` has a row for each trial."""
    return [spread(values, digits) for values in np.transpose(trials)]


def particles_of(flow, X, **fit_parameters):
    """Where a flow ends; None if it lost particles."""
    try:
        return flow.fit(X, **fit_parameters).particles_
    except FloatingPointError:
        return None


def energy_unit(draw, n_rows, n_pairs=20):
    """Mean energy distance of pairs of independent samples of a law."""
    rng = np.random.RandomState(99)
    pairs = [energy_distance(draw(rng, n_rows), draw(rng, n_rows)) for _ in range(n_pairs)]
    return float(np.mean(pairs))


def on_a_mode(rows, centers, std):
    """Share of rows where 99 in a hundred rows of equal spherical Gaussians are."""
    radius = std * np.sqrt(chi2.ppf(0.99, rows.shape[1]))
    return float(np.mean(cdist(rows, centers).min(axis=1) < radius))
