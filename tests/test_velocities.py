"""The right-hand sides against the paper, and the laws they keep."""

import inspect

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ortho_group
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skflow import SDFlowSampler
from skflow._kernels import dense
from skflow._stand_in import stand_in
from skflow.denoisers import KernelDenoiser, RegressorDenoiser
from skflow.velocities import MMD, Denoising, DensityRatio, ScoreDifference, Stein
from skflow.velocities._shared import particle_mean

every_sigma = pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])


def draw(width=3, seed=0, dtype=np.float64):
    """Noised particles, target and particles: two blobs, a few sigmas apart."""
    rng = np.random.default_rng(seed)
    shapes = [(15, width), (40, width), (30, width)]
    Z, X, Y = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    return Z + dtype(1), X, Y + dtype(2)


def velocity(Z, X, Y, sigma, **kwargs):
    return ScoreDifference().fit(X)(Z, X, Y, sigma, **kwargs)


@every_sigma
@pytest.mark.parametrize("width", [1, 2, 5, 30])
def test_score_difference_is_the_paper(width, sigma):
    Z, X, Y = draw(width)
    exact = naive.score_difference(*(A.astype(np.longdouble) for A in (Z, X, Y)), sigma)
    assert_allclose(velocity(Z, X, Y, sigma), (sigma**2 * exact).astype(float), atol=1e-13)
    # one step of Algorithm 1 is eta of it, one of equation 15 eta / 2
    step = naive.sd_update(*(A.astype(np.longdouble) for A in (Z, X, Y)), sigma, eta=0.2)
    assert_allclose(0.1 * velocity(Z, X, Y, sigma), step.astype(float), atol=1e-14)


def test_score_difference_is_the_paper_a_hundred_sigmas_away():
    Z, X, Y = draw()
    Z, sigma = Z + 35, 0.5  # the kernels underflow in float64, not in longdouble
    assert (naive.kernel(Z[:, None], X[None], sigma) == 0).all()
    exact = naive.score_difference(*(A.astype(np.longdouble) for A in (Z, X, Y)), sigma)
    assert_allclose(velocity(Z, X, Y, sigma), (sigma**2 * exact).astype(float), atol=1e-11)


@every_sigma
def test_velocity_is_a_difference_of_numerical_gradients(sigma):
    Z, X, Y = draw()
    h = 1e-5 * sigma

    def log_density(Z, A):
        """Log of equation 12, up to a constant."""
        return np.log(naive.kernel(Z[:, None], A[None], sigma).mean(axis=1))

    steps = h * np.eye(3)
    gradients = [
        np.transpose([(log_density(Z + e, A) - log_density(Z - e, A)) / (2 * h) for e in steps])
        for A in (X, Y)
    ]
    expected = sigma**2 * (gradients[0] - gradients[1])
    # rounding of the logs over h, and the third derivative times h^2
    assert_allclose(velocity(Z, X, Y, sigma), expected, atol=1e-7 * max(1, sigma))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.floats(0.01, 100), st.integers(0, 9999))
def test_laws(width, sigma, seed):
    Z, X, Y = draw(width, seed)
    rng = np.random.default_rng(seed)
    assert_array_equal(velocity(Z, X, X, sigma), np.zeros_like(Z))
    result = velocity(Z, X, Y, sigma)
    atol = 1e-12 * (1 + sigma**-2)  # a logit errs by rounding times the squared lengths
    assert_allclose(velocity(Z, Y, X, sigma), -result, atol=atol)
    shift = 10 * rng.normal(size=width)
    assert_allclose(velocity(Z + shift, X + shift, Y + shift, sigma), result, atol=100 * atol)
    turn = ortho_group.rvs(width, random_state=seed) if width > 1 else -np.eye(1)
    assert_allclose(velocity(Z @ turn, X @ turn, Y @ turn, sigma), result @ turn, atol=10 * atol)
    assert_allclose(velocity(7 * Z, 7 * X, 7 * Y, 7 * sigma), 7 * result, atol=70 * atol)
    orders = [rng.permutation(len(A)) for A in (Z, X, Y)]
    permuted = velocity(*(A[order] for A, order in zip((Z, X, Y), orders, strict=True)), sigma)
    assert_allclose(permuted, result[orders[0]], atol=10 * atol)
    weights = rng.integers(0, 4, size=len(X))
    weights[0] += 1
    weighted = velocity(Z, X, Y, sigma, sample_weight=weights)
    repeated = velocity(Z, np.repeat(X, weights, axis=0), Y, sigma)
    assert_allclose(weighted, repeated, atol=10 * atol)


