"""The targets of the paper's experiments, each a law that can be drawn again."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from skflow._sklearn import Interval, validate_params
from skflow._typing import Seed

__all__ = ["make_gaussian_grid", "make_low_rank_gaussian", "make_question_mark"]


def _draw_mixture(centers, std, n_samples, random_state):
    """Draw from equally weighted spherical Gaussians; labels are drawn too, not allotted."""
    rng = check_random_state(random_state)
    y = rng.randint(len(centers), size=n_samples)
    X = centers[y] + std * rng.standard_normal((n_samples, centers.shape[1]))
    return X, y


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_side": [Interval(Integral, 1, None, closed="left")],
        "spacing": [Interval(Real, 0, None, closed="neither")],
        "std": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_gaussian_grid(
    n_samples: int = 1024,
    *,
    n_side: int = 5,
    spacing: float = 1.0,
    std: float = 0.05,
    random_state: Seed = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw from spherical Gaussians on a square grid in the plane.

    The grid is centred at the origin. Rows are independent: two calls with different seeds give
    two independent samples of one law.

    Parameters
    ----------
    n_samples : int, default=1024
        Number of rows.

    n_side : int, default=5
        Gaussians along each side; there are ``n_side**2``, with equal weights.

    spacing : float, default=1.0
        Distance between neighbouring means.

    std : float, default=0.05
        Standard deviation of each Gaussian, in the units of `spacing`.

    random_state : int, RandomState instance or None, default=None
        Draws the rows. Pass an int for reproducible results.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The rows.

    y : ndarray of shape (n_samples,)
        The Gaussian each row was drawn from, numbered in reading order: 0 is top left.

    See Also
    --------
    make_question_mark : A mixture in three dimensions.

    Notes
    -----
    The paper gives the number of Gaussians and rows but not the spacing and the standard
    deviation; these were chosen to come near its threshold.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       section 7.2.1. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> from skflow.datasets import make_gaussian_grid
    >>> X, y = make_gaussian_grid(n_samples=200, random_state=0)
    >>> X.shape, int(y.max())
    ((200, 2), 24)
    """
    ticks = spacing * (np.arange(n_side) - (n_side - 1) / 2)
    centers = np.column_stack([np.tile(ticks, n_side), np.repeat(-ticks, n_side)])
    return _draw_mixture(centers, std, n_samples, random_state)


