"""Scorers of samplers for the ``scoring`` of a search, and a rule for its ``refit``."""

import inspect
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from skflow._pipelines import check_way_back, steps_of, undo
from skflow._sklearn import Interval, validate_params
from skflow.metrics._characteristic_function import characteristic_function_distance
from skflow.metrics._classifier import classifier_two_sample_auc
from skflow.metrics._combined import fidelity_without_copying
from skflow.metrics._distances import energy_distance, sliced_wasserstein_distance
from skflow.metrics._mean_discrepancy import (
    maximum_mean_discrepancy,
    maximum_mean_discrepancy_test,
)
from skflow.metrics._memorization import (
    closer_to_train_share,
    nearest_distance_ratio,
    nearest_neighbor_adversarial_accuracy,
    privacy_loss,
)
from skflow.metrics._samples import check_samples

__all__ = ["get_sample_scorer", "get_sample_scorer_names", "make_sample_scorer", "most_faithful"]


class _Judge(NamedTuple):
    """A metric, and how to ask it.

    Where its ideal is in the middle, the distance to it is what is judged.
    """

    metric: object
    sign: int = 1
    needs_train: bool = False
    options: dict = {}
    ideal: float = 0.0

    def __call__(self, rows):
        options = self.options
        if "random_state" not in options and _takes(self.metric, "random_state"):
            options = {"random_state": rows.seed, **options}
        if self.needs_train:
            value = self.metric(rows.samples, rows.train, rows.heldout_like_train, **options)
        else:
            value = self.metric(rows.samples, rows.heldout, **options)
        return self.sign * (abs(value - self.ideal) if self.ideal else value)


def _takes(function, name):
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _some(rows, n_rows, random_state):
    """Some of the rows, drawn at random, or all if there are no more."""
    order = check_random_state(random_state).permutation(len(rows))
    return rows[np.sort(order[:n_rows])]


def _mmd_pvalue(samples, heldout, random_state=None, **options):
    return maximum_mean_discrepancy_test(
        samples, heldout, random_state=random_state, **options
    ).pvalue


def _accuracy_against_train(samples, train, heldout, random_state=None):
    n_rows = len(heldout)
    return nearest_neighbor_adversarial_accuracy(
        samples[:n_rows], _some(train, n_rows, random_state)
    )


def _privacy_loss(samples, train, heldout, random_state=None):
    n_rows = len(heldout)
    return privacy_loss(samples[:n_rows], _some(train, n_rows, random_state), heldout)


_JUDGES = {
    "fidelity_without_copying": _Judge(fidelity_without_copying, needs_train=True),
    "maximum_mean_discrepancy_pvalue": _Judge(_mmd_pvalue),
    "neg_characteristic_function_distance": _Judge(characteristic_function_distance, -1),
    "neg_classifier_two_sample_auc_gap": _Judge(classifier_two_sample_auc, -1, ideal=0.5),
    "neg_closer_to_train_share": _Judge(closer_to_train_share, -1, True, {"adjusted": True}),
    "neg_energy_distance": _Judge(energy_distance, -1),
    "neg_maximum_mean_discrepancy": _Judge(maximum_mean_discrepancy, -1),
    "neg_nearest_distance_ratio_gap": _Judge(nearest_distance_ratio, -1, True, ideal=1.0),
    "neg_nearest_neighbor_adversarial_accuracy_gap": _Judge(
        _accuracy_against_train, -1, True, ideal=0.5
    ),
    "neg_privacy_loss": _Judge(_privacy_loss, -1, needs_train=True),
    "neg_sliced_wasserstein_distance": _Judge(sliced_wasserstein_distance, -1),
}


def names_by_kind():
    """Names of scorers of fidelity, and the ideals of those of copying by their names."""
    both = {"fidelity_without_copying"}
    fidelity = {name for name, judge in _JUDGES.items() if not judge.needs_train}
    copying = dict.fromkeys(_JUDGES.keys() - fidelity - both, 0.0)
    return fidelity, {**copying, "neg_closer_to_train_share": -0.5}


