"""What is the same in several estimators is said in the same words."""

from sklearn.utils._testing import assert_docstring_consistency

from skflow import DiffusionSampler, MMDFlowSampler, SDFlowGenerator, SDFlowSampler, SVGDSampler

SAMPLERS = [SDFlowSampler, MMDFlowSampler, SVGDSampler]
SAME_IN_SAMPLERS = [
    "base",
    "n_particles",
    "batch_size",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "covariance_type",
    "discrete_features",
    "t_stop",
    "random_state",
    "verbose",
]


def test_samplers_use_the_same_words():
    assert_docstring_consistency(SAMPLERS, include_params=SAME_IN_SAMPLERS, include_attrs=True)
    assert_docstring_consistency(
        [SDFlowSampler, MMDFlowSampler], include_params=["bandwidth", "schedule", "n_steps"]
    )
    same = ["n_particles", "covariance_type", "discrete_features", "t_stop", "verbose"]
    assert_docstring_consistency([SDFlowSampler, DiffusionSampler], include_params=same)
    same = ["validation_fraction", "tol", "covariance_type", "verbose"]
    assert_docstring_consistency(
        [SDFlowSampler, SDFlowGenerator],
        include_params=same,
        include_attrs=["validation_scores_", "validation_copying_"],
    )
