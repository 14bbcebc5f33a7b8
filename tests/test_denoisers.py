"""The kernel denoiser against the paper."""

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skflow._kernels import kernel_mean
from skflow.denoisers import KernelDenoiser


def draw(dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 3)).astype(dtype) for n in (20, 70)]


@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
def test_denoise_is_the_paper(sigma):
    Z, X = draw()
    denoiser = KernelDenoiser().fit(X)
    result = denoiser.denoise(Z, sigma)
    assert_allclose(result, naive.kernel_mean(Z, X, sigma)[0].astype(float), atol=1e-13)
    # Tweedie: the score is what denoising moves, over sigma^2 (equation 13)
    assert_allclose((result - Z) / sigma**2, naive.score(Z, X, sigma), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.3, 5.0])
def test_weights_are_repeats(sigma):
    Z, X = draw()
    weights = np.arange(len(X)) % 3
    weighted = KernelDenoiser().fit(X, sample_weight=weights).denoise(Z, sigma)
    repeated = KernelDenoiser().fit(np.repeat(X, weights, axis=0)).denoise(Z, sigma)
    assert_allclose(weighted, repeated, atol=1e-13)
    assert not np.allclose(weighted, KernelDenoiser().fit(X).denoise(Z, sigma), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    Z, X = draw(dtype)
    result = KernelDenoiser().fit(X).denoise(Z, 1.0)
    assert result.dtype == dtype
    assert_array_equal(result, kernel_mean(Z, X, 1.0)[0])


def test_one_row_is_the_only_answer_and_refitting_forgets():
    Z, X = draw()
    denoiser = KernelDenoiser().fit(X, sample_weight=np.ones(len(X))).fit(X[:1])
    assert_array_equal(denoiser.denoise(100 * Z, 0.1), np.repeat(X[:1], len(Z), axis=0))
    with pytest.raises(NotFittedError):
        clone(denoiser).denoise(Z, 1.0)
