"""Where a flow starts: base rows for fitting, and fresh draws for sampling."""

import inspect
from copy import deepcopy
from numbers import Integral

import numpy as np
from scipy.special import chdtri, ndtri
from scipy.stats.qmc import Sobol
from sklearn import config_context
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import has_fit_parameter, validate_data

from skflow._kernels import nearest
from skflow._process import one_blas_thread, one_openmp_thread, unconverged_is_fine
from skflow._rows import naming_columns
from skflow._space import row_times, symmetric_root, weighted_moments
from skflow._weights import systematic_rows

__all__ = [
    "LatentSource",
    "MixtureSource",
    "NormalSource",
    "RowSource",
    "check_base_rows",
    "check_columns",
    "check_count",
    "draw_rows",
    "make_source",
    "reach_of",
    "spread_rows",
]


class NormalSource:
    """A Gaussian with the mean and covariance of the target, drawn in flow space."""

    def __init__(self, flow_X, weights):
        self.mean_, covariance = weighted_moments(flow_X, weights)
        self.root_ = symmetric_root(covariance)

    def draw(self, n_samples, rng):
        """Fresh rows in flow space."""
        return self._place(rng.standard_normal((n_samples, len(self.mean_))))

    def spread(self, n_samples, rng):
        """Rows of the same law, evenly spread: see `spread_rows`."""
        return self._place(ndtri(_even_uniforms(n_samples, len(self.mean_), rng)))

    def _place(self, rows):
        return self.mean_ + rows @ self.root_


class MixtureSource:
    """A Gaussian mixture like the target, drawn in flow space.

    The number of components and the kind of covariance are those of the smallest BIC. It is fitted
    to at most `most_rows` rows, in an order of their own; a weight counts as that many rows.
    """

    most_components = 8
    most_rows = 2000

    def __init__(self, flow_X, weights, rng):
        rows = self._rows(flow_X, weights).astype(np.float64)
        self.mean_, self.scale_ = rows.mean(axis=0), rows.std(axis=0)
        self.scale_[self.scale_ == 0] = 1.0
        rows = (rows - self.mean_) / self.scale_
        self.span_ = _projector(rows)
        self.mixture_ = self._best_mixture(rows, rng.randint(np.iinfo(np.int32).max))
        covariances = self.mixture_.covariances_
        if self.mixture_.covariance_type == "full":
            self.roots_ = np.linalg.cholesky(covariances)
        else:
            self.roots_ = [np.diag(np.sqrt(squares)) for squares in covariances]

    def _best_mixture(self, rows, seed):
        """Of either kind of covariance one component more, while the BIC has fallen lately."""
        from sklearn.mixture import GaussianMixture  # loads all of sklearn.cluster

        most = min(self.most_components, max(1, len(np.unique(rows, axis=0)) // 2))
        found = []
        # In one thread: the order of sums would decide between mixtures that are as good.
        with (
            one_blas_thread,
            one_openmp_thread(),
            unconverged_is_fine,  # it is only a start
            # k-means has no array API; and the same rows need not be looked at in every call.
            config_context(
                array_api_dispatch=False, assume_finite=True, skip_parameter_validation=True
            ),
        ):
            for kind in ("full", "diag"):
                best, least = 0, np.inf
                for k in range(1, most + 1):
                    mixture = GaussianMixture(
                        k, covariance_type=kind, reg_covar=1e-3, random_state=seed
                    )
                    bic = mixture.fit(rows).bic(rows)
                    found.append((bic, len(found), mixture))
                    if bic < least:
                        best, least = k, bic
                    elif k > best + 1:
                        break
        return min(found)[2]

    def _rows(self, flow_X, weights):
        """At most `most_rows` of the rows, each as often as its weight has it."""
        weights = np.ones(len(flow_X)) if weights is None else weights
        in_whole = np.array_equal(weights, np.round(weights))
        n_rows = min(self.most_rows, int(weights.sum()) if in_whole else len(flow_X))
        return systematic_rows(flow_X, weights, n_rows)

    def draw(self, n_samples, rng):
        """Fresh rows in flow space."""
        weights = self.mixture_.weights_
        components = rng.choice(len(weights), size=n_samples, p=weights)
        return self._place(components, rng.standard_normal((n_samples, len(self.mean_))))

    def spread(self, n_samples, rng):
        """Rows of the same law, evenly spread: see `spread_rows`."""
        uniforms = _even_uniforms(n_samples, 1 + len(self.mean_), rng)
        edges = np.cumsum(self.mixture_.weights_)[:-1]
        return self._place(np.searchsorted(edges, uniforms[:, 0]), ndtri(uniforms[:, 1:]))

    def _place(self, components, rows):
        # GaussianMixture.sample turns by what rounding decides where a covariance is nearly round.
        for k in np.unique(components):
            mine = components == k
            rows[mine] = self.mixture_.means_[k] + row_times(rows[mine], self.roots_[k].T)
        if self.span_ is not None:
            rows = row_times(rows, self.span_)
        return self.mean_ + self.scale_ * rows


def spread_rows(source, n_samples, rng):
    """Rows for the particles to start from, in flow space.

    Each has the law of the source's draws. Where the source can, they are spread more evenly than
    draws are: by as many particles the base is known as well as by several times as many draws.
    """
    return getattr(source, "spread", source.draw)(n_samples, rng)


def _even_uniforms(n_samples, width, rng):
    """Points of a scrambled Sobol sequence, shuffled; independent ones where it is not known."""
    if width > Sobol.MAXDIM:
        return rng.uniform(size=(n_samples, width))
    sequence = Sobol(width, seed=int(rng.randint(np.iinfo(np.int32).max)))
    points = sequence.random_base2(int(n_samples - 1).bit_length())[:n_samples]
    return rng.permutation(points + 2.0 ** -(sequence.bits + 1))  # never 0: the middle of a bit


def _projector(rows):
    """Onto the space that centred rows span; None if that is everything.

    The covariance of a component is regular, but columns that are constant, or equal, stay so.
    """
    _, values, axes = np.linalg.svd(rows, full_matrices=False)
    axes = axes[values > 1e-10 * max(values[0], 1.0)]
    return None if len(axes) == rows.shape[1] else axes.T @ axes


class LatentSource:
    """Draws of a standard Gaussian, with an image each: a Gaussian row like those of the target.

    The image has the covariance of the target in as many principal directions as there are draws.
    """

    def __init__(self, flow_X, weights, n_latent):
        self.n_latent = n_latent
        self.mean_, covariance = weighted_moments(flow_X, weights)
        values, vectors = np.linalg.eigh(covariance)
        n_used = min(n_latent, len(values))
        axes = vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0.0))
        self.axes_ = np.zeros((n_latent, len(values)))
        self.axes_[:n_used] = axes[:, :n_used].T

    @property
    def reach(self):
        """Distance from 0 that one draw of a billion exceeds."""
        return np.sqrt(chdtri(self.n_latent, 1e-9))

    def draw(self, n_samples, rng):
        """Fresh draws."""
        return rng.standard_normal((n_samples, self.n_latent))

    def image(self, latents):
        """Rows in flow space."""
        return self.mean_ + latents @ self.axes_


