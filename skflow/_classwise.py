"""ClasswiseSampler: one sampler for each class, so that rows are drawn with their labels."""

import warnings
from contextlib import contextmanager, nullcontext
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    DensityMixin,
    MetaEstimatorMixin,
    OneToOneFeatureMixin,
    clone,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
)

from skflow._estimators import plant_seeds
from skflow._process import one_blas_thread
from skflow._rows import check_rows, check_two_dimensional, framed, own_columns
from skflow._samplers import SDFlowSampler
from skflow._sklearn import (
    HasMethods,
    _check_sample_weight,
    _fit_context,
    _safe_indexing,
)
from skflow._sources import check_base_rows, check_columns, check_count, draw_rows
from skflow._typing import Rows, Seed
from skflow._weights import weights_as_rows, weights_to_score

__all__ = ["ClasswiseSampler"]

_SHOWN = 5  # labels that a message lists


def _sampler_has(method):
    def check(self):
        fitted = getattr(self, "samplers_", None)
        getattr(fitted[0] if fitted else self._sampler(), method)  # raises the sampler's own error
        return True

    return check


class ClasswiseSampler(
    CallbackSupportMixin,
    OneToOneFeatureMixin,
    DensityMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Fit a sampler to each class, and draw rows of a given class, or rows with their labels.

    - ``fit(X, y)`` fits a clone of `sampler` to the rows of each class;
    - ``sample(n, y="a")`` draws rows of a class, ``sample(n, return_y=True)`` rows and labels;
    - ``fit(X, y, X_base=B, y_base=c)`` and ``carry(B, c)`` move one labelled dataset onto another,
      each class onto the class of the same name;
    - ``score_samples(X)`` and ``score(X, y)`` are log-densities.

    Parameters
    ----------
    sampler : estimator with ``fit`` and ``sample``, default=None
        What is cloned for each class; None is :class:`SDFlowSampler`. One of scikit-learn's, as
        ``KernelDensity``, will do, but for `X_base`.
    n_jobs : int, default=None
        Number of classes that are fitted at the same time, in threads of joblib: -1 for as many
        as there are cores, None for one unless in a ``joblib.parallel_config``. The results are
        the same to the bit.
    random_state : int, RandomState instance or None, default=None
        Seed of `fit`, given to those samplers that have none. `sample` has a seed of its own.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    samplers_ : list of estimators
        The fitted sampler of each class, in the order of `classes_`.
    class_prior_ : ndarray of shape (n_classes,)
        Share of each class in the weights of the rows.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if `X` had any that are strings.

    See Also
    --------
    SDFlowSampler : A single flow, blind to labels.
    skflow.sample : Samples through a pipeline, whose last step this can be.

    Notes
    -----
    The classes share the parameters and the cores, and nothing of what is learned: every class has
    its own scale and bandwidth, and `n_particles` particles. For a common scale put a
    ``StandardScaler`` before, and give the sampler ``covariance_type="spherical"``.

    A class needs two different rows for its sampler to be fitted, and many more for its samples to
    be anything but copies with noise: judge them class by class, with :mod:`skflow.metrics`.

    With ``sampler=SDFlowSampler(early_stopping=True)`` every class holds out rows of its own, and
    ends its flow by them: it needs enough of them, or a larger `validation_fraction`.

    Cross-validate it by folds in which every class is, such as ``StratifiedKFold``: rows of a class
    that was not there at fit have no score, and a search gives NaN for the fold.

    There is no ``transform``: that would be called without labels, and to carry a row its class
    must be known. ``carry`` takes both. Rows of unknown class are carried by a single
    :class:`SDFlowSampler`.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skflow import ClasswiseSampler
    >>> X, y = load_wine(return_X_y=True)
    >>> sampler = ClasswiseSampler(random_state=0).fit(X, y)
    >>> sampler.sample(5, random_state=0, y=2).shape
    (5, 13)
    >>> rows, labels = sampler.sample(1000, random_state=0, return_y=True)
    >>> bool((abs(rows[labels == 2, 0].mean() - X[y == 2, 0].mean())) < 0.1)
    True
    """

    # Reach `fit` through a Pipeline without being requested: no other step knows the words.
    __metadata_request__fit = {"X_base": True, "y_base": True}

    _parameter_constraints: dict = {
        "sampler": [HasMethods(["fit", "sample"]), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self, sampler: Any = None, *, n_jobs: int | None = None, random_state: Seed = None
    ) -> None:
        self.sampler = sampler
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _sampler(self):
        if self.sampler is not None:
            return self.sampler
        sampler = SDFlowSampler()
        return sampler.set_fit_request(sample_weight=True) if _routing_enabled() else sampler

    def get_metadata_routing(self) -> MetadataRouter:
        """What of the metadata goes to the sampler, for scikit-learn's metadata routing.

        Returns
        -------
        routing : MetadataRouter
            Its own requests, and those of `sampler` for ``fit``. `X_base` and `y_base` are its
            own: it hands the base rows of each class to the sampler of that class.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(sampler=self._sampler(), method_mapping=mapping)

    # --- fit ------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        X_base: ArrayLike | None = None,
        y_base: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit a sampler to the rows of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The target: rows of the distributions to end at.
        y : array-like of shape (n_samples,)
            Their labels: numbers or strings. At least two different rows for each.
        X_base : array-like of shape (n_base, n_features), default=None
            Rows to start from: the flow of each class starts from those of the same class. By
            default the base is what `sampler` says.
        y_base : array-like of shape (n_base,), default=None
            Labels of `X_base`: the same classes as in `y`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows of X; a weight counts as that many rows. Those that sum
            to less than their effective sample size, ``sum(w)**2 / sum(w**2)``, such as weights
            that sum to one, are scaled up to it. With metadata routing, a sampler that does not
            request them sees the rows of a positive weight as if all counted the same, and only
            ``class_prior_`` is of the weights.

        Returns
        -------
        self : object
            The fitted sampler.

        Raises
        ------
        ValueError
            If a class has fewer than two different rows of a positive weight, or is in one of `y`
            and `y_base` only; if `sampler` is frozen; if only one of `X_base` and `y_base` is
            given; if the sampler takes no `X_base` or no `sample_weight`, and it is given; or what
            the sampler raises, with a note of the class.
        """
        if isinstance(self.sampler, type):
            raise ValueError(
                f"sampler is the class {self.sampler.__name__}: pass an instance of it."
            )
        if isinstance(self.sampler, FrozenEstimator):
            raise ValueError(
                "sampler is frozen, but a fit of its own is needed for each class: pass the "
                f"{type(self.sampler.estimator).__name__} itself. It is cloned, and stays as it is."
            )
        data: dict[str, Any] = {"X": X, "y": y}
        if sample_weight is not None:
            data["metadata"] = {"sample_weight": sample_weight}
        with _telling_what_labels_are():
            X_checked, y = check_rows(self, X, y=y, ensure_min_samples=2)
            check_classification_targets(y)
        weights, used = self._check_weights(sample_weight, X_checked)
        weighted = self._hands_on(sample_weight)
        classes = np.unique(y[used])
        members = [np.flatnonzero(used & (y == label)) for label in classes]
        _check_variety(X_checked, classes.tolist(), members)
        base = self._check_base(X_base, y_base, X_checked, classes)

        rows = X if hasattr(X, "columns") else X_checked
        fits = [{"X": _safe_indexing(rows, mine)} for mine in members]
        for k, (label, mine) in enumerate(zip(classes.tolist(), members, strict=True)):
            if base is not None:
                fits[k]["X_base"] = base[label]
            if weighted:
                fits[k]["sample_weight"] = weights[mine]
        context = self._init_callback_context(max_subtasks=len(fits), sequential_subtasks=False)
        context.call_on_fit_task_begin(estimator=self, **data)
        self.samplers_ = self._fit_samplers(classes.tolist(), fits, context)
        self.classes_ = classes
        mass = np.array([weights[mine].sum() for mine in members])
        self.class_prior_ = mass / mass.sum()
        self._dtype = X_checked.dtype
        context.call_on_fit_task_end(estimator=self, **data, reconstruction_attributes={})
        return self

    def _fit_samplers(self, labels, fits, context):
        rng = check_random_state(self.random_state)
        samplers = [plant_seeds(clone(self._sampler()), rng) for _ in fits]
        # All before the first fit: a context must not grow while it is copied to a worker.
        contexts = [context.subcontext(task_name="class", task_id=k) for k in range(len(fits))]
        side_by_side = effective_n_jobs(self.n_jobs) > 1
        with (
            one_blas_thread if side_by_side else nullcontext(),
            warnings.catch_warnings(),  # scikit-learn's threads restore filters in any order
        ):
            return Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(_fit_class)(self, *each)
                for each in zip(samplers, labels, fits, contexts, strict=True)
            )

    def _check_weights(self, sample_weight, X):
        """Weights, ones if there are none, and which of them are positive."""
        if sample_weight is None:
            return np.ones(len(X)), np.ones(len(X), dtype=bool)
        if not has_fit_parameter(self._sampler(), "sample_weight"):
            raise ValueError(
                f"sample_weight was given, but {type(self._sampler()).__name__}.fit takes none."
            )
        weights = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True, copy=True
        )
        used = weights > 0
        weights[used] = weights_as_rows(weights[used])  # of all classes together
        return weights, used

    def _hands_on(self, sample_weight):
        """Whether samplers are given weights: with metadata routing, if they request them."""
        if sample_weight is None or not _routing_enabled():
            return sample_weight is not None
        routed = process_routing(self, "fit", sample_weight=sample_weight)
        return "sample_weight" in routed["sampler"]["fit"]

    def _check_base(self, X_base, y_base, X, classes):
        """Base rows of each class by its label, or None."""
        if X_base is None and y_base is None:
            return None
        if X_base is None or y_base is None:
            given, missing = ("X_base", "y_base") if y_base is None else ("y_base", "X_base")
            raise ValueError(
                f"{given} was given without {missing}: each class starts from the base rows of the "
                "same class. Rows without labels are a base for all classes as the parameter "
                "`base` of the sampler."
            )
        if not has_fit_parameter(self._sampler(), "X_base"):
            raise ValueError(
                f"X_base was given, but {type(self._sampler()).__name__}.fit takes none."
            )
        check_two_dimensional(X_base, "X_base", X.shape[1])
        X_base = own_columns(X_base, getattr(self, "feature_names_in_", ()))
        check_columns(self, X_base)
        rows = check_base_rows(X_base, X.shape[1], X.dtype, name="X_base")
        labels = column_or_1d(y_base)
        check_consistent_length(rows, labels)
        in_X, in_base = set(classes.tolist()), set(labels.tolist())
        if in_X != in_base:
            lonely = [
                f"only {name} has {_listed(some)}"
                for name, some in (("y", in_X - in_base), ("y_base", in_base - in_X))
                if some
            ]
            raise ValueError(
                f"y and y_base must have the same classes, but {' and '.join(lonely)}: each class "
                "of the base is carried onto the one of the same name."
            )
        if hasattr(X_base, "columns"):
            rows = X_base
        return {label: _safe_indexing(rows, np.flatnonzero(labels == label)) for label in in_X}

    # --- results --------------------------------------------------------------------------------

    def sample(
        self,
        n_samples: int | None = None,
        random_state: Seed = None,
        *,
        y: ArrayLike | None = None,
        return_y: bool = False,
    ) -> Rows:
        """New rows, of given classes or of classes drawn by their share.

        Parameters
        ----------
        n_samples : int, default=None
            Number of rows; None for one, or for as many as `y` has labels.
        random_state : int, RandomState instance or None, default=None
            Pass an int for the same rows at every call; None gives new ones.
        y : label or array-like of shape (n_samples,), default=None
            The class of all rows, or of each. By default each row's is drawn by `class_prior_`,
            independently, so that shares vary as those of a sample do; for exact shares pass the
            labels, such as those of the training rows.
        return_y : bool, default=False
            Whether to return the labels, too.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, in the dtype of the fitted data; a data frame after ``set_output``.
        y : ndarray of shape (n_samples,)
            Their labels, if `return_y` is true.
        """
        check_is_fitted(self)
        rng = check_random_state(random_state)
        codes = self._codes_to_draw(n_samples, y, rng)
        rows = np.empty((len(codes), self.n_features_in_), dtype=self._dtype)
        seeds = rng.randint(np.iinfo(np.int32).max, size=len(self.classes_))
        for k in np.unique(codes):
            mine = codes == k
            of_class = np.random.RandomState(seeds[k])
            rows[mine] = draw_rows(self.samplers_[k], mine.sum(), rows.shape[1], of_class)
        rows = framed(rows, rows, self)
        return (rows, self.classes_[codes]) if return_y else rows

    @available_if(_sampler_has("transform"))
    def carry(self, X: ArrayLike, y: ArrayLike) -> Rows:
        """Carry rows through the flow of their class: ``transform``, with labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the base distribution of their class.
        y : array-like of shape (n_samples,)
            Their labels.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The rows, moved; a data frame after ``set_output``.

        Warns
        -----
        UserWarning
            When rows lie far outside the base distribution of their class.
        """
        check_is_fitted(self)
        checked = check_rows(self, X, reset=False)
        codes = self._encode(y)
        check_consistent_length(checked, codes)
        rows = X if hasattr(X, "columns") else checked
        moved = np.empty_like(checked)
        for k in np.unique(codes):
            mine = np.flatnonzero(codes == k)
            moved[mine] = self.samplers_[k].transform(_safe_indexing(rows, mine))
        return framed(moved, X, self)

    @available_if(_sampler_has("score_samples"))
    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log-density of rows of any class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log of the densities of the classes, averaged by `class_prior_`.
        """
        return logsumexp(self._joint(X), axis=1)

    @available_if(_sampler_has("score_samples"))
    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-density of rows, or of rows and labels; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, best some that were not fitted on.
        y : array-like of shape (n_samples,), default=None
            Their labels, if the density is to be that of a row and its label.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        float
            The mean of ``score_samples``; with labels, of the log of class share times density
            within the class. Weighted if there are weights.
        """
        joint = self._joint(X)
        used, weights = weights_to_score(sample_weight, joint)
        if y is None:
            return float(np.average(logsumexp(joint[used], axis=1), weights=weights))
        labels = column_or_1d(y)
        check_consistent_length(joint, labels)
        codes = self._encode(labels[used])
        return float(np.average(joint[used][np.arange(len(codes)), codes], weights=weights))

    # Its own: scikit-learn has it for what has a `transform`.
    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Set the container of rows that are sampled and carried.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            The container; "default" is an array, None leaves it as it is.

        Returns
        -------
        self : object
            The sampler.
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _joint(self, X):
        """Log of share times density, a column for each class."""
        check_is_fitted(self)
        checked = check_rows(self, X, reset=False)
        rows = X if hasattr(X, "columns") else checked
        densities = [sampler.score_samples(rows) for sampler in self.samplers_]
        return np.column_stack(densities) + np.log(self.class_prior_)

    def _codes_to_draw(self, n_samples, y, rng):
        """The class of each row to draw, as a place in `classes_`."""
        if y is None or np.ndim(y) == 0:
            n_samples = 1 if n_samples is None else n_samples
            check_count(n_samples)
            if y is None:
                return rng.choice(len(self.classes_), size=n_samples, p=self.class_prior_)
            return np.repeat(self._encode([y]), n_samples)
        codes = self._encode(y)
        if n_samples not in (None, len(codes)):
            raise ValueError(
                f"n_samples={n_samples}, but y has {len(codes)} labels: pass a single label, or "
                "one for each row."
            )
        return codes

    @available_if(_sampler_has("_training_rows"))
    def _training_rows(self):
        """The rows that the samplers were fitted on, class by class."""
        return np.concatenate([sampler._training_rows() for sampler in self.samplers_])

    def _encode(self, y):
        labels = column_or_1d(y).tolist()
        places = {label: k for k, label in enumerate(self.classes_.tolist())}
        unknown = set(labels) - set(places)
        if unknown:
            raise ValueError(
                f"y has labels that were not there at fit: {_listed(unknown)}. "
                f"{type(self).__name__} knows {_listed(places)}."
            )
        return np.array([places[label] for label in labels], dtype=np.intp)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _routing_enabled():
    return get_config()["enable_metadata_routing"]


def _fit_class(caller, sampler, label, fit, context):
    """Fit one sampler; its errors tell the class."""
    with context.propagate_callback_context(sampler):
        context.call_on_fit_task_begin(estimator=caller, X=fit["X"])
        try:
            sampler.fit(**fit)
        except Exception as error:
            error.add_note(f"This was the sampler of class {label!r}.")
            raise
        finally:
            context.call_on_fit_task_end(estimator=caller, X=fit["X"])
    return sampler


@contextmanager
def _telling_what_labels_are():
    """Add to an error about y what it has to be."""
    try:
        yield
    except ValueError as error:
        if any(words in str(error) for words in ("label type", "y contains", "Input contains")):
            error.add_note(
                "y has the class of each row: strings or whole numbers, and none missing. Drop "
                "rows without a label, or give them one of their own. Cut continuous values into "
                "classes first, as pandas.qcut(y, 4, labels=False) does."
            )
        raise


def _check_variety(X, labels, members):
    poor = [
        label for label, mine in zip(labels, members, strict=True) if (X[mine] == X[mine[0]]).all()
    ]
    if poor:
        raise ValueError(
            f"Of the {len(labels)} classes in y, {len(poor)} have fewer than two different rows "
            f"(of positive weight): {_listed(poor)}. A sampler is fitted to each, and there is no "
            "distribution to be learned of one row. Drop these classes, or join them with others."
        )


def _listed(labels):
    """Labels in words, the first few of them."""
    labels = sorted(map(repr, labels))
    more = len(labels) - _SHOWN
    return ", ".join(labels[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
