"""The paper in plain numpy, one function an equation: slow, literal, the oracle of the tests.

Nothing here changes the dtype of its input, but for :func:`kernel_mean`, which works in
``np.longdouble``. The kernels underflow 38 sigmas away in float64, 150 away in ``np.longdouble``.
"""

import numpy as np


def kernel(z, x, sigma):
    """K(z, x), the Gaussian kernel below equation 14, over the last axis."""
    return np.exp(-np.sum((z - x) ** 2, axis=-1) / (2 * sigma**2))


def kernel_mean(Z, X, sigma, values=None, weights=None):
    """E[K v] / E[K] and log E[K], the brackets of equation 15, as a matrix in the log domain."""
    Z, X, sigma = (np.asarray(a, dtype=np.longdouble) for a in (Z, X, sigma))
    values = X if values is None else np.asarray(values, dtype=np.longdouble)
    weights = np.asarray(np.ones(len(X)) if weights is None else weights, dtype=np.longdouble)
    X, values, weights = X[weights > 0], values[weights > 0], weights[weights > 0]
    logits = np.array([-np.sum((z - X) ** 2, axis=1) for z in Z]) / (2 * sigma**2) + np.log(weights)
    top = logits.max(axis=1, keepdims=True)
    terms = np.exp(logits - top)
    total = terms.sum(axis=1, keepdims=True)
    return terms @ values / total, (top + np.log(total))[:, 0] - np.log(weights.sum())


def score(Z, X, sigma):
    """Equation 13, without the stray x in its denominator."""
    K = kernel(Z[:, None], X[None], sigma)[:, :, None]
    return ((K * X).mean(axis=1) / K.mean(axis=1) - Z) / sigma**2


def score_difference(Z, X, Y, sigma):
    """Equation 14, without the stray x in its denominator."""
    K_x, K_y = (kernel(Z[:, None], A[None], sigma)[:, :, None] for A in (X, Y))
    target = (K_x * X).mean(axis=1) / K_x.mean(axis=1)
    particles = (K_y * Y).mean(axis=1) / K_y.mean(axis=1)
    return (target - particles) / sigma**2


def sd_update(Z, X, Y, sigma, eta):
    """Equation 15."""
    return eta / 2 * sigma**2 * score_difference(Z, X, Y, sigma)


def mmd(Z, X, Y, sigma):
    """Equation 47."""
    K_x, K_y = (kernel(Z[:, None], A[None], sigma)[:, :, None] for A in (X, Y))
    target = (K_x * (X[None] - Z[:, None]) / sigma**2).mean(axis=1)
    particles = (K_y * (Y[None] - Z[:, None]) / sigma**2).mean(axis=1)
    return target - particles


def svgd(Z, Y, score, sigma):
    """Equation 51, first line; ``score`` holds the gradient of log p at each row of Y."""
    K = kernel(Z[:, None], Y[None], sigma)[:, :, None]
    gradient = K * (Z[:, None] - Y[None]) / sigma**2  # of K(z, y), by y
    return (K * score + gradient).mean(axis=1)


def particle_optimization(X, Y, sigmas, etas, noises=None):
    """Algorithm 1, full batch: its eta is half that of equation 15; no noise if ``noises=None``."""
    for step, (sigma, eta) in enumerate(zip(sigmas, etas, strict=True)):
        Z = Y if noises is None else Y + sigma * noises[step]
        Y = Y + sd_update(Z, X, Y, sigma, 2 * eta)
    return Y


def cosine_sigma(t, sigma_max, sigma_min):
    """Section 7.1: sigma^2 = sigma_max^2 cos(pi t' / 2), t in [0, 1] carried onto [0, t_max]."""
    t_max = 2 / np.pi * np.arccos(sigma_min**2 / sigma_max**2)
    return np.sqrt(sigma_max**2 * np.cos(np.pi * t * t_max / 2))


def adagrad(gradients, eta):
    """The steps of section 7.1's AdaGrad, as in Liu & Wang's code, whose history decays."""
    steps, history = [], None
    for g in gradients:
        history = g**2 if history is None else 0.9 * history + 0.1 * g**2
        steps.append(eta * g / (1e-6 + np.sqrt(history)))
    return steps


def squared_distances(Y):
    """D^2(y, y') of footnote 14, for all N x N pairs, each y with itself too."""
    return np.sum((Y[:, None] - Y[None]) ** 2, axis=-1)


def paper_bandwidth(Y):
    """sigma of footnote 14."""
    return np.sqrt(2 * np.median(squared_distances(Y)) / np.log(len(Y) + 1))


def liu_wang_bandwidth(Y):
    """sigma of footnote 14 as in Liu & Wang's code, which has 0.5 where the paper has 2."""
    return np.sqrt(0.5 * np.median(squared_distances(Y)) / np.log(len(Y) + 1))
