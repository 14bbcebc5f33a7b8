"""The score difference by classification: a discriminator, as in a GAN."""

from copy import deepcopy
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from skflow._estimators import check_call, plant_seeds
from skflow._process import unconverged_is_fine
from skflow._sklearn import StrOptions, _check_sample_weight, _fit_context
from skflow._typing import Seed
from skflow._weights import systematic_places
from skflow.velocities._log_odds import check_differentiable, last_step, log_odds, log_odds_gradient

__all__ = ["DensityRatio"]

# Rows of each class, at least, that a classifier is trained on when noise can make more of them.
_ENOUGH = 2000

# Passes over the rows when the training of a network goes on from the last step's.
_PASSES = 2

# However they start, they end at the one best answer for the features.
_CONVEX = (LogisticRegression, SGDClassifier)


class Learned(NamedTuple):
    """What :class:`DensityRatio` learns at a step.

    Parameters
    ----------
    classifier : classifier
        Fitted to tell target rows (1) from particles (0).
    seed : int
        Seed of all randomness.
    times : int
        How many times it has learned, this time included.
    """

    classifier: ClassifierMixin
    seed: int
    times: int


class DensityRatio(BaseEstimator):
    """The gradient of the log-odds of target over particles, times sigma^2.

    A classifier is trained at each step to tell target rows from particles, as the discriminator
    of a GAN is. Where it does so perfectly, the gradient of its log-odds is the score difference
    (equation 35), and this velocity is that of :class:`ScoreDifference`. Where it does not, it is
    the score difference as the classifier's model has it, which sees less, but also forgets the
    single rows: particles are drawn to what target and particles differ in as a whole.

    Parameters
    ----------
    classifier : classifier, default=None
        Trained at each step; one with a smooth ``predict_proba``. None is a network,
        ``MLPClassifier((64, 64))`` after a scaler. Logistic regression after ``Nystroem`` learns
        fine structure, too. ``QuadraticDiscriminantAnalysis(solver="eigen", shrinkage="auto")``
        is far faster and sees no more than means and covariances. It is the one to take where
        target and particles are so many sigmas apart that noised rows do not mix: the others are
        content to separate them, and particles hardly move.
    loss : {"alternative", "non-saturating"}, default="alternative"
        Loss of the particles. "alternative" is equation 37, the velocity as above;
        "non-saturating", equation 36, the usual one of GANs, makes it slower by the factor 1 - f
        where the classifier takes particles for target rows with probability f.
    smooth : bool, default=True
        Whether Gaussian noise of standard deviation sigma is added to the rows that the classifier
        is trained on, several times to the same row if there are few. The score difference is
        then that of the smoothed distributions, as in the other forms; else that of target and
        particles themselves, as in a GAN.
    random_state : int, RandomState instance or None, default=None
        Seed of that noise and of the classifier where it has no seed of its own.

    Attributes
    ----------
    seed_ : int
        Seed drawn from `random_state`.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, section 5.2,
    equations 33 to 38. There is no sigma^2; here a step size means the same as in
    :class:`ScoreDifference`.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.velocities import DensityRatio
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(100, 2)), rng.normal(size=(100, 2)) + [9.0, 0.0]
    >>> velocity = DensityRatio(random_state=0).fit(X)
    >>> learned = velocity.learn(X, Y, sigma=3.0)
    >>> bool((velocity(Y, X, Y, sigma=3.0, learned=learned)[:, 0] < 0).all())
    True
    """

    _parameter_constraints: dict = {
        "classifier": "no_validation",  # `fit` says more of what it must be
        "loss": [StrOptions({"alternative", "non-saturating"})],
        "smooth": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        classifier: Any = None,
        loss: str = "alternative",
        smooth: bool = True,
        random_state: Seed = None,
    ) -> None:
        self.classifier = classifier
        self.loss = loss
        self.smooth = smooth
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: np.ndarray, y: Any = None, *, sample_weight: np.ndarray | None = None) -> Self:
        """Check the parameters and draw a seed; nothing is trained before there are particles.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Target rows.
        y : Ignored
            Present for API consistency.
        sample_weight : ndarray of shape (n_samples,), default=None
            Their weights, which are looked over and not used.

        Returns
        -------
        self : DensityRatio
            The fitted velocity.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        if sample_weight is not None:  # those of each step come with its rows
            _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if self.classifier is not None:
            check_differentiable(self.classifier)
        self.seed_ = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return self

    def learn(
        self,
        X: np.ndarray,
        Y: np.ndarray,
        sigma: float,
        sample_weight: np.ndarray | None = None,
        learned: Any = None,
    ) -> Learned:
        """Train a classifier to tell target rows from particles, each half of what it sees.

        Parameters
        ----------
        X : ndarray of shape (n_target, n_features)
            Target rows of this step.
        Y : ndarray of shape (n_particles, n_features)
            Particles of this step.
        sigma : float
            Bandwidth of this step.
        sample_weight : ndarray of shape (n_target,), default=None
            Weights of the rows of X. For a classifier that takes no weights, rows are repeated
            or left out in proportion. The steps of a Pipeline before its last have none.
        learned : Learned, default=None
            What was learned at the step before, left as it is. Its network is trained on, in 2
            passes over the rows with the scaling it has; other classifiers that can do so start
            their search from it, and the rest anew.

        Returns
        -------
        Learned
            The same for the same arguments, bit for bit.
        """
        check_is_fitted(self)
        go_on = learned is not None
        if go_on:
            classifier = deepcopy(learned.classifier)
        else:
            classifier = _default() if self.classifier is None else clone(self.classifier)
            plant_seeds(classifier, np.random.default_rng(self.seed_))
            learned = Learned(classifier, self.seed_, 0)
        if self.smooth:
            seed = [learned.seed, learned.times]
            X, sample_weight = _smoothed(X, sample_weight, sigma, seed)
            Y, _ = _smoothed(Y, None, sigma, seed)
        with unconverged_is_fine:  # there is a next step to get closer
            rows, y, weights = _halves(X, Y, sample_weight)
            _train(classifier, rows, y, weights, go_on)
        return Learned(classifier, learned.seed, learned.times + 1)

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
        own : Ignored
            A classifier does not tell a single particle.
        learned : Learned, default=None
            What :meth:`learn` returned for these rows; None trains here, from the start.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            Where a particle at each row of Z wants to go.
        """
        check_call(self, Z)
        if learned is None:
            learned = self.learn(X, Y, sigma, sample_weight)
        scale = np.hypot(X.std(axis=0, dtype=np.float64), sigma)
        velocity = float(sigma) ** 2 * log_odds_gradient(learned.classifier, Z, scale)
        if self.loss == "non-saturating":
            velocity *= expit(-log_odds(learned.classifier, Z))[:, None]
        return velocity.astype(Z.dtype, copy=False)


