"""Laws of DiffusionSampler: where rows arrive, how they go there and back, and bad input.

The chain and the probability flow themselves are held against the paper in test_equivalences.py.
"""

import itertools

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator
from sklearn.datasets import load_wine, make_moons
from sklearn.linear_model import Ridge
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import scale

from skflow import DiffusionSampler
from skflow._stand_in import stand_in
from skflow.datasets import make_gaussian_grid
from skflow.denoisers import KernelDenoiser, RegressorDenoiser
from skflow.metrics import characteristic_function_distance, characteristic_function_threshold
from skflow.schedules import SCHEDULES, Constant, Geometric, Linear

GRID, _ = make_gaussian_grid(500, n_side=3, spacing=1.5, std=0.1, random_state=0)
WINE = load_wine().data
BARE = scale(WINE)


def base_rows(n, seed):
    """A slanted Gaussian beside the target."""
    rows = np.random.default_rng(seed).normal(size=(n, 2))
    return rows @ [[1.0, 0.5], [0.0, 0.5]] + [3.0, 0.0]


BASE = base_rows(400, 1)

every_covariance = pytest.mark.parametrize("covariance_type", ["spherical", "diag", "full"])
every_base = pytest.mark.parametrize("X_base", [None, BASE], ids=["normal", "rows"])


def sampler(**params):
    return DiffusionSampler(**{"n_particles": 200, "n_steps": 30, "random_state": 0, **params})


def same_bits(first, second):
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()


# --- where rows arrive ----------------------------------------------------------------------------

WAVES = {"n_frequencies": 64, "frequency_scale": 1.5, "random_state": 0}
N = 500


def smoothed_target(bandwidth):
    """Draws of the target, smoothed by the bandwidth: a kernel density."""

    def draw(n_samples, random_state):
        rows = GRID[random_state.randint(len(GRID), size=n_samples)]
        return rows + bandwidth * random_state.normal(size=rows.shape)

    return draw


def distances(flow, fresh):
    """Of sample, particles_ and transform from the smoothed target, in units of the threshold."""
    law = smoothed_target(flow.bandwidth_)
    threshold = characteristic_function_threshold(law, N, n_trials=200, **WAVES)
    rows = law(N, np.random.RandomState(1))
    arrived = {
        "sample": flow.sample(N, random_state=2),
        "particles": flow.particles_[:N],
        "transform": flow.transform(fresh[:N]),
        "base": fresh[:N],
    }
    return {
        name: characteristic_function_distance(there, rows, **WAVES) / threshold
        for name, there in arrived.items()
    }


# The wider, smoother kernel is that of a density; the narrow one leaves the nine modes apart.
@pytest.mark.parametrize("bandwidth", [0.1, "silverman"])
def test_a_normal_base_arrives_at_the_smoothed_target(bandwidth):
    flow = sampler(
        bandwidth=bandwidth, covariance_type="spherical", n_particles=N, n_steps=100
    ).fit(GRID)
    fresh = multivariate_normal(GRID.mean(axis=0), np.cov(GRID.T, bias=True)).rvs(N, random_state=3)
    far = distances(flow, fresh)
    assert max(far["sample"], far["particles"], far["transform"]) < 1 < far["base"]


def test_base_rows_arrive_at_the_smoothed_target():
    # The probability flow forgets where rows came from as their distance over the first level.
    flow = sampler(
        bandwidth=0.2, schedule=Geometric(300.0, 1.0), covariance_type="spherical", n_steps=100
    )
    flow.fit(GRID, X_base=base_rows(N, 2))
    far = distances(flow, base_rows(N, 3))
    assert max(far["sample"], far["particles"], far["transform"]) < 1 < far["base"]
    assert flow.particles_.shape == (N, 2)  # row i is row i of the base, moved


def test_weights_are_repeats():
    weights = np.random.default_rng(0).integers(0, 4, size=len(BARE))
    expected = sampler().fit(np.repeat(BARE, weights, axis=0))
    weighted = sampler().fit(BARE, sample_weight=weights)
    assert_allclose(weighted.bandwidth_, expected.bandwidth_)
    assert_allclose(weighted.particles_, expected.particles_, rtol=0, atol=1e-10)
    assert_allclose(weighted.transform(BARE), expected.transform(BARE), rtol=0, atol=1e-10)


def test_the_density_is_the_kernel_density_of_the_particles():
    flow = sampler(covariance_type="spherical").fit(BARE)
    result = flow.score_samples(BARE)
    density = KernelDensity(bandwidth=flow.bandwidth_).fit(flow.particles_)
    assert_allclose(result, density.score_samples(BARE), atol=1e-6)
    assert flow.score(BARE) == pytest.approx(result.mean())


# --- the way --------------------------------------------------------------------------------------


