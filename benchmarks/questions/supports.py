"""Supports that do not overlap, as the dimension grows from 2 to 100.

The target is two Gaussian clusters, the base one, ten of its standard deviations away in another
direction: no row of one is near a row of the other. "wide" schedules run from half the typical
distance between base and target down to the automatic bandwidth, or to that of one standard
deviation; "narrow" has the automatic bandwidth all along; the automatic schedule looks at the
target alone. Step sizes, noise and optimizers are those of skflow's samplers. Figures: energy
distance to held-out rows over that of independent rows; share of the way that the mean has come;
standard deviation across the clusters (1 is right); share between the clusters (0.02 is right) and
in the smaller one (0.5); share nearer to a training row than to a held-out one (0.5). "one
Gaussian" is rows with the target's mean and covariance.

    python -m benchmarks.questions.supports [--trials 3] [--steps 500] [--widths 2 5 10 30 100]
"""

import itertools
import time

import numpy as np

from benchmarks.questions.common import (
    INDEPENDENT,
    energy_unit,
    options,
    particles_of,
    report,
    side_by_side,
    spreads,
)
from skflow import MMDFlowSampler, SDFlowSampler, SVGDSampler
from skflow.metrics import closer_to_train_share, energy_distance
from skflow.schedules import Geometric, neighbor_distance
from skflow.velocities import Stein

WIDTHS = (2, 5, 10, 30, 100)
N_ROWS, AWAY, APART = 512, 10.0, 3.0
FIGURES = ["energy distance", "way", "spread", "between", "smaller cluster", "closer to train"]
GAUSSIAN = "one Gaussian"


def score(Y):
    """Gradient of the target's log-density."""
    pull = -Y
    pull[:, 0] += APART * np.tanh(APART * Y[:, 0])
    return pull


METHODS = {
    "SD, wide": (SDFlowSampler, {}),
    "SD, wide to 1": (SDFlowSampler, {"bandwidth": 1.0}),
    "SD, automatic": (SDFlowSampler, {"schedule": "auto"}),
    "SD, narrow": (SDFlowSampler, {"schedule": "constant"}),
    "MMD, wide": (MMDFlowSampler, {}),
    "MMD, wide, AdaGrad": (MMDFlowSampler, {"optimizer": "adagrad", "step_size": 0.1}),
    "SVGD, wide, AdaGrad": (SVGDSampler, {}),
    "SVGD, exact score": (
        SVGDSampler,
        {"bandwidth": "liu-wang", "schedule": "constant", "velocity": Stein(score)},
    ),
}


def draw_target(d, rng, n_rows=N_ROWS):
    side = rng.choice([-1.0, 1.0], size=(n_rows, 1))
    return rng.standard_normal((n_rows, d)) + APART * side * np.eye(d)[0]


def far_base(d, rng):
    return rng.standard_normal((N_ROWS, d)) + AWAY * np.eye(d)[-1]


def wide(X, base, bandwidth):
    """From half the typical distance between base and target to the bandwidth, in its units."""
    apart = np.sqrt(np.square(X - base).sum(axis=1).mean())
    return Geometric(max(float(apart) / 2 / bandwidth, 1.0), 1.0)


def figures(rows, train, heldout, unit):
    along, smaller = rows[:, 0], np.mean(rows[:, 0] > 0)
    return [
        energy_distance(rows, heldout) / unit,
        1 - rows[:, -1].mean() / AWAY,
        np.sqrt(rows[:, 1:].var(axis=0).mean()),
        np.mean(np.abs(along) < 1),
        min(smaller, 1 - smaller),
        closer_to_train_share(rows, train, heldout),
    ]


def run(method, d, trial, n_steps, unit):
    """Figures of where a method ends; infinite if it lost particles."""
    rng = np.random.RandomState(trial)
    train, heldout = draw_target(d, rng), draw_target(d, rng)
    if method == INDEPENDENT:
        return figures(draw_target(d, rng), train, heldout, unit)
    if method == GAUSSIAN:
        rows = rng.multivariate_normal(train.mean(axis=0), np.cov(train.T), N_ROWS)
        return figures(rows, train, heldout, unit)
    base = far_base(d, rng)
    sampler, parameters = METHODS[method]
    bandwidth = parameters.get("bandwidth") or neighbor_distance(train)
    own = {"bandwidth": bandwidth, **parameters}
    if "schedule" not in own:
        own["schedule"] = wide(train, base, bandwidth)
    flow = sampler(
        **own,
        n_steps=n_steps,
        covariance_type="spherical",
        random_state=trial,
    )
    particles = particles_of(flow, train, X_base=base)
    return (
        [np.inf] * len(FIGURES) if particles is None else figures(particles, train, heldout, unit)
    )


def main(arguments=None):
    given = options(__doc__, arguments, trials=3, steps=500, widths=WIDTHS)
    start, rows = time.perf_counter(), []
    for d in given.widths:
        unit = energy_unit(lambda rng, n_rows, d=d: draw_target(d, rng, n_rows), N_ROWS)
        methods, trials = [*METHODS, GAUSSIAN, INDEPENDENT], range(given.trials)
        settings = itertools.product(methods, [d], trials, [given.steps], [unit])
        found = side_by_side(run, settings, given.jobs)
        for method in methods:
            of_trials = [found[method, d, trial, given.steps, unit] for trial in trials]
            rows.append([d, method, *spreads(of_trials)])
    settings = f"{given.steps} steps, {N_ROWS} rows, {given.trials} trials"
    report(settings, ["columns", "method", *FIGURES], rows, start)


if __name__ == "__main__":
    main()