@every_sigma
def test_far_away_all_particles_make_for_the_target(sigma):
    _, X, Y = draw()
    Y = Y + 1e4 * sigma
    v = velocity(Y, X, Y, sigma)
    towards = X.mean(axis=0) - Y.mean(axis=0)
    cosines = v @ towards / np.linalg.norm(v, axis=1) / np.linalg.norm(towards)
    assert np.all(cosines > 0.999)
    assert_allclose(np.linalg.norm(v, axis=1), np.linalg.norm(towards), rtol=0.01)


def test_a_very_wide_kernel_sees_the_means():
    Z, X, Y = draw()
    expected = np.tile(X.mean(axis=0) - Y.mean(axis=0), (len(Z), 1))
    assert_allclose(velocity(Z, X, Y, 1e8), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    Z, X, Y = draw(dtype=dtype)
    exact = velocity(*(A.astype(float) for A in (Z, X, Y)), 1.0)
    for own in (None, stand_in(Z, Y)):
        assert velocity(Z, X, Y, 1.0, own=own).dtype == dtype
    assert_allclose(velocity(Z, X, Y, 1.0), exact, atol=1e-5 if dtype == np.float32 else 0)


# --- Stein, by the difference of scores -----------------------------------------------------------


@every_sigma
@pytest.mark.parametrize("score", [None, np.sin])
def test_stein_by_difference_is_the_second_line_of_equation_51(score, sigma):
    Z, X, Y = draw()
    of_target = naive.score(Y, X, sigma) if score is None else score(Y)
    difference = of_target - naive.score(Y, Y, sigma)
    expected = naive.svgd_by_difference(Z, Y, difference, sigma)
    result = Stein(score, difference=True).fit(X)(Z, X, Y, sigma)
    assert_allclose(result, expected, rtol=1e-10, atol=1e-12 / sigma)


@every_sigma
def test_stein_by_difference_rests_at_the_target_rows_and_the_first_line_does_not(sigma):
    Z, X, _ = draw()
    assert (Stein(difference=True).fit(X)(Z, X, X, sigma) == 0).all()
    assert np.abs(Stein().fit(X)(Z, X, X, sigma)).max() > 1e-3 / sigma


@pytest.mark.parametrize("score", [None, np.sin])
def test_a_row_at_a_particles_place_sees_what_the_particle_sees(score):
    Z, X, Y = draw()
    velocity = Stein(score, difference=True).fit(X)
    as_particles = velocity(Y[:9], X, Y, 1.0)
    assert_allclose(velocity(Y[:9], X, Y, 1.0, own=stand_in(Y[:9], Y)), as_particles, rtol=1e-9)
    elsewhere = velocity(Z, X, Y, 1.0, own=stand_in(Z, Y))
    assert np.abs(elsewhere - velocity(Z, X, Y, 1.0)).max() > 1e-3


# --- modules in place of the kernel estimates -----------------------------------------------------


@every_sigma
@pytest.mark.parametrize("weights", [None, np.arange(40) % 3])
def test_kernel_denoisers_are_the_default(weights, sigma):
    Z, X, Y = draw()
    expected = velocity(Z, X, Y, sigma, sample_weight=weights)
    for modules in ({"target"}, {"source"}, {"target", "source"}):
        sd = ScoreDifference(**{name: KernelDenoiser() for name in modules})
        sd = clone(sd).fit(X, sample_weight=weights)
        assert_array_equal(sd(Z, X, Y, sigma, sample_weight=weights), expected)
        assert all(not hasattr(getattr(sd, name), "X_") for name in modules)  # parameters stay


class Fixed(BaseEstimator):
    def __init__(self, value=0.0):
        self.value = value

    def fit(self, X, y=None, sample_weight=None):
        return self

    def denoise(self, Z, sigma):
        return np.full_like(Z, self.value)


def test_denoisers_are_subtracted():
    Z, X, Y = draw()
    sd = ScoreDifference(target=Fixed(5.0), source=Fixed(2.0)).fit(X)
    assert_array_equal(sd(Z, X, Y, 1.0), np.full_like(Z, 3.0))


# --- a particle of its own ------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_own_row_takes_the_place_of_its_neighbours(dtype, sigma):
    Z, X, Y = draw(dtype=dtype)
    rows = (Z + 0.3 * sigma * np.random.default_rng(1).normal(size=Z.shape)).astype(dtype)
    own = stand_in(rows, Y)
    result = velocity(Z, X, Y, sigma, own=own)
    densities = particle_mean(Z, Y, sigma, own)[1]
    for i in range(len(Z)):
        weights = np.ones(len(Y) + 1)
        weights[own.neighbors[i]] -= own.shares[i]
        weights = np.maximum(weights, 0.0)  # one that leaves altogether, but for a rounding
        joined = np.concatenate([Y, rows[i : i + 1]]).astype(float)
        z = Z[i : i + 1].astype(float)
        mean, log_density = naive.kernel_mean(z, joined, sigma, weights=weights)
        target = naive.kernel_mean(z, X.astype(float), sigma)[0]
        atol = 2e-4 if dtype == np.float32 else 1e-9
        assert_allclose(result[i], (target - mean)[0].astype(float), atol=atol)
        assert_allclose(densities[i], log_density[0].astype(float), atol=atol, rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.01, 0.3, 1.0, 5.0])
