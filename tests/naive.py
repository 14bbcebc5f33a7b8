"""The paper in plain numpy, one function an equation: slow, literal, the oracle of the tests.

Nothing here changes the dtype of its input, but for :func:`kernel_mean`, which works in
``np.longdouble``. The kernels underflow 38 sigmas away in float64, 150 away in ``np.longdouble``.
Rows may be complex: a step of 1e-200 into the complex plane makes derivatives without rounding.
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


def log_density(Z, X, sigma):
    """Log of equation 12."""
    constant = -Z.shape[1] / 2 * np.log(2 * np.pi * sigma**2)
    return constant + np.log(kernel(Z[:, None], X[None], sigma).mean(axis=1))


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


def optimal_denoiser(Z, X, sigma):
    """Equation 41, without the stray x in its denominator."""
    K = kernel(Z[:, None], X[None], sigma)[:, :, None]
    return (K * X).mean(axis=1) / K.mean(axis=1)


def denoiser_of_smoothed(Z, X, sigma, tau):
    """Equation 41 at noise level tau for rows of X that are smoothed by sigma before.

    From x, the smoothed row is expected between x and z, nearer to z the smaller tau is.
    """
    K = kernel(Z[:, None], X[None], np.sqrt(sigma**2 + tau**2))[:, :, None]
    expected = (sigma**2 * Z[:, None] + tau**2 * X[None]) / (sigma**2 + tau**2)
    return (K * expected).mean(axis=1) / K.mean(axis=1)


def reverse_chain(y, levels, denoiser, draws):
    """Equation 21 from z = y + the first level times the first draw; yields z at each level."""
    z = y + levels[0] * draws[0]
    for t, s, draw in zip(levels[:-1], levels[1:], draws[1:], strict=True):
        rho = 1 - s**2 / t**2
        z = (1 - rho) * z + rho * denoiser(z, t) + np.sqrt(rho) * s * draw
        yield z


def carried_noise_chain(y, levels, denoiser, draws):
    """Equation 19, with the noise of the first line of equation 22; yields y and its noise."""
    noise = levels[0] * draws[0]
    for t, s, draw in zip(levels[:-1], levels[1:], draws[1:], strict=True):
        rho = 1 - s**2 / t**2
        y = (1 - rho) * y + rho * denoiser(y + noise, t)
        noise = np.sqrt(rho) * s * draw + (1 - rho) * noise
        yield y, noise


def fresh_noise_chain(y, levels, denoiser, draws):
    """Equation 19 alone: z is y with new noise in each step; yields y."""
    for t, s, draw in zip(levels[:-1], levels[1:], draws[:-1], strict=True):
        rho = 1 - s**2 / t**2
        y = (1 - rho) * y + rho * denoiser(y + t * draw, t)
        yield y


def mmd(Z, X, Y, sigma):
    """Equation 47."""
    K_x, K_y = (kernel(Z[:, None], A[None], sigma)[:, :, None] for A in (X, Y))
    target = (K_x * (X[None] - Z[:, None]) / sigma**2).mean(axis=1)
    particles = (K_y * (Y[None] - Z[:, None]) / sigma**2).mean(axis=1)
    return target - particles


def mmd_by_weights(Z, X, Y, sigma, normalize=False):
    """Equation 48; ``normalize`` makes the weights of either kind sum to one (remark 1)."""
    w_p, w_q = (kernel(Z[:, None], A[None], sigma) / (len(A) * sigma**2) for A in (X, Y))
    if normalize:
        w_p, w_q = (w / w.sum(axis=1, keepdims=True) for w in (w_p, w_q))
    return w_p @ X - w_q @ Y + (w_q.sum(axis=1) - w_p.sum(axis=1))[:, None] * Z


def svgd(Z, Y, score, sigma, weights=None):
    """Equation 51, first line; ``score`` holds the gradient of log p at each row of Y."""
    K = kernel(Z[:, None], Y[None], sigma)[:, :, None]
    gradient = K * (Z[:, None] - Y[None]) / sigma**2  # of K(z, y), by y
    return np.average(K * score + gradient, axis=1, weights=weights)


def svgd_by_difference(Z, Y, difference, sigma):
    """Equation 51, second line; ``difference`` holds that of the scores at each row of Y."""
    return (kernel(Z[:, None], Y[None], sigma)[:, :, None] * difference).mean(axis=1)


def discriminator(log_p, log_q):
    """Equation 33, from the logarithms of the densities."""
    return np.exp(log_p) / (np.exp(log_p) + np.exp(log_q))


def pre_activation(f):
    """h of equation 34."""
    return -np.log(1 / f - 1)


def particle_optimization(X, Y, sigmas, etas, noises=None):
    """Algorithm 1, full batch: its eta is half that of equation 15; no noise if ``noises=None``."""
    for step, (sigma, eta) in enumerate(zip(sigmas, etas, strict=True)):
        Z = Y if noises is None else Y + sigma * noises[step]
        Y = Y + sd_update(Z, X, Y, sigma, 2 * eta)
    return Y


def model_optimization(X_batches, input_batches, theta, sigmas, etas, rate, noises):
    """Algorithm 2 for the generator ``[1, xi] theta``; its eta is half that of equation 15."""
    steps = zip(X_batches, input_batches, sigmas, etas, noises, strict=True)
    for X, xi, sigma, eta, noise in steps:
        features = np.column_stack([np.ones(len(xi)), xi])
        y = features @ theta
        moved = y + sd_update(y + sigma * noise, X, y, sigma, 2 * eta)
        theta = theta - rate * features.T @ (y - moved)
    return theta


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


# --- Gaussians, as pairs of mean and covariance: the expectations of the paper in closed form ----


def smoothed(gaussian, sigma):
    """Equation 12."""
    mean, covariance = gaussian
    return mean, covariance + sigma**2 * np.eye(len(mean))


def gaussian_log_density(Z, gaussian):
    """Logarithm of the density."""
    mean, covariance = gaussian
    distances = ((Z - mean) * np.linalg.solve(covariance, (Z - mean).T).T).sum(axis=1)
    return -0.5 * (distances + np.linalg.slogdet(2 * np.pi * covariance)[1])


def gaussian_score(Z, gaussian):
    """Gradient of the logarithm of the density."""
    mean, covariance = gaussian
    return -np.linalg.solve(covariance, (Z - mean).T).T


def gaussian_denoiser(Z, gaussian, sigma):
    """E[x | z], by Tweedie's formula (footnote 9)."""
    return Z + sigma**2 * gaussian_score(Z, smoothed(gaussian, sigma))


