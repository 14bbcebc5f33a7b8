"""Early stopping: a flow ends where it gets no nearer to unseen rows, and before it copies."""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.spatial.distance import cdist, pdist

from skflow._kernels import Search
from skflow._sklearn import Interval
from skflow._space import weighted_moments

__all__ = [
    "CONSTRAINTS",
    "EarlyStopping",
    "EnergyStopping",
    "hold_out",
    "results_of",
    "stopping_of",
]

CONSTRAINTS = {
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
}

_FEWEST = 2  # different rows to judge by, and to judge
_MOST_PARTICLES = 500  # that are searched for copies
_MOST_DISTANT = 1000  # particles, and different held-out rows, between which distances are taken
_COPIES = 0.75  # adjusted share; 0.5 for fresh rows
_ERRORS = 2.5  # standard errors that it has to be off


def hold_out(X, weights, fraction, rng):
    """Draw the rows that are held out: equal rows all together, so that none has a copy elsewhere.

    The draw depends on the different rows there are, not on their order or number: weights equal
    repeats.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows with a positive weight.
    weights : ndarray of shape (n_samples,) or None
        Their weights.
    fraction : float
        Share of the different rows to hold out.
    rng : numpy.random.RandomState
        Draws them.

    Returns
    -------
    (X, weights), (X_heldout, weights_heldout) : tuples
        Both parts, in the order of X.

    Raises
    ------
    ValueError
        If either part has fewer than two different rows.
    """
    which = _groups(X)
    n_groups = which.max() + 1
    n_heldout = int(np.ceil(fraction * n_groups))
    if min(n_heldout, n_groups - n_heldout) < _FEWEST:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction:g} would hold out {n_heldout} of "
            f"{n_groups} different rows of X: at least {_FEWEST} have to be held out, and as many "
            "to be left. Change validation_fraction, pass more rows, or set early_stopping=False."
        )
    heldout = np.isin(which, rng.permutation(n_groups)[:n_heldout])
    return [(X[part], None if weights is None else weights[part]) for part in (~heldout, heldout)]


def _groups(X):
    """For each row the number of its value, counted in the order of values."""
    order = np.lexsort(X.T[::-1])
    ordered = X[order]
    which = np.empty(len(X), dtype=np.intp)
    which[order] = np.cumsum(np.r_[False, (ordered[1:] != ordered[:-1]).any(axis=1)])
    return which


