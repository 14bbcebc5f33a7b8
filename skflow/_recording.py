"""A recorded flow: rows that were not there are carried through it, forwards and backwards.

A carried row stands in for one particle, the one that started nearest to it, and meets the others
and itself as that particle did. This is what keeps it among the others: a row that only followed
the velocity field of the particles would drift off wherever their cloud is thin. A row that
started where a particle did takes the same way, up to its noise.

A particle of Algorithm 1 moves along ``velocity(y + sigma eps)`` with noise ``eps`` of its own, in
every step if there are no mini-batches, else once an epoch.

- With ``rng``, a row moves when its particle does, with noise of its own: carried rows have the
  law of the particles.
- Without, carrying is deterministic and works on each row alone. Noise enters as pairs ``eps`` and
  ``-eps``, fixed by the seed of the flow and shared by all rows, whose two directions are averaged;
  in an epoch, a row moves along the average over its mini-batches. Averaging over pairs and steps
  replaces averaging over rows.

What is kept. The states that fit in a given amount of memory, evenly spaced. When those are not
all, the states in between are computed again, the same bit for bit, whenever rows are carried:
memory is bounded at the price of time, and the results do not depend on it.

Time. A flow covers most of its way in its first steps and then settles. Times in [0, 1] are
therefore measured along the way, by the particles' root mean square distance from where they
started: half way is half way.
"""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.neighbors import NearestNeighbors

from skflow._fixed_point import solve
from skflow._flow import PAIR, noised

__all__ = ["RecordedFlow"]

# When a row is traced back: how many particles it may stand in for, and corrections of each guess.
_GUESSES, _CORRECTIONS = 5, 3


class _Carried(NamedTuple):
    """Rows on their way, between two steps of an epoch."""

    start: np.ndarray  # the rows at the start of the epoch
    memory: np.ndarray  # the optimizer's, at the start of the epoch
    moved: np.ndarray  # displacement so far
    learned: np.ndarray  # change of memory so far
    particles: np.ndarray  # the particle that each row stands in for

    @property
    def rows(self):
        return (self.start + self.moved).astype(self.start.dtype, copy=False)


def _carried(rows, memory, particles):
    return _Carried(rows, memory, np.zeros_like(rows), np.zeros_like(memory), particles)


def _nearest(rows, points):
    """Index of the nearest point to each row, and its distance."""
    return pairwise_distances_argmin_min(rows, points)


def _distances_to_nearest(points):
    """Distance of each point to the nearest other one; zero for a lone point."""
    if len(points) == 1:
        return np.zeros(1)
    return NearestNeighbors(n_neighbors=1).fit(points).kneighbors()[0].ravel()


