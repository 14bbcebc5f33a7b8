"""Heavy tails and outliers: Student's t, and five rows in a hundred that do not belong.

Targets: rows of Student's t in two dimensions; and two moons with 5 % of the rows spread over a
square ten times as wide. Energy distances are to rows that were held out, over those of independent
rows. For t: shares of samples beyond the radii that 5 % and 1 % of the law exceed. For the moons:
the share of samples off the moons (0.05 is right), and the energy distance of the others to clean
rows: whether the outliers spoil the rest. GaussianMixture is by BIC, KernelDensity by likelihood;
"normal scores" is SDFlowSampler on columns that a QuantileTransformer has made normal.

    python -m benchmarks.questions.tails [--trials 5] [--rows 1000]
"""

import itertools
import time
from functools import partial

import numpy as np
from sklearn.datasets import make_moons
from sklearn.preprocessing import QuantileTransformer

from benchmarks.quality import gaussian_mixture, kernel_density
from benchmarks.questions.common import (
    INDEPENDENT,
    energy_unit,
    options,
    report,
    side_by_side,
    spread,
)
from skflow import MMDFlowSampler, SDFlowSampler
from skflow.metrics import energy_distance, nearest_neighbor_distances

DEGREES = (10, 3, 2)
N_LAW = 200_000  # rows that stand for the law itself
FAR = 0.5  # from the nearest of many clean rows: off the moons


def draw_student(df, rng, n_rows):
    normal = rng.standard_normal((n_rows, 2))
    return normal / np.sqrt(rng.chisquare(df, size=(n_rows, 1)) / df)


def draw_clean(rng, n_rows):
    return make_moons(n_rows, noise=0.08, random_state=rng)[0]


def draw_dirty(rng, n_rows):
    X = draw_clean(rng, n_rows)
    out = rng.permutation(n_rows)[: n_rows // 20]
    X[out] = X.mean(axis=0) + rng.uniform(-5, 5, size=(len(out), 2)) * np.ptp(X, axis=0)
    return X


def flow(make, **parameters):
    def draw(X, n_rows, seed):
        return make(random_state=seed, **parameters).fit(X).sample(n_rows, random_state=seed)

    return draw


def normal_scores(X, n_rows, seed):
    scores = QuantileTransformer(n_quantiles=len(X), output_distribution="normal").fit(X)
    samples = flow(SDFlowSampler)(scores.transform(X), n_rows, seed)
    return scores.inverse_transform(samples)


SAMPLERS = {
    "SDFlowSampler": flow(SDFlowSampler),
    "SDFlowSampler from one Gaussian": flow(SDFlowSampler, base="normal"),
    "SDFlowSampler from one Gaussian, 400 steps": flow(SDFlowSampler, base="normal", n_steps=400),
    "SDFlowSampler on normal scores": normal_scores,
    "MMDFlowSampler": flow(MMDFlowSampler),
    "KernelDensity, CV": kernel_density,
    "GaussianMixture, BIC": gaussian_mixture,
}


def samples_of(sampler, draw, trial, n_rows):
    """Samples, and the rows that were held out."""
    rng = np.random.RandomState(trial)
    train, heldout, others = (draw(rng, n_rows) for _ in range(3))
    samples = others if sampler == INDEPENDENT else SAMPLERS[sampler](train, n_rows, trial)
    return samples, heldout


def tails(df, sampler, trial, n_rows, unit):
    """Energy distance, and the shares of samples beyond two radii."""
    draw = partial(draw_student, df)
    samples, heldout = samples_of(sampler, draw, trial, n_rows)
    radii = np.linalg.norm(draw(np.random.RandomState(98), N_LAW), axis=1)
    reached = np.linalg.norm(samples, axis=1)
    beyond = [np.mean(reached > np.quantile(radii, 1 - share)) for share in (0.05, 0.01)]
    return [energy_distance(samples, heldout) / unit, *beyond]


def outliers(sampler, trial, n_rows, units):
    """Energy distance, share off the moons, and energy distance of the others to clean rows."""
    samples, heldout = samples_of(sampler, draw_dirty, trial, n_rows)
    rng = np.random.RandomState(trial + 1000)
    clean = draw_clean(rng, n_rows)
    far = nearest_neighbor_distances(samples, draw_clean(rng, 20 * n_rows)) > FAR
    return [
        energy_distance(samples, heldout) / units[0],
        np.mean(far),
        energy_distance(samples[~far], clean) / units[1],
    ]


def show(settings, header, found, start):
    """A table of {(case, ..., trial, rows, unit): figures}."""
    rows = {}
    for (*case, _, _, _), figures in found.items():
        rows.setdefault(tuple(case), []).append(figures)
    rows = [
        [*case, spread(distance), *(spread(share, 3) for share in shares)]
        for case, trials in rows.items()
        for distance, *shares in [np.transpose(trials)]
    ]
    report(settings, header, rows, start)


def main(arguments=None):
    given = options(__doc__, arguments, trials=5, rows=1000)
    size = f"{given.trials} trials of {given.rows} rows"
    samplers, trials = [*SAMPLERS, INDEPENDENT], range(given.trials)
    start = time.perf_counter()
    settings = [
        (df, sampler, trial, given.rows, unit)
        for df in DEGREES
        for unit in [energy_unit(partial(draw_student, df), given.rows)]
        for sampler, trial in itertools.product(samplers, trials)
    ]
    found = side_by_side(tails, settings, given.jobs)
    show(size, ["degrees", "sampler", "energy distance", "beyond 5 %", "beyond 1 %"], found, start)
    print()
    start = time.perf_counter()
    units = tuple(energy_unit(draw, given.rows) for draw in (draw_dirty, draw_clean))
    settings = itertools.product(samplers, trials, [given.rows], [units])
    found = side_by_side(outliers, settings, given.jobs)
    header = ["sampler", "energy distance", "off the moons", "the others' energy distance"]
    show(f"moons, {size}", header, found, start)


if __name__ == "__main__":
    main()