def _seeds(random_state, heldout):
    """Two seeds: every fold has its own, and all candidates of a search the same in each.

    Neither is the seed that is given, which the sampler was likely fitted with.
    """
    if isinstance(random_state, Integral):
        # Ranks tell folds apart and do not change with the units.
        ranks = np.argsort(heldout, axis=0, kind="stable").astype(np.int64)
        random_state = np.random.RandomState([random_state, zlib.crc32(ranks.tobytes())])
    rng = check_random_state(random_state)
    return (int(seed) for seed in rng.randint(np.iinfo(np.int32).max, size=2))


class _Rows:
    """What a scorer shows to its judges: arrays of one width and in the same units.

    These are the columns that the estimator is fitted on, divided by the standard deviations of
    the held-out rows if they are standardised, which are the same for all candidates of a search.
    """

    def __init__(self, estimator, heldout, n_samples, random_state, standardize):
        *self._steps, (_, self._sampler) = steps_of(estimator)
        self._given = heldout
        if not _takes(getattr(self._sampler, "sample", None), "random_state"):
            raise TypeError(
                "A sample scorer judges samplers, and pipelines that end in one: estimators with "
                f"sample(n_samples, random_state). {type(self._sampler).__name__} is none."
            )
        check_way_back(self._steps)
        (heldout,) = check_samples(heldout=np.asarray(heldout))
        seed, self.seed = _seeds(random_state, heldout)
        n_samples = len(heldout) if n_samples is None else n_samples
        samples = self._sampler.sample(n_samples, random_state=seed)
        self.heldout, samples = check_samples(heldout=heldout, samples=self._back(samples))
        self._scaler = StandardScaler().fit(self.heldout) if standardize else None
        self.heldout, self.samples = self._scaled(self.heldout), self._scaled(samples)

    def _back(self, rows):
        """Rows of the sampler in the columns of the whole estimator."""
        return np.asarray(undo(self._steps, rows))

    def _scaled(self, rows):
        return rows if self._scaler is None else self._scaler.transform(rows)

    @cached_property
    def train(self):
        """The rows that the sampler was fitted on."""
        if not hasattr(self._sampler, "_training_rows"):
            raise TypeError(
                f"{type(self._sampler).__name__} does not tell which rows it was fitted on, "
                "which a score of memorisation needs: it has to be an estimator of skflow."
            )
        (rows,) = check_samples(train=self._back(self._sampler._training_rows()))
        return self._scaled(rows)

    @cached_property
    def heldout_like_train(self):
        """The held-out rows, having lost what the steps of a pipeline lose, as the others have."""
        if not self._steps:
            return self.heldout
        rows = self._given
        for _, step in self._steps:
            rows = step.transform(rows)
        return self._scaled(self._back(rows))


class _SampleScorer:
    """Draws rows of a fitted sampler, once, and shows them to a judge, or to several by name."""

    def __init__(self, judges, n_samples, random_state, standardize):
        self.judges = judges
        self.n_samples = n_samples
        self.random_state = random_state
        self.standardize = standardize

    def __repr__(self):
        judges = [self.judges] if isinstance(self.judges, _Judge) else self.judges.values()
        names = [getattr(judge.metric, "__name__", repr(judge.metric)) for judge in judges]
        return f"<sample scorer of {', '.join(names)}, random_state={self.random_state!r}>"

    def __call__(self, estimator, X, y=None):
        """The score of a fitted sampler by rows that were held out; a dict of them for several."""
        rows = _Rows(estimator, X, self.n_samples, self.random_state, self.standardize)
        if isinstance(self.judges, _Judge):
            return self.judges(rows)
        return {name: judge(rows) for name, judge in self.judges.items()}


_SAMPLING = {
    "n_samples": [Interval(Integral, 1, None, closed="left"), None],
    "random_state": ["random_state"],
    "standardize": ["boolean"],
}


