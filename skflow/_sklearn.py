"""What is taken from scikit-learn's private side, so that a change of it is met in one place.

Everything else of scikit-learn that is imported is public. Private, too, and not imported by name:
``_parameter_constraints`` with ``_validate_params`` (:func:`~skflow._estimators.check_part`),
``_init_callback_context`` (every `fit` that takes callbacks), and ``_sklearn_output_config``
(``ClasswiseSampler.set_output``).
"""

# Around `fit`: validates the parameters of an estimator, and tells its callbacks where it ends.
from sklearn.base import _fit_context

# Rows of an array or a frame of any library, by place.
from sklearn.utils import _safe_indexing

# The words in which `_parameter_constraints` are written, and the decorator for functions.
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params

# The frames that `set_output` asks for: in methods that are not `transform`, for which
# scikit-learn does it, and for an estimator that has none.
from sklearn.utils._set_output import (
    ADAPTERS_MANAGER,
    _get_output_config,
    _wrap_data_with_container,
)

# Names of the columns of a fitted estimator, made up if it has seen none; weights of rows, in
# scikit-learn's words where they are wrong; and the number of rows of anything.
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight, _num_samples

__all__ = [
    "ADAPTERS_MANAGER",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "_get_output_config",
    "_num_samples",
    "_safe_indexing",
    "_wrap_data_with_container",
    "validate_params",
]
