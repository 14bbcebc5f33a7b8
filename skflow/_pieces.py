"""Many rows in pieces, so that what is computed of them at a time fits in memory."""

import numpy as np
from sklearn import get_config
from sklearn.utils import gen_batches

__all__ = ["in_pieces", "pieces"]

# Larger pieces are no faster; scikit-learn's working memory of 1024 MiB remains the upper limit.
_PIECE_MIB = 64
# Below, laying out the particles for each piece would cost as much as its rows do.
_LEAST_ROWS = 256


def pieces(n_rows, row_bytes):
    """Slices of n_rows rows, of which each takes row_bytes to work on; at least one."""
    n_bytes = min(_PIECE_MIB, get_config()["working_memory"]) * 2**20
    size = max(_LEAST_ROWS, int(n_bytes / row_bytes))
    return list(gen_batches(n_rows, size)) if n_rows > 0 else [slice(0, 0)]


def in_pieces(function, rows, row_bytes):
    """``function(rows)``, which is as wide, computed piece by piece."""
    parts = pieces(len(rows), row_bytes)
    if len(parts) == 1:
        return function(rows)
    results = np.empty_like(rows)
    for part in parts:
        results[part] = function(rows[part])
    return results