@validate_params(
    {
        "metric": [callable],
        "greater_is_better": ["boolean"],
        "needs_train": ["boolean"],
        **_SAMPLING,
    },
    prefer_skip_nested_validation=True,
)
def make_sample_scorer(
    metric: Callable[..., float],
    *,
    greater_is_better: bool = True,
    needs_train: bool = False,
    n_samples: int | None = None,
    random_state: int | np.random.RandomState | None = 0,
    standardize: bool = True,
    **kwargs: Any,
) -> Callable[..., float]:
    """Make a scorer of samplers from a metric of samples.

    What :func:`sklearn.metrics.make_scorer` is for predictions. The scorer is called as
    ``scorer(estimator, X)`` with a fitted sampler and held-out rows, draws samples, by default as
    many, and compares both, or all three with the rows that the sampler was fitted on.

    Parameters
    ----------
    metric : callable
        ``metric(samples, heldout, **kwargs)``, or ``metric(samples, train, heldout, **kwargs)`` if
        `needs_train`; returns a number. Of the metrics of this module, those of memorisation need
        the training rows.

    greater_is_better : bool, default=True
        Whether a larger number is better; otherwise the scorer changes its sign.

    needs_train : bool, default=False
        Whether the metric compares with the training rows, too.

    n_samples : int, default=None
        Number of samples to draw; None draws as many as are held out. More of them leave less to
        chance where the held-out rows are few.

    random_state : int, RandomState instance or None, default=0
        Seeds the samples, and the metric if it has a `random_state` that is not in `kwargs`. With
        an int the same held-out rows bring the same seeds: in each fold the candidates of a search
        are judged by the same draws of the base, and in every fold by others.

    standardize : bool, default=True
        Whether to divide the columns by their standard deviations among the held-out rows. A column
        that is constant among them keeps its units.

    **kwargs
        Passed to the metric.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns a float; greater is better. `y` is ignored.

    See Also
    --------
    get_sample_scorer : Ready ones by name, several of them at once.

    Notes
    -----
    The estimator is a sampler with ``sample(n_samples, random_state)``, a pipeline that ends in
    one, or a search over either. With `needs_train` the sampler is one of skflow: it knows the rows
    that it was fitted on, those with a positive weight. The pickle of an :class:`SDFlowGenerator`
    leaves them out; inside of cross-validation it always has them.

    Samples of a pipeline are carried back to the columns that it is given by its
    ``inverse_transform``; a scorer raises a TypeError if a step before the sampler has none. Where
    steps lose something, as a PCA does, held-out rows that are compared with training rows have
    lost it, too: the steps are applied to them and undone.

    References
    ----------
    .. [1] `scikit-learn's user guide on scorers
       <https://scikit-learn.org/stable/modules/model_evaluation.html#scoring-callable>`_.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import KFold, cross_val_score
    >>> from skflow import SDFlowSampler
    >>> from skflow.metrics import make_sample_scorer, sliced_wasserstein_distance
    >>> X, _ = load_iris(return_X_y=True)
    >>> scorer = make_sample_scorer(sliced_wasserstein_distance, greater_is_better=False, p=1)
    >>> cv = KFold(shuffle=True, random_state=0)
    >>> bool(cross_val_score(SDFlowSampler(random_state=0), X, scoring=scorer, cv=cv).mean() > -1)
    True
    """
    judge = _Judge(metric, 1 if greater_is_better else -1, needs_train, kwargs)
    return _SampleScorer(judge, n_samples, random_state, standardize)


