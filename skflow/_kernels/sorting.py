"""Rows sorted into tiles of neighbours."""

import numpy as np

from skflow._kernels.compiled import njit
from skflow._kernels.threads import n_threads, run_in_threads

_WORK_A_ROW = 3_000  # multiply-adds in float32, to sort it
_PARTS = 2  # a thread, which are sorted side by side
_SAMPLE = 128  # rows that tell which dimension is the widest
_MOST_SAMPLED, _KEYS_A_SAMPLED = 33, 32  # keys that tell which about halves a part


def sorted_into_tiles(X, tile, bundle=1):
    """Row numbers of X, in an order in which every `tile` of them are near each other.

    So are every `bundle` of such tiles. They are leaves of a k-d tree: the widest dimension is
    halved, at a multiple of their size.
    """
    order, keys = np.arange(len(X)), np.empty(len(X))
    number = n_threads(_WORK_A_ROW * len(X))
    edges = [0, len(X)]
    while 1 < number and len(edges) <= _PARTS * number:
        middles = [0] * (len(edges) - 1)

        def halve(start, stop, edges=edges, middles=middles):
            for i in range(start, stop):
                middles[i] = halve_tiles(X, tile, bundle, order, keys, edges[i], edges[i + 1])

        run_in_threads(halve, len(middles), number)
        edges = sorted({*edges, *middles})
        if len(edges) <= len(middles) + 1:
            break

    def sort(start, stop):
        for i in range(start, stop):
            sort_into_tiles(X, tile, bundle, order, keys, edges[i], edges[i + 1])

    run_in_threads(sort, len(edges) - 1, number)
    return order


@njit()
def sort_into_tiles(X, tile, bundle, order, keys, start, stop):
    """Sort a part of `order`, row numbers of X: halve it, and its halves, down to single tiles."""
    starts, stops = np.empty(64, np.intp), np.empty(64, np.intp)  # parts left behind by halvings
    starts[0], stops[0] = start, stop
    n_parts = 1
    while n_parts > 0:
        n_parts -= 1
        start, stop = starts[n_parts], stops[n_parts]
        middle = halve_tiles(X, tile, bundle, order, keys, start, stop)
        if middle > start:
            stops[n_parts] = middle
            starts[n_parts + 1], stops[n_parts + 1] = middle, stop
            n_parts += 2


@njit(inline="always")
def halve_tiles(X, tile, bundle, order, keys, start, stop):
    """Sort a part of `order` in two, across the widest dimension; returns where the second begins.

    It is the start of the part where that is a single tile. keys: (n,), scratch.
    """
    # Plain loops, and no array expressions, which take seconds to compile.
    size = tile * bundle if stop - start > tile * bundle else tile
    n_tiles = (stop - start + size - 1) // size
    if n_tiles < 2:
        return start
    every = (stop - start - 1) // _SAMPLE + 1
    widest, extent = 0, -1.0
    for k in range(X.shape[1]):
        low = high = X[order[start], k]
        for i in range(start + every, stop, every):
            low = min(low, X[order[i], k])
            high = max(high, X[order[i], k])
        if high - low > extent:
            widest, extent = k, high - low
    for i in range(start, stop):
        keys[i] = X[order[i], widest]
    middle = start + n_tiles // 2 * size
    _select(keys, order, start, stop - 1, middle)
    return middle


@njit(inline="always")
def _select(keys, order, first, last, nth):
    """Bring smaller keys before the nth place and larger ones behind it."""
    sample = np.empty(_MOST_SAMPLED)
    pivot, with_equal = 0.0, False
    while first < last:
        if not with_equal:
            pivot = _guess(keys, first, last, nth, sample)
        # Keys below the pivot come first, or those not above it. Every key changes places: to
        # branch would cost more, as it goes one way as often as the other.
        place = first
        for i in range(first, last + 1):
            key, number = keys[i], order[i]
            keys[i], order[i] = keys[place], order[place]
            keys[place], order[place] = key, number
            place += (key < pivot) | (with_equal & (not key > pivot))
        if place > nth:
            if with_equal:
                return
            last = place - 1
        else:
            # Where none is below it, the pivot is the smallest, and so may be many others.
            with_equal = place == first
            first = place


@njit(inline="always")
def _guess(keys, first, last, nth, sample):
    """A key that is about the nth, by some of them."""
    n_keys, n_sampled = last - first + 1, sample.shape[0]
    while n_sampled > 3 and _KEYS_A_SAMPLED * n_sampled > n_keys:
        n_sampled = (n_sampled + 1) // 2
    every = n_keys // n_sampled if n_keys > n_sampled else 1
    n_sampled = min(n_sampled, n_keys)
    for i in range(n_sampled):
        key, place = keys[first + every // 2 + i * every], i
        while place > 0 and sample[place - 1] > key:
            sample[place] = sample[place - 1]
            place -= 1
        sample[place] = key
    return sample[(nth - first) * n_sampled // n_keys]
