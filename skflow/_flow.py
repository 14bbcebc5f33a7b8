"""Algorithm 1, a state at a time.

:class:`ParticleFlow` moves a cloud of particles onto the target: ``init`` makes a state of the
base rows and ``step`` the next state, so that a researcher can run Algorithm 1 by hand. All
randomness of a step is a function of the flow's seed and of the number of the step: a flow can be
taken up again from any of its states, and gives the same bits.

Mini-batches are dealt out in epochs: the rows are shuffled and every row has its turn once before
any has its next, so that all particles are of about the same age at any time.
"""

from typing import NamedTuple

import numpy as np

from skflow._kernels import normals

__all__ = ["FlowState", "ParticleFlow", "times_of_steps"]

_DIVERGED = 100  # times the radius of target and base

# Independent random streams of a step (or epoch), beside the seed and its number.
NOISE, TARGET_ORDER, PARTICLE_ORDER, PAIR = range(4)


class FlowState(NamedTuple):
    """Where a flow stands after some number of steps.

    Attributes
    ----------
    step : int
        Steps taken so far.
    particles : ndarray of shape (n_particles, n_features)
        All particles, moved or not; never modified later.
    optimizer_state : ndarray of shape (n_particles, ...)
        What the optimizer remembers of each particle.
    reach : float
        Distance from the target's mean beyond which the flow counts as diverged.
    sigma : float or None
        Bandwidth of the step that led here; None at the start.
    velocity : ndarray or None
        Velocity of the particles that this step moved.
    learned : object
        What a velocity that learns has learned for the next step; None for any other.
    """

    step: int
    particles: np.ndarray
    optimizer_state: np.ndarray
    reach: float
    sigma: float | None = None
    velocity: np.ndarray | None = None
    learned: object = None


def times_of_steps(n_steps):
    """The times in [0, 1] at which schedules are read; a lone step is at the end."""
    return np.linspace(0.0, 1.0, n_steps).tolist() if n_steps > 1 else [1.0]


def noised(Y, scale, rng):
    """Y plus Gaussian noise of the given standard deviation, in the dtype of Y."""
    return Y if scale == 0 else Y + normals(Y.shape, scale, Y.dtype, rng)


