"""What the paper does not say: where modes and base are, and how wide; chosen once, for all.

Only products of lengths and frequencies count for a distance, and only ratios of lengths to the
bandwidths, which the paper gives, for a flow. The first are held against the printed thresholds
and the distances of runs that never moved (:mod:`benchmarks.paper.calibrate`); the common scale
of all lengths was then chosen so that the modes are wider apart than the narrowest kernel. The
choices are the same for all methods and conditions.
"""

from typing import NamedTuple

import numpy as np

from skflow.datasets import make_gaussian_grid, make_question_mark

N_ROWS, N_FREQUENCIES = 1024, 256


def question_mark(n_rows, scale, random_state):
    """The mark of :func:`skflow.datasets.make_question_mark`, in other units."""
    X, y = make_question_mark(n_rows, random_state=random_state)
    return scale * X, y


class Draw(NamedTuple):
    """What one trial starts from, in single precision."""

    X: np.ndarray
    base: np.ndarray
    frequencies: np.ndarray


class Problem(NamedTuple):
    """A target, its base, the frequencies of its distance, and the paper's range of sigma^2."""

    make: object
    target: dict
    base_std: float
    centered: tuple
    offset: tuple
    frequency_scale: float
    variances: tuple

    def draw(self, rng, n_rows=N_ROWS):
        """Rows of the target."""
        return self.make(n_rows, **self.target, random_state=rng)[0]

    def draw_trial(self, trial, offset):
        """Target, base and frequencies of a trial; the same target for all of its conditions."""
        rng = np.random.RandomState([trial, 0])
        X = self.draw(rng)
        center = np.array(self.offset if offset else self.centered)
        base = center + self.base_std * rng.standard_normal((N_ROWS, len(center)))
        frequencies = self.frequency_scale * rng.standard_normal((N_FREQUENCIES, len(center)))
        return Draw(*(rows.astype(np.float32) for rows in (X, base, frequencies)))


PROBLEMS = {
    "grid": Problem(
        make_gaussian_grid,
        {"spacing": 3.5, "std": 0.175},
        base_std=2.0,
        centered=(0.0, 0.0),
        offset=(-19.0, 19.0),
        frequency_scale=0.2,
        variances=(10.0, 0.5),
    ),
    "question mark": Problem(
        question_mark,
        {"scale": 3.2},
        base_std=2.0,
        centered=(0.0, 0.0, 0.0),
        offset=(8.0, 8.0, 8.0),
        frequency_scale=0.25,
        variances=(4.0, 0.5),
    ),
}
