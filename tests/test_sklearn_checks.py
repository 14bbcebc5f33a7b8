"""scikit-learn's own checks: none skipped, and one expected to fail, of ClasswiseSampler."""

from unittest import SkipTest

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skflow import (
    ClasswiseSampler,
    DiffusionSampler,
    MMDFlowSampler,
    SDFlowGenerator,
    SDFlowSampler,
    SVGDSampler,
)
from skflow.denoisers import KernelDenoiser, RegressorDenoiser
from skflow.velocities import MMD, Denoising, DensityRatio, ScoreDifference, Stein


class WideAndBeside(BaseEstimator):
    """A base twice as wide as the target, three standard deviations beside it."""

    def fit(self, X, y=None, sample_weight=None):
        self.mean_ = np.average(X, axis=0, weights=sample_weight)
        self.scale_ = np.sqrt(np.average((X - self.mean_) ** 2, axis=0, weights=sample_weight))
        return self

    def sample(self, n_samples, random_state):
        draws = random_state.standard_normal((n_samples, len(self.mean_)))
        return self.mean_ + self.scale_ * (3 + 2 * draws)


class Moving:
    """An estimator whose flow is far from zero on the rows that it was fitted on.

    scikit-learn's checks of `transform` carry the target itself, which hardly moves when the base
    is a law around it: an identity would pass many of them.
    """

    def fit(self, X, y=None, *, X_base=None, sample_weight=None):
        base = self.base
        drawn = isinstance(base, str) and base in {"normal", "mixture"}
        self.base = WideAndBeside() if drawn else base
        try:
            return super().fit(X, y, X_base=X_base, sample_weight=sample_weight)
        finally:
            self.base = base


class MovingSampler(Moving, SDFlowSampler):
    pass


class MovingMMDFlowSampler(Moving, MMDFlowSampler):
    pass


class MovingSVGDSampler(Moving, SVGDSampler):
    pass


class MovingDiffusionSampler(Moving, DiffusionSampler):
    pass


class MovingGenerator(Moving, SDFlowGenerator):
    pass


def generator(regressor=None, estimator=SDFlowGenerator, n_steps=20, **params):
    return estimator(regressor, batch_size=100, n_steps=n_steps, **params)


def small(sampler=SDFlowSampler, **params):
    return sampler(n_particles=100, n_steps=20, **params)


MOVING = {
    "moving": small(MovingSampler, step_size=0.3),
    "moving-mini-batches": small(MovingSampler, noise_scale=0, batch_size=50, step_size=0.8),
    "moving-MMD": small(MovingMMDFlowSampler, bandwidth=10.0),
    "moving-SVGD": small(MovingSVGDSampler, step_size=0.5),
    "moving-diffusion": small(MovingDiffusionSampler),
    "moving-generator": generator(estimator=MovingGenerator, n_steps=60, step_size=0.8),
}
CONFIGURATIONS = {
    "noise-free": small(noise_scale=0),
    "mini-batches": small(covariance_type="spherical", batch_size=32),
    "early-stopping": small(early_stopping=True, validation_fraction=0.5, n_iter_no_change=3),
    "generator": generator(),
    "generator-without-partial-fit": generator(KernelRidge(alpha=0.1, kernel="rbf")),
    "generator-latents": generator(n_latent=2),
    "generator-early-stopping": generator(
        KernelRidge(alpha=0.1, kernel="rbf"), early_stopping=True, validation_fraction=0.5
    ),
    **MOVING,
}
PLAIN = [SDFlowSampler(), MMDFlowSampler(), SVGDSampler(), DiffusionSampler()]


DENOISERS = [KernelDenoiser(), RegressorDenoiser(KNeighborsRegressor())]


@parametrize_with_checks([*PLAIN, *DENOISERS, *CONFIGURATIONS.values()])
def test_what_check_estimator_checks(estimator, check):
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"a skipped check shows nothing: {skipped}")


@parametrize_with_checks([ScoreDifference(), MMD(), Stein(), Denoising(), DensityRatio()])
def test_what_check_estimator_checks_of_a_velocity(estimator, check):
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"a skipped check shows nothing: {skipped}")


@pytest.mark.parametrize("estimator", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_every_check_reports_that_it_passed(estimator):
    reports = check_estimator(estimator, on_skip=None, on_fail=None)
    not_passed = [
        (report["check_name"], report["status"], report["exception"])
        for report in reports
        if report["status"] != "passed" or report["expected_to_fail"]
    ]
    assert not_passed == []
    assert len(reports) >= (50 if hasattr(estimator, "transform") else 45)
    assert "check_array_api_input" in {report["check_name"] for report in reports}


def expected_failures(_):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "Its data have a class of one row, of which no distribution can be learned. What it "
            "compares, predict and transform, is not there. test_classwise.py has weights."
        )
    }


@parametrize_with_checks(
    [ClasswiseSampler(small()), ClasswiseSampler()],
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_what_check_estimator_checks_of_a_meta_estimator(estimator, check):
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"a skipped check shows nothing: {skipped}")


@pytest.mark.parametrize(
    "check",
    [
        "check_param_validation",
        "check_n_features_in_after_fitting",
        "check_dataframe_column_names_consistency",
    ],
)
def test_what_check_estimator_leaves_out_of_a_meta_estimator(check):
    getattr(estimator_checks, check)("ClasswiseSampler", ClasswiseSampler(small()))


NOT_YIELDED = [
    "check_param_validation",
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_n_features_in_after_fitting",
    "check_inplace_ensure_writeable",
]
NOT_YIELDED_OF_TRANSFORMERS = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


def not_yielded():
    """Each estimator with each check that is for it."""
    for name, estimator in {"plain": SDFlowSampler(n_steps=20), **CONFIGURATIONS}.items():
        is_transformer = get_tags(estimator).transformer_tags is not None
        for check in NOT_YIELDED + NOT_YIELDED_OF_TRANSFORMERS * is_transformer:
            yield pytest.param(estimator, check, id=f"{name}-{check}")


def test_only_a_generator_of_latents_is_no_transformer():
    without = [name for name, e in CONFIGURATIONS.items() if not get_tags(e).transformer_tags]
    assert without == ["generator-latents"]


# The column name check itself fits with names and transforms without.
@pytest.mark.filterwarnings(
    "ignore:X does not have valid feature names", "ignore:X has feature", "ignore:.*far outside"
)
@pytest.mark.parametrize(("estimator", "check"), not_yielded())
def test_what_check_estimator_leaves_out(estimator, check):
    try:
        getattr(estimator_checks, check)(type(estimator).__name__, estimator)
    except SkipTest as skipped:
        pytest.fail(f"a skipped check shows nothing: {skipped}")


@pytest.mark.parametrize("estimator", MOVING.values(), ids=MOVING)
def test_the_moving_sampler_moves_the_rows_it_was_fitted_on(estimator):
    X = load_iris().data
    moved = estimator.set_params(random_state=0).fit(X).transform(X)
    shift = (moved - X) / X.std(axis=0)
    assert np.median(np.sqrt(np.mean(shift**2, axis=1))) > 0.5