class ParticleFlow:
    """Algorithm 1: target, velocity, schedules and seed.

    Parameters
    ----------
    X : ndarray of shape (n_target, n_features)
        Target rows.
    velocity : callable
        ``velocity(Z, X, Y, sigma, sample_weight)``, fitted; see :mod:`skflow.velocities`.
    schedule : callable
        ``schedule(t)`` is the bandwidth at time t in [0, 1]; see :mod:`skflow.schedules`.
    optimizer : optimizer
        See :mod:`skflow.optimizers`.
    step_size : float or callable, default=0.1
        eta, or eta(t).
    n_steps : int, default=100
        Number of steps; the first is at time 0, the last at time 1.
    noise_scale : float or callable, default=1.0
        Standard deviation of the noise on the particles, or a function of the time in [0, 1], in
        bandwidths of the step.
    batch_size : int, default=None
        Most rows of X and of Y that take part in a step; all by default.
    sample_weight : ndarray of shape (n_target,), default=None
        Weights of the target rows.
    seed : int, default=0
        Seed of the mini-batches and of the noise.

    References
    ----------
    Weber, "The Score-Difference Flow for Implicit Generative Modeling", TMLR 2023, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow._flow import ParticleFlow
    >>> from skflow.optimizers import SGD
    >>> from skflow.schedules import Constant
    >>> from skflow.velocities import ScoreDifference
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[7.0], [9.0]])
    >>> flow = ParticleFlow(X, ScoreDifference().fit(X), Constant(4.0), SGD(), n_steps=200)
    >>> state = flow.init(Y)
    >>> while state.step < flow.n_steps:
    ...     state = flow.step(state)
    >>> bool(abs(state.particles.mean() - X.mean()) < 0.1)
    True
    """

    def __init__(
        self,
        X,
        velocity,
        schedule,
        optimizer,
        *,
        step_size=0.1,
        n_steps=100,
        noise_scale=1.0,
        batch_size=None,
        sample_weight=None,
        seed=0,
    ):
        self.X = X
        self.velocity = velocity
        self.optimizer = optimizer
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.sample_weight = sample_weight
        self.seed = seed
        self._center = X.mean(axis=0)
        self._offset = float(np.abs(self._center).max())
        times = times_of_steps(n_steps)
        self.sigmas = [float(schedule(t)) for t in times]
        self.etas = [float(step_size(t) if callable(step_size) else step_size) for t in times]
        noise_scales = [noise_scale(t) if callable(noise_scale) else noise_scale for t in times]
        self.noises = [float(c * s) for c, s in zip(noise_scales, self.sigmas, strict=True)]

    def init(self, Y, step=0, learned=None, reach=None):
        """State at the rows Y: the base, or any particles after some number of steps."""
        if reach is None:
            reach = _DIVERGED * max(self._distance(Y), self._distance(self.X))
        return self._learn(FlowState(step, Y, self.optimizer.init(Y), reach, learned=learned))

    def _distance(self, rows):
        """Largest distance of a row to the target's mean, in its largest coordinate."""
        return float(np.abs(rows - self._center).max())

    def _is_within(self, rows, reach):
        """Whether no row is further than that from the target's mean."""
        surely = reach - self._offset  # from zero, which is faster to tell
        return (rows.max() <= surely and -rows.min() <= surely) or self._distance(rows) <= reach

    def step(self, state, noise=None):
        """State after one more step; see :meth:`move`."""
        return self._learn(self.move(state, noise))

    def move(self, state, noise=None):
        """State after one more step, of which the velocity has not learned yet.

        Parameters
        ----------
        state : FlowState
            The state before.
        noise : ndarray, default=None
            :meth:`noise` of this step and of the particles that it moves, where it is known.

        Raises
        ------
        FloatingPointError
            When particles are a hundred times further from the target's mean than any row of
            target or base, or not finite.
        """
        k, Y, memory = state.step, state.particles, state.optimizer_state
        sigma, eta = self.sigmas[k], self.etas[k]
        rows = self.particle_rows(state)
        y = Y[rows]
        noise = self.noise(k, y) if noise is None else noise
        z = y if noise is None else y + noise
        v = self.field(state)(z)
        if np.shape(v) != z.shape or not np.isfinite(v).all():
            raise FloatingPointError(
                f"At step {k + 1} of {self.n_steps} the velocity {self.velocity!r} returned "
                f"{'NaN or infinity' if np.shape(v) == z.shape else f'shape {np.shape(v)}'} for "
                f"particles of shape {z.shape}."
            )
        direction, new_memory = self.optimizer.step(v, memory[rows])
        moved = (y + eta * direction).astype(Y.dtype, copy=False)
        if not self._is_within(moved, state.reach):  # also when it is not a number
            raise FloatingPointError(
                f"The flow diverged at step {k + 1} of {self.n_steps}: particles are far from both "
                f"base and target. Use a smaller step_size (now {eta:g}) or a larger bandwidth "
                f"(now {sigma:g})."
            )
        if isinstance(rows, slice):  # all of them
            Y, memory = moved, np.asarray(new_memory, dtype=memory.dtype)
        else:
            Y, memory = Y.copy(), memory.copy()
            Y[rows], memory[rows] = moved, new_memory
        return FlowState(k + 1, Y, memory, state.reach, sigma, v, state.learned)

    def field(self, state):
        """Velocity field of the step that follows a state, a function of rows.

        It is made by the target rows and particles of that step's mini-batches.
        """
        rows, options = self._players(state)
        if state.learned is not None:
            options["learned"] = state.learned

        def velocity(Z, **stand_in):
            return self.velocity(Z, *rows, **options, **stand_in)

        return velocity

    def _learn(self, state):
        """The state, with what the velocity learns of it for the step that follows."""
        if state.step == self.n_steps or not hasattr(self.velocity, "learn"):
            return state
        rows, options = self._players(state)
        learned = self.velocity.learn(*rows, **options, learned=state.learned)
        return state._replace(learned=learned)

    def _players(self, state):
        """Target rows, particles and bandwidth of the step that follows; and the weights."""
        x_rows = self._batch(len(self.X), state.step, TARGET_ORDER)
        y_rows = self.particle_rows(state)
        X, weights = self.X, self.sample_weight
        if not isinstance(x_rows, slice):  # all of X is X itself, which the velocity was fitted on
            X, weights = X[x_rows], None if weights is None else weights[x_rows]
        rows = X, state.particles[y_rows], self.sigmas[state.step]
        return rows, {"sample_weight": weights}

    def particle_rows(self, state):
        """Which particles take part in the step that follows a state."""
        return self._batch(len(state.particles), state.step, PARTICLE_ORDER)

    def epoch_length(self, n_rows):
        """Steps in which each of n_rows rows has its turn once."""
        return 1 if self.batch_size is None else -(-n_rows // self.batch_size)

    def _batch(self, n_rows, k, stream):
        """Rows of step k: everything, or an array of indices."""
        length = self.epoch_length(n_rows)
        if length == 1:
            return slice(None)
        epoch, turn = divmod(k, length)
        return np.array_split(self.rng(epoch, stream).permutation(n_rows), length)[turn]

    def noise(self, k, rows):
        """Noise of step k for rows, in their dtype; None where there is none."""
        scale = self.noises[k]
        return None if scale == 0 else normals(rows.shape, scale, rows.dtype, self.rng(k, NOISE))

    def rng(self, number, stream):
        """Random generator of a step or epoch."""
        return np.random.default_rng([self.seed, number, stream])
