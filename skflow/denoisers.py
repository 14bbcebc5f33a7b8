"""Estimates of E[x | z]: what a row was before Gaussian noise was added to it."""

from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skflow._estimators import check_regressor, fit_columns, learn_on, plant_seeds, shaped
from skflow._kernels import Points, kernel_mean
from skflow._process import one_blas_thread, unconverged_is_fine
from skflow._rows import DTYPES
from skflow._sklearn import HasMethods, Interval, _check_sample_weight, _fit_context
from skflow._typing import Seed
from skflow._weights import systematic_places

__all__ = ["KernelDenoiser", "RegressorDenoiser"]


# Fewer would leave a regressor little to tell signal from noise by, and cost no less.
_MIN_COPIES = 1000


class KernelDenoiser(BaseEstimator):
    """The optimal denoiser of an empirical distribution: the Gaussian soft mean of its rows.

    For the empirical distribution of the fitted rows this is E[x | z] exactly; for the law that
    they came from it is an estimate. Nothing is trained.

    Parameters
    ----------
    tolerance : float, default=None
        Share of a kernel sum that may be neglected: with many rows, larger values are faster, most
        of all in up to three dimensions with the package finufft. None is the rounding.

    Attributes
    ----------
    X_ : ndarray of shape (n_samples, n_features)
        The rows.
    sample_weight_ : ndarray of shape (n_samples,) or None
        Their weights.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equation 41
    (whose denominator is misprinted: it has a stray x) and the brackets of equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.denoisers import KernelDenoiser
    >>> denoiser = KernelDenoiser().fit(np.array([[-1.0], [1.0]]))
    >>> denoiser.denoise(np.array([[0.0], [50.0]]), sigma=1.0)
    array([[0.],
           [1.]])
    """

    _parameter_constraints: dict = {"tolerance": [Interval(Real, 0, 1, closed="neither"), None]}

    def __init__(self, tolerance: float | None = None) -> None:
        self.tolerance = tolerance

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Keep the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : KernelDenoiser
            The fitted denoiser.

        Raises
        ------
        ValueError
            If X has NaN, infinite or non-numeric entries, or the weights are negative or all zero.
        """
        X = validate_data(self, X, dtype=DTYPES)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        self.X_ = X
        self.sample_weight_ = sample_weight
        self._points = Points(X, weights=sample_weight)
        return self

    def denoise(self, Z: ArrayLike, sigma: float) -> np.ndarray:
        """Expected clean row at each noisy row.

        Parameters
        ----------
        Z : array-like of shape (n_queries, n_features)
            Noisy rows.
        sigma : float
            Standard deviation of the noise.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Denoised rows.
        """
        check_is_fitted(self)
        Z = validate_data(self, Z, dtype=DTYPES, reset=False)
        return kernel_mean(Z, self._points, sigma, tolerance=self.tolerance)[0]


class RegressorDenoiser(BaseEstimator):
    """An estimate of E[x | z] that a regressor learns, one for a range of noise levels.

    Noise is added to the rows, at levels drawn log-uniformly, and the regressor is fitted to undo
    it. That minimises the denoising loss, whose minimum is E[x | z] (equations 39 to 41). Unlike
    :class:`KernelDenoiser`, which is exact for the rows it is given and thereby memorises them, it
    can say something about the law that they came from, and does not slow down with their number.

    Rows x and noise of level sigma are put in units of the rows' spread and rotated into each
    other, with ``tan(angle) = sigma / sigma_data_``. The regressor is given the noisy row
    ``cos(angle) * x + sin(angle) * noise`` and the logarithm of the level, and returns what is
    across from it, ``sin(angle) * x - cos(angle) * noise``. Both have unit variance at every level.
    This is the preconditioning of Karras et al.; squared loss has their weights. A regressor that
    returns 0 denoises a Gaussian of standard deviation `sigma_data_` optimally.

    Parameters
    ----------
    regressor : regressor, default=None
        Any regressor of scikit-learn. One that takes no more than one target column is fitted once
        for each column, in a :class:`~sklearn.multioutput.MultiOutputRegressor`. None is a neural
        network that trains for a few seconds on a thousand rows.
    n_draws : int, default=20
        Noisy copies of each row that the regressor is fitted on, at 1000 copies or more in all.
        The network of ``regressor=None`` sees as many anew at each of its 21 passes. Choose 1 or 2
        for a regressor whose cost is more than linear in its rows, such as
        :class:`~sklearn.kernel_ridge.KernelRidge`.
    sigma_range : pair of float, default=None
        Smallest and largest noise level to learn where `fit` is not given `sigmas`. None is
        from ``sigma_data_ / 20`` to ``4 * sqrt(n_features) * sigma_data_``.
    n_passes : int, default=10
        Passes of `partial_fit` over the rows, with one new noisy copy of each row at each pass,
        for a regressor that has `partial_fit`.
    random_state : int, RandomState instance or None, default=None
        Draws levels and noise, and seeds the regressor if it has no seed of its own. Pass an int
        for reproducible results.

    Attributes
    ----------
    regressor_ : regressor
        The fitted regressor.
    mean_ : ndarray of shape (n_features,)
        Weighted mean of the rows.
    sigma_data_ : float
        Their standard deviation about it, as a root mean square over the columns.
    sigma_range_ : tuple of float
        Smallest and largest noise level of the last training.
    n_features_in_ : int
        Number of columns seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where they are strings.

    See Also
    --------
    KernelDenoiser : Needs no training, and is exact for the fitted rows.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations 17 to
    19 and 39 to 41. Karras, Aittala, Aila and Laine, "Elucidating the Design Space of
    Diffusion-Based Generative Models", NeurIPS 2022, table 1 and appendix B.6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from skflow.denoisers import RegressorDenoiser
    >>> X = np.array([[-1.0], [1.0]])
    >>> denoiser = RegressorDenoiser(KNeighborsRegressor(20), random_state=0).fit(X, sigmas=[0.3])
    >>> denoiser.denoise(np.array([[-1.2], [0.8]]), sigma=0.3).round(1)
    array([[-1.],
           [ 1.]])
    """

    _parameter_constraints: dict = {
        "regressor": [HasMethods(["fit", "predict", "get_params"]), None],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "sigma_range": ["array-like", None],
        "n_passes": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        regressor: Any = None,
        *,
        n_draws: int = 20,
        sigma_range: tuple[float, float] | None = None,
        n_passes: int = 10,
        random_state: Seed = None,
    ) -> None:
        self.regressor = regressor
        self.n_draws = n_draws
        self.sigma_range = sigma_range
        self.n_passes = n_passes
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        sigmas: float | ArrayLike | None = None,
    ) -> Self:
        """Train the regressor to denoise the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Rows are copied in proportion to them.
        sigmas : float or array-like of float, default=None
            Noise levels that it will be asked for. It learns all between the smallest and the
            largest, and 10% more on either side. None is what the parameter `sigma_range` says.

        Returns
        -------
        self : RegressorDenoiser
            The fitted denoiser.

        Raises
        ------
        ValueError
            If X has NaN, infinite or non-numeric entries; if the weights are negative or all zero;
            if a noise level is not a positive number; if `regressor` is not a regressor.
        """
        check_regressor(self.regressor)
        X = validate_data(self, X, dtype=DTYPES)
        rows = _Rows(X, sample_weight)
        if sigmas is not None:
            levels = _level_range(sigmas, "sigmas", margin=1.1)
        elif self.sigma_range is not None:
            levels = _level_range(self.sigma_range, "sigma_range", n_levels=2)
        else:
            levels = rows.unit / 20, 4 * np.sqrt(X.shape[1]) * rows.unit
        # A generator of its own: copies of this estimator draw the same, and apart.
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self._rng = np.random.default_rng(seed)
        self._keep(rows, levels)
        # The regressor is told levels in units of the spread of the rows, so that what it learned
        # still holds when rows are refitted that are the same but for their place and size.
        self._log_center = np.log(np.divide(levels, rows.unit)).mean()
        draw = partial(self._draw, rows, self.n_draws)
        if self.regressor is None:
            self.regressor_ = _train_network(draw, X.shape[1], self._rng)
        else:
            regressor = plant_seeds(clone(self.regressor), self._rng)
            self.regressor_ = fit_columns(regressor, *draw())
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        sigmas: float | ArrayLike | None = None,
    ) -> Self:
        """Train on after the rows have moved, from where training ended.

        Where the rows are and how far they spread is measured anew. The regressor then goes on
        learning if it can: by `partial_fit`, `n_passes` times, or else by `fit` with
        ``warm_start=True`` if that goes on from its coefficients. One that can do neither, such as
        an ensemble of trees, is fitted from scratch, and so is one that stops early on a
        validation set, whose score would be compared with that of other rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean rows. Their number may differ from that in `fit`.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.
        sigmas : float or array-like of float, default=None
            Noise levels that it will be asked for next. None is the range of the last training.

        Returns
        -------
        self : RegressorDenoiser
            The fitted denoiser. Without an earlier `fit`, this is `fit`.
        """
        if not hasattr(self, "regressor_"):
            return self.fit(X, sample_weight=sample_weight, sigmas=sigmas)
        rows = _Rows(validate_data(self, X, dtype=DTYPES, reset=False), sample_weight)
        levels = self.sigma_range_
        if sigmas is not None:
            levels = _level_range(sigmas, "sigmas", margin=1.1)
        self._keep(rows, levels)
        if self.regressor is None:
            # The low rate at which `fit` ended would lag behind the rows.
            _pass_network(self.regressor_, partial(self._draw, rows, 1), 1e-3, self.n_passes)
        else:

            def draw(n_passes):
                return self._draw(rows, 1 if n_passes else self.n_draws)

            self.regressor_ = learn_on(self.regressor_, draw, self.n_passes)
        return self

    def denoise(self, Z: ArrayLike, sigma: float) -> np.ndarray:
        """Expected clean row at each noisy row.

        Parameters
        ----------
        Z : array-like of shape (n_queries, n_features)
            Noisy rows.
        sigma : float
            Standard deviation of the noise. Outside of `sigma_range_` the regressor is told the
            nearest end of the range; all else uses sigma as it is.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Denoised rows, in the precision of Z.
        """
        check_is_fitted(self)
        Z = validate_data(self, Z, dtype=DTYPES, reset=False)
        if not (isinstance(sigma, Real) and 0 < sigma < np.inf):
            raise ValueError(f"sigma must be a positive finite number, got {sigma!r}.")
        sigma = float(sigma)
        length = np.hypot(self._unit, sigma)
        noisy = (Z - self.mean_) / length
        known = np.clip(sigma, *self.sigma_range_)
        features = self._features(noisy, np.full(len(Z), np.log(known / self._unit)))
        across = np.reshape(self.regressor_.predict(features), Z.shape)
        # With a spread of zero the mean is the only answer, whatever the regressor says.
        clean = (self._unit * noisy + sigma * across) / length * self.sigma_data_
        return (self.mean_ + clean).astype(Z.dtype, copy=False)

    def _keep(self, rows, levels):
        self.mean_, self.sigma_data_, self._unit = rows.mean, rows.sigma_data, rows.unit
        self.sigma_range_ = levels
        self._dtype = rows.dtype

    def _features(self, noisy, log_level):
        # A factor e of the level counts as much as one standard deviation of a column. (Karras et
        # al. have a quarter of that, which the network learned less well from.)
        return np.column_stack([noisy, log_level - self._log_center]).astype(self._dtype)

    def _draw(self, rows, n_draws):
        """Features and targets of noisy copies of the rows, `n_draws` of each or a few more."""
        rng = self._rng
        clean = rows.copies(max(n_draws * rows.n_rows, _MIN_COPIES), rng)
        low, high = np.log(np.divide(self.sigma_range_, self._unit))
        # Evenly spaced levels in random order vary less from draw to draw than independent ones.
        steps = (rng.permutation(len(clean)) + rng.random()) / len(clean)
        log_level = low + (high - low) * steps
        angle = np.arctan(np.exp(log_level))[:, None]
        noise = rng.standard_normal(clean.shape)
        features = self._features(np.cos(angle) * clean + np.sin(angle) * noise, log_level)
        targets = (np.sin(angle) * clean - np.cos(angle) * noise).astype(self._dtype)
        return features, targets


class _Rows:
    """Rows in units of their spread, from which noisy copies are made."""

    def __init__(self, X, sample_weight):
        self.dtype = X.dtype
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        X, weights = X[weights > 0].astype(np.float64), weights[weights > 0]
        self.n_rows = len(X)
        self.mean = np.average(X, axis=0, weights=weights)
        variances = np.average((X - self.mean) ** 2, axis=0, weights=weights)
        self.sigma_data = float(np.sqrt(variances.mean()))
        self.unit = self.sigma_data or 1.0
        self.standard = (X - self.mean) / self.unit
        self.weights = weights

    def copies(self, n_copies, rng):
        """Rows in proportion to their weights, by systematic resampling: off by less than one."""
        return self.standard[systematic_places(self.weights, n_copies, rng.random())]


def _level_range(levels, name, *, margin=1.0, n_levels=None):
    """Ends of the range of given noise levels."""
    levels = np.asarray(levels, dtype=np.float64).ravel()
    good = levels.size > 0 and np.isfinite(levels).all() and (levels > 0).all()
    if n_levels is not None:
        good = good and levels.size == n_levels and levels[0] <= levels[-1]
    if not good:
        wanted = "positive finite numbers" if n_levels is None else "a pair 0 < low <= high"
        raise ValueError(f"{name} must be {wanted}, got {levels.tolist()}.")
    return float(levels.min() / margin), float(levels.max() * margin)


def _train_network(draw, n_features, rng):
    """The regressor that None stands for.

    New noise at each pass and a rate that falls bring the loss much closer to the optimum than
    as many passes over the same noise at one rate.
    """
    # Imported here: a flow that trains no network has no use for it.
    from sklearn.neural_network import MLPRegressor

    # Depth helps with clusters in few columns. Many columns want width: noise of low level passes
    # through every layer.
    layers = (128, 128, 128) if n_features <= 32 else (256, 256)
    network = MLPRegressor(hidden_layer_sizes=layers, max_iter=1, warm_start=True)
    plant_seeds(network, rng)
    for rate in (3e-3, 1e-3, 3e-4):
        _pass_network(network, draw, rate, n_passes=7)
    return network


def _pass_network(network, draw, rate, n_passes):
    # Batches are too small to gain from threads, and lose tenfold where cores are busy.
    with one_blas_thread:
        for _ in range(n_passes):
            features, targets = draw()
            targets = shaped(network, targets)
            if hasattr(network, "coefs_") and network.learning_rate_init == rate:
                network.partial_fit(features, targets)
                continue
            network.set_params(learning_rate_init=rate)
            with unconverged_is_fine:
                network.fit(features, targets)  # a warm start: only fit reads the new rate