@every_covariance
@pytest.mark.parametrize("with_base", [False, True])
def test_each_row_for_itself(covariance_type, with_base):
    flow = sampler(covariance_type=covariance_type)
    flow.fit(WINE, X_base=WINE[:90] * 1.1 if with_base else None)
    X = WINE[:7]
    moved = flow.transform(X)
    assert same_bits(moved, flow.transform(X))
    assert same_bits(moved, np.concatenate([flow.transform(row[None]) for row in X]))
    backwards = flow.transform(X[::-1])[::-1].copy()
    assert same_bits(moved, backwards)
    assert (np.abs(moved - X).max(axis=0) > 0.05 * WINE.std(axis=0)).all()


@pytest.mark.parametrize("distance", [3.0, 10.0])
def test_a_base_beside_the_target_leaves_no_trace(distance):
    """Under noise of the first level base and target differ by their place, which is taken off."""
    rng = np.random.default_rng(0)
    target, base = rng.normal(size=(1000, 2)), 0.7 * rng.normal(size=(1000, 2)) + distance
    flow = DiffusionSampler(0.2, covariance_type="spherical", random_state=0)
    moved = flow.fit(target, X_base=base).transform(base)
    # The mean of a thousand rows errs by 0.03.
    assert_allclose(moved.mean(axis=0), target.mean(axis=0), atol=0.1)
    assert_allclose(moved.std(axis=0), np.hypot(target.std(axis=0), 0.2), atol=0.1)
    early = flow.interpolate(base, 0.01)
    assert 0 < np.abs(early - base).max() < 0.1 * distance


def test_a_base_row_goes_up_among_its_neighbours():
    """By the probability flow of the base rows, of which it takes the place of the nearest."""
    flow = sampler(covariance_type="spherical", n_steps=8, bandwidth=0.3)
    recorded = flow.fit(GRID, X_base=BASE[:30])._flow
    rows = recorded.start[:4] + 0.2
    own, levels = stand_in(rows, recorded.start), recorded.sigmas[::-1]
    result = recorded._up(rows)[0]
    for i in range(len(rows)):
        joined, weights = np.concatenate([recorded.start, rows[i : i + 1]]), np.ones(31)
        weights[own.neighbors[i]] -= own.shares[i]

        def slope(z, sigma, joined=joined, weights=weights):  # equation 4, by log sigma
            return (z - naive.kernel_mean(z, joined, sigma, weights=weights)[0]).astype(float)

        z = recorded.of_base.smoothed(rows[i : i + 1], levels[0])
        for low, high in itertools.pairwise(levels):  # Heun's method
            step = np.log(high / low)
            first = slope(z, low)
            z = z + step / 2 * (first + slope(z + step * first, high))
        assert_allclose(result[i], z[0], rtol=1e-9)


@every_covariance
@pytest.mark.parametrize("with_base", [False, True])
def test_there_and_back(covariance_type, with_base):
    flow = sampler(covariance_type=covariance_type)
    base = 1.1 * WINE[:90] if with_base else None
    rows = WINE[:40] if base is None else base[:40]
    moved = flow.fit(WINE, X_base=base).transform(rows)
    # The solver asks for 1e-10 of a standard deviation on the way up.
    error = (flow.inverse_transform(moved) - rows) / WINE.std(axis=0)
    assert np.abs(error).max() < 1e-7
    assert np.abs((moved - rows) / WINE.std(axis=0)).max() > 0.1


@every_base
def test_interpolate_and_staged_transform_are_the_way_of_transform(X_base):
    flow = sampler().fit(GRID, X_base=X_base)
    X = (GRID if X_base is None else X_base)[:50]
    stages = list(flow.staged_transform(X))
    assert len(stages) == flow.n_steps == flow.n_steps_
    assert same_bits(stages[-1], flow.transform(X))
    assert same_bits(flow.interpolate(X, 1), flow.transform(X))
    assert_allclose(flow.interpolate(X, 0), X, rtol=0, atol=1e-14)
    for t in (0.0, 0.3, 0.5, 1.0):
        stopped = sampler(t_stop=t).fit(GRID, X_base=X_base)
        assert same_bits(stopped.transform(X), flow.interpolate(X, t))
        assert same_bits(stopped.particles_, flow.particles_)
        staged = list(stopped.staged_transform(X))
        assert len(staged) <= flow.n_steps
        if t:
            assert same_bits(staged[-1], stopped.transform(X))
        else:
            assert not staged


