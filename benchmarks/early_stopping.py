"""What early stopping costs and saves the training of a generator, and by which score.

Each regressor is trained whole, with early stopping, and with early stopping by the score of the
samplers, the log-density of held-out rows. Halves and figures are those of `benchmarks.quality`,
means over splits; "steps" are those that were taken, and "kept" those that what is kept had.

    python -m benchmarks.early_stopping [--splits 5] [--rows 600] [--datasets wine iris]

Everything runs in one thread. Seconds are of `fit`.
"""

import argparse
import time
import warnings
from unittest.mock import patch

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

import skflow._generator
from benchmarks.harness import n_threads
from benchmarks.quality import FIGURES, figures
from benchmarks.real_data import DATASETS, OTHERS, halves, load_each
from benchmarks.report import machine, table
from skflow import SDFlowGenerator
from skflow._stopping import EarlyStopping, EnergyStopping
from skflow._training import Training

REGRESSORS = {
    "network": lambda: None,  # the default
    "forest": lambda: ExtraTreesRegressor(20),
}
ENDS = {"whole": None, "energy score": EnergyStopping, "log-density": EarlyStopping}


def judge(regressor, train, heldout, seed, kind):
    """The figures of one training, its steps, those kept, and seconds of `fit`."""
    generator = SDFlowGenerator(
        REGRESSORS[regressor](), early_stopping=kind is not None, random_state=seed
    )
    with n_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with patch.object(skflow._generator, "EnergyStopping", kind):
            start = time.perf_counter()
            generator.fit(train)
            seconds = time.perf_counter() - start
        samples = generator.sample(len(train), random_state=seed)
        kept = generator.n_steps_
        steps = kept if kind is None else Training.epoch * len(generator.validation_scores_)
        return [*figures(samples, train, heldout, seed), steps, kept, seconds]


def run(datasets, regressors, n_splits, n_rows):
    """Rows (data set, regressor, what ended it, figures)."""
    for dataset, rows in load_each(datasets):
        split = [halves(rows[:n_rows], seed) for seed in range(n_splits)]
        for regressor in regressors:
            for name, kind in ENDS.items():
                found = [judge(regressor, *both, seed, kind) for seed, both in enumerate(split)]
                yield dataset, regressor, name, np.mean(found, axis=0)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--rows", type=int, default=600)
    names = [*DATASETS, *OTHERS]
    parser.add_argument(
        "--datasets", nargs="+", choices=names, default=["wine", "breast_cancer", "iris", "digits"]
    )
    parser.add_argument("--regressors", nargs="+", choices=REGRESSORS, default=list(REGRESSORS))
    options = parser.parse_args(arguments)
    print(f"{options.splits} random halves of at most {options.rows} rows; {machine()}\n")
    print(table(["data", "regressor", "ended by", *FIGURES, "steps", "kept", "seconds"], []))
    for *names, found in run(options.datasets, options.regressors, options.splits, options.rows):
        cells = [*(f"{v:.3f}" for v in found[:4]), *(f"{v:.0f}" for v in found[4:6])]
        print(table([*names, *cells, f"{found[-1]:.1f}"], [], rule=False), flush=True)


if __name__ == "__main__":
    main()
