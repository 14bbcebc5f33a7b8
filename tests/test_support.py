"""What a sampler says of the rows that it carries: how far from the base, how sensitive."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from skflow import DiffusionSampler, MMDFlowSampler, SDFlowGenerator, SDFlowSampler, SVGDSampler
from skflow.datasets import make_gaussian_grid

WINE, CULTIVAR = load_wine(return_X_y=True)
BARE = scale(WINE)  # without units
SOURCE, TARGET = BARE[CULTIVAR == 0], BARE[CULTIVAR == 1]
PLANE = BARE[:, [0, 6]]

SAMPLERS = [SDFlowSampler, MMDFlowSampler, SVGDSampler, DiffusionSampler]
every_sampler = pytest.mark.parametrize("cls", SAMPLERS)


def in_flow(X, target):
    """Rows in standard deviations of the target, as with covariance_type="diag"."""
    return (X - target.mean(axis=0)) / target.std(axis=0)


# --- support ------------------------------------------------------------------------------------


@every_sampler
def test_support_is_the_distance_to_the_base_in_bandwidths(cls):
    flow = cls(0.5, schedule="cosine", n_steps=3, random_state=0).fit(TARGET, X_base=SOURCE)
    first = 0.5 * 4
    distances = cdist(in_flow(BARE, TARGET), in_flow(SOURCE, TARGET)).min(axis=1)
    assert_allclose(flow.support(BARE), distances / first, atol=1e-12)
    assert_array_equal(flow.support(SOURCE) == 0, True)
    among = cdist(in_flow(SOURCE, TARGET), in_flow(SOURCE, TARGET))
    np.fill_diagonal(among, np.inf)
    assert_allclose(flow.support_limit_, 2 * among.min(axis=1).max() / first)


@every_sampler
def test_rows_beyond_the_limit_are_those_that_are_warned_of(cls):
    flow = cls(n_particles=100, n_steps=3, random_state=0).fit(BARE)
    away = np.linspace(0, 20, 40)[:, None] * np.ones(13)
    outside = flow.support(away) > flow.support_limit_
    assert outside.any() and not outside.all()
    with pytest.warns(UserWarning, match=rf"{outside.sum()} of 40 rows.*support\(X\) tells which"):
        flow.transform(away)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.transform(away[~outside])


def test_repeated_base_rows_do_not_bring_the_limit_nearer():
    limits = [
        SDFlowSampler(0.5, n_steps=2, random_state=0).fit(TARGET, X_base=base).support_limit_
        for base in (SOURCE, np.repeat(SOURCE, 2, axis=0))
    ]
    assert limits[0] == limits[1] > 0


def test_one_base_row_has_no_outside():
    flow = SDFlowSampler(n_steps=3, random_state=0).fit(TARGET, X_base=SOURCE[:1])
    assert flow.support_limit_ == np.inf
    assert np.isfinite(flow.support(TARGET)).all()


@pytest.mark.parametrize("noise_scale", [1.0, 0.0])
def test_rows_that_are_thrown_out_backwards_are_told_of(noise_scale):
    """Held-out wines at the edge: `transform` brings them back, but they are nowhere."""
    train, heldout = train_test_split(WINE[:, [6, 12]], test_size=0.5, random_state=0)
    flow = SDFlowSampler(base="normal", noise_scale=noise_scale, random_state=0).fit(train)
    with pytest.warns(UserWarning) as caught:
        back = flow.inverse_transform(heldout)
    outside = flow.support(back) > flow.support_limit_
    assert 1 <= outside.sum() <= 5  # 3 were measured
    assert flow.support(back).max() > 1000 * flow.support_limit_
    (told,) = [w for w in caught if "far outside" in str(w.message)]
    assert str(told.message).startswith(f"{outside.sum()} of 89 rows were thrown far outside")
    assert told.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.inverse_transform(heldout[~outside])


@every_sampler
def test_rows_that_come_from_the_base_go_back_without_a_warning(cls):
    params = {} if cls is DiffusionSampler else {"optimizer": "sgd"}
    flow = cls(random_state=0, **params).fit(TARGET, X_base=SOURCE[::2])
    moved = flow.transform(SOURCE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = flow.inverse_transform(moved)
    assert_allclose(back, SOURCE, rtol=0, atol=1e-3)


def test_the_warning_of_a_generator_names_no_method_that_it_lacks():
    generator = SDFlowGenerator(n_steps=2, random_state=0).fit(TARGET, X_base=SOURCE)
    with pytest.warns(UserWarning, match="far outside") as caught:
        generator.transform(SOURCE + 100)
    assert "support" not in str(caught[0].message)


# --- sensitivity --------------------------------------------------------------------------------


@pytest.mark.parametrize("n_directions", [1, 8, 100])
def test_a_flow_that_stays_has_sensitivity_one(n_directions):
    still = SDFlowSampler(step_size=lambda t: 0.0, n_steps=5, random_state=0).fit(BARE)
    assert_allclose(still.sensitivity(BARE, n_directions), 1, atol=1e-8)
    start = SDFlowSampler(t_stop=0.0, n_steps=5, random_state=0).fit(BARE)
    assert_allclose(start.sensitivity(BARE, n_directions), 1, atol=1e-8)


class Given:
    """A velocity that is a function of the place."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, sample_weight=None):
        return self

    def __call__(self, Z, X, Y, sigma, sample_weight=None, own=None):
        return self.function(Z)


