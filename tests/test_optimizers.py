"""Optimizers against the published formulas, and the laws that carrying rows relies on."""

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skflow.optimizers import OPTIMIZERS, SGD, AdaGrad

every_optimizer = pytest.mark.parametrize("optimizer", [SGD(), AdaGrad(), AdaGrad(0.5, 1e-2)])
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(n_steps=6, n_rows=7, width=3, dtype=float):
    scales = 10.0 ** np.arange(width)  # entries of one row differ by orders of magnitude
    velocities = np.random.default_rng(0).normal(size=(n_steps, n_rows, width)) * scales
    return list(velocities.astype(dtype))


def run(optimizer, velocities):
    state, directions = optimizer.init(velocities[0]), []
    for velocity in velocities:
        direction, state = optimizer.step(velocity, state)
        directions.append(direction)
    return directions, state


@every_dtype
def test_sgd_is_the_velocity(dtype):
    directions, state = run(SGD(), draw(dtype=dtype))
    assert_array_equal(directions, draw(dtype=dtype))
    assert state.shape == (7, 0)


def test_adagrad_is_that_of_liu_and_wang():
    velocities = draw()
    assert_allclose(0.3 * np.array(run(AdaGrad(), velocities)[0]), naive.adagrad(velocities, 0.3))


def test_adagrad_with_other_parameters():
    directions, history = run(AdaGrad(decay=0.25, epsilon=0.5), [np.array([[2.0]])] * 3)
    assert_allclose(directions, np.full((3, 1, 1), 2 / 2.5))
    assert_allclose(history, 4)
    _, history = run(AdaGrad(decay=0.25), [np.array([[1.0]]), np.array([[3.0]])])
    assert_allclose(history, 0.25 * 1 + 0.75 * 9)


@every_optimizer
@every_dtype
def test_rows_are_independent(optimizer, dtype):
    velocities, rows = draw(dtype=dtype), [4, 1, 1]
    directions, state = run(optimizer, velocities)
    few_directions, few_state = run(optimizer, [velocity[rows] for velocity in velocities])
    assert_array_equal(few_directions, np.array(directions)[:, rows])
    assert_array_equal(few_state, state[rows])
    # also when a row joins late, bringing its state
    _, midway = run(optimizer, velocities[:3])
    direction, _ = optimizer.step(velocities[3][rows], midway[rows])
    assert_array_equal(direction, directions[3][rows])


@every_optimizer
@every_dtype
def test_steps_leave_their_input_alone_and_keep_the_dtype(optimizer, dtype):
    velocities = draw(dtype=dtype)
    state = optimizer.init(velocities[0])
    _, state = optimizer.step(velocities[0], state)
    kept = state.copy()
    direction, following = optimizer.step(velocities[1], state)
    assert direction.dtype == following.dtype == state.dtype == dtype
    assert_array_equal(state, kept)
    assert_array_equal(velocities[1], draw(dtype=dtype)[1])


@every_optimizer
def test_what_has_not_moved_has_no_history(optimizer):
    zero, first = np.zeros((2, 3)), draw()[0][:2]
    directions, _ = run(optimizer, [zero, zero, first])
    assert_array_equal(directions[:2], [zero, zero])
    assert_array_equal(directions[2], run(optimizer, [first])[0][0])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_are_estimators(name):
    optimizer = OPTIMIZERS[name]()
    changed = clone(optimizer).set_params(**{key: 0.125 for key in optimizer.get_params()})
    assert clone(changed).get_params() == {key: 0.125 for key in optimizer.get_params()}
