"""Equal points as one: where columns have few values, many rows are the same."""

import numpy as np

from skflow._kernels.compiled import njit
from skflow._kernels.points import Points

_SAMPLE = 4096  # rows that tell whether looking for equal ones may be worth it
_FIRST_COLUMNS = 16  # which tell most rows apart, where these have many
_MOST_DISTINCT = 0.9  # share, above which it is not


def merged(points):
    """The points, equal ones as one of their weight and mean value; themselves if few are equal."""
    numbers, n_distinct = points.once(_number)
    if n_distinct == len(points.X):
        return points
    firsts = np.full(n_distinct, len(points.X))
    np.minimum.at(firsts, numbers, np.arange(len(numbers)))
    weights = np.bincount(numbers, points.weights)
    values = points.values
    if values is not None:
        shares = (1.0 if points.weights is None else points.weights) / weights[numbers]
        sums = [np.bincount(numbers, shares * column) for column in values.T]
        values = np.stack(sums, axis=1).astype(values.dtype)
    return Points(points.X[firsts], values, weights)


def share_of_distinct(points):
    """How many points are left of them by :func:`merged`, as a share."""
    return points.once(_number)[1] / len(points.X)


def _number(points):
    """Equal points the same number, as far as they are told apart; and how many numbers."""
    rows = np.ascontiguousarray(points.X)
    bits = rows.view(np.uint32 if rows.dtype == np.float32 else np.uint64)
    some = bits[:: -(-len(bits) // _SAMPLE)]
    # Rows that differ in their first columns differ.
    for told_apart in (some[:, :_FIRST_COLUMNS], some, bits):
        numbers = np.empty(len(told_apart), np.intp)
        n_distinct = number_rows(np.ascontiguousarray(told_apart), numbers)
        if n_distinct > _MOST_DISTINCT * len(numbers):
            return None, len(bits)
    return numbers, n_distinct


@njit()
def number_rows(bits, numbers):
    """Number rows of integers in the order in which they first come; returns how many there are.

    numbers: (n,), filled here: the same for equal rows.
    """
    size = 2
    while size < 2 * bits.shape[0]:
        size *= 2
    table = np.full(size, -1, np.intp)
    n_distinct = 0
    for i in range(bits.shape[0]):
        mixed = np.uint64(0)
        for k in range(bits.shape[1]):
            mixed = (mixed ^ np.uint64(bits[i, k])) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        place = np.intp(mixed & np.uint64(size - 1))
        while table[place] >= 0 and not _same(bits, table[place], i):
            place = (place + 1) % size
        if table[place] < 0:
            table[place] = i
            numbers[i] = n_distinct
            n_distinct += 1
        else:
            numbers[i] = numbers[table[place]]
    return n_distinct


@njit(inline="always")
def _same(bits, i, j):
    for k in range(bits.shape[1]):
        if bits[i, k] != bits[j, k]:
            return False
    return True
