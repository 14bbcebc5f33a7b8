"""Other readings of the paper: what a run of a cell may have been, beside what the tables take."""

from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from benchmarks.paper.cells import BATCH, METHODS, Distance
from skflow._kernels import kernel_mean
from skflow.optimizers import AdaGrad
from skflow.schedules import BANDWIDTH_RULES
from skflow.velocities import MMD, Stein


class Recomputed(BaseEstimator):
    """A velocity at the bandwidth of footnote 14 of the particles as they are now."""

    def __init__(self, velocity):
        self.velocity = velocity

    def fit(self, X, y=None, sample_weight=None):
        self.velocity_ = clone(self.velocity).fit(X, sample_weight=sample_weight)
        return self

    def __call__(self, Z, X, Y, sigma, **options):
        return self.velocity_(Z, X, Y, BANDWIDTH_RULES["paper"](X, None, Y), **options)


class OnBatches(BaseEstimator):
    """A velocity that sees a batch of what it is given.

    Parameters
    ----------
    velocity : velocity
    rows : int, default=None
        How many of the target rows; None for all.
    particles : int, default=None
        How many of the particles; None for all.
    anew : bool, default=True
        Whether batches are drawn each time it is asked; otherwise they are the first rows.
    """

    def __init__(self, velocity, rows=None, particles=None, anew=True):
        self.velocity = velocity
        self.rows = rows
        self.particles = particles
        self.anew = anew

    def fit(self, X, y=None, sample_weight=None):
        self.velocity_ = clone(self.velocity).fit(X, sample_weight=sample_weight)
        self._rng = check_random_state(0)
        return self

    def __call__(self, Z, X, Y, sigma, **options):
        return self.velocity_(Z, self._some(X, self.rows), self._some(Y, self.particles), sigma)

    def _some(self, rows, n):
        if n is None or not self.anew:
            return rows[:n]
        return rows[self._rng.permutation(len(rows))[:n]]


class Unequal(BaseEstimator):
    """MMD flow, equation 47, with its first mean, the attraction, multiplied by a factor."""

    def __init__(self, factor):
        self.factor = factor

    def fit(self, X, y=None, sample_weight=None):
        return self

    def __call__(self, Z, X, Y, sigma, **options):
        def pull(rows):
            mean, log_density = kernel_mean(Z, rows, sigma)
            return np.exp(log_density)[:, None] * (mean - Z) / sigma**2

        return self.factor * pull(X) - pull(Y)


class OtherAdaGrad(AdaGrad):
    """AdaGrad with one thing or another as it might have been.

    Parameters
    ----------
    decay : float, default=0.9
        How much of the history is kept in a step; 0 forgets at once.
    epsilon : float, default=1e-6
        Added to the denominator.
    forgets : bool, default=True
        Whether history is a mean; otherwise it is a sum, as in Duchi et al. (2011).
    inside : bool, default=False
        Whether epsilon is added within the root.
    start : {"first", "zero"}, default="first"
        History at the first step: its own square, or as if nothing had been before.
    shared : {"no", "coordinates", "particles", "all"}, default="no"
        What shares a history.
    """

    def __init__(
        self, decay=0.9, epsilon=1e-6, forgets=True, inside=False, start="first", shared="no"
    ):
        super().__init__(decay, epsilon)
        self.forgets = forgets
        self.inside = inside
        self.start = start
        self.shared = shared

    def step(self, velocity, state):
        """Direction to move in, and the next state."""
        squared = np.square(velocity)
        if self.shared != "no":
            axis = {"coordinates": 1, "particles": 0, "all": None}[self.shared]
            squared = np.broadcast_to(squared.mean(axis=axis, keepdims=True), velocity.shape)
        history = state + squared
        if self.forgets:
            history = self.decay * state + (1 - self.decay) * squared
            if self.start == "first":
                history = np.where(state == 0, squared, history)
        if self.inside:
            return velocity / np.sqrt(history + self.epsilon), history
        return velocity / (np.sqrt(history) + self.epsilon), history


class BySlot(AdaGrad):
    """AdaGrad whose history belongs to places in the batch, whichever particles take them."""

    def init(self, Y):
        """Nothing that belongs to a particle."""
        self._history = None
        return np.empty((len(Y), 0), dtype=Y.dtype)

    def step(self, velocity, state):
        """Direction to move in; the state is empty."""
        history = np.zeros_like(velocity) if self._history is None else self._history
        direction, self._history = super().step(velocity, history)
        return direction, state


# --- what a reading changes -----------------------------------------------------------------------