@validate_params(
    {"scoring": [str, list, tuple, dict], **_SAMPLING}, prefer_skip_nested_validation=True
)
def get_sample_scorer(
    scoring: str | Sequence[str] | Mapping[str, Any],
    *,
    n_samples: int | None = None,
    random_state: int | np.random.RandomState | None = 0,
    standardize: bool = True,
) -> Callable[..., Any]:
    """Scorer of samplers by name, or several of them as one, for a search by several metrics.

    What :func:`sklearn.metrics.get_scorer` is for predictions. Greater is better for all of them:
    where samples can be on either side of the ideal, the score is the negative distance to it, a
    gap. A fidelity score alone chooses copies, and a memorisation score alone may choose what
    resembles the data least; take one of each, or the score of both.

    Fidelity, of samples to the held-out rows:

    - "neg_characteristic_function_distance", "neg_energy_distance",
      "neg_maximum_mean_discrepancy", "neg_sliced_wasserstein_distance": the negative distances;
    - "maximum_mean_discrepancy_pvalue": that of a test with 999 permutations;
    - "neg_classifier_two_sample_auc_gap": the negative distance of the AUC to 0.5; costs five fits
      of a forest for every score.

    Memorisation, of the rows that the estimator was fitted on:

    - "neg_closer_to_train_share": the negative share, adjusted for the sizes: -0.5 is ideal, what
      exceeds it is chance, -1 is copying;
    - "neg_privacy_loss": 0 is ideal, what exceeds it is chance, about -0.5 is copying; by as many
      samples and training rows as are held out;
    - "neg_nearest_distance_ratio_gap": the negative distance of the ratio to 1: 0 is ideal, -1 is
      copying or as far on the other side, which is blur;
    - "neg_nearest_neighbor_adversarial_accuracy_gap": the negative distance to 0.5 of the accuracy
      against training rows: 0 is ideal, -0.5 is copying or samples that resemble no rows; by as
      many of both as are held out.

    Both:

    - "fidelity_without_copying": the energy distance, and a penalty on the share.

    Parameters
    ----------
    scoring : str, list or tuple of str, or dict
        A name; several names; or a dict of names, or of scorers made by
        :func:`make_sample_scorer`, by the names that they are to have.

    n_samples : int, default=None
        Number of samples to draw, as for :func:`make_sample_scorer`. Scorers in a dict give up
        their own, and so below.

    random_state : int, RandomState instance or None, default=0
        Seeds the samples and the metrics.

    standardize : bool, default=True
        Whether to divide the columns by their standard deviations among the held-out rows.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns a float or, for several, a dict of floats, all by
        the same samples: both are what ``scoring=`` of scikit-learn takes. `y` is ignored.

    Raises
    ------
    ValueError
        If there is no scorer of a name.

    See Also
    --------
    get_sample_scorer_names : All names.
    make_sample_scorer : Other metrics, or the same with other parameters.
    most_faithful : A rule for ``refit=``.

    Notes
    -----
    Shuffle before a search, as ``cv=KFold(shuffle=True)`` does: without labels scikit-learn takes
    folds in the order of the rows, and held-out rows must be of the law of the others.

    The standard error of an adjusted share, over all k folds of n rows, is at least
    ``0.5 * sqrt((k - 1) / n)``, unless many more `n_samples` are drawn. Where only as many training
    rows as are held out take part, a copy has its original among them in one of ``k - 1`` cases:
    five folds show copying by these two scores much less than halves do, as those of
    ``ShuffleSplit(test_size=0.5)``.

    See :func:`make_sample_scorer` for what an estimator may be.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV, ShuffleSplit
    >>> from skflow import SDFlowSampler
    >>> from skflow.metrics import get_sample_scorer, most_faithful
    >>> X, _ = load_iris(return_X_y=True)
    >>> scoring = get_sample_scorer(["neg_energy_distance", "neg_closer_to_train_share"])
    >>> halves = ShuffleSplit(5, test_size=0.5, random_state=0)
    >>> sampler, grid = SDFlowSampler(random_state=0), {"bandwidth": [0.1, 0.7]}
    >>> search = GridSearchCV(sampler, grid, scoring=scoring, refit=most_faithful, cv=halves)
    >>> search = search.fit(X)
    >>> search.best_params_
    {'bandwidth': 0.7}
    """
    if isinstance(scoring, str):
        judges = _judge(scoring)
    elif isinstance(scoring, dict):
        judges = {name: _judge(scorer) for name, scorer in scoring.items()}
    else:
        judges = {name: _judge(name) for name in scoring}
    if not judges:
        raise ValueError("scoring is empty: give at least one name.")
    return _SampleScorer(judges, n_samples, random_state, standardize)


