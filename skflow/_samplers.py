"""The samplers: one flow each, told apart by their velocity."""

from skflow._base import BaseFlowSampler
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
    - ``score_samples(X)`` and ``score(X)`` are log-densities, made for choosing `bandwidth`.

    Parameters
    ----------
    bandwidth : float or {"auto", "paper", "liu-wang", "scott", "silverman"}, default="auto"
        Standard deviation of the smoothing kernel, in the units of the flow space: with
        ``covariance_type="diag"``, in standard deviations of each column. The larger it is, the
        smoother and the less detailed the result; the smaller, the closer to copies of the
        target rows. A name is a rule (D are distances between pairs of rows in flow space):

        - "auto": ``sigma^2 = median(D^2) / 4`` over the target;
        - "paper": ``2 median(D^2) / log(n + 1)`` over the n particles at the start (footnote 14);
        - "liu-wang": the same with 0.5 in place of 2, as in the published code of SVGD;
        - "scott", "silverman": the rules of thumb of kernel density estimation.
    schedule : {"constant", "cosine", "geometric", "linear"} or callable, default="constant"
        How the bandwidth changes along the flow: ``schedule(t)`` for t in [0, 1] is multiplied by
        `bandwidth`. Names other than "constant" run from 4 down to 1; see
        :mod:`skflow.schedules` for others.
    step_size : float or callable, default=0.1
        eta of Algorithm 1, or a function eta(t) of the time in [0, 1].
    n_steps : int, default=100
        Number of steps. More steps come closer to the target rows, in the end onto them.
    noise_scale : float, default=1.0
        Standard deviation of the noise that is added to the particles at every step, in
        bandwidths: 1 as in the paper, 0 for none.
    base : {"normal"}, array-like or object with ``sample`` or ``rvs``, default="normal"
        Where the flow starts if `fit` gets no `X_base`: a Gaussian with the mean and covariance
        of the target; given rows; or anything that can be sampled, such as a scipy distribution
        or ``GaussianMixture(5)``, in units of the data. An estimator is cloned and fitted on the
        target first; wrap it in ``sklearn.frozen.FrozenEstimator`` to use it as it is.
    n_particles : int, default=1000
        Number of particles. With given base rows, each of them is a particle.
    batch_size : int, default=None
        Most target rows, and most particles, that take part in a step; None for all. A particle
        then moves once in ``n_particles / batch_size`` steps: raise `n_steps` by that factor.
    covariance_type : {"spherical", "diag", "full"}, default="diag"
        The kernel's shape: the same width in all directions, in the units of the data
        ("spherical", as in the paper), in proportion to each column's standard deviation
        ("diag"), or to the target's covariance ("full", whitened).
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
        Seed of `fit`: base draws, noise and mini-batches. `sample` has a seed of its own.
    verbose : int or bool, default=0
        1 prints progress ten times, more prints every step.

    Attributes
    ----------
    particles_ : ndarray of shape (n_particles, n_features)
        The moved particles, in units of the data. If `X_base` was given, row i is its row i.
    bandwidth_ : float
        The bandwidth that was used, before the schedule.
    history_ : ndarray of shape (n_steps,)
        Mean squared velocity of the particles at each step, in flow space.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    See Also
    --------
    sklearn.neighbors.KernelDensity : Samples by adding noise to the rows.
    sklearn.mixture.GaussianMixture : A parametric alternative, and a good `base`.

    Notes
    -----
    A step costs ``n_particles * (n_samples + n_particles)`` kernel evaluations, and so does
    carrying ``n_particles`` rows through it; `transform` takes four times as many when there is
    noise.
    The target, and as many states of the particles as fit in scikit-learn's ``working_memory``,
    are kept.

    With enough steps and a small bandwidth the particles *become* the target rows, as they
    should: judge samples by rows that were held out, with :mod:`skflow.metrics`.

    `transform` and `sample` draw on the same flow. `sample` gives every row noise of its own;
    `transform` is deterministic and shares two pairs of noises among all rows in each step. Their
    laws agree closely, the less so the fewer steps there are and the larger these are: noise that
    is shared moves all rows alike. ``noise_scale=0`` has none to share. With
    ``optimizer="adagrad"``, noise and no mini-batches, `transform` comes out too narrow: use
    `sample` there.

    ``fit(X, X_base=B)`` learns to carry rows like B, not rows like X; in particular,
    ``fit_transform(X, X_base=B)`` carries X, as scikit-learn defines it, and is not what is wanted.
    In a search or cross-validation pass the base as ``base=B``: folds would cut `X_base` like X.

    A fitted sampler keeps the target and the recorded flow, up to ``working_memory``, and so does
    its pickle. After a pipeline, new rows in the original units are
    ``pipe[:-1].inverse_transform(pipe[-1].sample(n))``.

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

    One data set carried onto another, all the way and half of it:

    >>> carrier = SDFlowSampler(random_state=0).fit(X[y == 1], X_base=X[y == 0])
    >>> moved = carrier.transform(X[y == 0])
    >>> halfway = carrier.interpolate(X[y == 0], 0.5)
    >>> alcohol = [rows[:, 0].mean().round(1) for rows in (X[y == 0], halfway, moved, X[y == 1])]
    >>> alcohol[0] > alcohol[1] > alcohol[2]
    np.True_
    """

    def _default_velocity(self):
        return ScoreDifference()
