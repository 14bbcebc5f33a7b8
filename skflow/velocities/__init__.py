"""The right-hand sides of the flows: where a particle wants to go.

A velocity is an estimator. It is fitted once on the target, ``fit(X, sample_weight=weights)``, and
then called as ``velocity(Z, X, Y, sigma)``, the line of Algorithm 1 that computes the direction: Z
the noised particles, X the target rows and Y the particles of the step (mini-batches or all),
sigma its bandwidth. The flow hands it more, by keyword; one that has no use for these takes them
as ``**unused``:

- ``sample_weight``, the weights of X;
- ``own``, where rows are carried through a recorded flow: particles see themselves among the
  particles, and so must a carried row;
- ``learned``, what its ``learn(X, Y, sigma, sample_weight=None, learned=None)`` returned before
  the step. Velocities that train a model on the particles have this method; it is given what it
  returned last, so that it can go on from there, and must leave that as it was.

If its ``fit`` takes them, it is also told ``sigmas``, the bandwidths of all steps, and ``space``,
the :class:`~skflow._space.FlowSpace` in which X and Y are given.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter, validate_data

from skflow._estimators import check_call
from skflow._kernels import Points, exchange, finalize, kernel_mean, partial, side_by_side
from skflow._rows import DTYPES
from skflow._sklearn import Interval, _fit_context

if TYPE_CHECKING:
    from skflow.velocities._density_ratio import DensityRatio

__all__ = ["MMD", "Denoising", "DensityRatio", "ScoreDifference", "Stein"]

_TOLERANCE = [Interval(Real, 0, 1, closed="neither"), None]


def __getattr__(name):
    """Import on first use: DensityRatio loads the classifiers that it can differentiate."""
    if name == "DensityRatio":
        from skflow.velocities._density_ratio import DensityRatio

        return DensityRatio
    raise AttributeError(f"module 'skflow.velocities' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)


class ScoreDifference(BaseEstimator):
    """The difference of the scores of the smoothed target and particles, times sigma^2.

    ``E[x | z] - E[y | z]`` (equations 15 and 18). It is parallel to the direction that reduces
    the KL divergence of the smoothed distributions fastest, and vanishes where particles and target
    are the same rows.

    Parameters
    ----------
    target : denoiser, default=None
        Estimate of E[x | z], fitted once on all target rows. None is the kernel estimate on the
        target rows of the step.
    source : denoiser, default=None
        Estimate of E[y | z], fitted on the particles before every step; one with ``partial_fit``
        goes on from the step before. None is the kernel estimate.
    tolerance : float, default=None
        Share of a kernel sum that may be neglected: with many rows, larger values are faster, most
        of all in up to three dimensions with the package finufft. None is the rounding.

    Attributes
    ----------
    target_ : denoiser or None
        The fitted denoiser of the target, if one was given.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations 14,
    15, 17 and 18. The step is eta times this velocity, as in Algorithm 1; equation 15 has eta / 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import ScoreDifference
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]])
    >>> velocity = ScoreDifference().fit(X)
    >>> bool((velocity(Y, X, Y, sigma=10.0) < 0).all()), bool((velocity(X, X, X, 1.0) == 0).all())
    (True, True)
    """

    _parameter_constraints: dict = {
        # `fit` says more of what a denoiser is.
        "target": "no_validation",
        "source": "no_validation",
        "tolerance": _TOLERANCE,
    }

    def __init__(
        self, target: Any = None, source: Any = None, tolerance: float | None = None
    ) -> None:
        self.target = target
        self.source = source
        self.tolerance = tolerance

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        sample_weight: np.ndarray | None = None,
        sigmas: Sequence[float] | None = None,
    ) -> Self:
        """Fit the target's denoiser, if one was given, on the target rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.
        sigmas : sequence of float, default=None
            Bandwidths that the denoisers will be asked for, if they are known.

        Returns
        -------
        self : ScoreDifference
            The fitted velocity.
        """
        if self.source is not None:
            _check_denoiser(self.source, "source")
        if self.target is not None:
            _check_denoiser(self.target, "target")
        X = validate_data(self, X, dtype=DTYPES)
        self._points = Points(X, weights=sample_weight)
        self.target_ = fit_denoiser(self.target, X, sample_weight, sigmas)
        return self

    def learn(
        self,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        learned: Any = None,
    ) -> Any:
        """Fit the particles' denoiser, if one was given, on the particles.

        Parameters
        ----------
        X : ndarray of shape (n_target, n_features)
            Target rows of the step; not used.
        Y : ndarray of shape (n_particles, n_features)
            Particles of the step.
        sigma : float
            Bandwidth of the step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X; not used.
        learned : denoiser, default=None
            The denoiser of the step before; a copy of it goes on, if it has ``partial_fit``.

        Returns
        -------
        denoiser or None
            The fitted denoiser of the particles; None without a `source`.
        """
        if self.source is None:
            return None
        sigmas = _if_taken(self.source, [sigma])
        if learned is None or not hasattr(learned, "partial_fit"):
            return clone(self.source).fit(Y, **sigmas)
        return deepcopy(learned).partial_fit(Y, **sigmas)

    def __call__(
        self,
        Z: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        own: Any = None,
        learned: Any = None,
    ) -> np.ndarray:
        """Velocity at each row of Z.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features)
            Noised particles, or any other places.
        X : ndarray of shape (n_target, n_features)
            Target rows of this step.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X.
        own : StandIn, default=None
            Carried rows, one for each query and seen by it alone, with the particles whose place
            they take. Used by the kernel estimate; a denoiser given as `source` is not told.
        learned : denoiser, default=None
            The denoiser of the particles. With a `source`, None fits it first.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)

        def from_source():
            if self.source is None:
                return particle_mean(Z, Y, sigma, own, tolerance=self.tolerance)[0]
            denoiser = self.learn(X, Y, sigma) if learned is None else learned
            return denoiser.denoise(Z, sigma)

        def from_target():
            if self.target_ is None:
                points = laid_out(self._points, X, sample_weight)
                return kernel_mean(Z, points, sigma, tolerance=self.tolerance)[0]
            return self.target_.denoise(Z, sigma)

        if self.source is None and self.target_ is None:
            work = 30 * len(Z) * (X.size + Y.size)
            source_mean, target_mean = side_by_side(work, from_source, from_target)
        else:
            source_mean, target_mean = from_source(), from_target()
        return target_mean - source_mean


