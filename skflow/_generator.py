"""SDFlowGenerator: Algorithm 2, a regressor that learns to make in one step where a flow leads."""

from contextlib import nullcontext
from copy import deepcopy
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPRegressor
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from skflow._base import BaseFlow, Target
from skflow._discrete import DiscreteFeatures
from skflow._estimators import (
    check_regressor,
    fit_columns,
    plant_seeds,
    show_once,
)
from skflow._kernels import mean_square
from skflow._making import MakesRows
from skflow._process import one_blas_thread, unconverged_is_fine
from skflow._progress import Progress
from skflow._rows import look_at_y
from skflow._sklearn import HasMethods, Interval, StrOptions, _fit_context
from skflow._sources import LatentSource, RowSource
from skflow._stopping import CONSTRAINTS, EnergyStopping, hold_out, results_of, stopping_of
from skflow._training import Setup, Training, constants
from skflow._typing import (
    Bandwidth,
    Base,
    CovarianceType,
    FeatureChoice,
    OfTime,
    Rows,
    Schedule,
    Seed,
)
from skflow.optimizers import SGD
from skflow.velocities import ScoreDifference

__all__ = ["SDFlowGenerator"]


def _can_learn_on(generator):
    return generator.regressor is None or hasattr(generator.regressor, "partial_fit")


