"""What the user of a flow should know when it has ended: not arrived, gathered, or copies."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skflow._flow import noised
from skflow._kernels import nearest

__all__ = [
    "copying",
    "covered",
    "hits",
    "pace",
    "shape",
    "warn_of_copies",
    "warn_of_gathering",
    "warn_of_pace",
    "warn_of_place",
]

_MOST_ROWS = 1000
_FAST = 1.25  # times as fast as a second sample, and as mini-batches are that have arrived
_COPIES = 0.5  # of the median distance between neighbours: fresh rows are at 1 or more
# Of what a second sample has. It rarely has less of both; flows that spread have more of either,
# and particles that went to the nearest rows from afar have less than half of the one.
_HITS, _COVERED = 0.5, 0.7
_OFF, _WIDER = 0.5, 2.0  # of the spread of the target
_FEW_FOR_SHAPE = 20  # particles, whose mean may be off by a quarter of the spread by chance
_FEWEST = 5  # rows and particles, to tell anything
_MOST_ROWS_A_PARTICLE = 10
_EMPTY = 0.05  # chance that a second sample leaves the neighbourhood of a row empty


def copying(particles, rows):
    """How near particles are to target rows, relative to how near these are to each other.

    The median distance of a particle to the nearest row over that of a row to the nearest other:
    about 1 for a second sample of the same law, 0 for copies.
    """
    some = rows[:: -(-len(rows) // _MOST_ROWS)]
    apart = np.median(nearest(some, rows, 2)[1][:, 1])
    if apart == 0:  # most rows are there twice
        return np.inf
    some = particles[:: -(-len(particles) // _MOST_ROWS)]
    return float(np.median(nearest(some, rows, 1)[1]) / apart)


def pace(recorded, mean_squared_velocity):
    """How fast particles are in the last step, relative to a second sample of the target.

    Of two halves of the target rows, one takes the place of the particles; where the velocity has
    learned from the particles, it would have to begin anew: there nothing is told (0).
    """
    flow = recorded.flow
    n_half = min(len(flow.X) // 2, _MOST_ROWS, flow.batch_size or _MOST_ROWS)
    if recorded.last.learned is not None or n_half < 2:
        return 0.0
    rng = np.random.default_rng(flow.seed)
    first, second = rng.permutation(len(flow.X))[: 2 * n_half].reshape(2, -1)
    weights = flow.sample_weight
    if weights is not None:
        if not (weights[first].any() and weights[second].any()):
            return 0.0
        # Particles have no weights: rows of little weight are to be few among them.
        second = rng.choice(second, n_half, p=weights[second] / weights[second].sum())
        weights = weights[first]
    Y = flow.X[second]
    Z = noised(Y, flow.noises[-1], rng)
    velocity = flow.velocity(Z, flow.X[first], Y, flow.sigmas[-1], sample_weight=weights)
    of_target = float(np.square(velocity).sum(axis=1).mean())
    return float(np.sqrt(mean_squared_velocity / of_target)) if of_target > 0 else 0.0


def warn_of_pace(recorded, mean_squared_velocity, stacklevel):
    """Warn where particles are faster than rows of the target would be; returns whether."""
    ratio = pace(recorded, mean_squared_velocity)
    if ratio > _FAST:
        warnings.warn(
            f"After {recorded.n_steps} steps the particles still move {ratio:.1f} times as fast as "
            "a second sample of the target would: they have hardly arrived. Raise n_steps or "
            "step_size, start from a larger bandwidth by a schedule, or from a nearer base; in a "
            "pipeline, see that X_base goes through the same steps as X.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )
    return ratio > _FAST


def warn_of_copies(particles, rows, stacklevel):
    """Warn where most particles copy target rows; returns whether."""
    ratio = copying(particles, rows)
    if ratio < _COPIES:
        warnings.warn(
            f"The particles copy rows of X: half of them are within {ratio:.2g} of the distance "
            "between neighbouring rows. For new rows raise the bandwidth or lower n_steps.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return ratio < _COPIES


def warn_of_place(recorded, stacklevel):
    """Warn where particles came to rest that are not where the target is."""
    flow = recorded.flow
    given = recorded.particles, flow.X, flow.sample_weight, stacklevel + 1
    # A kernel as wide as the data sees no rows one by one: it is no use to widen it.
    wide = flow.sigmas[-1] > np.sqrt(flow.X.var(axis=0).mean())
    first, second = [warn_of_gathering, warn_of_shape][:: -1 if wide else 1]
    if not first(*given):
        second(*given)


def shape(particles, rows, weights):
    """How far off the mean of particles is, and how wide they are, in spreads of the target."""
    mean = np.average(rows, axis=0, weights=weights)
    spread = np.sqrt(np.average(np.square(rows - mean), axis=0, weights=weights).sum())
    off = np.linalg.norm(particles.mean(axis=0) - mean) / spread
    return float(off), float(np.sqrt(particles.var(axis=0).sum()) / spread)


def warn_of_shape(particles, rows, weights, stacklevel):
    """Warn where particles are off, or much narrower or wider than the target; returns whether."""
    if len(particles) < _FEW_FOR_SHAPE:
        return False
    off, ratio = shape(particles, rows, weights)
    good = off <= _OFF and 1 / _WIDER <= ratio <= _WIDER
    if not good:
        warnings.warn(
            f"The flow came to rest away from X: the mean of the particles is off by {off:.2g} of "
            f"the spread of X, and their spread is {ratio:.2g} times that of X. A bandwidth much "
            "wider than the data sees little of their shape: lower it, or let a schedule end "
            "narrower. A base far from X takes more n_steps; in a pipeline, see that X_base goes "
            "through the same steps as X.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return not good


def hits(particles, rows, weights):
    """How many rows are the nearest to any particle, and how many would be by chance.

    Chance is that each particle has a row drawn by the weights, which sum to one, as its nearest.
    In many dimensions a second sample hits fewer: some rows are near to everything.
    """
    hit = len(np.unique(nearest(particles, rows, 1)[0]))
    return hit, float((1 - (1 - weights) ** len(particles)).sum())


def covered(particles, rows, weights):
    """Share of the rows that have a particle in their neighbourhood, and what it would be.

    A neighbourhood reaches to the k-th of the other rows. Of a second sample each row's is empty
    by the chance that its k nearest, among n particles and m - 1 rows, are all rows: whatever the
    law. The number k is the least for which this is rare.
    """
    n, others = len(particles), len(rows) - 1
    empty, k = 1.0, 0
    while empty > _EMPTY and k < others:
        empty *= (others - k) / (n + others - k)
        k += 1
    reach = nearest(rows, rows, k + 1)[1][:, k]
    inside = nearest(rows, particles, 1)[1][:, 0] <= reach
    return float(weights[inside].sum()), 1 - empty


def warn_of_gathering(particles, rows, weights, stacklevel):
    """Warn where particles are near few rows of the target; returns whether.

    Not where they are farther from them than these are from each other: a flow that blurs tight
    clusters has few rows nearby, too, and is to be mended otherwise.
    """
    # No more particles than rows: of very many, some are near each row wherever most have gone.
    some = particles[:: -(-len(particles) // min(_MOST_ROWS, len(rows)))]
    weights = np.ones(len(rows)) if weights is None else weights
    most = min(_MOST_ROWS, _MOST_ROWS_A_PARTICLE * len(some))
    every = -(-len(rows) // most)
    rows, which = np.unique(rows[::every], axis=0, return_inverse=True)
    if min(len(rows), len(some)) < _FEWEST:
        return False
    weights = np.bincount(which.ravel(), weights[::every])
    weights /= weights.sum()
    hit, expected = hits(some, rows, weights)
    if hit >= _HITS * expected:
        return False
    share, usual = covered(some, rows, weights)
    gathered = share < _COVERED * usual and copying(some, rows) < 1
    if gathered:
        warnings.warn(
            f"The particles have gathered near a few rows of X: {hit} of {len(rows)} rows are the "
            f"nearest to any of them, where about {expected:.0f} would be, and "
            f"{100 * share:.0f} percent of the rows have one nearby, where {100 * usual:.0f} "
            'would. Raise the bandwidth, or start from a larger one by schedule="auto" and raise '
            "n_steps, or start from a nearer base.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return gathered
