"""DiffusionSampler: the reverse process of denoising diffusion."""

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone

from skflow._diffusion import Gaussian, RecordedDiffusion
from skflow._estimators import plant_seeds
from skflow._flow import times_of_steps
from skflow._samplers.base import BaseFlowSampler
from skflow._sklearn import HasMethods, StrOptions
from skflow._sources import NormalSource
from skflow._space import weighted_moments
from skflow._typing import Bandwidth, Base, CovarianceType, FeatureChoice, Schedule, Seed
from skflow.denoisers import KernelDenoiser
from skflow.schedules import SCHEDULES, Geometric
from skflow.velocities._shared import fit_denoiser, particle_mean

__all__ = ["DiffusionSampler"]


class DiffusionSampler(BaseFlowSampler):
    """Move one distribution onto another by the reverse process of denoising diffusion.

    Rows of the base are covered in noise of a high level, which is then taken off step by step by
    a denoiser of the target (equations 19 to 22). ``sample`` runs this chain, with noise of its own
    for every row; ``transform`` follows the probability flow (equation 4), which is deterministic
    and can be inverted: up from the base into the noise and down to the target.

    Parameters
    ----------
    bandwidth : float or {"auto", "paper", "liu-wang", "scott", "silverman"}, default="silverman"
        The last noise level, a standard deviation in the units of the flow space: with
        ``covariance_type="diag"``, in standard deviations of each column. Samples come from the
        target smoothed by it; with the kernel denoiser, the smaller it is, the closer they are to
        copies of the target rows. A name is a rule (D are distances between pairs of rows in flow
        space):

        - "auto": the median distance of a target row to its tenth nearest neighbour. Unless the
          base is given as rows, it is times ``1 + 4 * n_features / n_samples``, but at most times
          1.4: what is drawn is to be new, which is harder with few rows to a column;
        - "paper": ``2 median(D^2) / log(n + 1)`` over the n particles at the start (footnote 14);
        - "liu-wang": the same with 0.5 in place of 2, as in the published code of SVGD;
        - "scott", "silverman": the rules of thumb of kernel density estimation.
    schedule : {"auto", "cosine", "geometric", "linear"} or callable, default="auto"
        How the noise level falls along the process: ``schedule(t)`` for t in [0, 1] is multiplied
        by `bandwidth`. "auto" runs geometrically from 30 down to 1. The other names run from 4
        down to 1, as elsewhere, which is wide enough only for a large `bandwidth`; see
        :mod:`skflow.schedules` for others.
    n_steps : int, default=100
        Number of steps.
    base : {"normal", "mixture"}, array-like or object with ``sample`` or ``rvs``, default="normal"
        Where the flow starts if `fit` gets no `X_base`: a Gaussian with the mean and covariance
        of the target ("normal"); the Gaussian mixture of up to eight components that describes
        it best by the BIC ("mixture"), which is nearer to the target and costs some fits;
        given rows; or anything that can be sampled, such as a scipy distribution or
        ``KernelDensity()``, in units of the data. An estimator is cloned and fitted on the
        target first; wrap it in ``sklearn.frozen.FrozenEstimator`` to use it as it is.
    n_particles : int, default=1000
        Number of particles. With given base rows, each of them is a particle. From a "mixture" or
        "normal" base they start spread evenly, at points of a scrambled Sobol sequence.
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
    denoiser : denoiser, default=None
        Estimate of E[x | z], by default :class:`~skflow.denoisers.KernelDenoiser`. A trained one,
        :class:`~skflow.denoisers.RegressorDenoiser`, makes rows that are no copies at small
        bandwidths too.
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
    denoiser_ : denoiser
        The fitted denoiser of the target, in flow space.
    particles_ : ndarray of shape (n_particles, n_features)
        The moved particles, in units of the data. If `X_base` was given, row i is its row i.
    bandwidth_ : float
        The bandwidth that was used, before the schedule.
    n_steps_ : int
        Number of steps taken: `n_steps`, unless a callback stopped the fit.
    history_ : ndarray of shape (n_steps_,)
        Mean squared velocity of the particles at each step, in flow space.
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
    SDFlowSampler : Particles that see each other, with no need of a high noise level.

    Notes
    -----
    A step costs ``n_particles`` evaluations of the denoiser, which for the kernel are ``n_samples``
    kernel evaluations each; carrying rows by `transform` takes four times as many. Particles do
    not see each other: the first noise level, by default 30 bandwidths, must be wide compared to
    base and target, or `sample` remembers where it began.

    With the kernel denoiser the law of the samples is that of
    :class:`~sklearn.neighbors.KernelDensity` with the same bandwidth, as `n_steps` grows; with few
    steps `sample` spreads less. ``inverse_transform`` needs ``t_stop=1``.

    There is no early stopping: half way the particles, without the noise that they carry, are no
    samples of anything, and a process that was stopped cannot be inverted.

    `transform` needs a denoiser of the base, too: exact for ``base="normal"``, otherwise the kernel
    estimate on the base rows, which in many dimensions knows little of how they spread. The laws of
    `transform` and `sample` then agree less closely than those of :class:`SDFlowSampler`.

    References
    ----------
    .. [1] Romann M. Weber, "The Score-Difference Flow for Implicit Generative Modeling",
       Transactions on Machine Learning Research, 2023, section 4. arXiv:2304.12906.
    .. [2] Tero Karras, Miika Aittala, Timo Aila, Samuli Laine, "Elucidating the design space of
       diffusion-based generative models", NeurIPS 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skflow import DiffusionSampler
    >>> X, y = load_wine(return_X_y=True)
    >>> sampler = DiffusionSampler(random_state=0).fit(X)
    >>> sampler.sample(5, random_state=0).shape
    (5, 13)
    """

    _parameter_constraints: dict = {
        **{
            name: BaseFlowSampler._parameter_constraints[name]
            for name in (
                "bandwidth",
                "n_steps",
                "base",
                "n_particles",
                "covariance_type",
                "discrete_features",
                "t_stop",
                "random_state",
                "verbose",
            )
        },
        "schedule": [StrOptions({"auto", *SCHEDULES} - {"constant"}), callable],
        "denoiser": [HasMethods(["fit", "denoise"]), None],
    }

    _has_early_stopping = False  # rows on their way are no samples: there is nothing to judge

    def __init__(
        self,
        bandwidth: Bandwidth = "silverman",
        *,
        schedule: Schedule = "auto",
        n_steps: int = 100,
        base: Base = "normal",
        n_particles: int = 1000,
        covariance_type: CovarianceType = "diag",
        discrete_features: FeatureChoice = "auto",
        denoiser: Any = None,
        t_stop: float = 1.0,
        random_state: Seed = None,
        verbose: int = 0,
    ) -> None:
        self.bandwidth = bandwidth
        self.schedule = schedule
        self.n_steps = n_steps
        self.base = base
        self.n_particles = n_particles
        self.covariance_type = covariance_type
        self.discrete_features = discrete_features
        self.denoiser = denoiser
        self.t_stop = t_stop
        self.random_state = random_state
        self.verbose = verbose

    def _resolve_schedule(self, target=None, bandwidth=None):
        if isinstance(self.schedule, str) and self.schedule == "auto":
            return Geometric(30.0, 1.0)
        return super()._resolve_schedule()

    def _check_schedules(self):
        levels = self._levels(1.0)
        if not (np.diff(levels) < 0).all():
            raise ValueError(
                "The noise level of a diffusion must fall at every step, but schedule goes from "
                f"{levels[0]:g} to {levels[-1]:g} without falling everywhere. Use, for example, "
                "skflow.schedules.Geometric(30.0, 1.0)."
            )

    def _levels(self, bandwidth):
        schedule = self._resolve_schedule()
        return np.array([bandwidth * schedule(t) for t in times_of_steps(self.n_steps + 1)])

    def _record(self, setup, rng, on_step):
        target, source, start = setup.target, setup.source, setup.start
        sigmas = self._levels(setup.bandwidth)
        denoiser = (
            KernelDenoiser() if self.denoiser is None else plant_seeds(clone(self.denoiser), rng)
        )
        denoiser = fit_denoiser(denoiser, target.rows, target.weights, sigmas)
        if isinstance(source, NormalSource):
            of_base = Gaussian(source.mean_, source.root_ @ source.root_)
            denoise_base = of_base.denoise
        else:
            of_base = Gaussian(*weighted_moments(start))
            denoise_base = partial(_kernel_denoiser, start)
        of_target = Gaussian(*weighted_moments(target.rows, target.weights))
        seed = int(rng.randint(np.iinfo(np.int32).max))
        recorded = RecordedDiffusion(
            denoiser.denoise, denoise_base, of_target, of_base, start, sigmas, seed, on_step
        )
        self.denoiser_ = denoiser
        return recorded


def _kernel_denoiser(Y, Z, sigma, own):
    return particle_mean(Z, Y, sigma, own)[0]