class MMD(BaseEstimator):
    """Descent on the witness function of the maximum mean discrepancy.

    The mean over the target of ``K(z, x) (x - z) / sigma^2``, less that over the particles
    (equation 47). Where the target is many bandwidths away only the second term is left, and
    particles push each other apart (remark 1).

    Parameters
    ----------
    normalize : bool, default=False
        Let the weights ``K(z, x) / sigma^2`` of either mean sum to one. That makes it the score
        difference (remark 1), in the units of :class:`ScoreDifference`.
    scaled : bool, default=False
        Multiply by sigma^2. Velocities are then lengths, like those of :class:`ScoreDifference`,
        and one step size serves all bandwidths. With `normalize` they are lengths anyway.
    tolerance : float, default=None
        Share of a kernel sum that may be neglected: with many rows, larger values are faster, most
        of all in up to three dimensions with the package finufft. None is the rounding.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    Notes
    -----
    The noise of MMD flow is a level of its own (remark 2): pass a function of time as
    `noise_scale` to the sampler.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations 44 to
    48 and remarks 1 and 2. Arbel et al., "Maximum mean discrepancy gradient flow", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import MMD, ScoreDifference
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]])
    >>> normalized = MMD(normalize=True).fit(X)(Y, X, Y, sigma=1.0)
    >>> bool(np.allclose(normalized, ScoreDifference().fit(X)(Y, X, Y, sigma=1.0)))
    True
    >>> MMD().fit(X)(Y, X, Y, sigma=1.0).round(2)  # too far from the target to feel it
    array([[-0.3],
           [ 0.3]])
    """

    _parameter_constraints: dict = {
        "normalize": ["boolean"],
        "scaled": ["boolean"],
        "tolerance": _TOLERANCE,
    }

    def __init__(
        self, normalize: bool = False, scaled: bool = False, tolerance: float | None = None
    ) -> None:
        self.normalize = normalize
        self.scaled = scaled
        self.tolerance = tolerance

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: np.ndarray | None = None) -> Self:
        """Lay the target rows out, for the steps in which all of them take part.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.

        Returns
        -------
        self : MMD
            The fitted velocity.
        """
        X = validate_data(self, X, dtype=DTYPES)
        self._points = Points(X, weights=sample_weight)
        return self

    def __call__(
        self,
        Z: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        own: Any = None,
    ) -> np.ndarray:
        """Velocity at each row of Z.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features)
            Noised particles, or any other places.
        X : ndarray of shape (n_target, n_features)
            Target rows of this step.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X.
        own : StandIn, default=None
            Carried rows, one for each query and seen by it alone, with the particles whose place
            they take.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)
        points = laid_out(self._points, X, sample_weight)
        m_X, log_p_X = kernel_mean(Z, points, sigma, tolerance=self.tolerance)
        m_Y, log_p_Y = particle_mean(Z, Y, sigma, own, tolerance=self.tolerance)
        if self.normalize:
            return m_X - m_Y
        p_X, p_Y = np.exp(log_p_X)[:, None], np.exp(log_p_Y)[:, None]
        velocity = p_X * (m_X - Z) - p_Y * (m_Y - Z)
        return velocity if self.scaled else velocity / sigma**2


class Stein(BaseEstimator):
    """Stein variational gradient descent: scores averaged by the kernel, and a repulsion.

    The mean over the particles of ``K(z, y) score(y) + grad_y K(z, y)`` (equation 51), which is the
    kernel-weighted mean of the score difference of target and particles.

    Parameters
    ----------
    score : callable, default=None
        Gradient of the target's log-density, ``score(Y) -> (n, d)``: in a sampler in units of the
        data, otherwise in those of the rows that it is called with. None is the kernel estimate
        on the target rows at the bandwidth of the step (equation 13).
    difference : bool, default=False
        Use the second line of equation 51, the mean over the particles of
        ``K(z, y) (score(y) - score_q(y))``, with the kernel estimate of the particles' score
        (equation 13) for `score_q`. The lines are equal where particles are a density, not where
        they are rows: with kernel estimates of both scores this one comes to rest where
        particles and target are the same rows, the first line at a smoothed target.
    tolerance : float, default=None
        Share of a kernel sum that may be neglected: with many rows, larger values are faster, most
        of all in up to three dimensions with the package finufft. None is the rounding.

    Attributes
    ----------
    space_ : FlowSpace or None
        What translates rows into the units of the data for `score`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    Notes
    -----
    A row carried through a recorded flow takes its place among the particles that it sees. With
    `difference` the scores of the others stay those of the particles.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equation 51.
    Liu & Wang, "Stein variational gradient descent", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import Stein
    >>> Y = np.array([[-1.0], [3.0]])
    >>> velocity = Stein(score=lambda Y: -Y).fit(np.zeros((1, 1)))  # of a standard Gaussian
    >>> velocity(Y, None, Y, sigma=1.0).round(1)
    array([[ 0.5],
           [-1.5]])
    >>> at_rest = Stein(difference=True).fit(Y)(Y, Y, Y, sigma=1.0)
    >>> bool((at_rest == 0).all())
    True
    """

    _parameter_constraints: dict = {
        "score": [callable, None],
        "difference": ["boolean"],
        "tolerance": _TOLERANCE,
    }

    def __init__(
        self,
        score: Callable[[np.ndarray], np.ndarray] | None = None,
        difference: bool = False,
        tolerance: float | None = None,
    ) -> None:
        self.score = score
        self.difference = difference
        self.tolerance = tolerance

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        sample_weight: np.ndarray | None = None,
        space: Any = None,
    ) -> Self:
        """Note the space in which the rows are, and lay them out.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.
        space : FlowSpace, default=None
            What translates rows into the units of the data for `score`; None if they are in
            these units.

        Returns
        -------
        self : Stein
            The fitted velocity.
        """
        self.space_ = space
        X = validate_data(self, X, dtype=DTYPES)
        self._points = Points(X, weights=sample_weight)
        return self

    def __call__(
        self,
        Z: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        own: Any = None,
    ) -> np.ndarray:
        """Velocity at each row of Z.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features)
            Noised particles, or any other places.
        X : ndarray of shape (n_target, n_features)
            Target rows of this step; not used with a `score`.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X.
        own : StandIn, default=None
            Carried rows, one for each query and seen by it alone, with the particles whose place
            they take.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)

        def pull(rows):
            return self._target_score(rows, X, sigma, sample_weight) - rows / sigma**2

        def score_difference(rows):
            joined = None if rows is Y else own
            from_source = particle_mean(rows, Y, sigma, joined, tolerance=self.tolerance)[0]
            source_score = (from_source - rows) / sigma**2
            return self._target_score(rows, X, sigma, sample_weight) - source_score

        averaged = score_difference if self.difference else pull
        mean, log_p_Y = particle_mean(Z, Y, sigma, own, averaged, tolerance=self.tolerance)
        return np.exp(log_p_Y)[:, None] * (mean if self.difference else mean + Z / sigma**2)

    def _target_score(self, Y, X, sigma, sample_weight):
        if self.score is None:
            points = laid_out(self._points, X, sample_weight)
            return (kernel_mean(Y, points, sigma, tolerance=self.tolerance)[0] - Y) / sigma**2
        rows = Y if self.space_ is None else self.space_.from_flow(Y)
        scores = np.asarray(self.score(rows))
        if scores.shape != Y.shape or not np.isfinite(scores).all():
            raise ValueError(
                f"score must return finite numbers of shape {Y.shape}, the gradient of the "
                f"log-density at each row it is given; got shape {scores.shape}"
                f"{'' if np.isfinite(scores).all() else ' with NaN or infinity'}."
            )
        scores = scores if self.space_ is None else self.space_.gradient_to_flow(scores)
        return scores.astype(Y.dtype, copy=False)