def test_a_linear_flow_has_the_norm_of_its_matrix():
    matrix = np.random.default_rng(0).normal(size=(13, 13))
    flow = SDFlowSampler(
        velocity=Given(lambda Z: Z @ matrix.T), n_steps=6, noise_scale=0, random_state=0
    ).fit(WINE)
    carried = np.linalg.matrix_power(np.eye(13) + 0.1 * matrix, 6)
    norm = np.linalg.norm(carried, ord=2)
    assert norm > 2
    assert_allclose(flow.sensitivity(WINE, 13), norm, rtol=1e-6)
    assert_allclose(flow.sensitivity(WINE, 50), norm, rtol=1e-6)
    fewer = [flow.sensitivity(WINE[:1], n)[0] for n in (1, 4, 8, 13)]
    assert np.linalg.svd(carried)[1].min() < fewer[0]
    assert (np.diff(fewer) > 0).all()


def test_a_chaotic_map_has_the_product_of_its_slopes():
    def logistic(y):
        return 4 * y * (1 - y)

    X = np.random.default_rng(0).uniform(size=(200, 1))
    flow = SDFlowSampler(
        velocity=Given(lambda Z: logistic(Z + X.mean()) - Z - X.mean()),
        step_size=1.0,
        n_steps=10,
        noise_scale=0,
        covariance_type="spherical",
        random_state=0,
    ).fit(X, X_base=X)
    y, slope = X, np.ones_like(X)
    for _ in range(10):
        y, slope = logistic(y), slope * (4 - 8 * y)
    measured = flow.sensitivity(X)
    well_behaved = np.abs(slope[:, 0]) > 100
    assert well_behaved.mean() > 0.5
    assert_allclose(measured[well_behaved], np.abs(slope[well_behaved, 0]), rtol=0.05)


@every_sampler
@pytest.mark.parametrize("t_stop", [0.5, 1.0])
def test_sensitivity_is_the_norm_of_the_derivative_of_transform(cls, t_stop):
    flow = cls(n_particles=80, n_steps=10, t_stop=t_stop, random_state=0)
    flow.fit(TARGET * 3 + 7, X_base=SOURCE)
    rows, scales, step = SOURCE[:5], 3 * TARGET.std(axis=0), 1e-5
    shifts = step * np.diag(scales)
    ends = np.array([flow.transform(rows + s) - flow.transform(rows - s) for s in shifts])
    derivatives = (ends / scales / (2 * step)).transpose(1, 2, 0)
    expected = [np.linalg.svd(derivative)[1].max() for derivative in derivatives]
    assert_allclose(flow.sensitivity(rows, 13), expected, rtol=1e-3)


def test_each_row_for_itself():
    flow = SDFlowSampler(n_particles=50, n_steps=5, random_state=0).fit(BARE)
    together = flow.sensitivity(BARE[:6])
    alone = np.concatenate([flow.sensitivity(row[None]) for row in BARE[:6]])
    assert_allclose(together, alone, rtol=1e-9)


def test_float32_rows_are_measured_in_float64():
    rows = PLANE.astype(np.float32)
    double, single = (
        SDFlowSampler(n_steps=10, random_state=0).fit(X, X_base=X)
        for X in (rows.astype(np.float64), rows)
    )
    assert_allclose(single.sensitivity(rows), double.sensitivity(rows), rtol=1e-3)


def test_small_bandwidths_with_large_steps_are_chaotic_and_annealed_ones_are_not():
    X, _ = make_gaussian_grid(500, random_state=0)
    rng = np.random.RandomState(0)
    corner = np.array([X[:, 0].min() - 5, X[:, 1].max() + 5])
    base, fresh = corner + rng.normal(size=(2, 500, 2))
    common = {"covariance_type": "spherical", "noise_scale": 0, "n_steps": 100, "random_state": 0}
    chaotic = SDFlowSampler(0.3, schedule="constant", step_size=1.9, **common)
    annealed = SDFlowSampler(0.5, schedule="cosine", step_size=0.1, **common)
    measured = [flow.fit(X, X_base=base).sensitivity(fresh[:200]) for flow in (chaotic, annealed)]
    assert np.mean(measured[0] > 1000) > 0.01  # 0.03 to 0.18 for other seeds, or roundings
    assert measured[1].max() < 50


@pytest.mark.parametrize("n_directions", [0, -1, 2.5, "all", None])
def test_bad_numbers_of_directions(n_directions):
    flow = SDFlowSampler(n_particles=20, n_steps=2, random_state=0).fit(BARE)
    with pytest.raises(ValueError, match="n_directions must be an integer of at least 1"):
        flow.sensitivity(BARE, n_directions)
