"""Base class of the samplers: a flow that is run once, recorded, and followed by other rows."""

import warnings
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from skflow._base import BaseFlow, Target, count_outside
from skflow._discrete import DiscreteFeatures
from skflow._guard import warn_of_copies, warn_of_pace, warn_of_place
from skflow._kernels import nearest
from skflow._progress import Progress
from skflow._recording import RecordedFlow, stretch
from skflow._rows import look_at_y
from skflow._sklearn import HasMethods, Interval, StrOptions, _fit_context
from skflow._sources import RowSource, reach_of, spread_rows
from skflow._stopping import CONSTRAINTS, hold_out, results_of, stopping_of
from skflow._typing import (
    Bandwidth,
    Base,
    CovarianceType,
    FeatureChoice,
    OfTime,
    Optimizer,
    Rows,
    Schedule,
    Seed,
)
from skflow.optimizers import OPTIMIZERS

__all__ = ["BaseFlowSampler"]

_NEAR = 1e-5  # bandwidths between rows, by which `sensitivity` measures


def _can_be_inverted(sampler):
    """Whether a row's past can be read off its place: the optimizer remembers nothing else."""
    recorded = getattr(sampler, "_flow", None)
    if recorded is not None:  # what it was fitted with, whatever has been set since
        optimizer = recorded.flow.optimizer if isinstance(recorded, RecordedFlow) else "sgd"
    else:
        optimizer = getattr(sampler, "optimizer", "sgd")
    if isinstance(optimizer, str):
        optimizer = OPTIMIZERS.get(optimizer, OPTIMIZERS["sgd"])()  # a wrong name: fit will say so
    if optimizer.init(np.zeros((1, 1))).size > 0:
        raise AttributeError(
            f"inverse_transform needs an optimizer without memory: the steps of {optimizer!r} "
            "depend on a row's past, which cannot be read off where it ended. Fit with "
            'optimizer="sgd".'
        )
    return True


def _check_time(t):
    if not (isinstance(t, Real) and 0 <= t <= 1):
        raise ValueError(f"t must be a number in [0, 1], from base to target; got {t!r}.")


class _Setup(NamedTuple):
    """What a run begins with.

    Attributes
    ----------
    target : Target
        Where the flow leads.
    source : source
        Where the particles come from.
    start : ndarray of shape (n_particles, n_features)
        The particles before the first step, in flow space.
    bandwidth : float
        The bandwidth, before the schedule.
    reach : float
        Distance from all of `start` from which on a row lies far outside.
    discrete : DiscreteFeatures
        The discrete columns of the target.
    """

    target: Target
    source: Any
    start: np.ndarray
    bandwidth: float
    reach: float
    discrete: DiscreteFeatures

    def fitted(self, recorded):
        """The attributes that the sampler has where this flow ends."""
        particles = self.target.space.from_flow(recorded.particles)
        return {
            "bandwidth_": self.bandwidth,
            "n_steps_": recorded.n_steps,
            "particles_": particles,
            "_space": self.target.space,
            "_source": self.source,
            "_flow": recorded,
            "_reach": self.reach,
            "_training_X": self.target.X,
            "support_limit_": self.reach / recorded.cloud_at(0)[1],
            "is_discrete_": self.discrete.mask_,
            "_rounding": self.discrete.rounding(particles),
        }