def test_a_particle_in_its_own_place_changes_nothing(sigma):
    _, X, Y = draw()
    result = velocity(Y, X, Y, sigma, own=stand_in(Y, Y))
    assert_allclose(result, velocity(Y, X, Y, sigma), atol=1e-9)


# --- MMD, Stein and Denoising ---------------------------------------------------------------------

MMDS = [MMD(n, s) for n in (False, True) for s in (False, True)]
# Each with the power of length that it is in, for those that have one.
RELATIVES = [*zip(MMDS, (-1, 1, 1, 1), strict=True), (Stein(), -1), (Denoising(), 1)]
every_relative = pytest.mark.parametrize(("relative", "unit"), RELATIVES, ids=repr)


@every_relative
@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6), st.floats(0.1, 100), st.integers(0, 9999))
def test_laws_of_the_relatives(relative, unit, width, sigma, seed):
    Z, X, Y = draw(width, seed)
    rng = np.random.default_rng(seed)
    Y = Y[: len(Z)]  # for Denoising
    relative = clone(relative).fit(X)
    result = relative(Z, X, Y, sigma)
    atol = 1e-11 * (1 + sigma**-4)
    shift = 10 * rng.normal(size=width)
    moved = relative(Z + shift, X + shift, Y + shift, sigma)
    assert_allclose(moved, result, atol=100 * atol)
    turn = ortho_group.rvs(width, random_state=seed) if width > 1 else -np.eye(1)
    assert_allclose(relative(Z @ turn, X @ turn, Y @ turn, sigma), result @ turn, atol=atol)
    stretched = relative(7 * Z, 7 * X, 7 * Y, 7 * sigma)
    assert_allclose(stretched / 7.0**unit, result, atol=atol)
    order_z, order_x, order_y = (rng.permutation(len(A)) for A in (Z, X, Y))
    if isinstance(relative, Denoising):
        order_y = order_z
    permuted = relative(Z[order_z], X[order_x], Y[order_y], sigma)
    assert_allclose(permuted, result[order_z], atol=atol)
    weights = rng.integers(0, 4, size=len(X))
    weights[0] += 1
    weighted = relative(Z, X, Y, sigma, sample_weight=weights)
    repeated = relative(Z, np.repeat(X, weights, axis=0), Y, sigma)
    assert_allclose(weighted, repeated, atol=atol)


@every_sigma
@pytest.mark.parametrize("mmd", MMDS)
def test_mmd_is_zero_where_particles_and_target_are_the_same(mmd, sigma):
    Z, X, Y = draw()
    assert_array_equal(mmd.fit(X)(Z, X, X, sigma), np.zeros_like(Z))
    swapped = mmd.fit(Y)(Z, Y, X, sigma)
    assert_allclose(swapped, -mmd.fit(X)(Z, X, Y, sigma), rtol=1e-12)
    assert np.abs(swapped).max() > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
