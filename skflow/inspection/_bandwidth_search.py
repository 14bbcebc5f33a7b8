"""What a search over bandwidths found: fidelity on the one side, copying on the other."""

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from skflow.inspection._panels import legend, panels
from skflow.metrics._scorers import names_by_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BandwidthSearchDisplay"]

# Okabe and Ito's, and a mark for each.
_STYLES = [
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
]

_MOST_TICKS = 12


class BandwidthSearchDisplay:
    """Two scores of a search over bandwidths, one for fidelity and one for copying.

    Fidelity alone always votes for copying: a narrow bandwidth brings the new rows onto those that
    were fitted. The two scores together show how narrow it may be.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are
    stored as attributes.

    Parameters
    ----------
    bandwidths : sequence of float or str
        The bandwidth of each candidate.
    fidelity : ndarray of shape (n_candidates,)
        Its score for fidelity.
    copying : ndarray of shape (n_candidates,)
        Its score for copying.
    fidelity_std : ndarray of shape (n_candidates,), default=None
        Standard deviation over the folds.
    copying_std : ndarray of shape (n_candidates,), default=None
        Standard deviation over the folds.
    others : list of str, default=None
        What the other parameters of each candidate were; a curve for each that is different.
    best_index : int, default=None
        The candidate that was chosen.
    score_names : pair of str, default=("fidelity", "copying")
        Names of the two scores.
    param_name : str, default="bandwidth"
        Name of the parameter.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2, 1)
        Axes of fidelity and of copying.
    figure_ : matplotlib Figure
        Figure with both.
    lines_ : ndarray of matplotlib Line2D of shape (2, n_curves)
        The curves.

    See Also
    --------
    skflow.metrics : Scores for either side.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import GridSearchCV, ShuffleSplit
    >>> from skflow import SDFlowSampler
    >>> from skflow.inspection import BandwidthSearchDisplay
    >>> from skflow.metrics import get_sample_scorer, most_faithful
    >>> search = GridSearchCV(
    ...     SDFlowSampler(n_particles=200, random_state=0),
    ...     {"bandwidth": [1.0, 2.0, 3.0]},
    ...     scoring=get_sample_scorer(["neg_energy_distance", "neg_closer_to_train_share"]),
    ...     refit=most_faithful,
    ...     cv=ShuffleSplit(3, test_size=0.5, random_state=0),
    ... ).fit(load_wine().data)
    >>> display = BandwidthSearchDisplay.from_estimator(search)
    >>> display.axes_.shape
    (2, 1)
    """

    def __init__(
        self,
        bandwidths: Sequence[Any],
        fidelity: np.ndarray,
        copying: np.ndarray,
        *,
        fidelity_std: np.ndarray | None = None,
        copying_std: np.ndarray | None = None,
        others: Any = None,
        best_index: int | None = None,
        score_names: tuple[str, str] = ("fidelity", "copying"),
        param_name: str = "bandwidth",
    ) -> None:
        self.bandwidths = bandwidths
        self.fidelity = fidelity
        self.copying = copying
        self.fidelity_std = fidelity_std
        self.copying_std = copying_std
        self.others = others
        self.best_index = best_index
        self.score_names = score_names
        self.param_name = param_name

    def plot(
        self,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
        *,
        ideal_copying: float | None = None,
    ) -> Self:
        """Draw both scores over the bandwidth.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of 2 Axes, default=None
            Axes to be divided, or to be used; a new figure if None.
        ideal_copying : float, default=None
            What the score for copying would be without any: 0.5 for
            :func:`~skflow.metrics.closer_to_train_share`. A dashed line.

        Returns
        -------
        BandwidthSearchDisplay
            This object, with `axes_`, `figure_` and `lines_`.
        """
        self.figure_, self.axes_ = panels(type(self).__name__, ax, 2, 1, (6.0, 2.7))
        places, are_numbers = self._places()
        others = self.others or [""] * len(places)
        curves = list(dict.fromkeys(others))
        self.lines_ = np.empty((2, len(curves)), dtype=object)
        sides = [(self.fidelity, self.fidelity_std), (self.copying, self.copying_std)]
        for side, (scores, spread) in enumerate(sides):
            one = self.axes_[side, 0]
            for i, curve in enumerate(curves):
                color, marker = _STYLES[i % len(_STYLES)]
                chosen = np.flatnonzero([other == curve for other in others])
                chosen = chosen[np.argsort(places[chosen], kind="stable")]
                self.lines_[side, i] = one.errorbar(
                    places[chosen],
                    scores[chosen],
                    None if spread is None else spread[chosen],
                    color=color,
                    marker=marker,
                    capsize=3,
                    label=curve or None,
                ).lines[0]
            if self.best_index is not None:
                i = curves.index(others[self.best_index])
                one.plot(
                    places[self.best_index],
                    scores[self.best_index],
                    marker="o",
                    markersize=15,
                    markerfacecolor="none",
                    markeredgecolor="black",
                    linestyle="none",
                    label="chosen",
                )
            if are_numbers and places.min() > 0 and places.max() > 2 * places.min():
                one.set_xscale("log")
                ticks = np.unique(places)
                if len(ticks) <= _MOST_TICKS:
                    one.set_xticks(ticks, [f"{x:.3g}" for x in ticks])
                    one.minorticks_off()
            elif not are_numbers:
                one.set_xticks(places, [str(bandwidth) for bandwidth in self.bandwidths])
            ending = "" if spread is None else "\n(mean and SD of the folds)"
            one.set_ylabel(f"{self.score_names[side]}{ending}")
            one.grid(alpha=0.3)
        if ideal_copying is not None:
            self.axes_[1, 0].axhline(
                ideal_copying, color="0.3", linestyle="--", label="without copying"
            )
        self.axes_[0, 0].tick_params(labelbottom=False)
        self.axes_[1, 0].set_xlabel(self.param_name)
        legend(self.figure_, self.axes_[1, 0], ax is None)
        return self

    def _places(self):
        """Where each candidate is along the axis, and whether these are its bandwidths."""
        if all(isinstance(bandwidth, Real) for bandwidth in self.bandwidths):
            return np.array(self.bandwidths, dtype=float), True
        known = list(dict.fromkeys(map(str, self.bandwidths)))
        return np.array([known.index(str(bandwidth)) for bandwidth in self.bandwidths]), False

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        fidelity: str | None = None,
        copying: str | None = None,
        param_name: str | None = None,
        ideal_copying: float | None = None,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
    ) -> Self:
        """Draw a fitted search that had several scores.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or similar
            Fitted, with several scores by name.
        fidelity : str, default=None
            Name of the score for fidelity. By default the one of
            :func:`~skflow.metrics.get_sample_scorer` that is for fidelity, if the search has
            exactly one.
        copying : str, default=None
            Name of the score for copying, found in the same way.
        param_name : str, default=None
            Name of the parameter, by default the one that is or ends in "bandwidth".
        ideal_copying : float, default=None
            What the score for copying would be without any. By default that is known of the scores
            of :func:`~skflow.metrics.get_sample_scorer`.
        ax : matplotlib Axes or array-like of 2 Axes, default=None
            Axes to be divided, or to be used; a new figure if None.

        Returns
        -------
        BandwidthSearchDisplay
            The picture.
        """
        if not (hasattr(search, "fit") and hasattr(search, "scoring")):
            raise TypeError(
                f"{cls.__name__}.from_estimator needs a search, as GridSearchCV; got "
                f"{type(search).__name__}."
            )
        check_is_fitted(search, "cv_results_")
        results = search.cv_results_
        known = [key.removeprefix("mean_test_") for key in results if key.startswith("mean_test_")]
        of_fidelity, ideals = names_by_kind()
        fidelity = _score(known, fidelity, of_fidelity, "fidelity")
        copying = _score(known, copying, ideals, "copying")
        ideal_copying = ideals.get(copying) if ideal_copying is None else ideal_copying
        param_name = _parameter(results, param_name)
        others = [
            ", ".join(
                f"{name.rpartition('__')[2]}={value}"
                for name, value in sorted(params.items())
                if name != param_name
            )
            for params in results["params"]
        ]
        return cls.from_predictions(
            [params.get(param_name, "default") for params in results["params"]],
            results[f"mean_test_{fidelity}"],
            results[f"mean_test_{copying}"],
            fidelity_std=results[f"std_test_{fidelity}"],
            copying_std=results[f"std_test_{copying}"],
            others=others if any(others) else None,
            best_index=getattr(search, "best_index_", None),
            score_names=(fidelity, copying),
            param_name=param_name,
            ideal_copying=ideal_copying,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        bandwidths: Sequence[Any],
        fidelity: ArrayLike,
        copying: ArrayLike,
        *,
        fidelity_std: ArrayLike | None = None,
        copying_std: ArrayLike | None = None,
        others: Any = None,
        best_index: int | None = None,
        score_names: tuple[str, str] = ("fidelity", "copying"),
        param_name: str = "bandwidth",
        ideal_copying: float | None = None,
        ax: "Axes | np.ndarray | Sequence[Axes] | None" = None,
    ) -> Self:
        """Draw scores from anywhere.

        Parameters
        ----------
        bandwidths : sequence of float or str
            The bandwidth of each candidate.
        fidelity : array-like of shape (n_candidates,)
            Its score for fidelity.
        copying : array-like of shape (n_candidates,)
            Its score for copying.
        fidelity_std : array-like of shape (n_candidates,), default=None
            Standard deviation over the folds.
        copying_std : array-like of shape (n_candidates,), default=None
            Standard deviation over the folds.
        others : list of str, default=None
            What the other parameters of each candidate were; a curve for each that is different.
        best_index : int, default=None
            The candidate that was chosen.
        score_names : pair of str, default=("fidelity", "copying")
            Names of the two scores.
        param_name : str, default="bandwidth"
            Name of the parameter.
        ideal_copying : float, default=None
            What the score for copying would be without any.
        ax : matplotlib Axes or array-like of 2 Axes, default=None
            Axes to be divided, or to be used; a new figure if None.

        Returns
        -------
        BandwidthSearchDisplay
            The picture.
        """
        check_consistent_length(bandwidths, fidelity, copying, fidelity_std, copying_std, others)
        stds = [
            None if std is None else np.asarray(std, dtype=float)
            for std in (fidelity_std, copying_std)
        ]
        display = cls(
            list(bandwidths),
            np.asarray(fidelity, dtype=float),
            np.asarray(copying, dtype=float),
            fidelity_std=stds[0],
            copying_std=stds[1],
            others=others,
            best_index=best_index,
            score_names=score_names,
            param_name=param_name,
        )
        return display.plot(ax, ideal_copying=ideal_copying)


def _score(known, name, kind, role):
    """Name of a score of the search, if it is not given the only one of a kind."""
    found = [one for one in known if one in kind] if name is None else [name]
    if len(found) != 1:
        raise ValueError(
            f"The search has {len(found)} scores of skflow.metrics for {role} among "
            f"{', '.join(known)}: pass the name of one as {role}=."
        )
    if found[0] not in known:
        raise ValueError(
            f"The search has no score {name!r}, but {', '.join(known)}: pass several scores by "
            "name as its `scoring`."
        )
    return found[0]


def _parameter(results, name):
    """Name of the parameter along the axis."""
    names = sorted(set().union(*results["params"]))
    found = [one for one in names if one.endswith("bandwidth")] if name is None else [name]
    if len(found) != 1 or found[0] not in names:
        raise ValueError(
            f"The search went over {', '.join(names)}: pass one of them as param_name; "
            f"got {name!r}."
        )
    return found[0]
