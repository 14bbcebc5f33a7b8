"""What a trained generator makes of given inputs, and what it has as a transformer."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skflow._base import BaseFlow
from skflow._typing import Rows

__all__ = ["MakesRows"]


def _n_latent(generator):
    """Width of the latents: those of the last fit, or those that the first will have."""
    setup = getattr(generator, "_setup", None)
    return generator.n_latent if setup is None else setup.n_latent


def _takes_rows(generator):
    n_latent = _n_latent(generator)
    if n_latent is not None:
        raise AttributeError(
            f"With n_latent={n_latent} the generator makes rows of draws of a Gaussian, and "
            "takes no rows of the data. Use generate(Z) for given draws, sample(n) for "
            "fresh ones, or leave out n_latent."
        )
    return True


class MakesRows:
    """`transform` and `fit_transform`, that are not there with `n_latent`, and `generate`.

    scikit-learn wraps a `transform` for ``set_output`` in the class that defines it, and what is
    wrapped can no longer be missing. This class has no ``set_output``, so nothing is wrapped.
    """

    # Of the estimator that this is a part of.
    _setup: Any
    _wrap: Callable[..., Rows]

    fit_transform = available_if(_takes_rows)(BaseFlow.fit_transform)

    @available_if(_takes_rows)
    def transform(self, X: ArrayLike) -> Rows:
        """Generate a row from each row of the base distribution.

        It is not there with `n_latent`, which makes rows of something else: see :meth:`generate`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the base distribution.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The generated rows; a data frame after ``set_output``.

        Warns
        -----
        UserWarning
            When rows lie far outside the base distribution.
        """
        check_is_fitted(self)
        return self._wrap(self._made_of_rows(X), X)

    def generate(self, Z: ArrayLike) -> Rows:
        """Make a row of each given input, by the map that was learned.

        The same input always makes the same row, whatever others it comes with: along a line of
        inputs rows change into each other. ``sample(n)`` does this with fresh inputs, and puts
        discrete columns on values of X. Without `n_latent` it is ``transform``.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_inputs)
            With `n_latent`, draws of a standard Gaussian, or numbers like them, in `n_latent`
            columns. Otherwise rows of the base distribution, in units of the data.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The generated rows, in units of the data; a data frame after ``set_output``.

        Raises
        ------
        ValueError
            If Z has another width than the inputs that the generator was fitted with; with
            `n_latent`, if Z has a column that is named like one of X.

        Warns
        -----
        UserWarning
            When inputs lie far outside the distribution of those of the training.
        """
        check_is_fitted(self)
        if self._setup.n_latent is not None:
            return self._wrap(self._made_of_latents(Z), Z)
        try:
            made = self._made_of_rows(Z)
        except ValueError as error:
            error.add_note(
                "This generator was fitted without n_latent, so the inputs of generate are rows of "
                "the base in units of the data, as those of transform are."
            )
            raise
        return self._wrap(made, Z)

    def _made_of_rows(self, X):
        rows = self._to_flow(X)
        self._warn_of_rows_outside(rows, self._setup.known, self._setup.reach, stacklevel=4)
        return self._generate(rows)

    def _made_of_latents(self, Z):
        source = self._setup.source
        names = set(getattr(Z, "columns", ())) & set(getattr(self, "feature_names_in_", ()))
        if names:
            raise ValueError(
                f"Z has columns of X, such as {min(names)!r}, but this generator was fitted with "
                f"n_latent={source.n_latent}: it makes rows of draws of a standard Gaussian, and "
                "not of rows of the data. sample(n) draws them itself."
            )
        Z = check_array(Z, dtype=self.particles_.dtype, input_name="Z")
        if Z.shape[1] != source.n_latent:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but this generator was fitted with "
                f"n_latent={source.n_latent}: it makes rows of draws of a standard Gaussian of "
                "that width. sample(n) draws them itself."
            )
        outside = int((np.linalg.norm(Z, axis=1) > source.reach).sum())
        if outside:
            warnings.warn(
                f"{outside} of {len(Z)} rows of Z are too far from 0 to be draws of a standard "
                f"Gaussian, of which {type(self).__name__} learned to make rows: what it makes of "
                "these is anything. Rows of the data are no such draws.",
                UserWarning,
                stacklevel=3,
            )
        return self._generate(Z)

    def _generate(self, inputs):
        return self._space.from_flow(self._setup.outputs(self.regressor_, inputs))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if _n_latent(self) is not None:
            tags.transformer_tags = None
        return tags