class RowSource:
    """Given rows; fresh draws are rows drawn with replacement."""

    def __init__(self, flow_rows):
        self.rows_ = flow_rows

    def draw(self, n_samples, rng):
        """Fresh rows in flow space."""
        return self.rows_[rng.randint(len(self.rows_), size=n_samples)]


class SamplerSource:
    """Any object with ``sample(n)`` or ``rvs(size)``, in units of the data."""

    def __init__(self, sampler, space, n_features):
        self.sampler_ = sampler
        self.space_ = space
        self.n_features_ = n_features

    def draw(self, n_samples, rng):
        """Fresh rows in flow space."""
        rows = draw_rows(self.sampler_, n_samples, self.n_features_, rng, whose="The base's ")
        return self.space_.to_flow(rows)


def draw_rows(sampler, n_samples, n_features, rng, whose=""):
    """Fresh rows of anything with ``sample(n)`` or ``rvs(size)``.

    All randomness comes from rng: a sampler that keeps its seed, as GaussianMixture does, would
    otherwise return the same rows at every call. The rows are shuffled, because some samplers
    return theirs grouped by component.
    """
    name = "sample" if hasattr(sampler, "sample") else "rvs"
    seed = int(rng.randint(np.iinfo(np.int32).max))
    parameters = sampler.get_params(deep=False) if hasattr(sampler, "get_params") else {}
    keywords = {}
    if "random_state" in _parameter_names(getattr(sampler, name)):
        keywords["random_state"] = np.random.RandomState(seed)
    elif "random_state" in parameters:
        sampler = deepcopy(sampler).set_params(random_state=seed)
    if name == "rvs":
        keywords["size"] = n_samples
        rows = sampler.rvs(**keywords)
    else:
        rows = sampler.sample(n_samples, **keywords)
    if isinstance(rows, tuple):  # GaussianMixture returns rows and components
        rows = rows[0]
    rows = np.asarray(rows, dtype=np.float64)
    shape = (n_samples, n_features)
    # scipy drops the axis of a single draw, and that of a single column
    if rows.ndim < 2 and 1 in shape and rows.size == n_samples * n_features:
        rows = rows.reshape(shape)
    if rows.shape != shape or not np.isfinite(rows).all():
        raise ValueError(
            f"{whose}{name} must return finite rows of shape {shape}, the width of X; "
            f"got shape {rows.shape}"
            f"{'' if np.isfinite(rows).all() else ' with NaN or infinity'}."
        )
    return rows[rng.permutation(n_samples)]


