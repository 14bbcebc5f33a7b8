"""What all metrics share: how samples are validated, compared in size, and cut into blocks."""

import warnings

import numpy as np
from sklearn import get_config
from sklearn.utils import check_array, gen_batches

__all__ = ["block_mib", "check_samples", "row_blocks", "warn_of_unequal_sizes"]

# Blocks of this size stay in the processor's cache: several times faster than blocks as large as
# scikit-learn's default working memory of 1024 MiB, which remains the upper limit.
_BLOCK_MIB = 16


def block_mib(row_bytes):
    return min(max(_BLOCK_MIB, row_bytes / 2**20), get_config()["working_memory"])


def row_blocks(n_rows, row_bytes):
    """Slices of n_rows rows, of which each takes row_bytes to work on."""
    return gen_batches(n_rows, max(1, int(block_mib(row_bytes) * 2**20 / row_bytes)))


def check_samples(**samples):
    """Validate samples of one space, given by argument name, and return them as float64."""
    checked = {
        name: check_array(sample, dtype=np.float64, input_name=name)
        for name, sample in samples.items()
    }
    first, *others = checked
    for name in others:
        if checked[name].shape[1] != checked[first].shape[1]:
            raise ValueError(
                f"{first} has {checked[first].shape[1]} features but {name} has "
                f"{checked[name].shape[1]}: pass the same columns, in the same order."
            )
        columns = [getattr(samples[key], "columns", None) for key in (first, name)]
        if all(c is not None for c in columns) and list(columns[0]) != list(columns[1]):
            raise ValueError(
                f"The columns of {first} and {name} differ in name or order: select the same "
                f"columns from both, e.g. {name}[{first}.columns]."
            )
    return list(checked.values())


def warn_of_unequal_sizes(ideal=0.5, stacklevel=4, **samples):
    """Warn of two samples whose sizes differ by more than 10 percent, given by argument name."""
    (first, size), (second, other) = ((name, len(rows)) for name, rows in samples.items())
    if abs(size - other) > 0.1 * max(size, other):
        warnings.warn(
            f"{first} has {size} rows and {second} has {other}: the larger set has the nearer "
            f"rows by its size alone, so what is returned for honest samples is not {ideal}. Pass "
            "a random subset of the larger set, as large as the smaller one.",
            UserWarning,
            stacklevel=stacklevel,
        )
