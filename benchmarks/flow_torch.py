"""The score-difference flow (Algorithm 1) as one writes it in torch, for whole_run.py."""

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention


def matrix_mean(Z, X, sigma):
    """Mean of the rows of X, weighted by their kernel, at each row of Z."""
    bias = X.square().sum(dim=1) / (2 * sigma**2)
    return torch.softmax(torch.addmm(-bias, Z, X.T, alpha=1 / sigma**2), dim=1) @ X


def flash_mean(Z, X, sigma):
    """The same by attention, which forms no matrix; -|x|^2 / 2 sigma^2 is one more column."""
    n_zeros = -(X.shape[1] + 1) % (16 if X.dtype == torch.float32 else 1)  # products like 16s
    bias = -X.square().sum(dim=1, keepdim=True) / (2 * sigma**2)
    query = torch.hstack([Z / sigma**2, Z.new_ones(len(Z), 1), Z.new_zeros(len(Z), n_zeros)])
    zeros = X.new_zeros(len(X), n_zeros)
    key, value = torch.hstack([X, bias, zeros]), torch.hstack([X, 0 * bias, zeros])
    query, key, value = (rows[None, None] for rows in (query, key, value))
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        mean = scaled_dot_product_attention(query, key, value, scale=1.0)
    return mean[0, 0, :, : X.shape[1]]


@torch.no_grad()
def run(X, Y, sigmas, step_size, noise_scale, seed, soft_mean=flash_mean):
    """Every state of particles that start at the rows Y and flow to the target X."""
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    generator = torch.Generator().manual_seed(seed)
    states = [Y]
    for sigma in sigmas:
        Z = Y
        if noise_scale:
            noise = torch.randn(Y.shape, generator=generator, dtype=Y.dtype)
            Z = Y + noise_scale * sigma * noise
        Y = Y + step_size * (soft_mean(Z, X, sigma) - soft_mean(Z, Y, sigma))
        states.append(Y)
    return states
