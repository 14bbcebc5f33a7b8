"""What the user of a flow should know when it has ended: it has not arrived, or it copies."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skflow._flow import noised
from skflow._kernels import nearest

__all__ = ["copying", "pace", "warn_of_copies", "warn_of_pace"]

_MOST_ROWS = 1000
_FAST = 1.25  # times as fast as a second sample, and as mini-batches are that have arrived
_COPIES = 0.5  # of the median distance between neighbours: fresh rows are at 1 or more


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
    if weights is not None and not weights[first].any():
        return 0.0
    Y = flow.X[second]
    Z = noised(Y, flow.noises[-1], rng)
    weights = None if weights is None else weights[first]
    velocity = flow.velocity(Z, flow.X[first], Y, flow.sigmas[-1], sample_weight=weights)
    of_target = float(np.square(velocity).sum(axis=1).mean())
    return float(np.sqrt(mean_squared_velocity / of_target)) if of_target > 0 else 0.0


def warn_of_pace(recorded, mean_squared_velocity, stacklevel):
    """Warn where particles are faster than rows of the target would be."""
    ratio = pace(recorded, mean_squared_velocity)
    if ratio > _FAST:
        warnings.warn(
            f"After {recorded.n_steps} steps the particles still move {ratio:.1f} times as fast as "
            "a second sample of the target would: they have hardly arrived. Raise n_steps or "
            "step_size, start from a larger bandwidth by a schedule, or from a nearer base.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )


def warn_of_copies(particles, rows, stacklevel):
    """Warn where most particles are nearer to a target row than target rows are to each other."""
    ratio = copying(particles, rows)
    if ratio < _COPIES:
        warnings.warn(
            f"The particles copy rows of X: half of them are within {ratio:.2g} of the distance "
            "between neighbouring rows. For new rows raise the bandwidth or lower n_steps.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
