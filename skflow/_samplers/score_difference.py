"""SDFlowSampler: particles follow the difference of the scores."""

from typing import Any

from skflow._samplers.base import BaseFlowSampler
from skflow._typing import (
    Bandwidth,
    Base,
    CovarianceType,
    FeatureChoice,
    OfTime,
    Optimizer,
    Schedule,
    Seed,
)
from skflow.velocities import ScoreDifference

__all__ = ["SDFlowSampler"]


class SDFlowSampler(BaseFlowSampler):
    """Move one distribution onto another by the score-difference flow.

    Particles start at the base distribution and move along the difference of the scores of the
    Gaussian-smoothed target and of the Gaussian-smoothed particles, the direction that reduces
    the Kullback-Leibler divergence between them fastest. `fit` runs this flow once (Algorithm 1)
    and records it; then

    - ``sample(n)`` draws new rows like those of the target;
    - ``transform(X)`` carries rows of the base distribution onto the target, also rows that were
      not there at fit, and ``inverse_transform`` carries them back;
    - ``interpolate(X, t)`` and ``staged_transform(X)`` show the way there;
    - ``score_samples(X)`` and ``score(X)`` are log-densities, made for choosing `bandwidth`;
    - ``support(X)`` tells how far rows are from the base, where the flow knows little, and
      ``sensitivity(X)`` how much it stretches small differences between them.

    Parameters
    ----------
    bandwidth : float or {"auto", "paper", "liu-wang", "scott", "silverman"}, default="auto"
        Standard deviation of the smoothing kernel, in the units of the flow space: with
        ``covariance_type="diag"``, in standard deviations of each column. The larger it is, the
        smoother and the less detailed the result; the smaller, the closer to copies of the
        target rows. A name is a rule (D are distances between pairs of rows in flow space):

        - "auto": the median distance of a target row to its tenth nearest neighbour. Unless the
          base is given as rows, it is times ``1 + 4 * n_features / n_samples``, but at most times
          1.4: what is drawn is to be new, which is harder with few rows to a column;
        - "paper": ``2 median(D^2) / log(n + 1)`` over the n particles at the start (footnote 14);
        - "liu-wang": the same with 0.5 in place of 2, as in the published code of SVGD;
        - "scott", "silverman": the rules of thumb of kernel density estimation.
    schedule : {"auto", "constant", "cosine", "geometric", "linear"} or callable, default="auto"
        How the bandwidth changes along the flow: ``schedule(t)`` for t in [0, 1] is multiplied by
        `bandwidth`. "auto" runs geometrically from half the distance of a typical pair of target
        rows down to `bandwidth`, and is constant where that is no narrower. The other names run
        from 4 down to 1; see :mod:`skflow.schedules` for others.
    step_size : float or callable, default=0.1
        The eta of Algorithm 1, or a function eta(t) of the time in [0, 1].
    n_steps : int, default=100
        Number of steps. More steps come closer to the target rows, in the end onto them.
    noise_scale : float or callable, default=1.0
        Standard deviation of the noise that is added to the particles at every step, or a function
        ``noise_scale(t)`` of the time in [0, 1], in bandwidths of the step: 1 as in the paper, 0
        for none.
    base : {"mixture", "normal"}, array-like or object with ``sample`` or ``rvs``, default="mixture"
        Where the flow starts if `fit` gets no `X_base`: the Gaussian mixture of up to eight
        components that describes the target best by the BIC ("mixture"); one Gaussian with its
        mean and covariance ("normal"), so that `inverse_transform` makes data Gaussian; given
        rows; or anything that can be sampled, such as a scipy distribution or
        ``KernelDensity()``, in units of the data. An estimator is cloned and fitted on the
        target first; wrap it in ``sklearn.frozen.FrozenEstimator`` to use it as it is.
    n_particles : int, default=1000
        Number of particles. With given base rows, each of them is a particle. From a "mixture" or
        "normal" base they start spread evenly, at points of a scrambled Sobol sequence.
    batch_size : int, default=None
        Most target rows, and most particles, that take part in a step; None for all. A particle
        then moves once in ``n_particles / batch_size`` steps: raise `n_steps` by that factor.
    early_stopping : bool, default=False
        Whether to hold out some rows of X and to end the flow by them: when the particles get no
        nearer to them, or begin to copy the others. See Notes.
    validation_fraction : float, default=0.1
        The proportion of the different rows of X to hold out. They are no part of the target.
        Only used if `early_stopping` is True.
    n_iter_no_change : int, default=10
        Maximum number of checks in a row that improve the score by less than `tol`. There is one
        after each step; with mini-batches, each time that every particle has moved. Only used if
        `early_stopping` is True.
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
        name. `transform` and ``particles_`` know nothing of it, nor does `sample` at a `t_stop`
        before the end.
    optimizer : {"sgd", "adagrad"} or object with ``init`` and ``step``, default="sgd"
        How a velocity becomes a step; see :mod:`skflow.optimizers`.
    velocity : velocity, default=None
        The right-hand side of the flow, by default
        :class:`~skflow.velocities.ScoreDifference`; see :mod:`skflow.velocities`.
    t_stop : float, default=1.0
        Where `transform`, `staged_transform`, `sample` and `inverse_transform` end or begin: a
        time in [0, 1], from base to target. At 0.5 the particles are about half way: times are
        measured by the root mean square distance from the start.
    random_state : int, RandomState instance or None, default=None
        Seed of `fit`: held-out rows, base draws, noise, mini-batches. `sample` has its own seed.
    verbose : int or bool, default=0
        1 prints progress ten times, more prints every step.

    Attributes
    ----------
    particles_ : ndarray of shape (n_particles, n_features)
        The moved particles, in units of the data. If `X_base` was given, row i is its row i.
    bandwidth_ : float
        The bandwidth that was used, before the schedule.
    n_steps_ : int
        Number of steps kept: `n_steps`, unless early stopping or a callback ended the flow.
    history_ : ndarray of shape (n_steps_,)
        Mean squared velocity of the particles at each step, in flow space.
    validation_scores_ : ndarray of shape (n_checks,) or None
        The score of each check, also of those after the last step that was kept: how near
        particles come to held-out rows, as in Notes. None without `early_stopping`.
    validation_copying_ : ndarray of shape (n_checks,) or None
        At each check, the share of particles that are nearer to a row of the target than to any
        held-out one, adjusted for their numbers: 0.5 for fresh rows, 1 for copies. None without
        `early_stopping`.
    best_validation_score_ : float or None
        The score where the flow ends. None without `early_stopping`.
    support_limit_ : float
        The largest `support` of a row that does not lie far outside the base: twice the largest
        distance of a base particle to its nearest neighbour, in bandwidths of the first step.
    is_discrete_ : ndarray of shape (n_features_in_,)
        Mask of the columns that `sample` puts on values of X, all of their numbers.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    See Also
    --------
    skflow.inspection : Pictures of a flow and of what it makes.
    sklearn.neighbors.KernelDensity : Samples by adding noise to the rows.
    sklearn.mixture.GaussianMixture : A parametric alternative, and a good `base`.

    Notes
    -----
    A step costs ``n_particles * (n_samples + n_particles)`` kernel evaluations, and so does
    carrying ``n_particles`` rows through it; `transform` takes four times as many when there is
    noise.
    The target, and as many states of the particles as fit in scikit-learn's ``working_memory``,
    are kept. Many rows are carried in pieces that fit in it, too.

    With enough steps and a small bandwidth the particles *become* the target rows, as they
    should: judge samples by rows that were held out, with :mod:`skflow.metrics`.

    With ``early_stopping=True`` some rows are held out, equal ones together, and the particles are
    checked by them. The score is the mean log-density of these rows under the particles, smoothed
    at the last bandwidth of the schedule. The flow ends after `n_iter_no_change` checks that do
    not improve it by `tol`; and as soon as the particles copy, when `validation_copying_` exceeds
    0.75, and 0.5 by two and a half of its standard errors. What is kept ends at the best score
    before, so that `n_steps_` may be less than the number of checks. By a few dozen held-out rows
    both figures are rough, and by fewer than ten copies may go unnoticed: raise
    `validation_fraction`, or search by several splits, with
    :func:`skflow.metrics.get_sample_scorer`.

    `transform` and `sample` draw on the same flow. `sample` gives every row noise of its own;
    `transform` is deterministic and shares two pairs of noises among all rows in each step. Their
    laws agree closely, the less so the fewer steps there are and the larger these are: noise that
    is shared moves all rows alike. ``noise_scale=0`` has none to share. With
    ``optimizer="adagrad"``, noise and no mini-batches, `transform` comes out too narrow: use
    `sample` there.

    ``fit(X, X_base=B)`` learns to carry rows like B, not rows like X. So
    ``fit_transform(X, X_base=B)`` returns X as it is: a classifier that follows in a pipeline is
    fitted to the target, and predicts rows like B after they were carried there. A search or
    cross-validation cuts an `X_base` of as many rows as X into folds: pass it as ``base=B`` then.

    A fitted sampler keeps the rows of the target and the recorded flow, up to ``working_memory``,
    and so does its pickle. After a pipeline, new rows in the original units are
    ``skflow.sample(pipe, n)``; for rows with labels see :class:`ClasswiseSampler`.

    References
    ----------
    .. [1] Romann M. Weber, "The Score-Difference Flow for Implicit Generative Modeling",
       Transactions on Machine Learning Research, 2023. arXiv:2304.12906.

    Examples
    --------
    New rows like the old ones:

    >>> from sklearn.datasets import load_wine
    >>> from skflow import SDFlowSampler
    >>> X, y = load_wine(return_X_y=True)
    >>> sampler = SDFlowSampler(random_state=0).fit(X)
    >>> sampler.sample(5, random_state=0).shape
    (5, 13)

    A bandwidth at which the particles would end as copies, stopped before:

    >>> params = {"bandwidth": 0.5, "schedule": "constant", "n_steps": 300, "random_state": 0}
    >>> stopped = SDFlowSampler(early_stopping=True, **params).fit(X)
    >>> stopped.n_steps_ < 300, bool(stopped.validation_copying_[-1] > 0.75)
    (True, True)

    One data set carried onto another, all the way and half of it:

    >>> carrier = SDFlowSampler(random_state=0).fit(X[y == 1], X_base=X[y == 0])
    >>> moved = carrier.transform(X[y == 0])
    >>> halfway = carrier.interpolate(X[y == 0], 0.5)
    >>> alcohol = [rows[:, 0].mean().round(1) for rows in (X[y == 0], halfway, moved, X[y == 1])]
    >>> alcohol[0] > alcohol[1] > alcohol[2]
    np.True_
    """

    def __init__(
        self,
        bandwidth: Bandwidth = "auto",
        *,
        schedule: Schedule = "auto",
        step_size: OfTime = 0.1,
        n_steps: int = 100,
        noise_scale: OfTime = 1.0,
        base: Base = "mixture",
        n_particles: int = 1000,
        batch_size: int | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-3,
        covariance_type: CovarianceType = "diag",
        discrete_features: FeatureChoice = "auto",
        optimizer: Optimizer = "sgd",
        velocity: Any = None,
        t_stop: float = 1.0,
        random_state: Seed = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            bandwidth,
            schedule=schedule,
            step_size=step_size,
            n_steps=n_steps,
            noise_scale=noise_scale,
            base=base,
            n_particles=n_particles,
            batch_size=batch_size,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            covariance_type=covariance_type,
            discrete_features=discrete_features,
            optimizer=optimizer,
            velocity=velocity,
            t_stop=t_stop,
            random_state=random_state,
            verbose=verbose,
        )

    def _default_velocity(self):
        return ScoreDifference()
