"""The kernel's score difference in a projected space against that in all columns.

Wang et al. (2022) move particles in a subspace in which target and base differ, and leave the rest
of each row as it was. Here target and base are standard Gaussians of many columns, but for a plane
in which the target is a ring of eight modes. On a "wide" ring the plane stands out by its variance;
a "level" one has the mean and the covariance of the base. The flow runs in all columns; in the two
principal components of the target; in the two directions along which the velocity is largest as the
flow in all columns begins, which is Wang et al.'s rule with the kernel's estimate; in two random
directions that are new in every step ("slices", with steps of 1 for 0.1); or in the plane itself,
which nobody could know. Each has the automatic bandwidth and schedule of the rows that its kernel
sees. Figures: how much of the plane the directions hold (1 is all); in the plane, energy distance
to held-out rows over that of independent rows, and share on a mode (0.99 is right); standard
deviation across the plane (1 is right); in all columns, share nearer to a training row than to a
held-out one (0.5 is right).

    python -m benchmarks.questions.projected [--trials 3] [--steps 200] [--widths 5 20 100]
"""

import itertools
import time
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

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
from skflow.metrics import closer_to_train_share, energy_distance
from skflow.schedules import auto_schedule, median_squared_distance, neighbor_distance
from skflow.velocities import ScoreDifference

N_ROWS, STD = 1000, 0.15
WIDTHS = (5, 20, 100)
RINGS = {"wide": 3.0, "level": np.sqrt(2 * (1 - STD**2))}
FIGURES = ["of the plane", "energy distance", "on a mode", "spread", "closer to train"]


# --- a velocity in a subspace -------------------------------------------------------------------


class ProjectedScoreDifference(BaseEstimator):
    """The score difference of projected rows, which moves them within the subspace alone.

    Parameters
    ----------
    directions : callable
        ``directions(X, Y, step, before)``: orthonormal columns that span the subspace of a step,
        given those of the step before.
    """

    def __init__(self, directions):
        self.directions = directions

    def fit(self, X, y=None, sample_weight=None):
        self.fitted_ = True
        return self

    def learn(self, X, Y, sigma, sample_weight=None, learned=None):
        """Number of the step, and the directions of its subspace."""
        step, before = (0, None) if learned is None else (learned[0] + 1, learned[1])
        return step, self.directions(X, Y, step, before)

    def __call__(self, Z, X, Y, sigma, sample_weight=None, own=None, learned=None):
        _, basis = learned or self.learn(X, Y, sigma)
        z, x, y = (rows @ basis for rows in (Z, X, Y))
        if own is not None:
            own = own._replace(rows=own.rows @ basis)
        inner = ScoreDifference().fit(x, sample_weight=sample_weight)
        return inner(z, x, y, sigma, sample_weight, own) @ basis.T


def principal(n_directions, X, Y, step, before):
    """The target's principal components."""
    if before is not None:
        return before
    return PCA(n_directions, svd_solver="full").fit(X).components_.T


def by_velocity(n_directions, X, Y, step, before):
    """Directions along which the velocity is largest, as the flow in all columns begins."""
    if before is not None:
        return before
    sigma = np.sqrt(median_squared_distance(X) / 4)
    Z = Y + sigma * np.random.default_rng(0).standard_normal(Y.shape)
    velocity = ScoreDifference().fit(X)(Z, X, Y, sigma)
    return np.linalg.eigh(velocity.T @ velocity)[1][:, -n_directions:]


def slices(n_directions, X, Y, step, before):
    """Random directions, new in every step."""
    normal = np.random.default_rng(step).standard_normal((X.shape[1], n_directions))
    return np.linalg.qr(normal)[0]


def given(basis, X, Y, step, before):
    return basis


def projected_flow(directions, X, Y, share=1.0, **parameters):
    """A flow whose bandwidth and schedule are the automatic ones of the projected rows, or a share.

    None for the directions is a flow in all columns. Returns the flow and the directions of its
    first step.
    """
    basis = np.eye(X.shape[1]) if directions is None else directions(X, Y, 0, None)
    seen = X @ basis
    bandwidth = share * neighbor_distance(seen)
    flow = SDFlowSampler(
        bandwidth,
        schedule=auto_schedule(seen, None, bandwidth),
        velocity=directions and ProjectedScoreDifference(directions),
        covariance_type="spherical",
        **parameters,
    )
    return flow, basis


# --- the case -----------------------------------------------------------------------------------

WAYS = {
    "all columns": None,
    "principal components": partial(principal, 2),
    "by velocity": partial(by_velocity, 2),
    "slices": partial(slices, 2),
    "the plane": given,
}


def ring_centers(radius):
    angles = 2 * np.pi * np.arange(8) / 8
    return radius * np.column_stack([np.cos(angles), np.sin(angles)])


def draw_ring(radius, rng, n_rows):
    return ring_centers(radius)[rng.randint(8, size=n_rows)] + STD * rng.standard_normal(
        (n_rows, 2)
    )


def draw_target(radius, turn, rng, n_rows=N_ROWS):
    """A ring in the plane of the first two columns of `turn`, noise in all others."""
    noise = rng.standard_normal((n_rows, len(turn) - 2))
    return np.hstack([draw_ring(radius, rng, n_rows), noise]) @ turn.T


def figures(rows, basis, radius, turn, train, heldout, unit):
    plane, rest = rows @ turn[:, :2], rows @ turn[:, 2:]
    return [
        np.square(basis.T @ turn[:, :2]).sum() / 2,
        energy_distance(plane, heldout @ turn[:, :2]) / unit,
        on_a_mode(plane, ring_centers(radius), STD),
        np.sqrt(rest.var(axis=0).mean()),
        closer_to_train_share(rows, train, heldout),
    ]


def run(ring, d, way, trial, n_steps, unit):
    rng, radius = np.random.RandomState(trial), RINGS[ring]
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    train, heldout, others = (draw_target(radius, turn, rng) for _ in range(3))
    base = rng.standard_normal((N_ROWS, d))
    law = radius, turn, train, heldout, unit
    if way == INDEPENDENT:
        return figures(others, np.eye(d), *law)
    directions = partial(given, turn[:, :2]) if way == "the plane" else WAYS[way]
    flow, basis = projected_flow(
        directions,
        train,
        base,
        step_size=1.0 if way == "slices" else 0.1,
        n_steps=n_steps,
        random_state=trial,
    )
    return figures(flow.fit(train, X_base=base).particles_, basis, *law)


def main(arguments=None):
    given = options(__doc__, arguments, trials=3, steps=200, widths=WIDTHS)
    start, trials, ways = time.perf_counter(), range(given.trials), [*WAYS, INDEPENDENT]
    rows = []
    for ring, radius in RINGS.items():
        unit = energy_unit(partial(draw_ring, radius), N_ROWS)
        settings = itertools.product([ring], given.widths, ways, trials, [given.steps], [unit])
        found = side_by_side(run, settings, given.jobs)
        for d, way in itertools.product(given.widths, ways):
            of_trials = [found[ring, d, way, trial, given.steps, unit] for trial in trials]
            rows.append([ring, d, way, *spreads(of_trials)])
    settings = f"{given.steps} steps, {N_ROWS} rows, {given.trials} trials"
    report(settings, ["ring", "columns", "flow in", *FIGURES], rows, start)


if __name__ == "__main__":
    main()
