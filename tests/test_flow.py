"""Algorithm 1 against the paper in plain numpy, step by step."""

import itertools

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skflow._flow import NOISE, PARTICLE_ORDER, TARGET_ORDER, ParticleFlow
from skflow.optimizers import SGD, AdaGrad
from skflow.schedules import Constant, Cosine
from skflow.velocities import ScoreDifference

N_TARGET, N_PARTICLES, N_STEPS = 40, 30, 12


def draw(dtype=np.float64):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(N_TARGET, 2)), 2 + rng.normal(size=(N_PARTICLES, 2))
    return X.astype(dtype), Y.astype(dtype)


def make_flow(schedule=None, optimizer=None, dtype=np.float64, **kwargs):
    X, _ = draw(dtype)
    schedule, optimizer = schedule or Cosine(2.0, 0.5), optimizer or SGD()
    kwargs = {"n_steps": N_STEPS, "seed": 3, **kwargs}
    return ParticleFlow(X, ScoreDifference().fit(X), schedule, optimizer, **kwargs)


def run(flow, state=None):
    """All states from one on; from the base rows by default."""
    states = [flow.init(draw(flow.X.dtype)[1]) if state is None else state]
    while states[-1].step < flow.n_steps:
        states.append(flow.step(states[-1]))
    return states


def literal_flow(flow, Y, optimizer, batches):
    """Particles after each step: Algorithm 1, with a gradient history for each particle."""
    gradients = [[] for _ in Y]
    for step, (x_rows, y_rows) in enumerate(batches):
        sigma, eta = flow.sigmas[step], flow.etas[step]
        noise = flow.rng(step, NOISE).standard_normal((len(y_rows), Y.shape[1]))
        Z, Y = Y[y_rows] + flow.noises[step] * noise, Y.copy()
        X, particles = flow.X[x_rows], Y[y_rows]
        for z, row in zip(Z, y_rows, strict=True):
            v = sigma**2 * naive.score_difference(z[None], X, particles, sigma)[0]
            gradients[row].append(v)
            adagrad = isinstance(optimizer, AdaGrad)
            Y[row] += naive.adagrad(gradients[row], eta)[-1] if adagrad else eta * v
        yield Y


@pytest.mark.parametrize("noise_scale", [0.0, 1.0, lambda t: 2.0 - t])
@pytest.mark.parametrize("schedule", [Constant(0.8), Cosine(2.0, 0.5)])
def test_flow_is_algorithm_1(schedule, noise_scale):
    flow = make_flow(schedule, noise_scale=noise_scale, step_size=0.2)
    X, Y = draw()
    if isinstance(schedule, Constant):
        sigmas = np.full(N_STEPS, 0.8)
    else:
        sigmas = naive.cosine_sigma(np.linspace(0, 1, N_STEPS), 2.0, 0.5)
    noises = None
    if noise_scale:
        noises = [flow.rng(step, NOISE).standard_normal(Y.shape) for step in range(N_STEPS)]
    if callable(noise_scale):
        noises = [(2.0 - step / (N_STEPS - 1)) * noises[step] for step in range(N_STEPS)]
    for state in run(flow):
        n = state.step
        used = noises if noises is None else noises[:n]
        expected = naive.particle_optimization(X, Y, sigmas[:n], np.full(n, 0.2), used)
        assert_allclose(state.particles, expected, atol=1e-11)
        assert state.sigma is None if n == 0 else state.sigma == pytest.approx(sigmas[n - 1])


