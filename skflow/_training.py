"""Algorithm 2 on its way: rows are generated, moved by a flow, and learned by the generator.

A round takes a step of the flow from where the generator is, and shows the regressor where the rows
got to. One that cannot learn on is fitted anew, which is worth while after several steps only.
"""

from copy import copy, deepcopy
from typing import NamedTuple

import numpy as np

from skflow._estimators import learn_on, way_on
from skflow._sources import LatentSource, RowSource, reach_of

__all__ = ["Setup", "Training", "constants"]

# Flow steps between two fits of a regressor that cannot learn on.
_STEPS_PER_FIT = 10
_KNOWN_INPUTS = 2000


class Setup(NamedTuple):
    """What is settled before the first step.

    Attributes
    ----------
    target : Target
        Where the flow leads.
    source : object
        What draws inputs.
    inputs : ndarray of shape (n_particles, n_inputs)
        The inputs whose outputs are the particles.
    start : ndarray of shape (n_particles, n_features)
        Where the particles are on the base.
    fixed : ndarray of shape (n_features,)
        The columns that are constant in the target; NaN in others.
    discrete : DiscreteFeatures
        The values of discrete columns of the target.
    bandwidth : float
        Before the schedule.
    schedule : schedule or None
        The one that "auto" has found; None for another.
    regressor : regressor
        Fitted to the base, or to whatever it learned before.
    known, reach : ndarray, float
        Some inputs, and the distance to the nearest of them at which others are far outside.
    """

    target: object
    source: object
    inputs: np.ndarray
    start: np.ndarray
    fixed: np.ndarray
    discrete: object
    bandwidth: float = np.nan
    schedule: object = None
    regressor: object = None
    known: np.ndarray | None = None
    reach: float = np.inf

    def looked_over(self):
        """The same, with some of the inputs and how far around them the generator knows its way."""
        known = self.inputs[:_KNOWN_INPUTS]
        return self._replace(known=known, reach=reach_of(known))

    @property
    def n_latent(self):
        return self.inputs.shape[1] if isinstance(self.source, LatentSource) else None

    def outputs(self, regressor, inputs):
        """What a regressor generates, in flow space."""
        rows = np.reshape(regressor.predict(inputs), (len(inputs), len(self.fixed)))
        rows = np.where(np.isnan(self.fixed), rows, self.fixed)
        return rows.astype(self.start.dtype, copy=False)


class Training:
    """Algorithm 2 on its way: a flow, the regressor that follows it, and what its velocity learned.

    Parameters
    ----------
    flow : ParticleFlow
        What moves the generated rows.
    setup : Setup
        Where it starts.
    n_rows : int
        Rows generated in each step.
    context : context manager
        What each round is in.
    rng : numpy.random.RandomState
        Draws the inputs of each step.
    learned : object, default=None
        What the velocity had learned, if the training goes on.

    Attributes
    ----------
    epoch : int
        Steps from one check of early stopping to the next: where every regressor has learned.
    n_steps : int
        Steps taken.
    """

    epoch = _STEPS_PER_FIT

    def __init__(self, flow, setup, n_rows, context, rng, learned=None):
        self.flow, self.setup, self.rng, self.learned = flow, setup, rng, learned
        self.n_rows = n_rows
        self.regressor = setup.regressor
        self.steps_per_fit = 1 if way_on(self.regressor) == "partial_fit" else _STEPS_PER_FIT
        self.context = context
        self.sigma, self.n_steps, self.reach = flow.sigmas[0], 0, None

    def round(self, k, on_step):
        """Generate rows, move them from step k on, and show the regressor where they got to.

        Parameters
        ----------
        k : int
            Number of the step.
        on_step : callable
            Called with velocity and bandwidth after each step; returns whether to stop.

        Returns
        -------
        bool
            Whether to stop.
        """
        stop = False
        with self.context:
            inputs = _some(self.setup.source, self.n_rows, self.rng, self.setup.start.dtype)
            y = self.setup.outputs(self.regressor, inputs)
            state = self.flow.init(y, step=k, learned=self.learned, reach=self.reach)
            self.reach = state.reach
            self._check_reach(y)
            last = min(k + self.steps_per_fit, self.flow.n_steps)
            while state.step < last and not stop:
                # The velocity learns of rows that it will move, not of those that are left behind.
                is_last = state.step == last - 1
                state = self.flow.move(state) if is_last else self.flow.step(state)
                self.sigma, self.learned = state.sigma, state.learned
                self.n_steps += 1
                if is_last:
                    self._learn(inputs, state.particles)
                stop = on_step(state.velocity, state.sigma)
            if not is_last:
                self._learn(inputs, state.particles)
        return stop

    def _learn(self, inputs, targets):
        self.regressor = learn_on(self.regressor, lambda _: (inputs, targets))

    def _check_reach(self, y):
        size = np.abs(y).max()
        if not size <= self.reach:  # also when it is not a number
            raise FloatingPointError(
                f"The regressor diverged after {self.n_steps} steps: it generates rows that are "
                f"{size:.3g} away from the target, in flow space. Lower its learning rate."
            )

    @property
    def particles(self):
        """What the regressor makes of the inputs of the particles, as many as a step has."""
        inputs = self.setup.inputs
        return self.setup.outputs(self.regressor, inputs[:: -(-len(inputs) // self.n_rows)])

    def so_far(self):
        """The training as it is now, of which nothing changes when it goes on."""
        copied = copy(self)
        if way_on(self.regressor) is not None:  # it will not be fitted anew
            copied.regressor = deepcopy(self.regressor)
        return copied

    def fitted(self):
        """Attributes of the generator if the training ended here."""
        setup = self.setup
        rows = setup.outputs(self.regressor, setup.inputs)
        return {
            "regressor_": self.regressor,
            "particles_": setup.target.space.from_flow(rows),
            "bandwidth_": setup.bandwidth,
            "n_steps_": self.n_steps,
            "is_discrete_": setup.discrete.mask_,
            "_space": setup.target.space,
            "_training_X": setup.target.X,
            "_setup": setup._replace(target=None, regressor=None),
            "_rows": rows,
            "_sigma": self.sigma,
            "_learned": self.learned,
            "_rng": self.rng,
        }


def _some(source, n_rows, rng, dtype):
    """Inputs of a step; given rows all take part if they are not too many."""
    if isinstance(source, RowSource) and len(source.rows_) <= n_rows:
        return source.rows_
    return source.draw(n_rows, rng).astype(dtype, copy=False)


def constants(rows):
    """The value of each column that has only one; NaN for others."""
    return np.where(np.ptp(rows, axis=0) == 0, rows[0], np.nan)
