"""What the paper does not say: where modes and base are, and how wide; chosen once, for all.

The choices are those of :mod:`benchmarks.paper.calibrate`, the same for all methods and conditions.
"""

from typing import NamedTuple

import numpy as np

from skflow.datasets import make_gaussian_grid, make_question_mark

N_ROWS, N_FREQUENCIES = 1024, 256


class Draw(NamedTuple):
    """What one trial starts from."""

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
        return Draw(X, base, frequencies)


PROBLEMS = {
    "grid": Problem(
        make_gaussian_grid,
        {"spacing": 1.0, "std": 0.05},
        base_std=1.0,
        centered=(0.0, 0.0),
        offset=(-7.0, 7.0),
        frequency_scale=0.5,
        variances=(10.0, 0.5),
    ),
    "question mark": Problem(
        make_question_mark,
        {"std": 0.1},
        base_std=1.0,
        centered=(0.0, 0.0, 0.0),
        offset=(4.0, 4.0, 4.0),
        frequency_scale=0.5,
        variances=(4.0, 0.5),
    ),
}
