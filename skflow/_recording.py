"""A recorded flow: rows that were not there are carried through it, forwards and backwards.

A particle of Algorithm 1 moves along ``velocity(y + sigma eps)`` with noise ``eps`` of its own, in
every step if there are no mini-batches, else once an epoch. It is itself among the particles that
make the velocity, and so is a carried row: it takes the place of those nearest to it (see
:mod:`skflow._stand_in`). That keeps it in the cloud: a row that only followed the field would drift
off wherever particles are few. A row that starts where a particle does takes the same way, up to
its noise.

- With ``rng``, a row has noise of its own, and a turn of its own in each epoch: carried rows have
  the law of the particles.
- Without, carrying is deterministic and works on each row alone. Two pairs of noises
  ``eps`` and ``-eps``, fixed by the seed of the flow and shared by all rows, stand for the noise
  of a step, and the average over its mini-batches for an epoch. The average over many steps of
  shared pairs stands for the average over independent noises.

What is kept. The states that fit in a given amount of memory, evenly spaced. When those are not
all, the states in between are computed again, the same bit for bit, whenever rows are carried:
memory is bounded at the price of time, and the results do not depend on it.

Many rows take each step in pieces, one piece after the other, so that what a step computes fits in
memory, too. No state is computed again for that, and random numbers are drawn in the order of the
rows: the size of the pieces changes no bit either.

Time. A flow covers most of its way in its first steps and then settles. Times in [0, 1] are
therefore measured along the way, by the particles' root mean square distance from where they
started: half way is half way.
"""

import math
import pickle
import warnings
from collections import deque
from copy import copy
from typing import NamedTuple

import numpy as np

from skflow._fixed_point import solve
from skflow._flow import PAIR, noised
from skflow._kernels import Search, alone, at_once, mean_square, n_threads, run_in_threads, together
from skflow._pieces import pieces
from skflow._stand_in import stand_in_task

__all__ = ["RecordedFlow", "split_time", "stretch", "times_along_the_way"]


# One pair a step is hardly enough for the law of the particles in a short flow; four gain little.
_N_PAIRS = 2
_NUMBERS_AHEAD = 2**18  # of noise that is drawn at a time
_WORK_A_NORMAL = 250  # multiply-adds that take as long as to draw one
_WORK_A_NUMBER = 1000  # multiply-adds that a random number and the search for its row are worth
# What a step holds of a row, in numbers: arrays as wide as it, and neighbours with their shares.
_ROWS_A_COPY, _NEIGHBORS_A_COPY, _ROWS_TO_SOLVE = 8, 24, 16
_TRACED = 1e-6  # bandwidths, within which a row that was traced back comes to where it was


class _Carried(NamedTuple):
    """Rows on their way, between two steps of an epoch."""

    start: np.ndarray  # the rows at the start of the epoch
    memory: np.ndarray  # the optimizer's, at the start of the epoch
    moved: np.ndarray  # displacement so far
    learned: np.ndarray  # change of memory so far
    turns: np.ndarray | None = None  # the step of the epoch in which each row moves, with noise

    @property
    def rows(self):
        return (self.start + self.moved).astype(self.start.dtype, copy=False)

    def at_next_epoch(self):
        return _carried(self.rows, self.memory + self.learned)