def _default():
    """The classifier that is used when none is given."""
    return make_pipeline(StandardScaler(), MLPClassifier((64, 64), max_iter=50))


def _smoothed(rows, weights, sigma, seed):
    """Enough copies of the rows with noise on them, and the weights of the copies.

    The noise depends on seed and shape alone: as many particles as target rows have the same, and
    where they are the same rows the classifier finds no difference at all.
    """
    rng = np.random.default_rng(seed)
    pairs = -(-_ENOUGH // (2 * len(rows)))
    if len(rows) >= _ENOUGH:
        noise = rng.standard_normal((1, *rows.shape))
    else:  # with each noise its opposite, so that the mean stays where it is
        noise = rng.standard_normal((pairs, *rows.shape))
        noise = np.concatenate([noise, -noise])
    weights = None if weights is None else np.tile(weights, len(noise))
    return (rows + sigma * noise).reshape(-1, rows.shape[1]), weights


def _halves(X, Y, sample_weight):
    """Rows of both in float64, which are which, and weights: one on average, half on each side."""
    weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    half = 0.5 * (len(X) + len(Y))
    weights = np.concatenate([half * weights / weights.sum(), np.full(len(Y), half / len(Y))])
    rows = np.concatenate([X, Y]).astype(np.float64, copy=False)
    return rows, np.repeat([1, 0], [len(X), len(Y)]), weights


def _train(classifier, rows, y, weights, go_on):
    """Fit a classifier in place; if it is to go on, from where it is as far as it can."""
    while isinstance(classifier, Pipeline):
        before = classifier[:-1]
        if before.steps:
            stays = go_on and _keeps_features(last_step(classifier))
            rows = before.transform(rows) if stays else before.fit_transform(rows, y)
            classifier.steps[:-1] = before.steps  # with a memory, these are what was fitted
        classifier = classifier[-1]
    if has_fit_parameter(classifier, "sample_weight"):
        options = {"sample_weight": weights}
    else:
        chosen = _resampled(y, weights)
        rows, y, options = rows[chosen], y[chosen], {}
    if go_on and _takes_passes(classifier):
        for _ in range(_PASSES):
            classifier.partial_fit(rows, y, **options)
        return
    if go_on and _can_go_on(classifier):
        classifier.set_params(warm_start=True)
    classifier.fit(rows, y, **options)


def _can_go_on(classifier):
    """Whether a fit can start from the last one's result."""
    # An ensemble with a warm start keeps its members as they are and adds others.
    parameters = classifier.get_params(deep=False)
    return "warm_start" in parameters and "n_estimators" not in parameters


def _keeps_features(classifier):
    """Whether what was learned makes sense for the features it was learned on only."""
    return _can_go_on(classifier) and not isinstance(classifier, _CONVEX)


def _takes_passes(classifier):
    """Whether single passes are due: a second ``fit`` would stop at the first that is no gain."""
    return (
        isinstance(classifier, MLPClassifier)
        and hasattr(classifier, "partial_fit")
        and not classifier.early_stopping
    )


def _resampled(y, weights):
    """Indices of rows of both classes, as many of either, each as often as its weight has it."""
    size = np.bincount(y).max()
    chosen = []
    for label in (0, 1):
        rows = np.flatnonzero(y == label)
        chosen.append(rows[systematic_places(weights[rows], size)])
    return np.concatenate(chosen)