# np.float64 is a score that forgets the dtype.
@pytest.mark.parametrize("relative", [*MMDS, Stein(), Stein(np.sin), Stein(np.float64)])
def test_relatives_keep_the_dtype(relative, dtype):
    Z, X, Y = draw(dtype=dtype)
    relative = relative.fit(X)
    for own in (None, stand_in(Z, Y)):
        result = relative(Z, X, Y, 1.0, own=own)
        assert result.dtype == dtype
        doubled = own if own is None else own._replace(rows=own.rows.astype(float))
        exact = relative(*(A.astype(float) for A in (Z, X, Y)), 1.0, own=doubled)
        assert_allclose(result, exact, atol=1e-5 if dtype == np.float32 else 0)


@pytest.mark.parametrize("mmd", [MMD(), MMD(scaled=True)])
def test_mmd_far_from_the_target_is_repulsion_only(mmd):
    """Remark 1: there the weights of the target vanish, and those of the own particle are left."""
    _, X, Y = draw()
    sigma, rng = 0.5, np.random.default_rng(0)
    unit = sigma**2 if mmd.scaled else 1.0
    Y = Y + 1000
    repulsion = -naive.mmd(Y, Y, X, sigma) * unit  # the target's part underflows
    result = mmd.fit(X)(Y, X, Y, sigma)
    assert_allclose(result, repulsion, rtol=1e-9, atol=1e-13)
    assert_allclose(result.mean(axis=0), 0, atol=1e-9)  # they push each other, and get nowhere
    outwards = (result * (Y - Y.mean(axis=0))).sum(axis=1).mean()
    assert outwards > 0
    # Particles far from each other feel their own noise only.
    Y = 1000 + 100 * np.arange(30.0)[:, None] + np.zeros(3)
    noise = sigma * rng.normal(size=Y.shape)
    result = mmd.fit(X)(Y + noise, X, Y, sigma)
    weight = naive.kernel(Y + noise, Y, sigma)[:, None] / len(Y) / sigma**2
    # A logit errs by rounding times the squared lengths in sigmas, here 1e8.
    assert_allclose(result, unit * weight * noise, rtol=1e-7)
    # Normalised, they make for the target.
    towards = MMD(normalize=True).fit(X)(Y + noise, X, Y, sigma) @ (X.mean(axis=0) - Y.mean(axis=0))
    assert (towards > 0).all()


@every_sigma
@pytest.mark.parametrize("target", [None, KernelDenoiser()])
def test_denoising_is_equation_19(target, sigma):
    Z, X, Y = draw()
    Y, weights = Y[: len(Z)], np.arange(40) % 3
    velocity = clone(Denoising(target)).fit(X, sample_weight=weights)
    denoised = naive.optimal_denoiser(Z, np.repeat(X, weights, axis=0), sigma)
    result = velocity(Z, X, Y, sigma, sample_weight=weights)
    assert_allclose(Y + 0.2 * result, 0.8 * Y + 0.2 * denoised, atol=1e-12)
    # A carried row takes the place of the particle, whatever the particles are.
    own = stand_in(Y, X)
    assert_array_equal(velocity(Z, X, X, sigma, sample_weight=weights, own=own), result)


