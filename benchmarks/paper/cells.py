"""Section 7: the conditions of Tables 1 to 4, and runs of one of them."""

import itertools
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from benchmarks.paper.geometry import N_FREQUENCIES, N_ROWS, PROBLEMS
from skflow import SDFlowSampler
from skflow.metrics import characteristic_function_threshold
from skflow.schedules import Cosine
from skflow.velocities import MMD, ScoreDifference, Stein

METHODS = {"SD": ScoreDifference(), "MMD": MMD(), "SVGD": Stein(difference=True)}
N_STEPS, BATCH = 1000, 128
_AT_ONCE = 128  # rows


class Cell(NamedTuple):
    """One cell of a table: conditions, in the order of the paper's columns, and method."""

    problem: str
    adagrad: bool
    batch: bool
    const: bool
    anneal: bool
    offset: bool
    method: str

    @property
    def conditions(self):
        """Letters as in the paper's columns."""
        flags = (self.adagrad, self.batch, self.const, self.anneal, self.offset)
        shown = flags if self.problem == "question mark" else flags[:4]
        return " ".join("NY"[flag] for flag in shown)


def cells(problem):
    """All cells of a problem, row by row: 16 x 3 of the grid, 32 x 3 of the question mark."""
    offsets = (False, True) if problem == "question mark" else (True,)
    rows = itertools.product((False, True), repeat=4)
    return [
        Cell(problem, *row, offset, method)
        for row in rows
        for offset in offsets
        for method in METHODS
    ]


def cosine(problem):
    """The paper's schedule where sigma varies."""
    high, low = PROBLEMS[problem].variances
    return Cosine(np.sqrt(high), np.sqrt(low))


def sampler(cell, base, n_steps=N_STEPS, random_state=None):
    """A cell as a set of constructor arguments.

    In the batch condition the particles are a batch, "a single batch of base data" (section 6.1),
    and batches of the target are dealt to them.
    """
    return SDFlowSampler(
        velocity=clone(METHODS[cell.method]),
        bandwidth="paper" if cell.const else 1.0,
        schedule="constant" if cell.const else cosine(cell.problem),
        step_size=0.1,
        n_steps=n_steps,
        noise_scale=1.0 if cell.anneal else 0.0,
        base=base[:BATCH] if cell.batch else base,
        batch_size=BATCH if cell.batch else None,
        covariance_type="spherical",
        optimizer="adagrad" if cell.adagrad else "sgd",
        random_state=random_state,
    )


class EachStep:
    """A callback of scikit-learn that shows the particles after each step to a function."""

    def __init__(self, see):
        self.see = see

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "step":
            self.see(fitted_estimator.particles_)


class Distance:
    """The characteristic function distance to a target, for many samples.

    That of :func:`skflow.metrics.characteristic_function_distance`, with the target's side computed
    once, in the precision of its rows: float32 is right to a hundredth of the smallest distance of
    the tables.
    """

    def __init__(self, X, frequencies):
        self.center, self.frequencies = X.mean(axis=0), frequencies
        self.of_target = self._function(X)

    def __call__(self, Y):
        return float(np.abs(self._function(Y) - self.of_target).mean())

    def _function(self, rows):
        """Some rows at a time, whose phases stay in the processor's cache."""
        sums = np.zeros((2, len(self.frequencies)))
        for start in range(0, len(rows), _AT_ONCE):
            phases = (rows[start : start + _AT_ONCE] - self.center) @ self.frequencies.T
            sums += np.cos(phases).sum(axis=0), np.sin(phases).sum(axis=0)
        return (sums[0] + 1j * sums[1]) / len(rows)


def distances(cell, trial, n_steps=N_STEPS):
    """The distance to the target after each step of a trial, up to where particles were lost."""
    draw = PROBLEMS[cell.problem].draw_trial(trial, cell.offset)
    distance, found = Distance(draw.X, draw.frequencies), []
    flow = sampler(cell, draw.base, n_steps, random_state=trial)
    flow.set_callbacks(EachStep(lambda particles: found.append(distance(particles))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # many do not arrive: that is the question
        try:
            flow.fit(draw.X)
        except FloatingPointError:  # diverged: what it reached before counts
            pass
    return found


def smallest(cell, trial, n_steps=N_STEPS):
    """What Tables 3 and 4 average over trials."""
    return min(distances(cell, trial, n_steps), default=np.inf)


def threshold(problem, n_pairs=1000):
    """The largest distance of pairs of independent copies of the target (section 7.2)."""
    return characteristic_function_threshold(
        lambda n_rows, rng: problem.draw(rng, n_rows),
        N_ROWS,
        n_trials=n_pairs,
        n_frequencies=N_FREQUENCIES,
        frequency_scale=problem.frequency_scale,
        random_state=0,
    )
