"""What all estimators share: validation, flow space, base draws and scoring."""

import warnings
from copy import deepcopy
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skflow._discrete import check_discrete_features
from skflow._estimators import check_part, plant_seeds
from skflow._flow import ParticleFlow, times_of_steps
from skflow._kernels import nearest
from skflow._rows import check_rows, check_two_dimensional, own_columns
from skflow._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    _check_sample_weight,
    _wrap_data_with_container,
)
from skflow._sources import RowSource, check_base_rows, check_columns, check_count, make_source
from skflow._space import FlowSpace
from skflow._typing import Rows
from skflow._weights import weights_as_rows, weights_to_score
from skflow.schedules import BANDWIDTH_RULES, SCHEDULES, Constant, auto_schedule

__all__ = ["BaseFlow", "Target", "count_outside"]

# Parameters that may be objects with parameters of their own; an estimator has some of them.
_PARTS = ("velocity", "denoiser", "optimizer", "schedule", "step_size", "noise_scale")
# Where rows are drawn they are to be new: as near to the target rows as others of their law are,
# and no nearer. So the kernel is wider there, by the more the fewer rows there are to a column, up
# to a most. `benchmarks.defaults` is the study.
_WIDER_BY, _WIDEST = 4.0, 1.4


class Target(NamedTuple):
    """Where a flow leads, and the space in which it runs.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        Target rows with a positive weight, in units of the data.
    rows : ndarray of shape (n_samples, n_features)
        The same in flow space.
    weights : ndarray of shape (n_samples,) or None
        Their weights.
    space : FlowSpace
        Fitted on them.
    """

    X: np.ndarray
    rows: np.ndarray
    weights: np.ndarray | None
    space: FlowSpace


