"""Solving ``forward(y) = target`` for many rows at once."""

import numpy as np

__all__ = ["solve"]


def solve(forward, target, tolerance, *, memory=5, max_iterations=60):
    """Rows y with ``forward(y) = target``, each found on its own.

    Anderson's acceleration of ``y <- y + (target - forward(y))``: the last few residuals are
    combined, by least squares for each row, so that the next one is smallest. The best iterate
    of each row is kept.

    Parameters
    ----------
    forward : callable
        Maps rows (n, d) to rows (n, d), each for itself.
    target : ndarray of shape (n_rows, n_features)
        Where the rows should end up; also the first guess.
    tolerance : float
        Largest entry of a residual that counts as solved, beside the rounding of the target.
    memory : int, default=5
        Number of earlier iterates that are combined.
    max_iterations : int, default=60
        Evaluations of forward, at most.

    Returns
    -------
    y : ndarray of shape (n_rows, n_features)
        The solutions, or the closest that was found.
    solved : ndarray of bool of shape (n_rows,)
        Which rows are within the tolerance.

    References
    ----------
    Walker & Ni, "Anderson acceleration for fixed-point iterations", SIAM J. Numer. Anal. 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow._fixed_point import solve
    >>> y, solved = solve(lambda y: y + 3 * np.tanh(y), np.array([[2.0]]), tolerance=1e-12)
    >>> bool(solved[0]), float((y + 3 * np.tanh(y))[0, 0].round(9))
    (True, 2.0)
    """
    tolerance = tolerance + 8 * np.finfo(target.dtype).eps * np.abs(target).max(axis=1, initial=0)
    best = target.copy()
    best_size = np.full(len(target), np.inf)
    active = np.arange(len(target))
    y = target.copy()
    steps, changes = [], []  # differences of iterates and of residuals, for the active rows
    last_y = last_residual = None
    for _ in range(max_iterations):
        residual = target[active] - forward(y)
        size = np.abs(residual).max(axis=1, initial=0.0)
        better = size < best_size[active]
        best[active[better]], best_size[active[better]] = y[better], size[better]
        if last_y is not None:
            steps = [*steps, y - last_y][-memory:]
            changes = [*changes, residual - last_residual][-memory:]
        keep = best_size[active] > tolerance[active]
        active, y, residual = active[keep], y[keep], residual[keep]
        if len(active) == 0:
            break
        steps, changes = [s[keep] for s in steps], [c[keep] for c in changes]
        last_y, last_residual = y, residual
        y = y + residual - _combination(steps, changes, residual)
    return best, best_size <= tolerance


def _combination(steps, changes, residual):
    """What to take off the plain step so that the linearised residual is smallest."""
    if not steps:
        return 0.0
    S, C = np.stack(steps, axis=2), np.stack(changes, axis=2)  # (rows, d, memory)
    gram = np.einsum("ndi,ndj->nij", C, C)
    ridge = 1e-14 * np.trace(gram, axis1=1, axis2=2) + np.finfo(float).tiny
    gram += ridge[:, None, None] * np.eye(gram.shape[1])
    right = np.einsum("ndi,nd->ni", C, residual)[:, :, None]
    return ((S + C) @ np.linalg.solve(gram, right))[:, :, 0]
