"""Which estimate of the score? Targets whose score is known, and ways to estimate it from rows.

The targets are mixtures of equal spherical Gaussians: a grid of 25 in 2 columns, and 10 clusters in
20. Where the particles are such a mixture, too, the score difference is known. First table: error
of the velocity, over its size (1 is as wrong as not to move), where particles are one wide Gaussian
and where they are on the modes but three times as wide as these. Second table: where a flow ends,
against rows that were held out; energy distance is over that of independent rows. "exact target"
knows the target's denoiser and estimates that of the particles by the kernel.

    python -m benchmarks.questions.scores [--trials 3] [--steps 100] [--rows 1000]
"""

import itertools
import time
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.utils.validation import has_fit_parameter

from benchmarks.questions.common import (
    INDEPENDENT,
    energy_unit,
    on_a_mode,
    options,
    report,
    side_by_side,
    spreads,
)
from skflow import SDFlowSampler
from skflow.denoisers import RegressorDenoiser
from skflow.metrics import closer_to_train_share, energy_distance
from skflow.velocities import DensityRatio, ScoreDifference

SIGMAS = (1.0, 0.5, 0.25)
FIGURES = ["energy distance", "on a mode", "closer to train", "seconds"]


class Mixture(NamedTuple):
    """Equal spherical Gaussians."""

    centers: np.ndarray
    std: float

    def draw(self, rng, n_rows):
        index = rng.randint(len(self.centers), size=n_rows)
        return self.centers[index] + self.std * rng.standard_normal((n_rows, self.width))

    @property
    def width(self):
        return self.centers.shape[1]


class MixtureDenoiser(BaseEstimator):
    """E[x | z] of equal spherical Gaussians, in a flow space whose origin is at the target's mean.

    ``Mixture.draw`` makes rows in units of the data; there is nothing to fit but the origin.
    """

    def __init__(self, centers, std, origin=0.0):
        self.centers = centers
        self.std = std
        self.origin = origin

    def fit(self, X, y=None, sample_weight=None):
        self.fitted_ = True
        return self

    def denoise(self, Z, sigma):
        centers, variance = self.centers - self.origin, self.std**2 + sigma**2
        squared = np.square(Z).sum(axis=1)[:, None] + np.square(centers).sum(axis=1)
        logits = (Z @ centers.T - squared / 2) / variance
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        pull = self.std**2 / variance
        return pull * Z + (1 - pull) * shares @ centers


def grid_centers():
    ticks = np.arange(5.0) - 2
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


TARGETS = {
    "grid, 2 columns": Mixture(grid_centers(), 0.05),
    "clusters, 20 columns": Mixture(np.random.RandomState(7).standard_normal((10, 20)), 0.3),
}
WIDE = 1.5  # standard deviation of the base


def places(target):
    """Laws of the particles at which the velocity is judged."""
    return {
        "start": Mixture(np.zeros((1, target.width)), WIDE),
        "modes": target._replace(std=3 * target.std),
    }


def estimates(target, origin):
    """What estimates the score difference; `origin` is that of flow space."""
    trained = RegressorDenoiser(random_state=0)
    return {
        "exact target": ScoreDifference(MixtureDenoiser(*target, origin)),
        "kernel": ScoreDifference(),
        "trained target": ScoreDifference(trained),
        "trained, both": ScoreDifference(trained, trained),
        "density ratio, network": DensityRatio(random_state=0),
        "density ratio, QDA": DensityRatio(QuadraticDiscriminantAnalysis()),
    }