class Denoising(BaseEstimator):
    """The particle's own row in place of the particles' denoiser: ``E[x | z] - y``.

    The step ``y <- (1 - rho) y + rho D(z; sigma)`` of equation 19. Particles do not see each
    other. With fresh noise in each step it draws the particles together too far; with noise that
    is carried along it is the reverse process of denoising diffusion (equation 22), which is what
    :class:`~skflow.DiffusionSampler` runs.

    Parameters
    ----------
    target : denoiser, default=None
        Estimate of E[x | z], fitted once on all target rows. None is the kernel estimate on the
        target rows of the step.

    Attributes
    ----------
    target_ : denoiser or None
        The fitted denoiser of the target, if one was given.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, equations 19 to
    22.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import Denoising
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]])
    >>> Denoising().fit(X)(Y, X, Y, sigma=10.0).round(1)
    array([[-4.5],
           [-5.5]])
    """

    _parameter_constraints: dict = {"target": "no_validation"}

    def __init__(self, target: Any = None) -> None:
        self.target = target

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: np.ndarray,
        y: Any = None,
        *,
        sample_weight: np.ndarray | None = None,
        sigmas: Sequence[float] | None = None,
    ) -> Self:
        """Fit the denoiser, if one was given, on the target rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights.
        sigmas : sequence of float, default=None
            Bandwidths that the denoiser will be asked for, if they are known.

        Returns
        -------
        self : Denoising
            The fitted velocity.
        """
        if self.target is not None:
            _check_denoiser(self.target, "target")
        X = validate_data(self, X, dtype=DTYPES)
        self._points = Points(X, weights=sample_weight)
        self.target_ = fit_denoiser(self.target, X, sample_weight, sigmas)
        return self

    def __call__(
        self,
        Z: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        own: Any = None,
    ) -> np.ndarray:
        """Velocity at each row of Z.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features)
            Noised particles.
        X : ndarray of shape (n_target, n_features)
            Target rows of this step.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step: row i is the one that row i of Z is a noised copy of.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X.
        own : StandIn, default=None
            Carried rows, one for each query, which then take the part of Y.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)
        rows = Y if own is None else own.rows
        if len(rows) != len(Z):
            raise ValueError(
                f"Denoising compares each row of Z with the particle that it came from, but Z has "
                f"{len(Z)} rows and Y has {len(rows)}."
            )
        if self.target_ is not None:
            return self.target_.denoise(Z, sigma) - rows
        return kernel_mean(Z, laid_out(self._points, X, sample_weight), sigma)[0] - rows


# --- what the velocities share ------------------------------------------------------------------


def fit_denoiser(denoiser, X, sample_weight, sigmas):
    """A denoiser fitted on the target; None is the kernel estimate, which needs no fit."""
    if denoiser is None:
        return None
    return clone(denoiser).fit(X, sample_weight=sample_weight, **_if_taken(denoiser, sigmas))


def _check_denoiser(denoiser, name):
    if isinstance(denoiser, type) or not hasattr(denoiser, "denoise"):
        raise ValueError(
            f"{name} must be a denoiser, with methods fit and denoise, or None; got {denoiser!r}. "
            "RegressorDenoiser(regressor) makes one of a regressor."
        )


def _if_taken(denoiser, sigmas):
    """The keyword argument `sigmas` of a denoiser's `fit`, if it has one."""
    return {"sigmas": sigmas} if has_fit_parameter(denoiser, "sigmas") else {}


