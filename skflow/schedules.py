"""Bandwidths: how wide the kernel is (rules) and how that changes along the flow (schedules)."""

from numbers import Real

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.base import BaseEstimator

from skflow._sklearn import Interval
from skflow._weights import systematic_rows

__all__ = [
    "BANDWIDTH_RULES",
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Geometric",
    "Linear",
    "auto_schedule",
    "median_squared_distance",
    "neighbor_distance",
]


class Constant(BaseEstimator):
    """The same sigma all along the flow.

    Parameters
    ----------
    sigma : float, default=1.0
        Standard deviation of the kernel; in an estimator, in units of its ``bandwidth``.

    Examples
    --------
    >>> from skflow.schedules import Constant
    >>> Constant(2.0)(0.5)
    2.0
    """

    # 0 is no bandwidth, but a level of noise.
    _parameter_constraints: dict = {"sigma": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, sigma: float = 1.0) -> None:
        self.sigma = sigma

    def __call__(self, t: float) -> float:
        """Sigma at a time.

        Parameters
        ----------
        t : float
            Time in [0, 1].

        Returns
        -------
        float
            Standard deviation of the kernel.
        """
        return float(self.sigma)


class _Annealed(BaseEstimator):
    """What schedules from one sigma down to another share."""

    _parameter_constraints: dict = {
        "sigma_max": [Interval(Real, 0, None, closed="neither")],
        "sigma_min": [Interval(Real, 0, None, closed="neither")],
    }

    def _check(self):
        if not 0 < self.sigma_min <= self.sigma_max < np.inf:
            raise ValueError(
                f"{type(self).__name__} runs from sigma_max down to sigma_min > 0, got "
                f"sigma_max={self.sigma_max!r} and sigma_min={self.sigma_min!r}."
            )

    def __init__(self, sigma_max: float, sigma_min: float) -> None:
        self.sigma_max = sigma_max
        self.sigma_min = sigma_min


class Cosine(_Annealed):
    """The paper's modified cosine schedule, from wide to narrow (section 7.1).

    ``sigma^2(t) = sigma_max^2 cos(pi t' / 2)``, where ``t'`` runs from 0 to the time at which
    ``sigma = sigma_min`` while ``t`` runs from 0 to 1.

    Parameters
    ----------
    sigma_max, sigma_min : float, default=4.0 and 1.0
        First and last standard deviation of the kernel; in an estimator, in units of its
        ``bandwidth``.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, section 7.1.

    Examples
    --------
    >>> from skflow.schedules import Cosine
    >>> schedule = Cosine(sigma_max=2.0, sigma_min=1.0)
    >>> [round(schedule(t), 3) for t in (0.0, 0.5, 1.0)]
    [2.0, 1.778, 1.0]
    """

    def __init__(self, sigma_max: float = 4.0, sigma_min: float = 1.0) -> None:
        super().__init__(sigma_max, sigma_min)

    def __call__(self, t: float) -> float:
        """Sigma at a time.

        Parameters
        ----------
        t : float
            Time in [0, 1].

        Returns
        -------
        float
            Standard deviation of the kernel.
        """
        self._check()
        last_angle = np.arccos((self.sigma_min / self.sigma_max) ** 2)
        return float(self.sigma_max * np.sqrt(np.cos(t * last_angle)))


class Geometric(_Annealed):
    """Sigma shrinks by the same factor in every step.

    Parameters
    ----------
    sigma_max, sigma_min : float, default=4.0 and 1.0
        First and last standard deviation of the kernel; in an estimator, in units of its
        ``bandwidth``.

    Examples
    --------
    >>> from skflow.schedules import Geometric
    >>> Geometric(sigma_max=4.0, sigma_min=1.0)(0.5)
    2.0
    """

    def __init__(self, sigma_max: float = 4.0, sigma_min: float = 1.0) -> None:
        super().__init__(sigma_max, sigma_min)

    def __call__(self, t: float) -> float:
        """Sigma at a time.

        Parameters
        ----------
        t : float
            Time in [0, 1].

        Returns
        -------
        float
            Standard deviation of the kernel.
        """
        self._check()
        return float(self.sigma_max ** (1 - t) * self.sigma_min**t)