def _judge(scorer):
    if isinstance(scorer, _SampleScorer) and isinstance(scorer.judges, _Judge):
        return scorer.judges
    if not isinstance(scorer, str) or scorer not in _JUDGES:
        raise ValueError(
            f"{scorer!r} is not the name of a sample scorer, nor made by make_sample_scorer. Names "
            f"are {', '.join(get_sample_scorer_names())}."
        )
    return _JUDGES[scorer]


def get_sample_scorer_names() -> list[str]:
    """List the names of all ready scorers of samplers.

    Returns
    -------
    names : list of str
        The names that :func:`get_sample_scorer` knows.

    Examples
    --------
    >>> from skflow.metrics import get_sample_scorer_names
    >>> "neg_energy_distance" in get_sample_scorer_names()
    True
    """
    return sorted(_JUDGES)


@validate_params(
    {
        "cv_results": [dict],
        "fidelity": [str],
        "memorization": [str],
        "limit": [Interval(Real, None, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def most_faithful(
    cv_results: Mapping[str, Any],
    *,
    fidelity: str = "neg_energy_distance",
    memorization: str = "neg_closer_to_train_share",
    limit: float = -0.65,
) -> int:
    """Choose the most faithful candidate of a search among those that do not copy.

    A rule for ``refit=`` of :class:`~sklearn.model_selection.GridSearchCV` and other searches by
    several metrics. For other scores or another limit use :func:`functools.partial`:
    ``refit=partial(most_faithful, limit=-0.6)``.

    Parameters
    ----------
    cv_results : dict
        The `cv_results_` of a search.

    fidelity : str, default="neg_energy_distance"
        Name of the score of which the highest mean over the folds is chosen.

    memorization : str, default="neg_closer_to_train_share"
        Name of the score that says who copies.

    limit : float, default=-0.65
        The least mean of that score of a candidate that does not copy. The default allows a share
        of 0.65, which leaves room for chance.

    Returns
    -------
    best_index : int
        The number of the candidate.

    Raises
    ------
    ValueError
        If the search did not compute one of the scores, or if no candidate has both of them.

    Warns
    -----
    UserWarning
        If all candidates copy. The one that does so least is chosen.

    See Also
    --------
    get_sample_scorer : The scores.
    fidelity_without_copying : One score instead of a rule on two.

    Notes
    -----
    With few rows a share is uncertain, and a limit that is as near to its ideal as its standard
    error rejects honest candidates at random; see :func:`get_sample_scorer`.

    Examples
    --------
    >>> from skflow.metrics import most_faithful
    >>> most_faithful(
    ...     {
    ...         "mean_test_neg_energy_distance": [-0.1, -0.2, -0.3],
    ...         "mean_test_neg_closer_to_train_share": [-0.9, -0.55, -0.5],
    ...     }
    ... )
    1
    """
    fidelities, memorizations = (
        _mean_scores(cv_results, name) for name in (fidelity, memorization)
    )
    is_scored = ~(np.isnan(fidelities) | np.isnan(memorizations))
    if not is_scored.any():
        raise ValueError(f"No candidate has both scores, {fidelity} and {memorization}.")
    passes = is_scored & (memorizations >= limit)
    if not passes.any():
        best = int(np.argmax(np.where(is_scored, memorizations, -np.inf)))
        warnings.warn(
            f"All candidates copy: none has a mean {memorization} of at least {limit:g}. The one "
            f"that copies least is chosen, with {memorizations[best]:.3g}. Search over wider "
            "bandwidths or fewer steps.",
            UserWarning,
            stacklevel=3,
        )
        return best
    return int(np.argmax(np.where(passes, fidelities, -np.inf)))


def _mean_scores(cv_results, name):
    key = f"mean_test_{name}"
    if key not in cv_results:
        names = [k.removeprefix("mean_test_") for k in cv_results if k.startswith("mean_test_")]
        raise ValueError(
            f"The search did not score by {name!r}, only by {names}: pass "
            f"scoring=get_sample_scorer([..., {name!r}]), or tell most_faithful other names."
        )
    return np.asarray(cv_results[key], dtype=np.float64)
