"""What each default of SDFlowSampler is worth: one changed at a time, on held-out rows.

Data, halves and figures are those of `benchmarks.quality`, of which this is the study behind the
rule: every row of the table is the default sampler but for what it names, averaged over all data
sets and splits. "better" counts the data sets on which it is better than the default in AUC and in
energy distance at once, "worse" those on which it is worse in both.

    python -m benchmarks.defaults [--splits 3] [--rows 400] [--datasets wine banana]
        [--factors base bandwidth] [--jobs 2]

Cells run side by side, each in one thread.
"""

import argparse
import time
import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import n_threads
from benchmarks.quality import FIGURES, figures
from benchmarks.real_data import DATASETS, OTHERS, halves, load_each
from benchmarks.report import machine, table
from skflow import SDFlowSampler
from skflow._sources import MixtureSource
from skflow._space import FlowSpace
from skflow.schedules import BANDWIDTH_RULES, Cosine, Linear

ALL = [*DATASETS, *OTHERS]
DEFAULT = "default"


def to_the_tenth(factor):
    """A multiple of the median distance of a row to its tenth neighbour.

    The default is 1.4 where there are fewer than ten rows to a column, and nears 1 where many are.
    """

    def parameters(train):
        rows = StandardScaler().fit_transform(train)
        return {"bandwidth": factor * BANDWIDTH_RULES["auto"](rows, None, None)}

    return parameters


class _DrawnMixture:
    """The mixture as a base whose particles are independent draws, and not spread evenly."""

    def __init__(self, train):
        self.space = FlowSpace("diag").fit(train, None)
        self.source = MixtureSource(self.space.to_flow(train), None, np.random.RandomState(0))

    def sample(self, n, random_state=None):
        return self.space.from_flow(self.source.draw(n, random_state))


FACTORS = {
    "base": [
        *({"base": "normal"}, {"base": "mixture"}),
        {"mixture, particles drawn": lambda train: {"base": _DrawnMixture(train)}},
    ],
    "bandwidth": [
        *({f"{factor:g} to the tenth": to_the_tenth(factor)} for factor in (0.7, 1, 1.4, 2)),
        *({"bandwidth": rule} for rule in ("silverman", "scott", "paper")),
    ],
    "schedule": [
        {"schedule": "constant"},
        {"cosine from 2": lambda train: {"schedule": Cosine(2.0, 1.0)}},
        {"linear from 2": lambda train: {"schedule": Linear(2.0, 1.0)}},
    ],
    "flow time": [
        *({"n_steps": n_steps} for n_steps in (25, 50, 200, 400)),
        {"step_size": 0.3},
    ],
    "noise": [{"noise_scale": 0.0}, {"noise_scale": 0.5}],
    "particles": [{"n_particles": n} for n in (300, 3000)],
    "kernel": [{"covariance_type": "full"}],
    "discrete columns": [{"discrete_features": False}],
}


def variants(factors):
    """Name and changed parameters, or a function of the training rows that makes them."""
    yield DEFAULT, {}
    for factor in factors:
        for change in FACTORS[factor]:
            ((key, value),) = change.items()
            if callable(value):
                yield key, value
            else:
                yield f"{key}={value!r}", change


def judge(X, changes, seed):
    """The four figures on one split, and seconds of fit and sample; None where fit refuses."""
    train, heldout = halves(X, seed)
    changes = changes(train) if callable(changes) else changes
    with n_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        try:
            sampler = SDFlowSampler(random_state=seed, **changes).fit(train)
        except ValueError:  # a covariance without full rank
            return None
        samples = sampler.sample(len(train), random_state=seed)
        seconds = time.perf_counter() - start
        return [*figures(samples, train, heldout, seed), seconds]


def run(datasets, n_splits, factors, n_rows, n_jobs=1):
    """Of each variant: its name, and figures by data set, means over splits."""
    loaded = {dataset: rows[:n_rows] for dataset, rows in load_each(datasets)}
    for name, changes in variants(factors):
        cells = [(dataset, seed) for dataset in loaded for seed in range(n_splits)]
        judged = Parallel(n_jobs)(
            delayed(judge)(loaded[dataset], changes, seed) for dataset, seed in cells
        )
        by_dataset = {dataset: [] for dataset in loaded}
        for (dataset, _), found in zip(cells, judged, strict=True):
            by_dataset[dataset].append(found)
        fitted = {d: found for d, found in by_dataset.items() if None not in found}
        yield name, {d: np.mean(found, axis=0) for d, found in fitted.items()}


def row(name, found, default):
    """A row of the table: means over the data sets that could be fitted, and comparisons."""
    average = np.mean(list(found.values()), axis=0)
    worst = max(found, key=lambda dataset: found[dataset][2])
    better = sum((found[d][:2] < default[d][:2]).all() for d in found)
    worse = sum((found[d][:2] > default[d][:2]).all() for d in found)
    return [
        name,
        *(f"{value:.3f}" for value in average[:-1]),
        f"{found[worst][2]:.3f} ({worst})",
        f"{better} of {len(found)}",
        f"{worse} of {len(found)}",
        f"{average[-1]:.2f}",
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--datasets", nargs="+", choices=ALL, default=DATASETS)
    parser.add_argument("--factors", nargs="+", choices=FACTORS, default=list(FACTORS))
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    print(f"{options.splits} random halves of at most {options.rows} rows; {machine()}\n")
    columns = [*FIGURES, "largest share", "better", "worse", "seconds"]
    print(table(["sampler", *columns], []))
    settings = options.splits, options.factors, options.rows, options.jobs
    default = None
    for name, found in run(options.datasets, *settings):
        default = found if default is None else default
        print(table(row(name, found, default), [], rule=False), flush=True)


if __name__ == "__main__":
    main()
