"""Fidelity and memorisation in one figure."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from skflow._sklearn import Interval, validate_params
from skflow.metrics._distances import energy_distance, mean_distance
from skflow.metrics._memorization import closer_to_train_share
from skflow.metrics._samples import check_samples

__all__ = ["fidelity_without_copying"]


@validate_params(
    {
        "samples": ["array-like"],
        "train": ["array-like"],
        "heldout": ["array-like"],
        "penalty": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def fidelity_without_copying(
    samples: ArrayLike, train: ArrayLike, heldout: ArrayLike, *, penalty: float = 2.0
) -> float:
    """One figure for how faithful samples are and how little they copy; higher is better.

    With the energy distance of samples and held-out rows, the noise that two samples of these sizes
    and of the law of the held-out rows would have in its place on average, and the adjusted share
    of samples that are closer to training rows::

        -log2(energy / noise) - penalty * max(0, 2 * share - 1)

    The trade-off: to copy everything, a share of 1, costs as much as an energy distance that is
    ``2 ** penalty`` times as large. By default that is four times.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_features)
        Generated rows.

    train : array-like of shape (n_train, n_features)
        The rows that the sampler was fitted on.

    heldout : array-like of shape (n_heldout, n_features)
        Rows of the same law that the sampler has not seen. Sizes may differ.

    penalty : float, default=2.0
        Cost of copying everything, in doublings of the energy distance. At 0 only fidelity counts.

    Returns
    -------
    figure : float
        About 0 for honest samples of the right law, and less for others; without unit.

    Raises
    ------
    ValueError
        If the widths or column names of the arrays differ, if there are NaN or infinite values, or
        if all held-out rows are the same.

    See Also
    --------
    energy_distance : What fidelity is measured by.
    closer_to_train_share : What copying is measured by.
    most_faithful : The other way to weigh them: fidelity alone, among those that do not copy.

    Notes
    -----
    The share of honest samples is 0.5 on average only, and what exceeds it costs: the fewer rows
    are held out, the more is paid for nothing, by all candidates of a search alike.

    Costs as much as both metrics and the distances between held-out rows together.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.metrics import fidelity_without_copying
    >>> rng = np.random.default_rng(0)
    >>> train, heldout, fresh = rng.normal(size=(3, 500, 2))
    >>> figures = [
    ...     fidelity_without_copying(samples, train, heldout)
    ...     for samples in (fresh, train, fresh + 1)
    ... ]
    >>> bool(figures[0] > max(figures[1:]))
    True
    """
    samples, train, heldout = check_samples(samples=samples, train=train, heldout=heldout)
    n, m = len(samples), len(heldout)
    between_rows = mean_distance(heldout - heldout.mean(axis=0)) * m / (m - 1) if m > 1 else 0.0
    if between_rows == 0:
        raise ValueError(
            "All held-out rows are the same: there is no distance to measure that of samples by."
        )
    noise = between_rows * (1 / n + 1 / m)
    energy = max(energy_distance(samples, heldout), np.finfo(np.float64).eps * noise)
    share = closer_to_train_share(samples, train, heldout, adjusted=True)
    return float(-np.log2(energy / noise) - penalty * max(0.0, 2 * share - 1))