def laid_out(points, X, sample_weight):
    """The target rows X, laid out: the fitted points where X is what was fitted."""
    fitted, _, weights = points.given
    if X is fitted and sample_weight is weights:
        return points
    return Points(X, weights=sample_weight)


def particle_mean(Z, Y, sigma, own=None, function=None, tolerance=None):
    """Kernel mean of the particles, each query with a particle of its own if given.

    Parameters
    ----------
    Z : ndarray of shape (n_queries, n_features)
        The queries.
    Y : ndarray of shape (n_particles, n_features)
        The particles.
    sigma : float
        Standard deviation of the kernel.
    own : StandIn, default=None
        For each query a row that takes the place of some particles.
    function : callable, default=None
        What is averaged, as a function of the particles; they themselves by default.
    tolerance : float, default=None
        Of the kernel sums; see :func:`~skflow._kernels.kernel_mean`.

    Returns
    -------
    mean : ndarray of shape (n_queries, n_values)
    log_density : ndarray of shape (n_queries,)
        As those of :func:`~skflow._kernels.kernel_mean`.
    """
    values = None if function is None else function(Y)
    state = partial(Z, Y, sigma, values=values, tolerance=tolerance)
    if own is not None:
        own_values = None if function is None else function(own.rows)
        state = exchange(state, Z, Y, sigma, own, values, own_values, tolerance)
    return tuple(result.astype(Z.dtype, copy=False) for result in finalize(state))