def test_a_sampler_that_stops_at_once_is_its_base():
    flow = sampler(t_stop=0).fit(GRID, X_base=BASE)
    assert_allclose(flow.transform(BASE), BASE, rtol=0, atol=1e-14)
    assert_allclose(flow.inverse_transform(BASE), BASE, rtol=0, atol=1e-14)
    drawn = flow.sample(50, random_state=0)
    gaps = np.abs(drawn[:, None] - BASE).max(axis=2).min(axis=1)
    assert gaps.max() < 1e-14
    assert np.isfinite(flow.score_samples(BASE)).all()


def test_halfway_is_half_the_way():
    """Of the particles, as a root mean square; samples take the same way."""
    flow = sampler(t_stop=0.5, n_steps=60).fit(GRID, X_base=BASE)
    recorded = flow._flow
    halfway, _ = recorded.cloud_at(0.5)
    ways = [np.linalg.norm(rows - recorded.start) for rows in (halfway, recorded.particles)]
    assert ways[0] / ways[1] == pytest.approx(0.5, abs=0.05)
    sample = flow._space.to_flow(flow.sample(len(BASE), random_state=0))
    # Means of 400 rows, to four standard errors.
    errors = 4 * halfway.std(axis=0) * np.sqrt(2 / len(BASE))
    assert (np.abs(sample.mean(axis=0) - halfway.mean(axis=0)) < errors).all()


@pytest.mark.parametrize("t_stop", [0.01, 0.5, 0.99])
def test_the_way_back_is_from_the_end_only(t_stop):
    flow = sampler(t_stop=t_stop).fit(GRID)
    with pytest.raises(ValueError, match=r"from its end only: use t_stop=1\.0, got"):
        flow.inverse_transform(flow.transform(GRID[:3]))


def test_samples_are_reproducible_and_do_not_depend_on_earlier_ones():
    flow = sampler().fit(GRID)
    first = flow.sample(20, random_state=0)
    assert not same_bits(first, flow.sample(20, random_state=1))
    assert same_bits(first, flow.sample(20, random_state=0))
    assert same_bits(sampler().fit(GRID).particles_, flow.particles_)
    assert not same_bits(sampler(random_state=1).fit(GRID).particles_, flow.particles_)


@every_covariance
@every_base
def test_float32_stays_float32_and_close_to_float64(covariance_type, X_base):
    X = (GRID if X_base is None else X_base)[:50]
    results = {}
    for dtype in (np.float32, np.float64):
        base = None if X_base is None else X_base.astype(dtype)
        flow = sampler(covariance_type=covariance_type, bandwidth=0.3)
        flow.fit(GRID.astype(dtype), X_base=base)
        rows = X.astype(dtype)
        results[dtype] = [
            flow.particles_,
            flow.transform(rows),
            flow.interpolate(rows, 0.5),
            next(flow.staged_transform(rows)),
            flow.inverse_transform(flow.transform(rows)),
            flow.sample(20, random_state=1),
        ]
        assert {array.dtype for array in results[dtype]} == {np.dtype(dtype)}
    for single, double in zip(results[np.float32], results[np.float64], strict=True):
        # Rows begin 30 bandwidths out, where float32 knows them to 1e-6, and are drawn apart
        # again by what is between the modes.
        assert_allclose(single, double, rtol=0, atol=1e-3)


def test_there_is_no_early_stopping():
    fitted = sampler(n_steps=3).fit(GRID)
    known = "early_stopping", "validation_scores_", "validation_copying_", "best_validation_score_"
    assert [name for name in known if hasattr(fitted, name)] == []
    assert "Algorithm 1" not in DiffusionSampler.fit.__doc__


# --- schedules ------------------------------------------------------------------------------------


def test_levels_run_from_thirty_bandwidths_down_to_one():
    for schedule in ("auto", Geometric(30.0, 1.0), lambda t: 30 ** (1 - t)):
        flow = sampler(schedule=schedule, bandwidth=0.3, n_steps=10).fit(GRID)
        assert_allclose(flow._flow.sigmas, 0.3 * np.geomspace(30, 1, 11), rtol=1e-12)
        assert len(flow.history_) == 10
    assert DiffusionSampler().schedule == "auto"
    flow = sampler(schedule=Linear(5.0, 2.0), bandwidth=0.3, n_steps=3).fit(GRID)
    assert_allclose(flow._flow.sigmas, [1.5, 1.2, 0.9, 0.6])


@pytest.mark.parametrize("name", ["cosine", "geometric", "linear"])
def test_a_name_is_the_schedule_that_it_is_elsewhere(name):
    levels, expected = (
        sampler(schedule=schedule, n_steps=5).fit(GRID)._flow.sigmas
        for schedule in (name, SCHEDULES[name]())
    )
    assert_array_equal(levels, expected)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda t: 1.0, "must fall at every step, but schedule goes from 1 to 1 without"),
        (Constant(3.0), "goes from 3 to 3 without falling everywhere"),
        (lambda t: 1.0 + t, "goes from 1 to 2 without falling everywhere.*Geometric"),
        (lambda t: 2.0 + np.cos(9 * t), "must fall at every step"),
        (lambda t: 1.0 - t, r"schedule\(1\) must be a positive finite number, got .*0"),
        (lambda t: np.nan, r"schedule\(0\) must be a positive finite number, got nan"),
        ("constant", "'schedule' parameter of DiffusionSampler must be a str among"),
    ],
)
def test_noise_levels_that_do_not_fall(schedule, message):
    with pytest.raises(ValueError, match=message):
        sampler(schedule=schedule).fit(GRID)