def _carried(rows, memory):
    return _Carried(rows, memory, np.zeros_like(rows), np.zeros_like(memory))


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
        Called with the recording after each step; it stops the run by returning True.

    Attributes
    ----------
    kept : list of FlowState
        The states at the start, at the end and, evenly spaced, in between.
    last : FlowState
        The state at the end.
    n_steps : int
        Steps taken.
    times : ndarray of shape (n_steps + 1,)
        The time of each state, in [0, 1].
    """

    def __init__(self, flow, Y, max_bytes, on_step=None):
        self.flow = flow
        self.epoch = flow.epoch_length(len(Y))
        self.last = flow.init(Y)
        affordable = max_bytes / _n_bytes(self.last)
        self.every = _distance_of_kept_states(flow.n_steps, affordable)
        self.kept = [self.last]
        self._distances = [0.0]
        for noise in self._noises(Y):
            self.last = flow.step(self.last, noise)
            moved = self.last.particles - Y
            self._distances.append(math.sqrt(mean_square(moved)))
            stop = on_step is not None and on_step(self)
            if self.n_steps % self.every == 0:
                self._keep_last()
            if stop:
                break
        self._keep_last()
        self.last = self.kept[-1]

    @property
    def n_steps(self):
        """Steps taken."""
        return self.last.step

    @property
    def times(self):
        """The time of each state."""
        return times_along_the_way(np.array(self._distances))

    @property
    def start(self):
        """The base rows."""
        return self.kept[0].particles

    @property
    def particles(self):
        """The particles at the end of the run."""
        return self.last.particles

    def so_far(self):
        """The recording of a run that goes on, as if it had stopped here."""
        copied = copy(self)
        copied.kept, copied._distances = self.kept[:], self._distances[:]
        copied._keep_last()
        return copied

    def _keep_last(self):
        if self.kept[-1].step < self.n_steps:
            self.kept.append(self.last._replace(velocity=None))

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

    @property
    def _is_noisy(self):
        return max(self.flow.noises) > 0

    def _noises(self, Y):
        """Yield the noise of each step, drawn some steps at a time in threads; None if unknown."""
        flow = self.flow
        n_ahead = max(1, _NUMBERS_AHEAD // Y.size)
        for first in range(0, flow.n_steps, n_ahead):
            noises = [None] * min(n_ahead, flow.n_steps - first)

            def draw(start, stop, first=first, noises=noises):
                for i in range(start, stop):
                    noises[i] = flow.noise(first + i, Y)

            if self.epoch == 1 and self._is_noisy:  # mini-batches have rows of their own
                run_in_threads(draw, len(noises), n_threads(_WORK_A_NORMAL * len(noises) * Y.size))
            yield from noises

    # --- one step -------------------------------------------------------------------------------

    def _step(self, state, carried, search=None):
        """Deterministic step: the average over the pairs, and this step's share of the epoch."""
        flow, k = self.flow, state.step
        z, own = carried.start, alone(self._stand_in(state, carried.start, search))
        if self._is_noisy:
            noise = flow.rng(k, PAIR).standard_normal((_N_PAIRS, z.shape[1]))
            noise = flow.noises[k] * np.concatenate([noise, -noise])
            z = np.concatenate([z + one for one in noise.astype(z.dtype, copy=False)])
            own = own.repeated(len(noise))
        direction, memory = flow.optimizer.step(flow.field(state)(z, own=own), carried.memory)
        direction = direction.reshape(-1, *carried.start.shape).mean(axis=0)
        return carried._replace(
            moved=carried.moved + flow.etas[k] / self.epoch * direction,
            learned=carried.learned + (memory - carried.memory) / self.epoch,
        )

    def _random_step(self, state, carried, rng, search):
        """Step with noise for each row of its own, for the rows whose turn it is."""
        flow, k = self.flow, state.step
        turn = slice(None) if self.epoch == 1 else carried.turns == k % self.epoch
        rows, memory = carried.start[turn], carried.memory[turn]
        if len(rows) == 0:
            return carried
        z, own = together(
            _WORK_A_NUMBER * rows.size,
            at_once(noised, rows, flow.noises[k], rng),
            self._stand_in(state, rows, search),
        )
        velocity = flow.field(state)(z, own=own)
        direction, new_memory = flow.optimizer.step(velocity, memory)
        moved, learned = carried.moved.copy(), carried.learned.copy()
        moved[turn] = flow.etas[k] * direction
        learned[turn] = new_memory - memory
        return carried._replace(moved=moved, learned=learned)

    def _stand_in(self, state, rows, search=None):
        """Which particles rows take the place of in the next step; a task."""
        return stand_in_task(rows, state.particles[self.flow.particle_rows(state)], search)

    def _init(self, rows, rng=None):
        """Rows that set out; without rng, the optimizer has a memory of each noise's copy."""
        copies = [rows] * (self._n_copies if rng is None else 1)
        return _carried(rows, self.flow.optimizer.init(np.concatenate(copies)))

    @property
    def _n_copies(self):
        return 2 * _N_PAIRS if self._is_noisy else 1

    def _pieces(self, rows, n_copies, also=0):
        """Slices of rows, of which each takes a step in so many copies, and other arrays also."""
        n_numbers = n_copies * (_ROWS_A_COPY * rows.shape[1] + _NEIGHBORS_A_COPY)
        return pieces(len(rows), 8 * (n_numbers + also * rows.shape[1]))

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
        for parts in self._stages(rows, stop, rng):
            yield np.concatenate([carried.rows for carried in parts])

    def _stages(self, rows, stop, rng):
        """Yield the pieces of the rows, in a list that changes, after each step."""
        n_steps, last_share = split_time(stop, self.times)
        cuts = self._pieces(rows, self._n_copies if rng is None else 1)
        parts = [self._init(rows[cut], rng) for cut in cuts]
        # With mini-batches, other rows and particles have their turn in each step.
        searches = [Search() if self.epoch == 1 else None for _ in parts]
        for state in self._states(0, n_steps):
            if state.step % self.epoch == 0 and state.step > 0:
                for i, carried in enumerate(parts):
                    parts[i] = carried.at_next_epoch()
            if state.step % self.epoch == 0 and rng is not None:
                for i, carried in enumerate(parts):  # for all of them before there is other noise
                    turns = rng.randint(self.epoch, size=len(carried.start))
                    parts[i] = carried._replace(turns=turns)
            for i, before in enumerate(parts):
                if rng is None:
                    after = self._step(state, before, searches[i])
                else:
                    after = self._random_step(state, before, rng, searches[i])
                if state.step == n_steps - 1:
                    after = _part_of_the_way(before, after, last_share)
                parts[i] = after
            yield parts

    def carry(self, rows, stop=1.0, rng=None):
        """The last of :meth:`stages`; the rows themselves at time 0."""
        last = deque(self._stages(rows, stop, rng), maxlen=1)
        return np.concatenate([carried.rows for carried in last.pop()]) if last else rows

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
            For rows that :meth:`carry` does not bring back to within a millionth of the bandwidth:
            there a step of the flow folds space, or errors grow too fast to be undone.
        """
        n_steps, _ = split_time(stop, self.times)
        if n_steps == 0:
            return rows
        dtype, given = rows.dtype, rows.astype(np.float64)
        rows = self._trace_back(given, stop)
        misses = np.abs(self.carry(rows, stop) - given).max(axis=1, initial=0.0)
        failed = ~(misses <= _TRACED * self.flow.sigmas[n_steps - 1])  # also what is not a number
        if failed.any():
            warnings.warn(
                f"{failed.sum()} of {len(rows)} rows could not be traced back to the base: there "
                "a step of the flow folds space, or no row of the base leads to them. Their "
                "result is approximate. A smaller step_size or a larger bandwidth helps.",
                UserWarning,
                stacklevel=3,
            )
        return rows.astype(dtype, copy=False)

    def _trace_back(self, rows, stop):
        """The steps solved one by one; in a call of its own, which holds no state afterwards."""
        n_steps, last_share = split_time(stop, self.times)
        rows, cuts = rows.copy(), self._pieces(rows, self._n_copies, also=_ROWS_TO_SOLVE)
        block = self.epoch * -(-self.every // self.epoch)
        for first in reversed(range(0, n_steps, block)):
            states = list(self._states(first, min(first + block, n_steps)))
            while states:  # an epoch at a time, from the last, and no longer held than needed
                start = states[-1].step // self.epoch * self.epoch - first
                epoch, states = states[start:], states[:start]

                def forward(y, epoch=epoch):
                    carried = self._init(y)
                    for state in epoch:
                        before, carried = carried, self._step(state, carried)
                    if state.step == n_steps - 1:
                        carried = _part_of_the_way(before, carried, last_share)
                    return carried.rows

                sigma = self.flow.sigmas[epoch[0].step]
                for cut in cuts:
                    rows[cut], _ = solve(forward, rows[cut], tolerance=1e-13 * sigma)
        return rows

    def cloud_at(self, stop):
        """The particles at a time, and the bandwidth of the step that leads there."""
        n_steps, last_share = split_time(stop, self.times)
        if stop == 1:
            return self.particles, self.flow.sigmas[self.n_steps - 1]
        if n_steps == 0:
            return self.kept[0].particles, self.flow.sigmas[0]
        before = next(self._states(n_steps - 1, n_steps))
        after = self.flow.step(before).particles
        Y = before.particles + last_share * (after - before.particles)
        return Y.astype(after.dtype, copy=False), self.flow.sigmas[n_steps - 1]

    def field_at(self, time):
        """The velocity of carried rows in the step that is under way at a time, without noise.

        Returns
        -------
        callable
            A function of rows in flow space.
        """
        k = max(split_time(time, self.times)[0], 1) - 1
        state = next(self._states(k, k + 1))
        field = self.flow.field(state)
        return lambda rows: field(rows, own=alone(self._stand_in(state, rows)))


def split_time(stop, times):
    """Number of steps up to a time, and how much of the last of them to take."""
    if not 0 <= stop <= 1:
        raise ValueError(f"t_stop must be a time in [0, 1], from base to target; got {stop!r}.")
    if stop == 1:
        return len(times) - 1, 1.0
    steps = float(np.interp(stop, times, np.arange(len(times))))
    n_steps = int(np.ceil(steps - 1e-9))
    return n_steps, min(1.0, steps - n_steps + 1)


def _part_of_the_way(before, after, share):
    """Rows after a share of a step."""
    return after._replace(moved=before.moved + share * (after.moved - before.moved))


def stretch(carry, rows, step, n_directions):
    """How much a map stretches small differences near each row, along some fixed directions.

    Parameters
    ----------
    carry : callable
        The map, each row for itself.
    rows : ndarray of shape (n_rows, n_features)
        The rows, in float64.
    step : float
        The length of the differences.
    n_directions : int
        Number of directions, all of them if there are no more columns. They are orthogonal, and
        the same for all rows and in every call.

    Returns
    -------
    ndarray of shape (n_rows,)
        The largest singular value of the map's derivative, restricted to these directions.
    """
    n_rows, n_features = rows.shape
    draws = np.random.RandomState(0).standard_normal((n_features, min(n_directions, n_features)))
    directions = np.linalg.qr(draws)[0].T
    near = rows + step * directions[:, None]
    carried = carry(np.concatenate([rows, *near])).reshape(-1, n_rows, n_features)
    derivative = (carried[1:] - carried[0]) / step
    return np.linalg.norm(derivative.transpose(1, 0, 2), ord=2, axis=(1, 2))


def times_along_the_way(distances):
    """Times in [0, 1] of the states that are at these distances from the start.

    They are the shares of the last distance, but for a twentieth that is dealt out evenly over
    the steps: time goes on, too, where a flow has settled or turns back.
    """
    even = np.linspace(0, 1, len(distances))
    if distances[-1] == 0:
        return even
    shares = np.minimum(np.maximum.accumulate(distances) / distances[-1], 1.0)
    return 0.95 * shares + 0.05 * even


def _n_bytes(state):
    """Memory that keeping a state takes."""
    n_bytes = state.particles.nbytes + state.optimizer_state.nbytes
    return n_bytes if state.learned is None else n_bytes + len(pickle.dumps(state.learned))


def _distance_of_kept_states(n_steps, affordable):
    """Steps from one kept state to the next: as few as memory allows.

    Carrying backwards holds the kept states and those between two of them: memory is least where
    both are the square root of the number of steps.
    """
    every = 1
    while every**2 < n_steps and n_steps / every + every > affordable:
        every += 1
    return every
