"""What the weights of rows mean: a weight counts as that many rows."""

import numpy as np

from skflow._sklearn import _check_sample_weight

__all__ = ["systematic_places", "systematic_rows", "weights_as_rows", "weights_to_score"]


def weights_as_rows(weights):
    """Positive weights, scaled up if they sum to less than the number of rows they are worth.

    A weight counts as that many rows, for bandwidths, discrete columns and mixtures: weights that
    sum to one would count as a single row. What they are worth is Kish's effective sample size,
    ``sum(w)^2 / sum(w^2)``: n for n equal weights. No sum of integers is less than that (w <= w^2),
    so integer weights stay repeats. And there is no jump, as a threshold on the largest would have
    one, or a mean of 1 where some weights go to zero: those rows are then worth nothing.
    """
    relative = weights / weights.max()  # exactly 1 where all are equal
    largest = relative.sum() / np.square(relative).sum()
    return relative * largest if largest > weights.max() else weights


def weights_to_score(sample_weight, X):
    """Which rows have a positive weight, and their weights: all of them, and None, if not given."""
    if sample_weight is None:
        return slice(None), None
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    used = weights > 0
    return used, weights[used]


def systematic_places(weights, n_rows, offset=0.5):
    """Places of `n_rows` rows, each as often as its weight has it, off by less than one.

    Systematic resampling: evenly spaced steps through the cumulated weights.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Positive weights, in the order in which the rows are gone through.
    n_rows : int
        How many to take.
    offset : float, default=0.5
        Where the first step ends, in steps: a number in [0, 1), drawn or fixed.

    Returns
    -------
    ndarray of shape (n_rows,)
        Places in `weights`, in order.
    """
    cumulative = np.cumsum(weights)
    steps = (np.arange(n_rows) + offset) / n_rows * cumulative[-1]
    return np.minimum(np.searchsorted(cumulative, steps), len(weights) - 1)


def systematic_rows(X, weights, n_rows):
    """A systematic sample of rows, sorted by their columns: their order and repeats are no matter.

    So integer weights and repeated rows give the same sample.
    """
    order = np.lexsort(X.T[::-1])
    return X[order[systematic_places(weights[order], n_rows)]]