class EarlyStopping:
    """Looks at the particles of a run once an epoch, and says when it should end.

    A run is a :class:`~skflow._recording.RecordedFlow` or a :class:`~skflow._training.Training`.

    Parameters
    ----------
    target : Target
        Where the flow leads.
    heldout : ndarray of shape (n_heldout, n_features)
        Rows of the same law that it has not seen, in units of the data.
    weights : ndarray of shape (n_heldout,) or None
        Their weights.
    n_iter_no_change : int
        Checks in a row without improvement after which to end.
    tol : float
        Improvement of the score that counts.

    Attributes
    ----------
    scores : list of float
        Mean log-density of the held-out rows at each check, under the particles, smoothed at the
        last bandwidth of the schedule: what `score` says at the end of the flow. That of the step
        would favour narrow steps over wide ones, whatever the particles do.
    shares : list of float
        Of each check, the share of particles that are nearer to a target row than to any held-out
        one, adjusted for the numbers of different rows.
    best_score : float
        The score of the check that ends what is kept.
    """

    def __init__(self, target, heldout, weights, n_iter_no_change, tol):
        self.n_iter_no_change, self.tol = n_iter_no_change, tol
        self.scores, self.shares, self.best_score = [], [], -np.inf
        self._best, self._reference, self._n_no_change = None, -np.inf, 0
        self._copied_first = False

        self._space, self._weights = target.space, weights
        self._heldout = target.space.to_flow(heldout)
        self._rows = np.concatenate([target.rows, self._heldout])
        self._which = _groups(self._rows)
        self._is_heldout = np.zeros(self._which.max() + 1, dtype=bool)
        self._is_heldout[self._which[len(target.rows) :]] = True
        self._search = Search()

    def __call__(self, recorded):
        """Look at a run after a step; returns whether it should end there."""
        if recorded.n_steps % recorded.epoch and recorded.n_steps < recorded.flow.n_steps:
            return False
        particles = recorded.particles
        score = self._score(particles, recorded.flow.sigmas[-1])
        self.scores.append(score)
        share, error = self._share(particles)
        self.shares.append(share)
        copies = share > max(_COPIES, 0.5 + _ERRORS * error)
        self._copied_first |= copies and len(self.shares) == 1
        if self._best is None or (score > self.best_score and not copies):
            self._best, self.best_score = recorded.so_far(), score
        if score > self._reference + self.tol:
            self._reference, self._n_no_change = score, 0
        else:
            self._n_no_change += 1
        return copies or self._n_no_change >= self.n_iter_no_change

    def _score(self, particles, sigma):
        densities = self._space.log_density(self._heldout, particles, sigma)
        return float(np.average(densities, weights=self._weights))

    def _share(self, particles):
        """The adjusted share, and its standard error if which rows are held out meant nothing.

        The error is large where few rows are nearest to many particles: that of all particles may
        be a target row by chance, as long as they are far away or crowd in one place.
        """
        some = particles[:: -(-len(particles) // _MOST_PARTICLES)]
        nearest = self._which[self._search(some, self._rows, 1)[0][:, 0]]
        held = self._is_heldout
        counts = np.bincount(nearest, minlength=len(held))
        scale = len(held) / (2 * held.sum() * len(some))
        variance = held.sum() * (1 - held.mean()) * counts.var(ddof=1)  # drawn without replacement
        return float(1 - scale * counts[held].sum()), float(scale * np.sqrt(variance))

    def kept(self, recorded):
        """Of a run that has ended, what came before its best check, and that."""
        if self._best is None:  # it has ended before the first
            return recorded
        return self._best

    def warn_of_copies(self, stacklevel):
        """Warn where the particles copied from the first, so that there is no good step."""
        if self._copied_first:
            warnings.warn(
                "The particles copy rows of X at the first check already, where early stopping "
                f"ended the flow: {100 * self.shares[0]:.0f} percent of them are nearer to a row "
                "of the target than to any that was held out. Raise the bandwidth, lower "
                "step_size, or choose a base that is no copy of X.",
                UserWarning,
                stacklevel=stacklevel + 1,
            )


class EnergyStopping(EarlyStopping):
    """The same by the energy score, which knows no bandwidth.

    A density that is smoothed by a bandwidth is highest on held-out rows for particles that are
    *narrower* than these, by as much as the kernel is wide: from a start that is too narrow, as
    that of a forest, it falls while the training widens it. The energy score [1]_ is proper:
    best for the law of the held-out rows, and for no other. The samplers, whose particles start
    as wide as the target, keep the density, which is what their `score` says.

    Attributes
    ----------
    scores : list of float
        Minus the mean distance of held-out rows to particles, plus half of that between particles:
        half the energy distance of both, but for its sign and a constant. In units of the distance
        of a typical pair of target rows.

    References
    ----------
    .. [1] T. Gneiting and A. E. Raftery, "Strictly Proper Scoring Rules, Prediction, and
       Estimation", Journal of the American Statistical Association 102, 2007, section 4.3.
    """

    def __init__(self, target, heldout, weights, n_iter_no_change, tol):
        super().__init__(target, heldout, weights, n_iter_no_change, tol)
        _, covariance = weighted_moments(target.rows, target.weights)
        self._typical = np.sqrt(2 * np.trace(covariance))
        which = _groups(self._heldout)
        taken = which % -(-(which.max() + 1) // _MOST_DISTANT) == 0
        self._heldout = self._heldout[taken]
        self._weights = None if weights is None else weights[taken]

    def _score(self, particles, sigma):
        some = particles[:: -(-len(particles) // _MOST_DISTANT)].astype(np.float64)
        blocks = np.array_split(self._heldout, -(-len(self._heldout) // _MOST_DISTANT))
        means = [cdist(block, some).mean(axis=1) for block in blocks]
        apart = np.average(np.concatenate(means), weights=self._weights)
        among = pdist(some).mean() if len(some) > 1 else 0.0
        return float((among / 2 - apart) / self._typical)


def stopping_of(estimator, target, heldout, kind=EarlyStopping):
    """What ends a fit early, by the parameters of the estimator; None if nothing was held out."""
    if heldout is None:
        return None
    return kind(target, *heldout, estimator.n_iter_no_change, estimator.tol)


def results_of(stopping):
    """Attributes of the estimator; None where nothing was to stop it."""
    if stopping is None:
        return dict.fromkeys(
            ["validation_scores_", "validation_copying_", "best_validation_score_"]
        )
    return {
        "validation_scores_": np.array(stopping.scores),
        "validation_copying_": np.array(stopping.shares),
        "best_validation_score_": stopping.best_score,
    }
