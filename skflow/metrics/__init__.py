"""Distances between samples, and signs that a sampler copies the rows it was fitted on.

A sampler that returns its training rows is perfect by every distance and useless. So quality is
read as a pair of figures, both against rows held out from training. Fidelity:
:func:`characteristic_function_distance`, :func:`energy_distance`,
:func:`maximum_mean_discrepancy` and the test by it, :func:`sliced_wasserstein_distance` and
:func:`classifier_two_sample_auc`. Memorisation: :func:`closer_to_train_share`,
:func:`nearest_distance_ratio`, :func:`nearest_neighbor_adversarial_accuracy` and
:func:`privacy_loss`. :func:`fidelity_without_copying` weighs one of each.

All but the classifier depend on the units of the columns: standardise columns that come in
different units, with the scaler fitted on the real rows.

:func:`get_sample_scorer` makes scorers of them, for the `scoring` of a cross-validation or search,
and :func:`most_faithful` is a rule for the `refit` of one.
"""

from skflow.metrics._characteristic_function import (
    characteristic_function_distance,
    characteristic_function_threshold,
)
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
    nearest_neighbor_distances,
    privacy_loss,
)
from skflow.metrics._scorers import (
    get_sample_scorer,
    get_sample_scorer_names,
    make_sample_scorer,
    most_faithful,
)

__all__ = [
    "characteristic_function_distance",
    "characteristic_function_threshold",
    "classifier_two_sample_auc",
    "closer_to_train_share",
    "energy_distance",
    "fidelity_without_copying",
    "get_sample_scorer",
    "get_sample_scorer_names",
    "make_sample_scorer",
    "maximum_mean_discrepancy",
    "maximum_mean_discrepancy_test",
    "most_faithful",
    "nearest_distance_ratio",
    "nearest_neighbor_adversarial_accuracy",
    "nearest_neighbor_distances",
    "privacy_loss",
    "sliced_wasserstein_distance",
]