def gaussian_probability_flow(Z, gaussian, sigma, next_sigma):
    """Where equation 4 leads rows of the smoothed Gaussian, for a spherical one."""
    mean, covariance = gaussian
    variance = covariance[0, 0]
    return mean + (Z - mean) * np.sqrt((variance + next_sigma**2) / (variance + sigma**2))


def mean_kernel(Z, gaussian, sigma):
    """E[K(z, x)], which is equation 12 without the constant of N(z; x, sigma^2)."""
    density = np.exp(gaussian_log_density(Z, smoothed(gaussian, sigma)))
    return ((2 * np.pi * sigma**2) ** (Z.shape[1] / 2) * density)[:, None]


def sd_field(Z, p, q):
    """Equation 5 without its factor: the score difference."""
    return gaussian_score(Z, p) - gaussian_score(Z, q)


def mmd_field(Z, p, q, sigma):
    """Equation 46."""
    pull, push = (mean_kernel(Z, g, sigma) * gaussian_score(Z, smoothed(g, sigma)) for g in (p, q))
    return pull - push


def svgd_field(Z, p, q, sigma):
    """Equation 51, second line: under K(z, y) q(y), the mean of y is E[y | z]."""
    return mean_kernel(Z, q, sigma) * sd_field(gaussian_denoiser(Z, q, sigma), p, q)


def kl(q, p):
    """Equation 7."""
    shift, ratio = p[0] - q[0], np.linalg.solve(p[1], q[1])
    distance = shift @ np.linalg.solve(p[1], shift)
    return 0.5 * (np.trace(ratio) - len(shift) - np.linalg.slogdet(ratio)[1] + distance)


def fisher_divergence(q, p):
    """Equation 11: the score difference is A y + b."""
    A = np.linalg.inv(q[1]) - np.linalg.inv(p[1])
    at_mean = sd_field(q[0][None], p, q)[0]
    return np.trace(A @ q[1] @ A.T) + at_mean @ at_mean


def pushed(q, p, eps):
    """q after the step ``y + eps (A y + b)`` along the score difference."""
    step = np.eye(len(q[0])) + eps * (np.linalg.inv(q[1]) - np.linalg.inv(p[1]))
    return q[0] + eps * sd_field(q[0][None], p, q)[0], step @ q[1] @ step.T