class BaseFlowSampler(OneToOneFeatureMixin, BaseFlow):
    """Base class of the samplers; a subclass says what the default velocity is."""

    _parameter_constraints: dict = {
        **BaseFlow._parameter_constraints,
        **CONSTRAINTS,
        "n_particles": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), HasMethods(["init", "step"])],
        "t_stop": [Interval(Real, 0, 1, closed="both")],
    }

    _pickles_training_rows = True
    _has_early_stopping = True  # whether there is such a parameter, and attributes of its checks

    def __init__(
        self,
        bandwidth: Bandwidth,
        *,
        schedule: Schedule,
        step_size: OfTime,
        n_steps: int,
        noise_scale: OfTime,
        base: Base,
        n_particles: int,
        batch_size: int | None,
        early_stopping: bool,
        validation_fraction: float,
        n_iter_no_change: int,
        tol: float,
        covariance_type: CovarianceType,
        discrete_features: FeatureChoice,
        optimizer: Optimizer,
        velocity: Any,
        t_stop: float,
        random_state: Seed,
        verbose: int,
    ) -> None:
        self.bandwidth = bandwidth
        self.schedule = schedule
        self.step_size = step_size
        self.n_steps = n_steps
        self.noise_scale = noise_scale
        self.base = base
        self.n_particles = n_particles
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.covariance_type = covariance_type
        self.discrete_features = discrete_features
        self.optimizer = optimizer
        self.velocity = velocity
        self.t_stop = t_stop
        self.random_state = random_state
        self.verbose = verbose

    # --- fit ------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        X_base: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Move the base onto X, and record the flow.

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
            Non-negative weights of the rows of X; a weight counts as that many rows. Those that sum
            to less than their effective sample size, ``sum(w)**2 / sum(w**2)``, such as weights
            that sum to one, are scaled up to it.

        Returns
        -------
        self : object
            The fitted sampler.

        Raises
        ------
        ValueError
            If X or X_base has NaN, infinite or non-numeric entries, differ in width, or have too
            few rows; if the weights are negative or all zero; if all rows of X are the same; if
            `covariance_type` is "full" and the covariance of X is singular, or "spherical" and
            squares of X overflow or vanish; if early stopping would leave or hold out fewer than
            two different rows; if `y` are rows, more or fewer than X has: they are ignored, and
            were to be `X_base`.
        FloatingPointError
            If the flow diverges: the step size is too large for the bandwidth.

        Warns
        -----
        ConvergenceWarning
            When the particles are faster in the last step than a second sample of the target would
            be: the flow has not arrived. Not if the velocity learns, or the flow was stopped, or
            the process is a diffusion.
        UserWarning
            When most particles are less than half as far from a row of X as its rows are from each
            other, unless they started from given rows: they copy. When they came to rest with a
            mean that is off by half of the spread of X, or with less than half or more than twice
            of its spread. When they have gathered near few rows of X: fewer than half as many are
            the nearest to any particle as would be by chance, and others have none nearby; not if
            the flow was stopped. With early stopping, also when they copy at the first check
            already. When `y` is as wide as X and `X_base` is missing.
        """
        data = X, y, sample_weight
        X, weights, X_base = self._validate(X, X_base, sample_weight)
        look_at_y(y, data[0], X_base, self.n_features_in_, stacklevel=3)
        rng = check_random_state(self.random_state)
        heldout = None
        if self._has_early_stopping and self.early_stopping:
            (X, weights), heldout = hold_out(X, weights, self.validation_fraction, rng)
        setup = self._begin(X, weights, X_base, rng)
        stopping = stopping_of(self, setup.target, heldout)
        progress = Progress(self, *data)
        recorded = self._run(setup, stopping, progress, rng)
        self.__dict__.update(setup.fitted(recorded))
        if self._has_early_stopping:
            self.__dict__.update(results_of(stopping))
        self.history_ = np.array(progress.history[: self.n_steps_])
        progress.end()
        self._judge(recorded, setup.target, stacklevel=4)
        return self

    def _begin(self, X, weights, X_base, rng):
        """Everything that is settled before the first step."""
        target = self._make_target(X, weights)
        source = self._make_source(target, X_base, rng)
        if isinstance(source, RowSource):
            start = source.rows_
        else:
            start = spread_rows(source, self.n_particles, rng).astype(X.dtype)
        bandwidth = self._resolve_bandwidth(target, source, start)
        discrete = DiscreteFeatures(target.X, target.weights, self._discrete_mask(X))
        return _Setup(target, source, start, bandwidth, reach_of(start), discrete)

    def _run(self, setup, stopping, progress, rng):
        """The recorded flow, up to where it is to end."""

        def on_step(recorded):
            state, ends = recorded.last, stopping is not None and stopping(recorded)
            return progress.step(
                state.velocity, state.sigma, lambda: setup.fitted(recorded.so_far()), ends
            )

        recorded = self._record(setup, rng, on_step)
        if stopping is not None:
            recorded = stopping.kept(recorded)
            recorded.last = recorded.last._replace(velocity=None)
            stopping.warn_of_copies(stacklevel=4)
        return recorded

    def _record(self, setup, rng, on_step):
        """Run the flow, and keep what other rows need to follow it."""
        if isinstance(self.optimizer, str):
            optimizer = OPTIMIZERS[self.optimizer]()
        else:
            optimizer = clone(self.optimizer, safe=False)
        flow = self._make_flow(setup.target, setup.bandwidth, optimizer, rng)
        budget = sklearn.get_config()["working_memory"] * 2**20
        return RecordedFlow(flow, setup.start, budget, on_step)

    def _judge(self, recorded, target, stacklevel):
        """Warn if what was recorded is no good."""
        particles = recorded.particles
        if recorded.epoch > self.n_steps_:
            warnings.warn(
                f"Only {self.n_steps_} of {recorded.epoch} mini-batches of particles were moved. "
                "Raise n_steps or batch_size.",
                UserWarning,
                stacklevel=stacklevel,
            )
        # To end at its very rows may be what is wanted of given ones.
        copying = not self._has_base_rows() and warn_of_copies(particles, target.rows, stacklevel)
        is_whole = isinstance(recorded, RecordedFlow) and self.n_steps_ == self.n_steps
        if is_whole and recorded.epoch <= self.n_steps_:
            moving = warn_of_pace(recorded, self.history_[-1], stacklevel)
            if not (moving or copying):
                warn_of_place(recorded, stacklevel)

    def _has_base_rows(self):
        return isinstance(self._source, RowSource)

    def _cloud(self):
        return self._flow.cloud_at(self.t_stop)

    # --- carrying -------------------------------------------------------------------------------

    def transform(self, X: ArrayLike) -> Rows:
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
            When rows lie far outside the base distribution: the flow knows nothing there. They
            are those with a `support` of more than `support_limit_`.
        """
        # set_output wraps this method: one level more to the caller
        rows = self._check_base_distribution(X, stacklevel=4)
        return self._space.from_flow(self._flow.carry(rows, self.t_stop))

    def interpolate(self, X: ArrayLike, t: float) -> Rows:
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
        _check_time(t)
        rows = self._check_base_distribution(X)
        return self._wrap(self._space.from_flow(self._flow.carry(rows, t)), X)

    def velocity_at(self, X: ArrayLike, t: float) -> np.ndarray:
        """Velocity of the flow at any places, without noise.

        It is what `transform` would move a row by that is there at time t, for a step size of 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Places, in units of the data. For :class:`DiffusionSampler` they are rows with the
            noise that they carry.
        t : float
            Time in [0, 1], as in `interpolate`: the velocity is that of the step under way then.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Velocities, in units of the data.
        """
        _check_time(t)
        rows = self._to_flow(X)
        return self._space.direction_from_flow(self._flow.field_at(t)(rows))

    def staged_transform(self, X: ArrayLike) -> Iterator[Rows]:
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

    def support(self, X: ArrayLike) -> np.ndarray:
        """Distance of rows to the base that the flow was recorded with.

        The flow knows something of rows that are near its particles where they start: it was made
        by them. A row with a support of more than `support_limit_` lies far outside, and
        `transform` warns of it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as for `transform`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Distance of each row to the nearest base particle, in bandwidths of the first step.
        """
        rows = self._to_flow(X)
        start, sigma = self._flow.cloud_at(0)
        return nearest(rows, start, 1)[1][:, 0] / sigma

    def sensitivity(self, X: ArrayLike, n_directions: int = 8) -> np.ndarray:
        """How much `transform` stretches small differences near each row.

        At 1 rows that differ a little end as far from each other as they began; at 1000 an error
        of 0.001 becomes one of 1, and near 0 a neighbourhood ends in one place. Small bandwidths
        with large steps make a flow chaotic, for some rows or for many: where these end then tells
        nothing of how near they were at the start.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the base distribution.
        n_directions : int, default=8
            Number of directions in which differences are tried: orthogonal ones, drawn once and
            for all. With as many as there are columns, or more, all are covered.

        Returns
        -------
        ndarray of shape (n_samples,)
            The largest singular value of the derivative of `transform` at each row, in flow
            space: with ``covariance_type="diag"``, in standard deviations of each column. With
            fewer directions than columns it is a lower bound, low by a factor of about
            ``sqrt(n_features / n_directions)`` if one direction is stretched and others are not.

        Warns
        -----
        UserWarning
            When rows lie far outside the base distribution.

        Notes
        -----
        Costs as much as `transform` of ``1 + min(n_directions, n_features)`` times as many rows.
        Differences are of 1e-5 bandwidths of the last step: what stretches them further than the
        target is wide looks no worse. A velocity with a `tolerance` has to be exact to far less
        than 1e-5.
        """
        if not (isinstance(n_directions, Integral) and n_directions >= 1):
            raise ValueError(
                f"n_directions must be an integer of at least 1, got {n_directions!r}."
            )
        rows = self._check_base_distribution(X).astype(np.float64)
        step = _NEAR * self._flow.cloud_at(1)[1]
        return stretch(lambda near: self._flow.carry(near, self.t_stop), rows, step, n_directions)

    @available_if(_can_be_inverted)
    def inverse_transform(self, X: ArrayLike) -> Rows:
        """Carry rows backwards, from `t_stop` to the base distribution.

        Each step of the flow is inverted row by row, to rounding: coming back from where
        ``transform`` led, a row of the base is met again, within 1e-8 standard deviations by
        default. Errors grow with the number of steps. Only for an optimizer without memory: the
        steps of AdaGrad depend on the path that a row came by, which the row does not tell.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows where ``transform`` ends.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows that ``transform`` carries to X.

        Warns
        -----
        UserWarning
            When no base row leads to some of the rows. Also when some end far outside the base,
            those whose result has a `support` of more than `support_limit_`: a flow draws rows in
            from outside, and backwards it throws out rows of X where it has brought none.
        """
        rows = self._to_flow(X)
        rows = self._flow.carry_back(rows, self.t_stop)
        self._warn_of_rows_thrown_out(rows, stacklevel=3)
        return self._space.from_flow(rows)

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> Rows:
        """New rows: fresh draws of the base, carried through the flow up to `t_stop`.

        Every row is an independent draw, with noise of its own at every step of the flow; the law
        of a row does not depend on how many are drawn. At the end of the flow, columns that are
        discrete (`discrete_features`) take values that occur in the target. After a fit with
        `X_base`, the draws are rows of it, with replacement.

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
        rng = self._check_draw(n_samples, random_state)
        rows = self._source.draw(n_samples, rng).astype(self.particles_.dtype, copy=False)
        samples = self._space.from_flow(self._flow.carry(rows, self.t_stop, rng))
        if self.t_stop == 1:
            samples = self._rounding.round(samples)
        return self._wrap(samples, samples)

    def _warn_of_rows_thrown_out(self, rows, stacklevel):
        """Warn of rows that were carried back to where the flow was never at work."""
        outside = count_outside(rows, self._flow.start, self._reach)
        if outside:
            warnings.warn(
                f"{outside} of {len(rows)} rows were thrown far outside the base distribution: "
                "they lie at the edge of what the flow brings anywhere, or beyond, and where they "
                "ended means nothing. They are those with support(inverse_transform(X)) > "
                "support_limit_: leave them out. They become fewer with more n_particles, fewer "
                "n_steps or a larger bandwidth.",
                UserWarning,
                stacklevel=stacklevel,
            )

    def _check_base_distribution(self, X, stacklevel=3):
        """Rows in flow space; warns of those where the flow was never at work."""
        rows = self._to_flow(X)
        self._warn_of_rows_outside(rows, self._flow.start, self._reach, stacklevel + 1)
        return rows