class SDFlowGenerator(MakesRows, OneToOneFeatureMixin, BaseFlow):
    """Train a one-step generator by the score-difference flow, without an adversary.

    A regressor g maps inputs to rows. In every step of the training its output is moved a little
    along the flow towards the target, and g is fitted to where it was moved (Algorithm 2). Once
    trained, it makes a new row by one evaluation: ``sample(n)`` costs a `predict`.

    The inputs are rows of the base distribution, as for :class:`SDFlowSampler`, so that g is the
    map that a flow takes many steps for, ``transform`` carries rows of the base, and
    ``fit(X_target, X_base=X_source)`` learns to carry one data set onto another. Or they are
    draws of a Gaussian of any width, by `n_latent`. ``generate`` makes rows of given inputs.

    Parameters
    ----------
    regressor : regressor, default=None
        The generator g: any regressor of scikit-learn; one for a single target column is fitted
        once for each column. If it has ``partial_fit`` it learns on in every step. Otherwise, as
        an ensemble of trees, it is fitted anew every few steps. None is a neural network,
        ``MLPRegressor`` with two hidden layers of 128.
    bandwidth : float or {"auto", "paper", "liu-wang", "scott", "silverman"}, default="auto"
        Standard deviation of the smoothing kernel, in the units of the flow space: with
        ``covariance_type="diag"``, in standard deviations of each column. The larger it is, the
        smoother and the less detailed the result. A name is a rule (D are distances between pairs
        of rows in flow space):

        - "auto": the median distance of a target row to its tenth nearest neighbour. Unless the
          base is given as rows, it is times ``1 + 4 * n_features / n_samples``, but at most times
          1.4: what is drawn is to be new, which is harder with few rows to a column;
        - "paper": ``2 median(D^2) / log(n + 1)`` over n rows of the base (footnote 14);
        - "liu-wang": the same with 0.5 in place of 2, as in the published code of SVGD;
        - "scott", "silverman": the rules of thumb of kernel density estimation.
    schedule : {"auto", "constant", "cosine", "geometric", "linear"} or callable, default="auto"
        How the bandwidth changes along the training: ``schedule(t)`` for t in [0, 1] is multiplied
        by `bandwidth`. "auto" runs geometrically from half the distance of a typical pair of
        target rows down to `bandwidth`, and is constant where that is no narrower. The other names
        run from 4 down to 1; see :mod:`skflow.schedules` for others.
    step_size : float or callable, default=0.5
        The eta of Algorithm 2, or a function eta(t) of the time in [0, 1].
    n_steps : int, default=500
        Number of steps of the flow.
    noise_scale : float or callable, default=1.0
        Standard deviation of the noise that is added to the generated rows at every step, or a
        function ``noise_scale(t)`` of the time in [0, 1], in bandwidths of the step: 1 as in the
        paper, 0 for none.
    base : {"normal", "mixture"}, array-like or object with ``sample`` or ``rvs``, default="normal"
        Where the inputs come from if `fit` gets no `X_base`: a Gaussian with the mean and
        covariance of the target; given rows; or anything that can be sampled, in units of the
        data. An estimator is cloned and fitted on the target first; wrap it in
        ``sklearn.frozen.FrozenEstimator`` to use it as it is.
    n_latent : int, default=None
        Width of the inputs, if these are to be draws of a standard Gaussian instead of rows of the
        base. Then it is no transformer: ``generate`` takes the draws.
    init : {"base", "random"}, default="base"
        Where the training starts. "base" fits the regressor first to return the base: its inputs
        themselves, or with `n_latent` their image among the first principal components of the
        target. "random" starts from whatever the regressor returns before it has learned; one
        that cannot say is shown the base once.
    batch_size : int, default=1000
        Number of rows generated in each step, and most target rows that take part in it.
    early_stopping : bool, default=False
        Whether to hold out some rows of X and to end the training by them: when the particles get
        no nearer to them, or begin to copy the others. See Notes.
    validation_fraction : float, default=0.1
        The proportion of the different rows of X to hold out. They are no part of the target.
        Only used if `early_stopping` is True.
    n_iter_no_change : int, default=10
        Maximum number of checks in a row that improve the score by less than `tol`. There is one
        after every ten steps, and one after the last. Only used if `early_stopping` is True.
    tol : float, default=1e-3
        Tolerance for the score of the held-out rows. Only used if `early_stopping` is True.
    covariance_type : {"spherical", "diag", "full"}, default="diag"
        The kernel's shape: the same width in all directions, in the units of the data
        ("spherical", as in the paper), in proportion to each column's standard deviation
        ("diag"), or to the target's covariance ("full", whitened).
    discrete_features : {"auto"}, bool or array-like, default="auto"
        Columns of which `sample` gives values that occur in X, such as counts, grades or codes:
        each time the nearest, but that values come as often as in X, within a standard error.
        "auto" takes the columns in which, of the different rows of X, at least every other one
        shares its value with another. Where a tenth of them or more share one, such as zero, and
        the others hardly repeat, this value alone comes back, and the others are real numbers.
        True takes all columns, False none, and an array is a mask, or lists columns by place or
        name. `transform` and ``particles_`` know nothing of it.
    velocity : velocity, default=None
        What moves the generated rows, by default :class:`~skflow.velocities.ScoreDifference`;
        with :class:`~skflow.velocities.DensityRatio` this is a GAN whose generator is trained
        without propagating through its discriminator.
    warm_start : bool, default=False
        Whether `fit` goes on where the last `fit` ended: with its regressor, flow space and inputs.
    random_state : int, RandomState instance or None, default=None
        Seed of `fit`: held-out rows, inputs, noise, mini-batches, and the regressor if it has none
        of its own. `sample` has a seed of its own.
    verbose : int or bool, default=0
        1 prints progress ten times, more prints every step.

    Attributes
    ----------
    regressor_ : regressor
        The trained generator, from inputs to rows of the flow space; with early stopping the one
        of the best check.
    particles_ : ndarray of shape (n_particles, n_features)
        Generated rows, in units of the data. If `X_base` was given, row i is made of its row i.
    bandwidth_ : float
        The bandwidth that was used, before the schedule.
    n_steps_ : int
        Number of steps kept of the last `fit`: `n_steps`, unless early stopping or a callback ended
        it. Calls of `partial_fit` after it are counted on.
    history_ : ndarray of shape (n_steps_,)
        Mean squared velocity of the generated rows at each step, in flow space: where it is small
        compared to its start the generator has arrived, as far as this bandwidth can tell. Between
        two fits of a regressor without ``partial_fit`` it is that of the moved rows.
    validation_scores_ : ndarray of shape (n_checks,) or None
        The score of each check, also of those after the last step that was kept: how near
        particles come to held-out rows, as in Notes. None without `early_stopping`.
    validation_copying_ : ndarray of shape (n_checks,) or None
        At each check, the share of particles that are nearer to a row of the target than to any
        held-out one, adjusted for their numbers: 0.5 for fresh rows, 1 for copies. None without
        `early_stopping`.
    best_validation_score_ : float or None
        The score of what was kept. None without `early_stopping`.
    is_discrete_ : ndarray of shape (n_features_in_,)
        Mask of the columns that `sample` puts on values of X, all of their numbers.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    See Also
    --------
    SDFlowSampler : Moves particles instead of training a generator; nothing to train, but
        slower to sample, and it can be inverted and stopped half way.

    Notes
    -----
    A step costs ``batch_size * (n_samples + batch_size)`` kernel evaluations and one pass of the
    regressor over `batch_size` rows.

    Early stopping is as in :class:`SDFlowSampler`, by the same rule, but it looks every ten steps
    at what the regressor makes of the inputs of ``particles_``, of `batch_size` of them where they
    are more, and its score is another: half the energy distance to the held-out rows, but for its
    sign and a constant, in flow space and in units of the distance of a typical pair of target
    rows [2]_. The log-density that `score` tells would take rows that are too narrow for the best,
    at a wide bandwidth, and many regressors begin with such. What is kept is the regressor of the
    best check. With `warm_start`, another fit holds out the same rows if X and an integer
    `random_state` are the same, and others otherwise.

    A regressor that averages, as most do, cannot make more detail than it has capacity for, and
    its samples are further from the training rows than those of a sampler with the same bandwidth.

    References
    ----------
    .. [1] Romann M. Weber, "The Score-Difference Flow for Implicit Generative Modeling",
       Transactions on Machine Learning Research, 2023, Algorithm 2 and sections 5.1 and 6.2.
       arXiv:2304.12906.
    .. [2] T. Gneiting and A. E. Raftery, "Strictly Proper Scoring Rules, Prediction, and
       Estimation", Journal of the American Statistical Association 102, 2007, section 4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skflow import SDFlowGenerator
    >>> X, y = load_wine(return_X_y=True)
    >>> generator = SDFlowGenerator(n_steps=50, random_state=0).fit(X)
    >>> generator.sample(5, random_state=0).shape
    (5, 13)

    Of two numbers each:

    >>> generator = SDFlowGenerator(n_latent=2, n_steps=50, random_state=0).fit(X)
    >>> generator.generate([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]).shape
    (3, 13)
    """

    __metadata_request__partial_fit = {"X_base": True}

    _parameter_constraints: dict = {
        **BaseFlow._parameter_constraints,
        **CONSTRAINTS,
        "regressor": [HasMethods(["fit", "predict", "get_params"]), None],
        "n_latent": [Interval(Integral, 1, None, closed="left"), None],
        "init": [StrOptions({"base", "random"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        regressor: Any = None,
        *,
        bandwidth: Bandwidth = "auto",
        schedule: Schedule = "auto",
        step_size: OfTime = 0.5,
        n_steps: int = 500,
        noise_scale: OfTime = 1.0,
        base: Base = "normal",
        n_latent: int | None = None,
        init: Literal["base", "random"] = "base",
        batch_size: int = 1000,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-3,
        covariance_type: CovarianceType = "diag",
        discrete_features: FeatureChoice = "auto",
        velocity: Any = None,
        warm_start: bool = False,
        random_state: Seed = None,
        verbose: int = 0,
    ) -> None:
        self.regressor = regressor
        self.bandwidth = bandwidth
        self.schedule = schedule
        self.step_size = step_size
        self.n_steps = n_steps
        self.noise_scale = noise_scale
        self.base = base
        self.n_latent = n_latent
        self.init = init
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.covariance_type = covariance_type
        self.discrete_features = discrete_features
        self.velocity = velocity
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _default_velocity(self):
        return ScoreDifference()

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
        """Train the generator by Algorithm 2.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The target: rows of the distribution to generate. At least two different rows.
        y : Ignored
            Present for API consistency.
        X_base : array-like of shape (n_base, n_features), default=None
            Rows of the distribution of the inputs. By default it is what `base` or `n_latent` say.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows of X; a weight counts as that many rows. Those that sum
            to less than their effective sample size, ``sum(w)**2 / sum(w**2)``, such as weights
            that sum to one, are scaled up to it.

        Returns
        -------
        self : object
            The fitted generator.

        Raises
        ------
        ValueError
            If X or X_base has NaN, infinite or non-numeric entries, differ in width, or have too
            few rows; if the weights are negative or all zero; if all rows of X are the same; if
            `covariance_type` is "full" and the covariance of X is singular, or "spherical" and
            squares of X overflow or vanish; if `regressor` is no regressor; if `n_latent` comes
            with a base; if `early_stopping` would leave or hold out fewer than two different rows.
        FloatingPointError
            If the flow diverges: the step size is too large for the bandwidth.

        Warns
        -----
        UserWarning
            With `early_stopping`, when particles copy rows of X at the first check already.
        """
        data = X, y, sample_weight
        goes_on = self.warm_start and hasattr(self, "regressor_")
        X, weights, X_base = self._validate(X, X_base, sample_weight, reset=not goes_on)
        look_at_y(y, data[0], X_base, self.n_features_in_, stacklevel=3)
        rng = check_random_state(self.random_state)
        heldout = None
        if self.early_stopping:
            (X, weights), heldout = hold_out(X, weights, self.validation_fraction, rng)
        if goes_on:
            setup = self._resume(X, weights, X_base)
            setup = self._settled(setup)
        else:
            setup = self._begin(X, weights, X_base, rng)
        progress = Progress(self, *data)
        training = self._make_training(setup, rng)
        stopping = stopping_of(self, setup.target, heldout, EnergyStopping)

        def on_step(velocity, sigma):
            ends = stopping is not None and stopping(training)
            return progress.step(velocity, sigma, lambda: training.so_far().fitted(), ends)

        for k in range(0, self.n_steps, training.steps_per_fit):
            if training.round(k, on_step):
                break
        if stopping is not None:
            training = stopping.kept(training)
            stopping.warn_of_copies(stacklevel=3)
        self.__dict__.update(training.fitted(), **results_of(stopping))
        self.history_ = np.array(progress.history[: self.n_steps_])
        progress.end()
        return self

    @available_if(_can_learn_on)
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        X_base: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """One step of Algorithm 2 on some target rows, as they come in.

        The first call sets up flow space, bandwidth and inputs by its rows: give it enough of
        them. Schedules are followed for `n_steps` calls and then stay at their end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        X_base : array-like of shape (n_base, n_features), default=None
            Rows of the distribution of the inputs, in this call and later ones.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows of X.

        Returns
        -------
        self : object
            The generator.

        Raises
        ------
        ValueError
            If `early_stopping` is True, or for the reasons that `fit` has.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: which rows are held out would "
                "change from call to call. Use fit, or set early_stopping=False."
            )
        goes_on = hasattr(self, "regressor_")
        rows = X
        X, weights, X_base = self._validate(X, X_base, sample_weight, reset=not goes_on)
        look_at_y(y, rows, X_base, self.n_features_in_, stacklevel=3)
        if goes_on:
            rng, setup = self._rng, self._resume(X, weights, X_base)
            learned, history = self._learned, list(self.history_)
        else:
            rng = check_random_state(self.random_state)
            setup = self._begin(X, weights, X_base, rng)
            learned, history = None, []
        training = self._make_training(setup, rng, learned)
        training.steps_per_fit = 1
        k = min(len(history), self.n_steps - 1)
        training.round(k, lambda velocity, sigma: history.append(mean_square(velocity)))
        self.__dict__.update(training.fitted(), n_steps_=len(history), history_=np.array(history))
        self.__dict__.update(results_of(None))
        self._training_X = None  # earlier calls have had others
        return self

    def _validate(self, X, X_base, sample_weight, reset=True):
        validated = super()._validate(X, X_base, sample_weight, reset=reset)
        check_regressor(self.regressor)
        has_base = X_base is not None or not isinstance(self.base, str)
        if self.n_latent is not None and has_base:
            raise ValueError(
                f"n_latent={self.n_latent} asks for Gaussian inputs, and "
                f"{'X_base' if X_base is not None else 'base'} for rows as inputs: leave one out."
            )
        if self.init == "random" and not _can_learn_on(self):
            raise ValueError(
                f'init="random" needs a regressor with partial_fit, and {self.regressor!r} cannot '
                'generate anything before it is fitted. Use init="base".'
            )
        return validated

    def _begin(self, X, weights, X_base, rng):
        """Everything that is settled before the first step."""
        target = self._make_target(X, weights)
        if self.n_latent is None:
            source = self._make_source(target, X_base, rng)
        else:
            source = LatentSource(target.rows, weights, self.n_latent)
        if isinstance(source, RowSource):
            inputs = source.rows_
        else:
            inputs = source.draw(self.batch_size, rng).astype(X.dtype, copy=False)
        start = inputs
        if self.n_latent is not None:
            start = source.image(inputs).astype(X.dtype, copy=False)
        discrete = DiscreteFeatures(X, weights, self._discrete_mask(X))
        setup = Setup(target, source, inputs, start, constants(target.rows), discrete)
        setup = self._settled(setup)
        return setup._replace(regressor=self._first_regressor(inputs, start, rng)).looked_over()

    def _resume(self, X, weights, X_base):
        """The same for a generator that goes on, with other target rows."""
        target = Target(X, self._space.to_flow(X), weights, self._space)
        fixed = constants(target.rows)
        fixed[fixed != self._setup.fixed] = np.nan  # a column that has ever varied may vary
        setup = self._setup._replace(
            target=target,
            fixed=fixed,
            discrete=self._setup.discrete.join(X, weights),
            regressor=deepcopy(self.regressor_),
        )
        if X_base is not None:
            rows = target.space.to_flow(X_base)
            setup = setup._replace(source=RowSource(rows), inputs=rows, start=rows).looked_over()
        return setup

    def _settled(self, setup):
        """The setup with the bandwidth, and the schedule if it is "auto", for its target rows."""
        bandwidth = self._resolve_bandwidth(setup.target, setup.source, setup.start)
        is_auto = isinstance(self.schedule, str) and self.schedule == "auto"
        schedule = self._resolve_schedule(setup.target, bandwidth) if is_auto else None
        return setup._replace(bandwidth=bandwidth, schedule=schedule)

    def _make_training(self, setup, rng, learned=None):
        flow = self._make_flow(setup.target, setup.bandwidth, SGD(), rng, setup.schedule)
        # The network's batches are too small to gain from threads, and lose much on busy cores.
        context = one_blas_thread if self.regressor is None else nullcontext()
        return Training(flow, setup, self.batch_size, context, rng, learned)

    def _first_regressor(self, inputs, start, rng):
        regressor = _network() if self.regressor is None else clone(self.regressor)
        plant_seeds(regressor, rng)
        if self.init == "random":
            try:
                regressor.predict(inputs)
            except NotFittedError:
                return show_once(regressor, inputs, start)
            return regressor
        with unconverged_is_fine:  # it is only the start
            return fit_columns(regressor, inputs, start)

    def _has_base_rows(self):
        return isinstance(self._setup.source, RowSource)

    def _cloud(self):
        return self._rows, self._sigma

    # --- generating -----------------------------------------------------------------------------

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> Rows:
        """New rows, generated from fresh inputs.

        Columns that are discrete (`discrete_features`) take values that occur in X. After a fit
        with `X_base`, the inputs are rows of it, drawn with replacement: there are no more
        different rows to be had than it has.

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
        inputs = self._setup.source.draw(n_samples, rng)
        generated = self._generate(inputs.astype(self.particles_.dtype, copy=False))
        samples = self._setup.discrete.rounding(self.particles_).round(generated)
        return self._wrap(samples, samples)


def _network():
    """The regressor that None stands for."""
    return MLPRegressor(hidden_layer_sizes=(128, 128), max_iter=50)