class Linear(_Annealed):
    """Sigma shrinks by the same amount in every step.

    Parameters
    ----------
    sigma_max, sigma_min : float, default=4.0 and 1.0
        First and last standard deviation of the kernel; in an estimator, in units of its
        ``bandwidth``.

    Examples
    --------
    >>> from skflow.schedules import Linear
    >>> Linear(sigma_max=4.0, sigma_min=1.0)(0.5)
    2.5
    """

    def __init__(self, sigma_max: float = 4.0, sigma_min: float = 1.0) -> None:
        super().__init__(sigma_max, sigma_min)

    def __call__(self, t: float) -> float:
        """Sigma at a time.

        Parameters
        ----------
        t : float
            Time in [0, 1].

        Returns
        -------
        float
            Standard deviation of the kernel.
        """
        self._check()
        return float((1 - t) * self.sigma_max + t * self.sigma_min)


SCHEDULES = {"constant": Constant, "cosine": Cosine, "geometric": Geometric, "linear": Linear}


def auto_schedule(
    X: np.ndarray, sample_weight: np.ndarray | None, bandwidth: float
) -> Geometric | Constant:
    """From half the distance of a typical pair of rows down to the bandwidth, geometrically.

    Wide kernels bring the particles to where the target is, and narrow ones to its details.
    Constant where the bandwidth is about as wide as that, or wider.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Target rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Their weights.
    bandwidth : float
        The last bandwidth.

    Returns
    -------
    schedule
        In units of `bandwidth`.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.schedules import auto_schedule
    >>> schedule = auto_schedule(np.array([[0.0], [1.0], [3.0]]), None, bandwidth=0.125)
    >>> schedule(0.0), schedule(1.0)
    (4.0, 1.0)
    """
    factor = np.sqrt(median_squared_distance(X, sample_weight) / 4) / bandwidth
    return Geometric(float(factor), 1.0) if factor > _WORTH_A_SCHEDULE else Constant()


# --- bandwidth rules: (target X, its weights, base Y) -> sigma, all in flow space ---------------

_MEDIAN_ROWS = 1024  # half a million pairs: the median of D^2 then errs by a few percent
_WORTH_A_SCHEDULE = 1.25  # times the last bandwidth
_NEIGHBOR_ROWS = 256  # each of them looks at all rows
_NEAREST = 64  # among which weights are added up first, before more are
_DISTANCES_AT_A_TIME = 2**16  # of some of them, which stay in the caches


def _representatives(X, weights, n_rows=_MEDIAN_ROWS):
    """At most `n_rows` rows and their weights, without randomness or use of row order.

    Every row when there are few; else a systematic sample of them.
    """
    weights = _as_array(weights, len(X))
    if len(X) <= n_rows:
        return X, weights
    return systematic_rows(X, weights, n_rows), np.ones(n_rows)


def _as_array(weights, n_rows):
    return np.ones(n_rows) if weights is None else np.asarray(weights, dtype=np.float64)