def test_denoising_needs_a_particle_for_each_row():
    Z, X, Y = draw()
    with pytest.raises(ValueError, match="Z has 15 rows and Y has 30"):
        Denoising().fit(X)(Z, X, Y, 1.0)
    with pytest.raises(ValueError, match="Z has 15 rows and Y has 14"):
        Denoising().fit(X)(Z, X, Z, 1.0, own=stand_in(Z[:14], Y))


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda Y: Y.sum(axis=1), r"of shape \(30, 3\).*got shape \(30,\)\."),
        (lambda Y: Y[:5], r"got shape \(5, 3\)\."),
        (lambda Y: 0.0, r"got shape \(\)\."),
        (lambda Y: Y * np.nan, r"got shape \(30, 3\) with NaN or infinity"),
        (lambda Y: Y / 0.0, r"got shape \(30, 3\) with NaN or infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_stein_says_what_is_wrong_with_a_score(score, message):
    Z, X, Y = draw()
    with pytest.raises(ValueError, match=f"target_score must return finite numbers .*{message}"):
        Stein(score).fit(X)(Z, X, Y, 1.0)


KERNEL_VELOCITIES = [ScoreDifference(), MMD(), MMD(normalize=True), Stein(), Denoising()]


@pytest.mark.parametrize("velocity", KERNEL_VELOCITIES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_target_is_laid_out_once(velocity, weighted, monkeypatch):
    X = np.random.default_rng(0).normal(size=(50, 2))
    weights = np.arange(50.0) if weighted else None
    layouts = []

    class Counted(dense.Layout):
        def __init__(self, points, *arguments):
            layouts.append(points.weights)
            super().__init__(points, *arguments)

    monkeypatch.setattr(dense, "Layout", Counted)
    # It has other rows laid out.
    monkeypatch.setattr("skflow._samplers.base.warn_of_pace", lambda *_, **__: None)
    options = {"n_particles": 50, "n_steps": 5, "random_state": 0}
    SDFlowSampler(velocity=velocity, **options).fit(X, sample_weight=weights)
    assert len(layouts) == (1 if isinstance(velocity, Denoising) else 1 + 5)
    # other rows than those that were fitted are laid out as they come
    rows = np.arange(50)[::-1]
    fitted = clone(velocity).fit(X, sample_weight=weights)
    some = rows[:20]
    of_some = None if weights is None else weights[some]
    fresh = clone(velocity).fit(X[some], sample_weight=of_some)
    calls = [v(X, X[some], X, 1.0, sample_weight=of_some) for v in (fitted, fresh)]
    assert_array_equal(*calls)


@pytest.mark.parametrize("velocity", [ScoreDifference(), MMD(), Stein()], ids=str)
def test_a_tolerance_is_kept(velocity):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 8000, 2))
    Y += 1
    Z = Y + 0.1 * rng.normal(size=Y.shape)
    own = stand_in(Y[:50] + 1e-3, Y)
    exact, loose, tight = (
        clone(velocity).set_params(tolerance=t).fit(X) for t in (None, 0.1, 1e-6)
    )
    for sigma in (0.05, 0.5):
        for of, rows in ((own, Z[:50]), (None, Z)):
            expected = exact(rows, X, Y, sigma, own=of)
            unit = np.abs(expected).max()
            near = np.abs(tight(rows, X, Y, sigma, own=of) - expected).max() / unit
            assert near < 1e-4
            assert np.abs(loose(rows, X, Y, sigma, own=of) - expected).max() / unit > near


# --- as estimators --------------------------------------------------------------------------------

VELOCITIES = [ScoreDifference(), MMD(), Stein(), Denoising(), DensityRatio()]
every_velocity = pytest.mark.parametrize("velocity", VELOCITIES, ids=str)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        *((of(tolerance=t), "tolerance") for of in (ScoreDifference, MMD, Stein) for t in (-1, 2)),
        (KernelDenoiser(tolerance=2), "tolerance"),
        (MMD(normalize="yes"), "normalize"),
        (MMD(scaled="no"), "scaled"),
        (Stein(target_score=1.0), "target_score"),
        (Stein(difference=None), "difference"),
        (DensityRatio(loss="saturating"), "loss"),
        (DensityRatio(smooth=2.0), "smooth"),
        (DensityRatio(random_state="seed"), "random_state"),
    ],
    ids=str,
)
def test_wrong_parameters_are_named(wrong, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {type(wrong).__name__} must"):
        wrong.fit(draw()[1])


@every_velocity
def test_a_velocity_says_when_it_is_not_fitted(velocity):
    Z, X, _ = draw()
    velocity = clone(velocity)
    for check in (lambda: velocity(Z, X, Z, 1.0), lambda: check_is_fitted(velocity)):
        with pytest.raises(NotFittedError, match=f"This {type(velocity).__name__} .* not fitted"):
            check()
    check_is_fitted(velocity.fit(X))
    assert velocity.n_features_in_ == 3


@every_velocity
def test_a_velocity_says_when_rows_are_of_another_width(velocity):
    Z, X, _ = draw()
    velocity = clone(velocity).fit(X)
    for few in (slice(2), [0, 1, 2, 0]):
        other = Z[:, few]
        words = f"Z has {other.shape[1]} features, but {type(velocity).__name__} is expecting 3"
        with pytest.raises(ValueError, match=words):
            velocity(other, X[:, few], other, 1.0)


@pytest.mark.parametrize("part", [*VELOCITIES, KernelDenoiser(), RegressorDenoiser()], ids=str)
def test_fit_takes_labels_second_and_the_rest_by_name(part):
    _, X, _ = draw()
    first, second, *rest = inspect.signature(part.fit).parameters.values()
    assert (first.name, second.name, second.default) == ("X", "y", None)
    assert {parameter.kind for parameter in rest} == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="positional argument"):
        clone(part).fit(X, None, np.ones(len(X)))