@pytest.mark.parametrize("batch_size", [None, 7, 30, 100])
@pytest.mark.parametrize("noise_scale", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", [SGD(), AdaGrad()])
def test_mini_batches_and_adagrad_are_literal(optimizer, noise_scale, batch_size):
    flow = make_flow(optimizer=optimizer, noise_scale=noise_scale, batch_size=batch_size)
    _, Y = draw()

    def batch(n_rows, step, stream):
        turns = int(np.ceil(n_rows / (batch_size or n_rows)))
        if turns == 1:
            return np.arange(n_rows)
        order = flow.rng(step // turns, stream).permutation(n_rows)
        return np.array_split(order, turns)[step % turns]

    batches = [
        (batch(N_TARGET, step, TARGET_ORDER), batch(N_PARTICLES, step, PARTICLE_ORDER))
        for step in range(N_STEPS)
    ]
    states = run(flow)
    for state, expected in zip(states[1:], literal_flow(flow, Y, optimizer, batches), strict=True):
        assert_allclose(state.particles, expected, atol=1e-11)


@pytest.mark.parametrize(("batch_size", "length"), [(7, 5), (10, 3), (29, 2), (1, 30)])
def test_every_row_has_its_turn_once_an_epoch(batch_size, length):
    flow = make_flow(batch_size=batch_size, n_steps=2 * length)
    assert flow.epoch_length(N_PARTICLES) == length
    states = run(flow)
    epochs = []
    for first in (0, length):
        turns = []
        for before, after in itertools.pairwise(states[first : first + length + 1]):
            moved = np.flatnonzero((before.particles != after.particles).any(axis=1))
            assert_array_equal(moved, np.sort(flow.particle_rows(before)))
            assert len(after.velocity) == len(moved) <= batch_size
            turns.append(moved)
        assert_array_equal(np.sort(np.concatenate(turns)), np.arange(N_PARTICLES))
        epochs.append(turns)
    assert any(not np.array_equal(a, b) for a, b in zip(*epochs, strict=True))
    sizes = [len(turn) for turn in epochs[0]]
    assert max(sizes) - min(sizes) <= 1


settings = pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"noise_scale": 0.0},
        {"batch_size": 7},
        {"batch_size": 7, "optimizer": AdaGrad(), "sample_weight": np.arange(40.0) + 1},
    ],
    ids=["full", "no noise", "mini-batches", "adagrad, weights"],
)


@settings
def test_resuming_gives_the_same_bits_and_states_stay(kwargs):
    states = run(make_flow(**kwargs))
    copies = [[np.copy(part) for part in state] for state in states]
    for start in (0, 1, 5, 11):
        resumed = run(make_flow(**kwargs), states[start])
        for state, copy in zip(resumed, copies[start:], strict=True):
            for part, expected in zip(state[1:3], copy[1:3], strict=True):
                assert_array_equal(part, expected)
    for state, copy in zip(states, copies, strict=True):
        for part, expected in zip(state, copy, strict=True):
            assert_array_equal(part, expected)


@settings
def test_seeds(kwargs):
    def last(seed):
        return run(make_flow(**kwargs, seed=seed))[-1].particles

    assert_array_equal(last(1), last(1))
    random = kwargs.get("noise_scale", 1) > 0 or "batch_size" in kwargs
    assert np.array_equal(last(1), last(2)) != random


@settings
def test_float32_stays(kwargs):
    single, double = (run(make_flow(dtype=dtype, **kwargs))[-1] for dtype in ("f4", "f8"))
    assert single.particles.dtype == single.optimizer_state.dtype == np.float32
    tolerance = 0.02 if "optimizer" in kwargs else 2e-4  # AdaGrad divides by small velocities
    assert_allclose(single.particles, double.particles, atol=tolerance)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_weights_are_repeats(batch_size):
    X, Y = draw()
    weights = np.arange(N_TARGET) % 3.0
    flow = make_flow(sample_weight=weights, batch_size=batch_size)
    field = flow.field(flow.init(Y))(Y)
    rows = flow._batch(N_TARGET, 0, TARGET_ORDER)
    repeated = np.repeat(X[rows], weights[rows].astype(int), axis=0)
    y = Y[flow.particle_rows(flow.init(Y))]
    assert_allclose(field, ScoreDifference().fit(X)(Y, repeated, y, 2.0), atol=1e-12)


def test_one_step_is_at_the_end_and_step_size_may_vary():
    assert_allclose(make_flow(n_steps=1).sigmas, [0.5])
    flow = make_flow(step_size=lambda t: 0.5 - 0.4 * t, n_steps=3, noise_scale=0.0)
    assert_allclose(flow.etas, [0.5, 0.3, 0.1])
    X, Y = draw()
    expected = naive.particle_optimization(X, Y, flow.sigmas, flow.etas)
    assert_allclose(run(flow)[-1].particles, expected, atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 3.0, -1e6])
def test_rows_that_are_too_far_are_told_wherever_the_target_is(offset):
    X = offset + draw()[0]
    flow = ParticleFlow(X, ScoreDifference().fit(X), Constant(1.0), SGD())
    for reach in (2.0, 50.0):
        for moved in (0.0, 1.9, 2.1, -2.1, 49.0, 51.0, np.nan, np.inf, -np.inf):
            rows = X.mean(axis=0) + np.array([[0.0, 0.0], [0.0, moved]])
            assert flow._is_within(rows, reach) == (abs(moved) <= reach)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_is_an_error_that_says_what_to_do(dtype):
    flow = make_flow(Constant(1.0), step_size=1e200, dtype=dtype)
    with pytest.raises(
        FloatingPointError, match=r"step \d+ of 12: .* smaller step_size \(now 1e\+2"
    ):
        run(flow)