def test_a_single_step_is_the_denoiser():
    """From one level straight to the last, equation 19 has rho = 1."""
    flow = sampler(n_steps=1, bandwidth=0.3, covariance_type="spherical").fit(GRID, X_base=BASE)
    noise = np.random.RandomState(flow._flow._seed).standard_normal(BASE.shape)
    tau = 0.3 * np.sqrt(30.0**2 - 1)
    recorded, mean = flow._flow, GRID.mean(axis=0)  # flow space has the target's mean as its origin
    z = recorded.of_base.onto(recorded.of_target, BASE - mean + tau * noise, 9.0) + mean
    expected = naive.denoiser_of_smoothed(z, GRID, 0.3, tau)
    assert_allclose(flow.particles_, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("t", [0.25, 0.5, 0.9])
def test_half_way_is_half_way_for_both(t):
    target = make_moons(300, noise=0.1, random_state=0)[0]
    base = target[:, ::-1]  # in place but for its shape: the two ways do not keep the same pace
    flow = DiffusionSampler(random_state=0).fit(target, X_base=base)
    start = flow._space.to_flow(base)

    def moved(rows):
        return np.sqrt(np.square(flow._space.to_flow(rows) - start).sum(axis=1).mean())

    # Times are by rms distance but for a twentieth, which is by steps.
    assert abs(moved(flow.interpolate(base, t)) / moved(flow.transform(base)) - t) < 0.06
    particles = flow._space.from_flow(flow._flow.cloud_at(t)[0])
    assert abs(moved(particles) / moved(flow.particles_) - t) < 0.06


# --- denoisers ------------------------------------------------------------------------------------


class Shrink(BaseEstimator):
    """The denoiser of a Gaussian about the origin, as if the target were that."""

    def __init__(self, std=1.0):
        self.std = std

    def fit(self, X, y=None, sample_weight=None, sigmas=None):
        self.sigmas_ = np.array(sigmas)
        return self

    def denoise(self, Z, sigma):
        return Z * self.std**2 / (self.std**2 + sigma**2)


def test_a_denoiser_of_one_s_own_decides():
    X, parameter = GRID - GRID.mean(axis=0), Shrink(std=0.5)
    flow = sampler(
        denoiser=parameter,
        schedule=Geometric(100.0, 1.0),
        covariance_type="spherical",
        bandwidth=0.1,
        n_steps=200,
        n_particles=2000,
    ).fit(X)
    assert not hasattr(parameter, "sigmas_")  # parameters stay
    assert_allclose(flow.denoiser_.sigmas_, flow._flow.sigmas)
    # 2 % is the error of a deviation of 2000 rows; discretisation takes as much.
    for rows in (flow.particles_, flow.sample(2000, random_state=0), flow.transform(X)):
        assert_allclose(rows.std(axis=0), np.hypot(0.5, 0.1), rtol=0.06)


def test_the_kernel_denoiser_is_the_default():
    expected, flow = sampler().fit(GRID), sampler(denoiser=KernelDenoiser()).fit(GRID)
    assert same_bits(flow.particles_, expected.particles_)
    assert same_bits(flow.transform(GRID), expected.transform(GRID))
    assert isinstance(expected.denoiser_, KernelDenoiser)


def test_a_trained_denoiser():
    """A linear one knows mean and spread: rows arrive at a Gaussian like the target."""
    denoiser = RegressorDenoiser(Ridge())
    flow = sampler(denoiser=denoiser, bandwidth=0.1, n_steps=60, n_particles=1000).fit(GRID)
    again = sampler(denoiser=denoiser, bandwidth=0.1, n_steps=60, n_particles=1000).fit(GRID)
    assert same_bits(flow.particles_, again.particles_)  # it is seeded by random_state
    low, high = flow.denoiser_.sigma_range_
    assert low <= flow._flow.sigmas.min() and flow._flow.sigmas.max() <= high
    for rows in (flow.particles_, flow.sample(1000, random_state=0), flow.transform(GRID)):
        assert_allclose(rows.mean(axis=0), GRID.mean(axis=0), atol=0.2)
        assert_allclose(rows.std(axis=0), GRID.std(axis=0), rtol=0.15)
