"""Rows as a user passes them, checked, in the right columns, and as they are handed back."""

import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skflow._sklearn import (
    ADAPTERS_MANAGER,
    _check_feature_names_in,
    _get_output_config,
    _num_samples,
    _safe_indexing,
)

__all__ = [
    "DTYPES",
    "check_rows",
    "check_two_dimensional",
    "framed",
    "look_at_y",
    "naming_columns",
    "own_columns",
]

DTYPES = [np.float64, np.float32]
_SHOWN = 5  # columns that a message lists


def check_rows(estimator, X, **options):
    """X as ``validate_data`` returns it, which takes the options; its errors tell the columns."""
    with naming_columns(X, "X"):
        return validate_data(estimator, X, dtype=DTYPES, **options)


def check_two_dimensional(rows, name, n_features):
    """Raise a ValueError unless rows of a base are rows: first of all, as nothing else is clear."""
    shape = _shape(rows)
    if shape is not None and len(shape) != 2:
        raise ValueError(
            f"{name} must be 2-D: rows of {n_features} columns, as X has; got "
            f"{type(rows).__name__} of shape {shape}. For a single row pass [row], for a single "
            "column column.reshape(-1, 1)."
        )


def look_at_y(y, X, X_base, n_features, stacklevel):
    """Tell of a y that is ignored, but looks like rows to carry: ``fit(X_target, X_source)``."""
    shape = _shape(y) if X_base is None else None
    if shape is None or len(shape) != 2 or shape[1] != n_features:
        return
    message = "y is ignored by a flow. To carry rows, pass them by name: X_base=..."
    if shape[0] != _num_samples(X):
        raise ValueError(f"y has {shape[0]} rows, and X has {_num_samples(X)}. {message}")
    if n_features > 1:  # a single column may be labels
        warnings.warn(f"y is as wide as X. {message}", UserWarning, stacklevel=stacklevel + 1)


def _shape(rows):
    """The shape of what may be rows; None if these are of different lengths."""
    try:
        return rows.shape if hasattr(rows, "shape") else np.asarray(rows).shape
    except ValueError:
        return None


def own_columns(base, own):
    """Base rows with the columns of X, by name, from a frame that has them and maybe more.

    As a ColumnTransformer does it, which cuts X and hands on the base as a whole. Anything else is
    returned as it is, to be refused for its names or its width.
    """
    names = list(getattr(base, "columns", ()))
    if names != list(own) and len(own) > 0 and set(own) <= set(names):
        return _safe_indexing(base, list(own), axis=1)
    return base


def framed(rows, like, estimator, default="default"):
    """Rows in the frame that `set_output` of a fitted estimator asks for, with its columns.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    like : array-like or data frame of shape (n_samples, n_features)
        What they were made of.
    estimator : estimator
        Fitted.
    default : str, default="default"
        The library of the frame where it asks for none; one without frames leaves an array.

    Returns
    -------
    ndarray or data frame of shape (n_samples, n_features)
    """
    library = _get_output_config("transform", estimator)["dense"]
    library = default if library == "default" else library
    adapter = ADAPTERS_MANAGER.adapters.get(library)  # to ask each of them would import pandas
    if adapter is None:
        return rows
    return adapter.create_container(rows, like, columns=_check_feature_names_in(estimator))


@contextmanager
def naming_columns(rows, name):
    """Add to an error the columns that are no numbers, or else those that have missing values."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if columns := _no_numbers(rows):
            error.add_note(
                f"Columns of {name} that are no numbers: {_listed(columns)}. A flow moves numbers: "
                "drop these columns, or encode them as numbers where near numbers mean similar "
                "things. A column of labels can be the y of a ClasswiseSampler."
            )
        elif "NaN" in str(error) and (columns := _with_missing_values(rows)):
            error.add_note(
                f"Columns of {name} with missing values: {_listed(columns)}. Drop the rows that "
                "lack them, or impute before the flow: before its pipeline, if skflow.sample is to "
                "draw from that, as most imputers cannot be undone."
            )
        raise


def _listed(columns):
    more = len(columns) - _SHOWN
    return f"{', '.join(columns[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def _with_missing_values(rows):
    """Names of columns, or their places."""
    try:
        missing = np.isnan(check_array(rows, dtype=np.float64, ensure_all_finite="allow-nan"))
    except (TypeError, ValueError):
        return []
    names = getattr(rows, "columns", range(missing.shape[1]))
    return [repr(name) for name, lacks in zip(names, missing.any(axis=0), strict=True) if lacks]


def _no_numbers(rows):
    """Names of columns, or their places, with their dtypes."""
    if not hasattr(rows, "columns"):
        if getattr(rows, "dtype", np.dtype(object)).kind not in "OSUmM":
            return []
        try:
            rows = np.array(rows, dtype=object)
        except ValueError:  # rows of different lengths
            return []
        if rows.ndim != 2:
            return []
    names = getattr(rows, "columns", range(rows.shape[1]))
    wrong = []
    for place, column in enumerate(names):
        values = _safe_indexing(rows, [place], axis=1)
        if not _is_numeric(values):
            kind = f" ({_safe_indexing(rows, place, axis=1).dtype})"
            wrong.append(f"{column!r}{kind if hasattr(rows, 'columns') else ''}")
    return wrong


def _is_numeric(column):
    kind = np.asarray(column).dtype.kind
    if kind == "c":  # the error itself says that much
        return True
    if kind in "mM":  # dates pass for numbers where they are alone
        return False
    try:
        check_array(column, dtype=np.float64, ensure_all_finite=False)
    except (TypeError, ValueError):
        return False
    return True
