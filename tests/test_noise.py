"""Normal numbers in compiled loops are those of numpy, to the bit."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skflow._kernels import noise
from skflow._kernels.noise import _FEW, normals

NUMBERS = 3 * _FEW, _FEW, _FEW - 1, 4, 0  # many, just many, and few


@pytest.mark.parametrize("make", [np.random.PCG64, np.random.MT19937, np.random.SFC64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 0.3, 1e-3, 7e30])
def test_the_numbers_of_numpy_and_the_generator_as_numpy_leaves_it(scale, dtype, make):
    ours, theirs = (np.random.Generator(make(5)) for _ in range(2))
    for number in NUMBERS:
        drawn = normals((number, 1), scale, dtype, ours)
        assert drawn.dtype == dtype
        assert_array_equal(drawn, (scale * theirs.standard_normal((number, 1))).astype(dtype))
    assert ours.random(9).tolist() == theirs.random(9).tolist()


def test_many_numbers_are_those_that_are_rare():
    """Of a million, hundreds are in the tail and thousands in a wedge, which takes more numbers."""
    ours, theirs = np.random.default_rng(0), np.random.default_rng(0)
    drawn = normals((1000, 1000), 1.0, np.float64, ours)
    assert np.abs(drawn).max() > 4.5  # the tail begins at 3.65
    assert_array_equal(drawn, theirs.standard_normal((1000, 1000)))


def test_a_random_state_is_drawn_from_as_well():
    ours, theirs = np.random.RandomState(2), np.random.RandomState(2)
    assert_array_equal(
        normals((_FEW, 2), 0.5, np.float32, ours),
        (0.5 * theirs.standard_normal((_FEW, 2))).astype(np.float32),
    )


def test_few_numbers_compile_nothing(monkeypatch):
    monkeypatch.setattr(noise, "fill_normals", None)
    normals((_FEW - 1,), 1.0, np.float64, np.random.default_rng(0))
    with pytest.raises(TypeError, match="not callable"):
        normals((_FEW,), 1.0, np.float64, np.random.default_rng(0))
