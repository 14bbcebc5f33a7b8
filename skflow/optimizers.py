"""How a velocity becomes a direction to move in: ``init`` and ``step`` on explicit state.

A state is an array with a row for each particle, so that the flow can hand over the rows of a
mini-batch and a carried row can bring its own.
"""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator

from skflow._sklearn import Interval

__all__ = ["OPTIMIZERS", "SGD", "AdaGrad"]


class SGD(BaseEstimator):
    """Move along the velocity: the plain update of Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.optimizers import SGD
    >>> optimizer = SGD()
    >>> velocity = np.array([[2.0, -1.0]])
    >>> direction, state = optimizer.step(velocity, optimizer.init(velocity))
    >>> direction
    array([[ 2., -1.]])
    """

    _parameter_constraints: dict = {}

    def init(self, Y: np.ndarray) -> np.ndarray:
        """State before the first step: nothing to remember.

        Parameters
        ----------
        Y : ndarray of shape (n_particles, n_features)
            Particles where they start.

        Returns
        -------
        ndarray of shape (n_particles, 0)
            The state, with a row for each particle.
        """
        return np.empty((len(Y), 0), dtype=Y.dtype)

    def step(self, velocity: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Direction to move in, and the next state.

        Parameters
        ----------
        velocity : ndarray of shape (n_particles, n_features)
            Velocities of the particles.
        state : ndarray of shape (n_particles, 0)
            What `init` or the last step returned for them.

        Returns
        -------
        direction : ndarray of shape (n_particles, n_features)
            What the step size multiplies.
        state : ndarray of shape (n_particles, 0)
            The state after this step.
        """
        return velocity, state


class AdaGrad(BaseEstimator):
    """Move by the velocity over the root of its running mean square, entry by entry.

    ``h = g^2`` at the first step and ``decay h + (1 - decay) g^2`` after it; the direction is
    ``g / (epsilon + sqrt(h))``. This is what the published code of SVGD calls AdaGrad, most
    likely what the paper's experiments used; it forgets, unlike that of Duchi et al. (2011).

    Parameters
    ----------
    decay : float, default=0.9
        How much of the history is kept in a step, in [0, 1].
    epsilon : float, default=1e-6
        Added to the denominator; positive.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, section 7.1;
    Liu & Wang, "Stein variational gradient descent", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow.optimizers import AdaGrad
    >>> optimizer = AdaGrad()
    >>> velocity = np.array([[2.0, -1.0]])
    >>> direction, state = optimizer.step(velocity, optimizer.init(velocity))
    >>> direction.round(3)
    array([[ 1., -1.]])
    """

    _parameter_constraints: dict = {
        "decay": [Interval(Real, 0, 1, closed="both")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, decay: float = 0.9, epsilon: float = 1e-6) -> None:
        self.decay = decay
        self.epsilon = epsilon

    def init(self, Y: np.ndarray) -> np.ndarray:
        """State before the first step: zero where nothing has moved yet.

        Parameters
        ----------
        Y : ndarray of shape (n_particles, n_features)
            Particles where they start.

        Returns
        -------
        ndarray of shape (n_particles, n_features)
            The state, with a row for each particle.
        """
        return np.zeros_like(Y)

    def step(self, velocity: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Direction to move in, and the next state.

        Parameters
        ----------
        velocity : ndarray of shape (n_particles, n_features)
            Velocities of the particles.
        state : ndarray of shape (n_particles, n_features)
            What `init` or the last step returned for them.

        Returns
        -------
        direction : ndarray of shape (n_particles, n_features)
            What the step size multiplies.
        state : ndarray of shape (n_particles, n_features)
            The state after this step.
        """
        squared = np.square(velocity)
        history = self.decay * state + (1 - self.decay) * squared
        history = np.where(state == 0, squared, history)
        return velocity / (self.epsilon + np.sqrt(history)), history


OPTIMIZERS = {"sgd": SGD, "adagrad": AdaGrad}