def velocity_errors(target, trial, n_rows, names=None):
    """{estimate: relative error of the velocity at each place and bandwidth}, and its size."""
    rng = np.random.RandomState(trial)
    X = target.draw(rng, n_rows)
    drawn = [
        (law, law.draw(rng, n_rows), rng.standard_normal((n_rows, target.width)))
        for law in places(target).values()
    ]
    exact = [
        exact_velocity(target, law, Y + sigma * noise, sigma)
        for law, Y, noise in drawn
        for sigma in SIGMAS
    ]
    errors = {"its size": [rms(v) for v in exact]}
    for name, velocity in select(estimates(target, 0.0), names).items():
        found = [v for _, Y, noise in drawn for v in velocities(velocity, X, Y, noise)]
        errors[name] = [rms(v - w) / rms(w) for v, w in zip(found, exact, strict=True)]
    return errors


def velocities(velocity, X, Y, noise):
    """Estimates at each bandwidth; a denoiser is trained once for all of them."""
    taken = {"sigmas": SIGMAS} if has_fit_parameter(velocity, "sigmas") else {}
    velocity = clone(velocity).fit(X, **taken)
    options = {}
    if getattr(velocity, "source", None) is not None:
        options["learned"] = clone(velocity.source).fit(Y, sigmas=SIGMAS)
    return [velocity(Y + sigma * noise, X, Y, sigma, **options) for sigma in SIGMAS]


def exact_velocity(target, particles, Z, sigma):
    from_target, from_source = MixtureDenoiser(*target), MixtureDenoiser(*particles)
    return from_target.denoise(Z, sigma) - from_source.denoise(Z, sigma)


def rms(rows):
    return np.sqrt(np.square(rows).sum(axis=1).mean())


def select(estimates, names):
    return {name: estimates[name] for name in names or estimates}


def figures(rows, target, train, heldout, unit):
    return [
        energy_distance(rows, heldout) / unit,
        on_a_mode(rows, target.centers, target.std),
        closer_to_train_share(rows, train, heldout),
    ]


def ends(target, trial, n_steps, n_rows, names=None):
    """{estimate: figures of the particles, and seconds}, with independent rows beside them."""
    rng = np.random.RandomState(trial)
    train, heldout, others = (target.draw(rng, n_rows) for _ in range(3))
    base = places(target)["start"].draw(rng, n_rows)
    unit = energy_unit(target.draw, n_rows)
    found = {INDEPENDENT: [*figures(others, target, train, heldout, unit), 0.0]}
    for name, velocity in select(estimates(target, train.mean(axis=0)), names).items():
        flow = SDFlowSampler(
            velocity=velocity,
            bandwidth=SIGMAS[-1],
            schedule="geometric",
            n_steps=n_steps,
            base=base,
            covariance_type="spherical",
            random_state=trial,
        )
        start = time.perf_counter()
        rows = flow.fit(train).particles_
        seconds = time.perf_counter() - start
        found[name] = [*figures(rows, target, train, heldout, unit), seconds]
    return found


def show(settings, header, found, start):
    """A table of {(target, trial): {estimate: figures}}."""
    n_trials = 1 + max(trial for _, trial in found)
    rows = [
        [name, estimate, *spreads([found[name, trial][estimate] for trial in range(n_trials)])]
        for name in TARGETS
        for estimate in found[name, 0]
    ]
    report(f"{settings}, {n_trials} trials", ["target", "estimate", *header], rows, start)


def main(arguments=None):
    given = options(__doc__, arguments, trials=3, steps=100, rows=1000)
    of_trials = list(itertools.product(TARGETS, range(given.trials)))

    def errors(name, trial):
        return velocity_errors(TARGETS[name], trial, given.rows)

    def results(name, trial):
        return ends(TARGETS[name], trial, given.steps, given.rows)

    start = time.perf_counter()
    found = side_by_side(errors, of_trials, given.jobs)
    header = [f"{place}, sigma {sigma:g}" for place in ("start", "modes") for sigma in SIGMAS]
    show(f"{given.rows} rows", header, found, start)
    print()
    start = time.perf_counter()
    found = side_by_side(results, of_trials, given.jobs)
    show(f"{given.steps} steps, {given.rows} rows", FIGURES, found, start)


if __name__ == "__main__":
    main()