class RecordedFlow:
    """A run of a flow, kept so that other rows can be carried through it.

    Parameters
    ----------
    flow : ParticleFlow
        What to run.
    Y : ndarray of shape (n_particles, n_features)
        Base rows.
    max_bytes : float
        Memory for the kept states. Memory for about ``2 sqrt(n_steps)`` states is always used,
        the least that carrying rows backwards needs.
    on_step : callable, default=None
        Called with each new state.

    Attributes
    ----------
    kept : list of FlowState
        The states at the start, at the end and, evenly spaced, in between.
    times : ndarray of shape (n_steps + 1,)
        The time of each state, in [0, 1].
    """

    def __init__(self, flow, Y, max_bytes, on_step=None):
        self.flow = flow
        self.epoch = flow.epoch_length(len(Y))
        state = flow.init(Y)
        affordable = max_bytes / (Y.nbytes + state.optimizer_state.nbytes)
        self.every = _distance_of_kept_states(flow.n_steps, affordable)
        self.kept = [state]
        distances = [0.0]
        while state.step < flow.n_steps:
            state = flow.step(state)
            distances.append(float(np.sqrt(np.square(state.particles - Y).sum(axis=1).mean())))
            if on_step is not None:
                on_step(state)
            if state.step % self.every == 0 or state.step == flow.n_steps:
                self.kept.append(state._replace(velocity=None))
        self.times = _times_along_the_way(np.array(distances))

    @property
    def particles(self):
        """The particles at the end of the run."""
        return self.kept[-1].particles

    def _states(self, first, last):
        """The states before the steps first, ..., last - 1: kept, or computed again."""
        state = self.kept[first // self.every]
        while state.step < last:
            if state.step >= first:
                yield state
            following = state.step + 1
            if following % self.every == 0:
                state = self.kept[following // self.every]
            elif following < last:
                state = self.flow.step(state)._replace(velocity=None)
            else:
                return

    # --- one step -------------------------------------------------------------------------------

    def _places(self, state, particles):
        """Where in the step's mini-batch the particles are; -1 for those that are not in it."""
        places = np.full(len(state.particles), -1)
        rows = self.flow.particle_rows(state)
        places[rows] = np.arange(len(places[rows]))
        return places[particles]

    def _step(self, state, carried):
        """Deterministic step: the pair's average, and this step's share of the epoch."""
        flow, k = self.flow, state.step
        rows = z = carried.start
        places = self._places(state, carried.particles)
        if flow.noise_scale > 0:
            noise = flow.rng(k, PAIR).standard_normal(rows.shape[1])
            noise = (flow.noise_scale * flow.sigmas[k] * noise).astype(rows.dtype, copy=False)
            rows, z = np.concatenate([rows, rows]), np.concatenate([rows + noise, rows - noise])
            places = np.concatenate([places, places])
        velocity = flow.field(state)(z, own=rows, replaces=places)
        direction, memory = flow.optimizer.step(velocity, carried.memory)
        direction = direction.reshape(-1, *carried.start.shape).mean(axis=0)
        return carried._replace(
            moved=carried.moved + flow.etas[k] / self.epoch * direction,
            learned=carried.learned + (memory - carried.memory) / self.epoch,
        )

    def _random_step(self, state, carried, rng):
        """Step with noise for each row of its own, for the rows whose turn it is."""
        flow, k = self.flow, state.step
        places = self._places(state, carried.particles)
        turn = places >= 0
        rows, memory = carried.start[turn], carried.memory[turn]
        if len(rows) == 0:
            return carried
        z = noised(rows, flow.noise_scale * flow.sigmas[k], rng)
        velocity = flow.field(state)(z, own=rows, replaces=places[turn])
        direction, new_memory = flow.optimizer.step(velocity, memory)
        moved, learned = carried.moved.copy(), carried.learned.copy()
        moved[turn] = flow.etas[k] * direction
        learned[turn] = new_memory - memory
        return carried._replace(moved=moved, learned=learned)

    def _init(self, rows, particles):
        """Deterministically carried rows; the optimizer remembers each of the pair."""
        copies = 1 if self.flow.noise_scale == 0 else 2
        memory = self.flow.optimizer.init(np.concatenate([rows] * copies))
        return _carried(rows, memory, particles)

    # --- carrying -------------------------------------------------------------------------------

    def stages(self, rows, stop=1.0, rng=None):
        """Yield the rows after each step, up to the time ``stop`` in [0, 1].

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            Rows of the base distribution.
        stop : float, default=1.0
            How far to go; part of a step is that part of its displacement.
        rng : numpy.random.RandomState, default=None
            Noise for each row; None carries deterministically.

        Yields
        ------
        ndarray of shape (n_rows, n_features)
        """
        n_steps, last_share = self._split_time(stop)
        particles, _ = _nearest(rows, self.kept[0].particles)
        if rng is None:
            carried = self._init(rows, particles)
        else:
            carried = _carried(rows, self.flow.optimizer.init(rows), particles)
        for state in self._states(0, n_steps):
            before = carried
            if rng is None:
                carried = self._step(state, carried)
            else:
                carried = self._random_step(state, carried, rng)
            if state.step == n_steps - 1:
                carried = _part_of_the_way(before, carried, last_share)
            yield carried.rows
            if (state.step + 1) % self.epoch == 0:
                memory = carried.memory + carried.learned
                carried = _carried(carried.rows, memory, particles)

    def carry(self, rows, stop=1.0, rng=None):
        """The last of :meth:`stages`; the rows themselves at time 0."""
        for stage in self.stages(rows, stop, rng):
            rows = stage
        return rows

    def carry_back(self, rows, stop=1.0):
        """Rows that :meth:`carry` brings to these rows; only for optimizers without memory.

        Each deterministic step (or epoch) is inverted by an accelerated fixed-point iteration, in
        float64.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            Rows at the time ``stop``.
        stop : float, default=1.0
            Where they are.

        Returns
        -------
        ndarray of shape (n_rows, n_features)

        Warns
        -----
        UserWarning
            For rows that no base row was found for: there a step of the flow folds space.
        """
        dtype, rows = rows.dtype, rows.astype(np.float64)
        base = self.kept[0].particles
        # Which particle does a row stand in for? That which starts nearest to where the row does.
        # Guesses: the particles that end nearest to the row; then what the row's start says. Rows
        # far outside the base also end on the target: the start nearest to the base is meant.
        back = rows.copy()
        distance = np.full(len(rows), np.inf)
        near = 2 * _distances_to_nearest(base).max()
        ends = self._state_at(stop).particles
        guesses = NearestNeighbors(n_neighbors=min(_GUESSES, len(ends))).fit(ends)
        for guess in guesses.kneighbors(rows, return_distance=False).T:
            wanting = np.flatnonzero(distance > near)
            particles = guess[wanting]
            for _ in range(_CORRECTIONS):
                if len(wanting) == 0:
                    break
                traced, reached = self._trace(rows[wanting], particles, stop)
                nearest, away = _nearest(traced, base)
                right = reached & (nearest == particles)
                better = right & (away < distance[wanting])
                back[wanting[better]] = traced[better]
                distance[wanting[better]] = away[better]
                wanting, particles = wanting[~right], nearest[~right]
        failed = np.isinf(distance)
        if failed.any():
            warnings.warn(
                f"{failed.sum()} of {len(rows)} rows could not be traced back to the base: there "
                "a step of the flow folds space, or no row of the base leads to them. Their "
                "result is approximate. A smaller step_size or a larger bandwidth helps.",
                UserWarning,
                stacklevel=3,
            )
        return back.astype(dtype, copy=False)

    def _trace(self, rows, particles, stop):
        """Rows traced back as stand-ins of given particles, and whether each step was solved."""
        n_steps, last_share = self._split_time(stop)
        solved = np.ones(len(rows), dtype=bool)
        block = self.epoch * -(-self.every // self.epoch)
        for first in reversed(range(0, n_steps, block)):
            states = list(self._states(first, min(first + block, n_steps)))
            while states:  # an epoch at a time, from the last, and no longer held than needed
                start = states[-1].step // self.epoch * self.epoch - first
                epoch, states = states[start:], states[:start]

                def forward(y, active, epoch=epoch):
                    carried = self._init(y, particles[active])
                    for state in epoch:
                        before, carried = carried, self._step(state, carried)
                    if state.step == n_steps - 1:
                        carried = _part_of_the_way(before, carried, last_share)
                    return carried.rows

                sigma = self.flow.sigmas[epoch[0].step]
                rows, reached = solve(forward, rows, tolerance=1e-13 * sigma)
                solved &= reached
        return rows, solved

    def _state_at(self, stop):
        n_steps, _ = self._split_time(stop)
        if n_steps == self.flow.n_steps:
            return self.kept[-1]
        return next(self._states(n_steps, n_steps + 1))

    def _split_time(self, stop):
        """Number of steps up to a time, and how much of the last of them to take."""
        if stop == 1:
            return self.flow.n_steps, 1.0
        steps = float(np.interp(stop, self.times, np.arange(len(self.times))))
        n_steps = int(np.ceil(steps - 1e-9))
        return n_steps, min(1.0, steps - n_steps + 1)


def _part_of_the_way(before, after, share):
    """Rows after a share of a step."""
    return after._replace(moved=before.moved + share * (after.moved - before.moved))


def _times_along_the_way(distances):
    """Times in [0, 1] of the states that are at these distances from the start.

    They are the shares of the last distance, but for a twentieth that is dealt out evenly over
    the steps: time goes on, too, where a flow has settled or turns back.
    """
    even = np.linspace(0, 1, len(distances))
    if distances[-1] == 0:
        return even
    shares = np.minimum(np.maximum.accumulate(distances) / distances[-1], 1.0)
    return 0.95 * shares + 0.05 * even


def _distance_of_kept_states(n_steps, affordable):
    """Steps from one kept state to the next: as few as memory allows.

    Carrying backwards holds the kept states and those between two of them: memory is least where
    both are the square root of the number of steps.
    """
    every = 1
    while every**2 < n_steps and n_steps / every + every > affordable:
        every += 1
    return every