def median_squared_distance(X: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    """Median squared distance over all ordered pairs of rows, a row with itself included.

    The pairs (i, i) make integer weights equal repeated rows. Above 1024 rows it is the median
    over a systematic sample.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the rows; equal by default.

    Returns
    -------
    float
        In squared units of X.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.schedules import median_squared_distance
    >>> median_squared_distance(np.array([[0.0], [1.0], [3.0]]))
    1.0
    """
    X, weights = _representatives(np.asarray(X, dtype=np.float64), sample_weight)
    squared = pdist(X, "sqeuclidean")
    if weights.min() == weights.max():  # to sort them all would take ten times as long
        # Of all pairs up to the median, those of a row with itself come first.
        n_pairs = len(X) ** 2 / 2 * (1 - 1e-12)
        k = int(np.ceil((n_pairs - len(X)) / 2)) - 1
        return float(np.partition(squared, k)[k]) if k >= 0 else 0.0
    weights = weights / weights.max()  # so that products are neither 0 nor infinite
    rows, columns = np.triu_indices(len(X), k=1)
    mass = np.append(2 * weights[rows] * weights[columns], np.square(weights).sum())
    return _weighted_median(np.append(squared, 0.0), mass)


def _spread(X, weights):
    """Root mean square standard deviation of the columns."""
    mean = np.average(X, axis=0, weights=weights)
    return np.sqrt(np.average(np.square(X - mean), axis=0, weights=weights).mean())


def neighbor_distance(
    X: np.ndarray, sample_weight: np.ndarray | None = None, n_neighbors: int = 10
) -> float:
    """Median distance of a row to its tenth nearest neighbour, or another.

    A weight counts as that many rows. Among few rows, no more than half of them are reached for.
    Above 1024 rows it is the median over a systematic sample of 256 of them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the rows; ones by default.
    n_neighbors : int, default=10
        Which neighbour.

    Returns
    -------
    float
        In units of X.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.schedules import neighbor_distance
    >>> neighbor_distance(np.arange(100.0)[:, None])
    5.0
    """
    X = np.asarray(X, dtype=np.float64)
    n_rows = _NEIGHBOR_ROWS if len(X) > _MEDIAN_ROWS else len(X)
    rows, mass = _representatives(X, sample_weight, n_rows)
    weights = _as_array(sample_weight, len(X))
    wanted = min(n_neighbors + 1, weights.sum() / 2) * (1 - 1e-12)  # the row itself is one
    n_chunks = min(len(rows), -(-len(rows) * len(X) // _DISTANCES_AT_A_TIME))
    chunks = np.array_split(rows, n_chunks)
    reached = [_reach(cdist(some, X), weights, wanted) for some in chunks]
    return _weighted_median(np.concatenate(reached), mass)


def _reach(distances, weights, wanted):
    """For each row of distances the one within which rows of that total weight lie."""
    if weights.min() == weights.max():  # to sort them all would take ten times as long
        k = int(np.ceil(wanted / weights[0])) - 1
        distances.partition(k, axis=1)
        return distances[:, k].copy()  # which does not keep all of them
    n_near = min(_NEAREST, distances.shape[1])
    while True:
        near = np.argpartition(distances, n_near - 1, axis=1)[:, :n_near]
        within = np.take_along_axis(distances, near, axis=1)
        order = np.argsort(within, axis=1)
        reached = np.cumsum(np.take_along_axis(weights[near], order, axis=1), axis=1)
        if n_near == distances.shape[1] or reached[:, -1].min() >= wanted:
            last = order[np.arange(len(order)), (reached < wanted).sum(axis=1)]
            return within[np.arange(len(within)), last]
        n_near = min(4 * n_near, distances.shape[1])


def _weighted_median(values, weights):
    """The smallest value up to which lies half of the weight."""
    below, middle = 0.0, weights.sum() / 2 * (1 - 1e-12)
    while True:  # to sort them all would take several times as long
        half = len(values) // 2
        pivot = np.partition(values, half)[half]
        lower, upper = values < pivot, values > pivot
        up_to_lower = below + weights[lower].sum()
        if up_to_lower >= middle:
            values, weights = values[lower], weights[lower]
            continue
        up_to_pivot = up_to_lower + weights[values == pivot].sum()
        if up_to_pivot >= middle or not upper.any():
            return float(pivot)
        below, values, weights = up_to_pivot, values[upper], weights[upper]


def _auto(X, sample_weight, Y):
    """The distance from a typical target row to its tenth neighbour.

    Where most rows coincide with so many others, half the distance of a typical pair instead, and
    where most pairs coincide, half the root mean squared one.
    """
    return (
        neighbor_distance(X, sample_weight)
        or np.sqrt(median_squared_distance(X, sample_weight) / 4)
        or np.sqrt(X.shape[1] / 2) * _spread(X, sample_weight)
    )


def _median_rule(factor):
    def rule(X, sample_weight, Y):
        return np.sqrt(factor * median_squared_distance(Y) / np.log(len(Y) + 1))

    return rule


def _n_rows(X, weights):
    """A weight counts as that many rows."""
    return len(X) if weights is None else np.sum(weights)


def _scott(X, sample_weight, Y):
    n_features = X.shape[1]
    return _spread(X, sample_weight) * _n_rows(X, sample_weight) ** (-1 / (n_features + 4))


def _silverman(X, sample_weight, Y):
    n_features = X.shape[1]
    shrunk = _n_rows(X, sample_weight) * (n_features + 2) / 4
    return _spread(X, sample_weight) * shrunk ** (-1 / (n_features + 4))


BANDWIDTH_RULES = {
    "auto": _auto,
    "paper": _median_rule(2.0),  # footnote 14
    "liu-wang": _median_rule(0.5),  # the published code of Liu & Wang (2016)
    "scott": _scott,
    "silverman": _silverman,
}
