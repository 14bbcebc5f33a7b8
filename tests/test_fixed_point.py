"""The row-wise solver: it solves, each row for itself, and says where it did not."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skflow._fixed_point import solve

TOLERANCE = 1e-12
ROTATION = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

# Maps of rows, each for itself; none of the last five is solved by the plain iteration.
MAPS = {
    "identity": lambda y: y,
    "shift": lambda y: y + 3,
    "contracting": lambda y: 0.1 * y,
    "nonlinear": lambda y: y + 0.5 * np.sin(y),
    "expanding": lambda y: 5 * y,
    "expanding by columns": lambda y: y * [0.2, 3.0, 9.0],
    "rotating": lambda y: 2 * y @ ROTATION,
    "steep": lambda y: y + 3 * np.tanh(y),
    "coupled": lambda y: y + 2 * np.tanh(y @ (ROTATION + ROTATION.T + np.eye(3))),
}


def draw(n_rows=40):
    return 2 * np.random.default_rng(0).normal(size=(n_rows, 3))


def solve_map(f, target, **kwargs):
    return solve(f, target, TOLERANCE, **kwargs)


@pytest.mark.parametrize("name", MAPS)
def test_solved_rows_are_solutions(name):
    target = draw()
    kept = target.copy()
    y, solved = solve_map(MAPS[name], target)
    assert solved.all()
    assert np.abs(MAPS[name](y) - target).max() <= TOLERANCE
    assert_array_equal(target, kept)


@pytest.mark.parametrize("name", list(MAPS)[-5:])
def test_the_plain_iteration_would_not_do(name):
    y = target = draw()
    for _ in range(60):
        y = y + target - MAPS[name](y)
    assert not (np.abs(MAPS[name](y) - target) < 1e-3).all()


@pytest.mark.parametrize("name", MAPS)
def test_each_row_on_its_own(name):
    target = draw()
    whole = solve_map(MAPS[name], target, max_iterations=9)
    for rows in [slice(0, 1), slice(7, 8), slice(3, 20), [5, 1, 1]]:
        part = solve_map(MAPS[name], target[rows], max_iterations=9)
        for result, expected in zip(part, whole, strict=True):
            assert_array_equal(result, expected[rows])


@pytest.mark.parametrize("trouble", ["no solution", "NaN", "infinity", "overflow"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rows_without_a_solution_are_flagged_and_alone(trouble):
    bad = np.arange(40) % 4 == 1

    def forward(y):
        mark, y = y[:, :1], y[:, 1:]  # rows come in any order: a column that stays tells which
        values = {
            "no solution": np.abs(y) + 30,
            "NaN": np.full_like(y, np.nan),
            "infinity": np.full_like(y, np.inf),
            "overflow": 1e200 * y**3,
        }[trouble]
        return np.hstack([mark, np.where(mark > 0.5, values, MAPS["steep"](y))])

    target = np.hstack([bad[:, None], draw()])
    y, solved = solve(forward, target, TOLERANCE)
    assert_array_equal(solved, ~bad)
    expected, _ = solve(forward, target[~bad], TOLERANCE)
    assert_array_equal(y[~bad], expected)
    assert np.isfinite(y).all()
    if trouble == "no solution":  # the closest that was found, no further off than the start
        residual = [np.abs(forward(a[bad]) - target[bad]).max(axis=1) for a in (y, target)]
        assert np.all(residual[0] <= residual[1])


def test_no_rows():
    y, solved = solve_map(MAPS["steep"], draw(0))
    assert y.shape == (0, 3) and solved.shape == (0,)