class BaseFlow(CallbackSupportMixin, TransformerMixin, DensityMixin, BaseEstimator):
    """Base class of the estimators; a subclass runs the flow and says where it ended."""

    # Reaches `fit` through a Pipeline without being requested: no other step knows the word.
    __metadata_request__fit = {"X_base": True}

    _parameter_constraints: dict = {
        "bandwidth": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions(set(BANDWIDTH_RULES)),
        ],
        "schedule": [StrOptions({"auto", *SCHEDULES}), callable],
        "step_size": [Interval(Real, 0, None, closed="neither"), callable],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "noise_scale": [Interval(Real, 0, None, closed="left"), callable],
        "base": [
            *(StrOptions({"normal", "mixture"}), "array-like"),
            *(HasMethods("sample"), HasMethods("rvs")),
        ],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "covariance_type": [StrOptions({"spherical", "diag", "full"})],
        "discrete_features": [StrOptions({"auto"}), "boolean", "array-like"],
        "velocity": [HasMethods(["fit", "__call__"]), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # A sampler's flow leads to these rows, so that its pickle cannot do without them anyway.
    _pickles_training_rows = False

    def _default_velocity(self):
        raise NotImplementedError("an estimator says which velocity is its own")

    def _cloud(self):
        """Generated rows in flow space and the bandwidth that smooths them into a density."""
        raise NotImplementedError("an estimator says where its flow ended")

    def _has_base_rows(self):
        """Whether the base was given as rows, so that those of X are no rows of it."""
        raise NotImplementedError("an estimator says where its flow began")

    # --- fit ------------------------------------------------------------------------------------

    def _validate(self, X, X_base, sample_weight, reset=True):
        """Validated arguments of `fit`: X, weights (or None) of the rows that have one, X_base."""
        for name in _PARTS:
            check_part(getattr(self, name, None), name)
        X = check_rows(self, X, ensure_min_samples=2, reset=reset)
        X, weights = self._check_weights(X, sample_weight)
        if X_base is not None:
            check_two_dimensional(X_base, "X_base", X.shape[1])
            X_base = self._own_columns(X_base)
            check_columns(self, X_base)
            X_base = check_base_rows(X_base, X.shape[1], X.dtype, name="X_base")
        self._discrete_mask(X)
        self._check_schedules()
        return X, weights, X_base

    def _own_columns(self, base):
        """Of a frame with the columns of X, in any order and with others, those of X."""
        return own_columns(base, getattr(self, "feature_names_in_", ()))

    def _discrete_mask(self, X):
        """Mask of the columns that `discrete_features` names; None if they are to be found."""
        names = getattr(self, "feature_names_in_", None)
        return check_discrete_features(self.discrete_features, X.shape[1], names)

    def _make_target(self, X, weights):
        space = FlowSpace(self.covariance_type)
        space.fit(X, weights, getattr(self, "feature_names_in_", None))
        return Target(X, space.to_flow(X), weights, space)

    def _check_schedules(self):
        """Every value that callable schedules will give, before any work."""
        schedules = [self._resolve_schedule(), self._resolve_step_size(), self._resolve_noise()]
        for t in times_of_steps(self.n_steps):
            for schedule in schedules:
                if callable(schedule):
                    schedule(t)

    def _check_weights(self, X, sample_weight):
        """Rows with a positive weight, and their weights or None."""
        if sample_weight is None:
            return X, None
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        used = weights > 0
        if used.sum() < 2:
            raise ValueError(
                f"sample_weight is positive for {used.sum()} of the {len(X)} rows of X: "
                f"{type(self).__name__} needs at least two rows with a positive weight."
            )
        return X[used], weights_as_rows(weights[used])

    def _make_source(self, target, X_base, rng):
        """Where the flow starts."""
        if X_base is not None:
            return RowSource(target.space.to_flow(X_base))
        base = self.base
        if hasattr(base, "__array__") or isinstance(base, list | tuple):
            check_two_dimensional(base, "base", target.X.shape[1])
        if hasattr(base, "columns"):
            base = self._own_columns(base)
            check_columns(self, base, "base")
        return make_source(base, target.space, target.X, target.rows, target.weights, rng)

    def _make_flow(self, target, bandwidth, optimizer, rng, schedule=None):
        """Algorithm 1 with the parts that the parameters name, or a schedule found before."""
        schedule = schedule or self._resolve_schedule(target, bandwidth)
        if self.velocity is None:
            velocity = self._default_velocity()
        else:
            velocity = clone(self.velocity, safe=False)
        flow = ParticleFlow(
            target.rows,
            velocity,
            lambda t: bandwidth * schedule(t),
            optimizer,
            step_size=self._resolve_step_size(),
            n_steps=self.n_steps,
            noise_scale=self._resolve_noise(),
            batch_size=self.batch_size,
            sample_weight=target.weights,
            seed=int(rng.randint(np.iinfo(np.int32).max)),
        )
        # Last: a nonsensical schedule costs nothing.
        plant_seeds(velocity, rng)
        known = {"sigmas": flow.sigmas, "space": target.space}
        known = {name: known[name] for name in known if has_fit_parameter(velocity, name)}
        velocity.fit(target.rows, sample_weight=target.weights, **known)
        return flow

    def _resolve_bandwidth(self, target, source, start):
        if np.ptp(target.rows, axis=0).max() == 0:
            raise ValueError(
                f"All {len(target.rows)} rows of X are the same: there is no distribution to flow "
                "to. Pass at least two different rows."
            )
        if not isinstance(self.bandwidth, str):
            return float(self.bandwidth)
        bandwidth = float(BANDWIDTH_RULES[self.bandwidth](target.rows, target.weights, start))
        if self.bandwidth == "auto" and not isinstance(source, RowSource):
            n_rows = len(target.rows) if target.weights is None else target.weights.sum()
            bandwidth *= min(1 + _WIDER_BY * target.rows.shape[1] / n_rows, _WIDEST)
        if not bandwidth > 0:
            raise ValueError(
                f"The rule bandwidth={self.bandwidth!r} gives {bandwidth:g} here: most of the rows "
                "it reads coincide, or differ by too little for floating point numbers. Pass a "
                "positive number as bandwidth, or rescale X."
            )
        return bandwidth

    def _resolve_schedule(self, target=None, bandwidth=None):
        if isinstance(self.schedule, str) and self.schedule == "auto":
            if target is None:  # it is only looked over
                return Constant()
            return auto_schedule(target.rows, target.weights, bandwidth)
        if isinstance(self.schedule, str):
            return SCHEDULES[self.schedule]()

        return self._checked(
            "schedule",
            "a schedule maps the time in [0, 1] to a bandwidth, in units of the bandwidth "
            "parameter",
            zero=False,
        )

    def _resolve_step_size(self):
        return self._checked(
            "step_size", "a step size maps the time in [0, 1] to eta of Algorithm 1"
        )

    def _resolve_noise(self):
        return self._checked(
            "noise_scale",
            "a noise level maps the time in [0, 1] to a standard deviation, in bandwidths of the "
            "step",
        )

    def _checked(self, name, meaning, zero=True):
        """A parameter that may be a function of time; its values are checked as they come."""
        parameter = getattr(self, name)
        if not callable(parameter):
            return parameter
        wanted = "a finite number of at least 0" if zero else "a positive finite number"

        def checked(t):
            value = parameter(t)
            good = isinstance(value, Real) and (0 < value < np.inf or (zero and value == 0))
            if not good:
                raise ValueError(f"{name}({t:g}) must be {wanted}, got {value!r}: {meaning}.")
            return value

        return checked

    # --- the rows of fit ------------------------------------------------------------------------

    def _training_rows(self):
        """The rows of X with a positive weight, for scorers that look for copies of them."""
        check_is_fitted(self)
        rows = getattr(self, "_training_X", None)
        if rows is None:
            raise ValueError(
                f"This {type(self).__name__} no longer has the rows that it was fitted on: its "
                "pickle leaves them out, and so do jobs in other processes that return it, and "
                "partial_fit does not keep them. Score it where it was fitted, or pass the rows "
                "to a metric of skflow.metrics."
            )
        return rows

    def __getstate__(self):
        state = super().__getstate__()
        if self._pickles_training_rows:
            return state
        return {key: value for key, value in state.items() if key != "_training_X"}

    def __deepcopy__(self, memo):
        # By default it would be made of what is pickled; it stays here, and can keep all.
        copied = memo[id(self)] = object.__new__(type(self))
        copied.__dict__.update(deepcopy(self.__dict__, memo))
        return copied

    # --- results --------------------------------------------------------------------------------

    def fit_transform(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        X_base: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Rows:
        """Fit, and return the rows that later steps of a pipeline are to be fitted to.

        If the base is given as rows, by `X_base` or the parameter `base`, X is returned as it is:
        ``transform`` carries rows of the base onto the target, and X is the target already. So a
        classifier behind the flow is fitted to X, and predicts rows like those of the base after
        they were carried there. Otherwise this is ``fit(X).transform(X)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The target: rows of the distribution to end at.
        y : Ignored
            Present for API consistency.
        X_base : array-like of shape (n_base, n_features), default=None
            Rows of the distribution to start from.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows of X.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            X itself if the base was given as rows, otherwise X carried through the flow; a data
            frame after ``set_output``.
        """
        self.fit(X, y, X_base=X_base, sample_weight=sample_weight)
        if self._has_base_rows():
            return check_rows(self, X, reset=False, copy=True)
        return self.transform(X)

    def _to_flow(self, X):
        check_is_fitted(self)
        return self._space.to_flow(check_rows(self, X, reset=False))

    def _wrap(self, rows, like):
        """Rows in the container that ``set_output`` asks for."""
        return _wrap_data_with_container("transform", rows, like, self)

    def _warn_of_rows_outside(self, rows, start, reach, stacklevel):
        """Warn of rows where the flow was never at work: far from all rows that it began with."""
        outside = count_outside(rows, start, reach)
        if outside:
            which = " support(X) tells which." if hasattr(self, "support") else ""
            warnings.warn(
                f"{outside} of {len(rows)} rows lie far outside the base distribution that "
                f"{type(self).__name__} was fitted with; the flow knows nothing there and moves "
                "them blindly. transform carries rows of the base: pass X_base to fit if they "
                f"are meant to be one.{which}",
                UserWarning,
                stacklevel=stacklevel,
            )

    def _check_draw(self, n_samples, random_state):
        """Arguments of `sample`, and the random numbers for it.

        They begin elsewhere than those of `fit` with the same seed, which would draw again the very
        rows that the particles started from.
        """
        check_is_fitted(self)
        check_count(n_samples)
        seeds = check_random_state(random_state)
        return np.random.RandomState(seeds.randint(np.iinfo(np.int32).max))

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log-density of rows under the particles, smoothed at the last bandwidth.

        With a `t_stop` before the end, the particles and the bandwidth are those of that time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the target distribution.

        Returns
        -------
        ndarray of shape (n_samples,)
            Normalised log-densities, in the units of the data (equation 12, for the particles).
        """
        rows = self._to_flow(X)
        particles, sigma = self._cloud()
        return self._space.log_density(rows, particles, sigma)

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-density of rows; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the target distribution, best some that were not fitted on.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        float
            The mean of ``score_samples``, weighted if there are weights.
        """
        scores = self.score_samples(X)
        used, weights = weights_to_score(sample_weight, scores)
        return float(np.average(scores[used], weights=weights))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def count_outside(rows, start, reach):
    """How many rows are farther than `reach` from all of `start`."""
    return int((nearest(rows, start, 1)[1] > reach).sum())
