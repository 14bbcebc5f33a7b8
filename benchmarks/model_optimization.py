"""Appendix C.4: a linear generator learns a Gaussian of rank 25 in 50 dimensions.

The paper's setting: noise of a constant level with ``sigma^2`` ten times the mean distance of the
initial rows to their nearest target row, batches of 1024, eta = 1, and gradient steps on the
squared error summed over the batch, at a rate of 1e-3, for 1000 steps. The paper does not say how
many target rows there were: here there are ten batches. Reported are the correlations of what was
learned with the truth, entry by entry, and how near samples are to the target rows, beside how
near rows held out are.

    python -m benchmarks.model_optimization [--trials 5] [--steps 1000]
"""

import argparse
import time
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state

from benchmarks.report import machine, table
from skflow import SDFlowGenerator
from skflow.datasets import make_low_rank_gaussian
from skflow.metrics import closer_to_train_share, nearest_neighbor_distances

N_LATENT, N_FEATURES, BATCH, N_ROWS = 25, 50, 1024, 10_240
FIGURES = ["covariance correlation", "mean correlation", "closer to train", "NN distance ratio"]


class LinearMap(RegressorMixin, BaseEstimator):
    """``x -> x B^T + mu``, which learns by single gradient steps on the summed squared error.

    Unlike scikit-learn's linear models it has parameters before it has learned anything: B is drawn
    from N(0, 0.01), and mu is given.
    """

    def __init__(self, n_inputs, intercept, rate=1e-3, random_state=None):
        self.n_inputs = n_inputs
        self.intercept = intercept
        self.rate = rate
        self.random_state = random_state

    def fit(self, X, y):
        return self.partial_fit(X, y)

    def partial_fit(self, X, y):
        self._start()
        error = self.predict(X) - y
        self.coef_ = self.coef_ - self.rate * error.T @ X
        self.intercept_ = self.intercept_ - self.rate * error.sum(axis=0)
        return self

    def predict(self, X):
        self._start()
        return X @ self.coef_.T + self.intercept_

    def _start(self):
        if not hasattr(self, "coef_"):
            rng = check_random_state(self.random_state)
            self.coef_ = 0.1 * rng.standard_normal((len(self.intercept), self.n_inputs))
            self.intercept_ = np.array(self.intercept)


class Fitted(NamedTuple):
    """A generator and what it learned from; pairs are (true, learned), entry by entry."""

    generator: SDFlowGenerator
    X: np.ndarray
    heldout: np.ndarray
    means: tuple
    covariances: tuple
    seconds: float


def fit(trial, n_steps):
    """One trial of the experiment."""
    rows, true_mean, true_covariance = make_low_rank_gaussian(
        2 * N_ROWS, n_features=N_FEATURES, rank=N_LATENT, random_state=trial
    )
    X, heldout = rows[:N_ROWS], rows[N_ROWS:]
    start = LinearMap(N_LATENT, -X.mean(axis=0), random_state=trial)  # in flow space: 0 in the data
    latents = np.random.default_rng(trial).standard_normal((BATCH, N_LATENT))
    distances = nearest_neighbor_distances(start.predict(latents) + X.mean(axis=0), X)
    generator = SDFlowGenerator(
        start,
        bandwidth=float(np.sqrt(10 * distances.mean())),
        schedule="constant",
        step_size=1.0,
        n_steps=n_steps,
        n_latent=N_LATENT,
        init="random",
        batch_size=BATCH,
        covariance_type="spherical",
        random_state=trial,
    )
    begin = time.perf_counter()
    generator.fit(X)
    seconds = time.perf_counter() - begin
    learned = generator.regressor_
    means = true_mean, learned.intercept_ + X.mean(axis=0)
    covariances = true_covariance.ravel(), (learned.coef_ @ learned.coef_.T).ravel()
    return Fitted(generator, X, heldout, means, covariances, seconds)


def run(trial, n_steps):
    """The four figures of a trial, sigma^2 and seconds."""
    fitted = fit(trial, n_steps)
    generator, X, heldout = fitted.generator, fitted.X, fitted.heldout
    samples = generator.sample(BATCH, random_state=trial)
    figures = [
        np.corrcoef(*fitted.covariances)[0, 1],
        np.corrcoef(*fitted.means)[0, 1],
        closer_to_train_share(samples, X, heldout),
        np.median(nearest_neighbor_distances(samples, X))
        / np.median(nearest_neighbor_distances(heldout, X)),
    ]
    return figures, generator.bandwidth**2, fitted.seconds


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args(arguments)
    lines = []
    for trial in range(options.trials):
        figures, variance, seconds = run(trial, options.steps)
        lines.append([trial, f"{variance:.0f}", *(f"{f:.4f}" for f in figures), f"{seconds:.1f}"])
    print(f"{options.steps} steps; {machine()}\n")
    print(table(["trial", "sigma^2", *FIGURES, "seconds"], lines))


if __name__ == "__main__":
    main()
