"""The score-difference flow (Algorithm 1) as one writes it in numpy, for whole_run.py."""

import numpy as np

CHUNK = 2**18  # kernels at a time, which stay in a cache


def soft_mean(Z, X, sigma):
    """Mean of the rows of X, weighted by their kernel, at each row of Z."""
    means = np.empty_like(Z)
    bias = 0.5 * np.square(X).sum(axis=1)
    step = max(16, CHUNK // len(X))
    for start in range(0, len(Z), step):
        weights = Z[start : start + step] @ X.T
        weights -= bias
        weights /= sigma**2
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        means[start : start + step] = weights @ X / weights.sum(axis=1, keepdims=True)
    return means


def run(X, Y, sigmas, step_size, noise_scale, seed):
    """Every state of particles that start at the rows Y and flow to the target X."""
    rng = np.random.default_rng(seed)
    states = [Y]
    for sigma in sigmas:
        Z = Y
        if noise_scale:
            noise = rng.standard_normal(Y.shape, dtype=Y.dtype)
            Z = Y + noise_scale * sigma * noise
        Y = Y + step_size * (soft_mean(Z, X, sigma) - soft_mean(Z, Y, sigma))
        states.append(Y)
    return states
