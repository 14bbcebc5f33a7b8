"""What all samplers share: validation, flow space, base draws, carrying, scoring."""

import warnings
from functools import partial
from numbers import Integral, Real

import numpy as np
import sklearn
from sklearn.base import (
    BaseEstimator,
    DensityMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    _fit_context,
    clone,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import (
    _check_feature_names,
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skflow._flow import ParticleFlow, times_of_steps
from skflow._kernels import kernel_mean, nearest
from skflow._recording import RecordedFlow
from skflow._sources import RowSource, check_base_rows, make_source
from skflow._space import FlowSpace
from skflow.optimizers import OPTIMIZERS
from skflow.schedules import BANDWIDTH_RULES, SCHEDULES

__all__ = ["BaseFlowSampler"]

_DTYPES = [np.float64, np.float32]


class BaseFlowSampler(OneToOneFeatureMixin, TransformerMixin, DensityMixin, BaseEstimator):
    """Base class of the samplers; a subclass says what the default velocity is."""

    # Reaches `fit` through a Pipeline without being requested: no other step knows the word.
    __metadata_request__fit = {"X_base": True}

    _parameter_constraints: dict = {
        "bandwidth": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions(set(BANDWIDTH_RULES)),
        ],
        "schedule": [StrOptions(set(SCHEDULES)), callable],
        "step_size": [Interval(Real, 0, None, closed="neither"), callable],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "noise_scale": [Interval(Real, 0, None, closed="left")],
        "base": [StrOptions({"normal"}), "array-like", HasMethods("sample"), HasMethods("rvs")],
        "n_particles": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "covariance_type": [StrOptions({"spherical", "diag", "full"})],
        "optimizer": [StrOptions(set(OPTIMIZERS)), HasMethods(["init", "step"])],
        "velocity": [HasMethods(["fit", "__call__"]), None],
        "t_stop": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        bandwidth="auto",
        *,
        schedule="constant",
        step_size=0.1,
        n_steps=100,
        noise_scale=1.0,
        base="normal",
        n_particles=1000,
        batch_size=None,
        covariance_type="diag",
        optimizer="sgd",
        velocity=None,
        t_stop=1.0,
        random_state=None,
        verbose=0,
    ):
        self.bandwidth = bandwidth
        self.schedule = schedule
        self.step_size = step_size
        self.n_steps = n_steps
        self.noise_scale = noise_scale
        self.base = base
        self.n_particles = n_particles
        self.batch_size = batch_size
        self.covariance_type = covariance_type
        self.optimizer = optimizer
        self.velocity = velocity
        self.t_stop = t_stop
        self.random_state = random_state
        self.verbose = verbose

    def _default_velocity(self):
        raise NotImplementedError("a sampler says which velocity is its own")

    # --- fit ------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, X_base=None, sample_weight=None):
        """Move the base onto X by Algorithm 1, and record the flow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The target: rows of the distribution to end at. At least two different rows.
        y : Ignored
            Present for API consistency.
        X_base : array-like of shape (n_base, n_features), default=None
            Rows of the distribution to start from. Row i of ``particles_`` is row i of `X_base`,
            moved. By default the base is what the parameter `base` says.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows of X; an integer weight equals that many copies.

        Returns
        -------
        self : object
            The fitted sampler.

        Raises
        ------
        ValueError
            If X or X_base has NaN, infinite or non-numeric entries, differ in width, or have too
            few rows; if the weights are negative or all zero; if all rows of X are the same; if
            `covariance_type` is "full" and the covariance of X is singular.
        FloatingPointError
            If the flow diverges: the step size is too large for the bandwidth.
        """
        X = validate_data(self, X, dtype=_DTYPES, ensure_min_samples=2)
        X, weights = self._check_weights(X, sample_weight)
        if X_base is not None:
            _check_feature_names(self, X_base, reset=False)
            X_base = check_base_rows(X_base, X.shape[1], X.dtype, name="X_base")
        self._check_schedules()
        rng = check_random_state(self.random_state)

        space = FlowSpace(self.covariance_type)
        space.fit(X, weights, getattr(self, "feature_names_in_", None))
        target = space.to_flow(X)
        if X_base is not None:
            source = RowSource(space.to_flow(X_base))
        else:
            if hasattr(self.base, "columns"):
                _check_feature_names(self, self.base, reset=False)
            source = make_source(self.base, space, X, target, weights, rng)
        if isinstance(source, RowSource):
            start = source.rows_
        else:
            start = source.draw(self.n_particles, rng).astype(X.dtype)

        bandwidth = self._resolve_bandwidth(target, weights, start)
        flow = self._make_flow(target, weights, bandwidth, rng)
        history = []
        budget = sklearn.get_config()["working_memory"] * 2**20
        recorded = RecordedFlow(flow, start, budget, on_step=partial(self._on_step, history))
        self.bandwidth_ = bandwidth
        self.history_ = np.array(history)
        self.particles_ = space.from_flow(recorded.particles)
        self._space = space
        self._source = source
        self._flow = recorded
        self._reach = _reach(start)
        if recorded.epoch > self.n_steps:
            warnings.warn(
                f"Only {self.n_steps} of {recorded.epoch} mini-batches of particles were moved. "
                "Raise n_steps or batch_size.",
                UserWarning,
                stacklevel=4,
            )
        return self

    def _check_schedules(self):
        """Every value that callable schedules will give, before any work."""
        schedule, step_size = self._resolve_schedule(), self._resolve_step_size()
        for t in times_of_steps(self.n_steps):
            schedule(t)
            if callable(step_size):
                step_size(t)

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
        return X[used], weights[used]

    def _make_flow(self, target, weights, bandwidth, rng):
        """Algorithm 1 with the parts that the parameters name."""
        schedule = self._resolve_schedule()
        if self.velocity is None:
            velocity = self._default_velocity()
        else:
            velocity = clone(self.velocity, safe=False)
        if isinstance(self.optimizer, str):
            optimizer = OPTIMIZERS[self.optimizer]()
        else:
            optimizer = clone(self.optimizer, safe=False)
        flow = ParticleFlow(
            target,
            velocity,
            lambda t: bandwidth * schedule(t),
            optimizer,
            step_size=self._resolve_step_size(),
            n_steps=self.n_steps,
            noise_scale=self.noise_scale,
            batch_size=self.batch_size,
            sample_weight=weights,
            seed=int(rng.randint(np.iinfo(np.int32).max)),
        )
        velocity.fit(target, sample_weight=weights)  # last: a nonsensical schedule costs nothing
        return flow

    def _resolve_bandwidth(self, target, weights, start):
        if np.ptp(target, axis=0).max() == 0:
            raise ValueError(
                f"All {len(target)} rows of X are the same: there is no distribution to flow to. "
                "Pass at least two different rows."
            )
        if not isinstance(self.bandwidth, str):
            return float(self.bandwidth)
        bandwidth = float(BANDWIDTH_RULES[self.bandwidth](target, weights, start))
        if not bandwidth > 0:
            raise ValueError(
                f"The rule bandwidth={self.bandwidth!r} gives {bandwidth:g} here: most of the rows "
                "it reads coincide, or differ by too little for floating point numbers. Pass a "
                "positive number as bandwidth, or rescale X."
            )
        return bandwidth

    def _resolve_schedule(self):
        if isinstance(self.schedule, str):
            return SCHEDULES[self.schedule]()

        def schedule(t):
            value = self.schedule(t)
            if not (isinstance(value, Real) and 0 < value < np.inf):
                raise ValueError(
                    f"schedule({t:g}) must be a positive finite number, got {value!r}: a schedule "
                    "maps the time in [0, 1] to a bandwidth, in units of the bandwidth parameter."
                )
            return value

        return schedule

    def _resolve_step_size(self):
        if not callable(self.step_size):
            return self.step_size

        def step_size(t):
            value = self.step_size(t)
            if not (isinstance(value, Real) and 0 <= value < np.inf):
                raise ValueError(
                    f"step_size({t:g}) must be a finite number of at least 0, got {value!r}: a "
                    "step size maps the time in [0, 1] to eta of Algorithm 1."
                )
            return value

        return step_size

    def _on_step(self, history, state):
        mean_square = float(np.square(state.velocity).sum(axis=1).mean())
        history.append(mean_square)
        every = max(1, self.n_steps // 10) if self.verbose == 1 else 1
        if self.verbose and state.step % every == 0:
            print(
                f"[{type(self).__name__}] step {state.step} of {self.n_steps}, "
                f"bandwidth {state.sigma:.3g}, rms velocity {np.sqrt(mean_square):.3g}"
            )

    # --- carrying -------------------------------------------------------------------------------

    def transform(self, X):
        """Carry rows of the base distribution through the flow, up to `t_stop`.

        Deterministic, and each row for itself: a row's result does not depend on the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the base distribution; they need not have been there at fit.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows, moved towards the target; a data frame after ``set_output``.

        Warns
        -----
        UserWarning
            When rows lie far outside the base distribution: the flow knows nothing there.
        """
        # set_output wraps this method: one level more to the caller
        rows = self._check_base_distribution(X, stacklevel=4)
        return self._space.from_flow(self._flow.carry(rows, self.t_stop))

    def interpolate(self, X, t):
        """Carry rows of the base distribution part of the way.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the base distribution.
        t : float
            Time in [0, 1]: 0 is the base, 1 the end of the flow, and at 0.5 the particles are
            about half way, in root mean square distance. `t_stop` plays no part.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows at time t; a data frame after ``set_output``.
        """
        if not (isinstance(t, Real) and 0 <= t <= 1):
            raise ValueError(f"t must be a number in [0, 1], from base to target; got {t!r}.")
        rows = self._check_base_distribution(X)
        return self._wrap(self._space.from_flow(self._flow.carry(rows, t)), X)

    def staged_transform(self, X):
        """Yield the rows as they move: after each step, up to `t_stop`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the base distribution.

        Yields
        ------
        ndarray of shape (n_samples, n_features)
            The rows after the next step; the last is what ``transform`` returns. Nothing at
            ``t_stop=0``.
        """
        rows = self._check_base_distribution(X)
        for stage in self._flow.stages(rows, self.t_stop):
            yield self._wrap(self._space.from_flow(stage), X)

    def inverse_transform(self, X):
        """Carry rows backwards, from `t_stop` to the base distribution.

        Each step of the flow is inverted row by row, to rounding: coming back from where
        ``transform`` led, a row of the base is met again, within 1e-8 standard deviations by
        default. Errors grow with the number of steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows where ``transform`` ends.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows that ``transform`` carries to X.

        Raises
        ------
        ValueError
            If the optimizer has a memory (AdaGrad): its steps depend on the path that a row came
            by, which the row does not tell.

        Warns
        -----
        UserWarning
            When no base row leads to some of the rows.
        """
        rows = self._to_flow(X)
        if self._flow.flow.optimizer.init(rows).size > 0:
            raise ValueError(
                "inverse_transform needs an optimizer without memory: the steps of "
                f"{self._flow.flow.optimizer!r} depend on a row's past, which cannot be read off "
                'where it ended. Fit with optimizer="sgd".'
            )
        return self._space.from_flow(self._flow.carry_back(rows, self.t_stop))

    def sample(self, n_samples=1, random_state=None):
        """New rows: fresh draws of the base, carried through the flow up to `t_stop`.

        Every row is an independent draw, with noise of its own at every step of the flow; the law
        of a row does not depend on how many are drawn.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Pass an int for the same rows at every call; None gives new ones.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows, in the dtype of the fitted data; a data frame after ``set_output``.
        """
        check_is_fitted(self)
        is_count = isinstance(n_samples, Integral) and not isinstance(n_samples, bool)
        if not (is_count and n_samples >= 1):
            raise ValueError(f"n_samples must be an integer of at least 1, got {n_samples!r}.")
        rng = check_random_state(random_state)
        rows = self._source.draw(n_samples, rng).astype(self.particles_.dtype, copy=False)
        samples = self._space.from_flow(self._flow.carry(rows, self.t_stop, rng))
        return self._wrap(samples, samples)

    def _to_flow(self, X):
        check_is_fitted(self)
        return self._space.to_flow(validate_data(self, X, dtype=_DTYPES, reset=False))

    def _check_base_distribution(self, X, stacklevel=3):
        """Rows in flow space; warns of those where the flow was never at work."""
        rows = self._to_flow(X)
        distances = nearest(rows, self._flow.kept[0].particles, 1)[1]
        outside = int((distances > self._reach).sum())
        if outside:
            warnings.warn(
                f"{outside} of {len(rows)} rows lie far outside the base distribution that "
                f"{type(self).__name__} was fitted with; the flow knows nothing there and moves "
                "them blindly. transform carries rows of the base: pass X_base to fit if they "
                "are meant to be one.",
                UserWarning,
                stacklevel=stacklevel,
            )
        return rows

    def _wrap(self, rows, like):
        """Rows in the container that ``set_output`` asks for."""
        return _wrap_data_with_container("transform", rows, like, self)

    # --- scoring --------------------------------------------------------------------------------

    def score_samples(self, X):
        """Log-density of rows under the particles, smoothed at their bandwidth at `t_stop`.

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
        particles, sigma = self._flow.cloud_at(self.t_stop)
        log_kernel = kernel_mean(rows, particles, sigma)[1]
        log_volume = rows.shape[1] * np.log(np.sqrt(2 * np.pi) * sigma)
        return log_kernel - log_volume - self._space.log_determinant_

    def score(self, X, y=None):
        """Mean log-density of rows; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the target distribution, best some that were not fitted on.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        float
            The mean of ``score_samples``.
        """
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _reach(start):
    """Distance from the base rows beyond which a row is far outside them.

    Twice the largest distance of a base row to its nearest neighbour among the others.
    """
    if len(start) == 1:
        return np.inf
    return 2 * nearest(start, start, 2)[1][:, 1].max()