def _question_mark_centers(n_components):
    # A tenth of the modes make the dot, so that it does not fade beside the stroke.
    n_dot = max(1, n_components // 10)

    angle = np.radians(np.linspace(170, -50, 400))
    hook = 1.25 * np.column_stack([np.cos(angle), 1 + np.sin(angle)])

    # A cubic Bezier curve leaves the hook along its tangent and ends as a vertical stem.
    tangent = np.array([np.sin(angle[-1]), -np.cos(angle[-1])])
    foot, above_foot = np.array([[0.0, -1.25], [0.0, -0.45]])
    t = np.linspace(0, 1, 200)[:, np.newaxis]
    stem = (
        (1 - t) ** 3 * hook[-1]
        + 3 * t * (1 - t) ** 2 * (hook[-1] + 0.5 * tangent)
        + 3 * t**2 * (1 - t) * above_foot
        + t**3 * foot
    )
    path = np.concatenate([hook, stem[1:]])
    length = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    at = np.linspace(0, length[-1], n_components - n_dot)
    stroke = np.column_stack([np.interp(at, length, coordinate) for coordinate in path.T])

    angle = np.pi / 2 + 2 * np.pi * np.arange(n_dot) / n_dot
    radius = 0.16 if n_dot > 1 else 0.0
    dot = np.array([0, -2.25]) + radius * np.column_stack([np.cos(angle), np.sin(angle)])

    drawing = np.concatenate([stroke, dot])
    depth = 0.5 * np.sin(np.pi * drawing[:, 1] / 2.5)
    centers = np.column_stack([drawing, depth])
    return centers - centers.mean(axis=0)


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_components": [Interval(Integral, 2, None, closed="left")],
        "std": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_question_mark(
    n_samples: int = 1024,
    *,
    n_components: int = 30,
    std: float = 0.1,
    random_state: Seed = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw from Gaussians that form a question mark in space, the paper's mystery distribution.

    The mark is two and a half units wide and five high, as seen in the first two columns, and
    waves by half a unit to either side in the third. Its mean is the origin. Rows are
    independent: two calls with different seeds give two independent samples of one law.

    Parameters
    ----------
    n_samples : int, default=1024
        Number of rows.

    n_components : int, default=30
        Number of Gaussians, with equal weights; a tenth of them, at least one, make the dot.

    std : float, default=0.1
        Standard deviation of each Gaussian, spherical. Neighbouring means of the stroke are 0.25
        apart when there are 30.

    random_state : int, RandomState instance or None, default=None
        Draws the rows. Pass an int for reproducible results.

    Returns
    -------
    X : ndarray of shape (n_samples, 3)
        The rows.

    y : ndarray of shape (n_samples,)
        The Gaussian each row was drawn from, numbered as one writes: from the tip of the hook to
        the foot of the stem, then the dot.

    See Also
    --------
    make_gaussian_grid : A mixture in two dimensions.

    Notes
    -----
    The paper does not give the geometry; the size was chosen to come near its threshold.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       section 7.2.2. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> from skflow.datasets import make_question_mark
    >>> X, y = make_question_mark(n_samples=200, random_state=0)
    >>> X.shape, int(y.max())
    ((200, 3), 29)
    """
    return _draw_mixture(_question_mark_centers(n_components), std, n_samples, random_state)


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "rank": [Interval(Integral, 1, None, closed="left")],
        "law_random_state": ["random_state"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_low_rank_gaussian(
    n_samples: int = 1024,
    *,
    n_features: int = 50,
    rank: int = 25,
    law_random_state: Seed = 0,
    random_state: Seed = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw from a Gaussian that lives in a subspace.

    ``x = B xi + mean`` with `xi` a standard normal vector of `rank` entries. The entries of B are
    normal with standard deviation 0.5, those of the mean normal around 10 with standard deviation
    1, and both are fixed by `law_random_state`: two calls that differ in `random_state` alone
    give two independent samples of one law.

    Parameters
    ----------
    n_samples : int, default=1024
        Number of rows.

    n_features : int, default=50
        Number of features.

    rank : int, default=25
        Rank of the covariance, at most `n_features`.

    law_random_state : int, RandomState instance or None, default=0
        Draws B and the mean, the law. With None, or a RandomState that moves on, each call makes
        a law of its own.

    random_state : int, RandomState instance or None, default=None
        Draws the rows. Pass an int for reproducible results.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The rows.

    mean : ndarray of shape (n_features,)
        Mean of the law.

    covariance : ndarray of shape (n_features, n_features)
        Covariance of the law, B B^T.

    Raises
    ------
    ValueError
        If `rank` is larger than `n_features`.

    References
    ----------
    .. [1] R. M. Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023,
       appendix C.4. https://arxiv.org/abs/2304.12906

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.datasets import make_low_rank_gaussian
    >>> X, mean, covariance = make_low_rank_gaussian(n_samples=200, random_state=0)
    >>> X.shape, mean.shape, int(np.linalg.matrix_rank(covariance))
    ((200, 50), (50,), 25)
    """
    if rank > n_features:
        raise ValueError(
            f"rank={rank} is larger than n_features={n_features}: the covariance of {n_features} "
            f"features has at most rank {n_features}."
        )
    # Seeded by a draw: the same integer for both seeds must not make the rows a function of B.
    law_rng = np.random.RandomState(check_random_state(law_random_state).randint(2**31 - 1))
    B = law_rng.normal(scale=0.5, size=(n_features, rank))
    mean = law_rng.normal(loc=10.0, size=n_features)

    rng = check_random_state(random_state)
    X = rng.standard_normal((n_samples, rank)) @ B.T + mean
    return X, mean, B @ B.T