def _parameter_names(function):
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def make_source(base, space, X, flow_X, weights, rng):
    """The source that a constructor's ``base`` stands for.

    Parameters
    ----------
    base : {"normal", "mixture"}, array-like, or object with ``sample`` or ``rvs``
        An estimator among the objects is cloned and fitted on the target first, as scikit-learn's
        meta-estimators do; wrap it in ``FrozenEstimator`` to use it as it is.
    space : FlowSpace
        Fitted on the target.
    X, flow_X : ndarray of shape (n_samples, n_features)
        The target, in units of the data and in flow space.
    weights : ndarray of shape (n_samples,) or None
        Its weights.
    rng : numpy.random.RandomState
        Seeds the fit of an estimator that has no seed of its own.
    """
    if isinstance(base, str) and base == "normal":
        return NormalSource(flow_X, weights)
    if isinstance(base, str) and base == "mixture":
        return MixtureSource(flow_X, weights, rng)
    if isinstance(base, type):
        raise ValueError(f"base is the class {base.__name__}: pass an instance of it.")
    if (hasattr(base, "sample") and not hasattr(base, "columns")) or hasattr(base, "rvs"):
        if isinstance(base, FrozenEstimator):
            base = base.estimator
        elif hasattr(base, "fit") and hasattr(base, "get_params"):  # scipy's have `fit` too
            takes_weights = weights is not None and has_fit_parameter(base, "sample_weight")
            base = clone(base)
            if base.get_params(deep=False).get("random_state", 0) is None:
                base.set_params(random_state=rng.randint(np.iinfo(np.int32).max))
            base.fit(X, **({"sample_weight": weights} if takes_weights else {}))
        return SamplerSource(base, space, X.shape[1])
    return RowSource(space.to_flow(check_base_rows(base, X.shape[1], X.dtype)))


def check_base_rows(rows, n_features, dtype, name="base"):
    """Validated rows of a base in units of the data."""
    with naming_columns(rows, name):
        rows = check_array(rows, dtype=dtype, input_name=name)
    if rows.shape[1] != n_features:
        raise ValueError(
            f"{name} has {rows.shape[1]} features, but X has {n_features}: a flow carries rows "
            "onto rows of the same width. Pass the same columns for both, or data frames: the "
            "columns of X are found by name in a base that has more."
        )
    return rows


def check_columns(estimator, base, name="X_base"):
    """Raise a ValueError if a base in a data frame has other columns than X had, or another order.

    Its width is left to :func:`check_base_rows`, which tells of a base rather than of X.
    """
    try:
        validate_data(estimator, base, reset=False, skip_check_array=True, ensure_2d=False)
    except ValueError as error:
        error.add_note(
            f"The names that do not match are those of {name}; names seen at fit time are those of "
            "X. A flow carries rows onto rows of the same columns."
        )
        raise


def check_count(n_samples):
    """Raise a ValueError unless it is a number of rows that can be drawn."""
    is_count = isinstance(n_samples, Integral) and not isinstance(n_samples, bool)
    if not (is_count and n_samples >= 1):
        raise ValueError(f"n_samples must be an integer of at least 1, got {n_samples!r}.")


def reach_of(start):
    """Distance from the base rows beyond which a row is far outside them.

    Twice the largest distance of a base row to its nearest neighbour among those that differ.
    """
    start = np.unique(start, axis=0)
    if len(start) == 1:
        return np.inf
    return 2 * nearest(start, start, 2)[1][:, 1].max()