def nothing(cell, draw):
    return {}


def optimizer(**options):
    """AdaGrad with other options."""
    return lambda cell, draw: {"optimizer": OtherAdaGrad(**options)}


def mmd(velocity):
    """Another velocity of MMD flow."""
    return lambda cell, draw: {"velocity": clone(velocity)}


def first_line(cell, draw):
    return {"velocity": Stein()}


def recomputed(cell, draw):
    return {"velocity": Recomputed(METHODS[cell.method])}


def dealt(cell, draw):
    """Batches of all 1024 particles take turns, an eighth of them moves in a step."""
    return {"base": draw.base}


def dealt_by_slot(cell, draw):
    return {"base": draw.base, "optimizer": BySlot()}


def batches(rows=None, particles=None, base=BATCH, anew=True):
    """All particles move in every step, and see batches."""

    def changes(cell, draw):
        velocity = OnBatches(METHODS[cell.method], rows, particles, anew)
        return {"velocity": velocity, "batch_size": None, "base": draw.base[:base]}

    return changes


# --- what is measured -----------------------------------------------------------------------------


def smallest_of(draw, states):
    """The smallest distance to the target in a run, as in the tables."""
    distance = Distance(draw.X, draw.frequencies)
    return min(map(distance, states))


def last_of(draw, states):
    """The distance after the last step."""
    return Distance(draw.X, draw.frequencies)(states[-1])


def smallest_to_batches(draw, states):
    """The smallest distance of the particles to a random batch of the target."""
    rng = np.random.RandomState(0)
    batch = (draw.X[rng.permutation(len(draw.X))[:BATCH]] for _ in states)
    return min(Distance(X, draw.frequencies)(Y) for X, Y in zip(batch, states, strict=True))


def stretched(draw, factor=2.0):
    """All lengths times a factor, but the bandwidths; every distance at the start is the same."""
    factor = np.float32(factor)
    return type(draw)(factor * draw.X, factor * draw.base, draw.frequencies / factor)


# --- which cells in mini-batches a reading touches -----------------------------------------------


def every(cell):
    return True


def of_adagrad(cell):
    return cell.adagrad


def of_mmd(cell):
    return cell.method == "MMD"


def of_const(cell):
    return cell.const


class Reading(NamedTuple):
    """What is read otherwise: arguments of the sampler, the draw, or the figure of a run."""

    name: str
    touches: object = every
    changes: object = nothing
    draw: object = None
    measure: object = smallest_of


READINGS = (
    Reading("AdaGrad sums its history", of_adagrad, optimizer(forgets=False)),
    Reading("AdaGrad keeps 0.99 of it", of_adagrad, optimizer(decay=0.99)),
    Reading("AdaGrad keeps none of it", of_adagrad, optimizer(decay=0.0)),
    Reading("its history starts at zero", of_adagrad, optimizer(start="zero")),
    Reading("its epsilon within the root", of_adagrad, optimizer(inside=True)),
    Reading("its epsilon 1e-10", of_adagrad, optimizer(epsilon=1e-10)),
    Reading("one history a particle", of_adagrad, optimizer(shared="coordinates")),
    Reading("one history a coordinate", of_adagrad, optimizer(shared="particles")),
    Reading("one history for all", of_adagrad, optimizer(shared="all")),
    Reading("batches dealt to 1024 particles", every, dealt),
    Reading("the same, histories by place", of_adagrad, dealt_by_slot),
    Reading("all 1024 move, rows in batches", every, batches(BATCH, base=None)),
    Reading("all 1024 move, both in batches", every, batches(BATCH, BATCH, base=None)),
    Reading("batches drawn, not dealt", every, batches(BATCH)),
    Reading("one batch of rows for all steps", every, batches(BATCH, anew=False)),
    Reading("batches of 32 rows", every, batches(32)),
    Reading("128 particles, all rows", every, batches()),
    Reading("bandwidth recomputed each step", of_const, recomputed),
    Reading("MMD without 1 / sigma^2", of_mmd, mmd(MMD(scaled=True))),
    Reading("MMD, attraction x 1/2", of_mmd, mmd(Unequal(1 / 2))),
    Reading("MMD, attraction x 2/3", of_mmd, mmd(Unequal(2 / 3))),
    Reading("MMD, attraction x 3/2", of_mmd, mmd(Unequal(3 / 2))),
    Reading("the last step counts", measure=last_of),
    Reading("distance to batches", measure=smallest_to_batches),
    Reading("all lengths doubled", draw=stretched),
)
