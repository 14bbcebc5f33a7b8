"""The reverse process of denoising diffusion, as a flow of particles that carry their noise.

Rows are smoothed by Gaussian noise at levels ``sigma_0 > ... > sigma_n``, and the process goes from
the first level to the last, the bandwidth: it ends at the target, smoothed by the bandwidth. With
``tau^2 = sigma^2 - sigma_n^2``, the noise beyond that, and D the denoiser of the smoothed target
at level tau, there are two ways to go there.

- The chain. A particle at y carries noise ``eps``; with ``z = y + tau_t eps`` and
  ``rho = 1 - (tau_s / tau_t)^2``, a step from t to s is

      y   <- (1 - rho) y + rho D(z; tau_t)                    (equation 19)
      eps <- (tau_s / tau_t) eps + sqrt(rho) new noise        (the noise of equation 22)

  which moves z by equation 21. With fresh noise in each step in place of the carried one the
  particles would be drawn together too far.
- The probability flow (equation 4), which has the same laws at all levels without any noise:
  ``dz / dsigma = (z - E[x | z]) / sigma``. A row of the base first goes up: it is smoothed to the
  last level as if the base were Gaussian, and follows the probability flow of the base backwards
  to the first. Then it goes down by the probability flow of the target. It is shown without what
  it gathers on the way up, which it loses again on its way.

At the first level base and target are all but Gaussian: there rows are moved from the mean and
covariance of the one to those of the other, or they would remember where they began.

Particles do not see each other: nothing has to be recorded but where the process begins.
"""

import itertools
import warnings
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skflow._fixed_point import solve
from skflow._kernels import normals
from skflow._pieces import in_pieces
from skflow._recording import split_time, times_along_the_way
from skflow._space import row_times
from skflow._stand_in import stand_in

__all__ = ["Gaussian", "RecordedDiffusion"]

_ROWS_THAT_TELL_TIME = 256
# What the probability flow holds of a row besides its levels: arrays as wide as the row, there and
# back, and neighbours with their shares.
_ROWS_THERE, _ROWS_BACK, _NEIGHBORS = 8, 30, 40


class Gaussian:
    """A Gaussian, by its eigenvectors: how its rows look under noise, and the way back.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Its mean.
    covariance : ndarray of shape (n_features, n_features)
        Its covariance; it may be singular.
    """

    def __init__(self, mean, covariance):
        self.mean_ = mean
        values, self.vectors_ = np.linalg.eigh(covariance)
        self.variances_ = np.where(values > 1e-12 * np.abs(values).max(), values, 0.0)

    def denoise(self, Z, sigma, own=None):
        """E[x | z] at noise level sigma."""
        return self._stretched(Z, self.variances_ / (self.variances_ + sigma**2))

    def smoothed(self, Y, sigma):
        """Rows of the Gaussian as rows of it under noise: stretched to have its covariance."""
        return self._stretched(Y, self._stretch(sigma))

    def unsmoothed(self, Z, sigma):
        """The inverse of :meth:`smoothed`."""
        return self._stretched(Z, 1 / self._stretch(sigma))

    def onto(self, other, Z, sigma):
        """Rows of this Gaussian under noise, as rows of another under the same noise."""
        matrix = self._root(sigma, -0.5) @ other._root(sigma, 0.5)
        return other.mean_ + row_times(Z - self.mean_, matrix)

    def _root(self, sigma, power):
        return (self.vectors_ * (self.variances_ + sigma**2) ** power) @ self.vectors_.T

    def _stretch(self, sigma):
        some = self.variances_ > 0  # elsewhere all rows are at the mean
        return np.sqrt(1 + sigma**2 / np.where(some, self.variances_, np.inf))

    def _stretched(self, rows, factors):
        return self.mean_ + row_times(
            rows - self.mean_, (self.vectors_ * factors) @ self.vectors_.T
        )


class _Last(NamedTuple):
    """The last step, for who watches a run."""

    step: int
    particles: np.ndarray
    sigma: float
    velocity: np.ndarray


class RecordedDiffusion:
    """A run of the reverse process, and the way for other rows.

    Parameters
    ----------
    target : callable
        ``target(Z, sigma)`` is E[x | z] of the target.
    source : callable
        ``source(Z, sigma, own)`` is E[x | z] of the base; `own` is the :class:`StandIn` of the
        base rows that the rows of Z come from.
    of_target, of_base : Gaussian
        With the mean and covariance of target and base.
    Y : ndarray of shape (n_particles, n_features)
        Base rows.
    sigmas : sequence of float of length n_steps + 1
        Noise levels, falling.
    seed : int
        Seed of the run.
    on_step : callable, default=None
        Called with the recording after each step; it stops the run by returning True.

    Attributes
    ----------
    start, particles : ndarray of shape (n_particles, n_features)
        The base rows, and where they ended.
    last : NamedTuple
        Number, particles, bandwidth and velocity of the last step.
    """

    epoch = 1

    def __init__(self, target, source, of_target, of_base, Y, sigmas, seed, on_step=None):
        self.target = target
        self.source = source
        self.of_target = of_target
        self.of_base = of_base
        self.sigmas = np.asarray(sigmas, dtype=np.float64)
        self.start = Y
        self._seed = seed
        self._distances = [0.0]
        self.last = _Last(0, Y, self.sigmas[0], None)
        for k, (y, v) in enumerate(self._chain(Y, np.random.RandomState(seed))):
            self.last = _Last(k + 1, y, float(self.sigmas[k + 1]), v)
            self._distances.append(float(np.sqrt(np.square(y - Y).sum(axis=1).mean())))
            if on_step is not None and on_step(self):
                break
        self.last = self.last._replace(velocity=None)

    @property
    def n_steps(self):
        """Steps taken."""
        return self.last.step

    @property
    def particles(self):
        """The particles at the end of the run."""
        return self.last.particles

    @property
    def times(self):
        """The time of each state of the chain."""
        return times_along_the_way(np.array(self._distances))

    @cached_property
    def flow_times(self):
        """The time of each state of the probability flow, by some of the base rows."""
        rows = self.start[:_ROWS_THAT_TELL_TIME]
        way = itertools.islice(self._flow(rows), self.n_steps)
        distances = [np.sqrt(np.square(y - rows).sum(axis=1).mean()) for y in way]
        return times_along_the_way(np.array([0.0, *distances]))

    def so_far(self):
        """The recording of a run that goes on, as if it had stopped here."""
        copied = object.__new__(type(self))
        vars(copied).update(vars(self), _distances=self._distances[:])
        return copied

    def _chain(self, y, rng):
        """Yield the rows after each step of the chain, and their velocities."""
        taus = np.sqrt(np.maximum(self.sigmas**2 - self.sigmas[-1] ** 2, 0.0))
        noise = normals(y.shape, 1.0, y.dtype, rng)
        z = y + taus[0] * noise
        shift = self.of_base.onto(self.of_target, z, self.sigmas[0]) - z
        y = _like(y, y + shift)
        levels = zip(self.sigmas, taus, taus[1:], strict=False)
        for k, (sigma, tau, next_tau) in enumerate(levels, start=1):
            z = y + _like(y, tau * noise)
            smoothed = z + (tau / sigma) ** 2 * (self.target(z, sigma) - z)
            velocity = _like(y, smoothed - y)
            rho = 1 - (next_tau / tau) ** 2
            y = _like(y, y + rho * velocity)
            noise = next_tau / tau * noise + np.sqrt(rho) * normals(y.shape, 1.0, y.dtype, rng)
            share = k / (len(self.sigmas) - 1)  # of the way, over which the shift is shown
            yield _like(y, y - (1 - share) * shift), velocity

    # --- the probability flow -------------------------------------------------------------------

    def _up(self, rows):
        """The rows of the base, smoothed: their places at all levels, the highest first."""
        u = [self.of_base.smoothed(rows.astype(np.float64), self.sigmas[-1])]
        own = stand_in(rows, self.start)

        def source(z, sigma):
            return self.source(z, sigma, own)

        for high, low in zip(self.sigmas[-2::-1], self.sigmas[:0:-1], strict=True):
            u.append(_heun(source, u[-1], low, high))
        return u[::-1]

    def _flow(self, rows):
        """Yield the rows after each step of the probability flow."""
        u = self._up(rows)
        w = self.of_base.onto(self.of_target, u[0], self.sigmas[0])
        gathered = (u[-1] - rows) + (w - u[0])
        levels = zip(self.sigmas, self.sigmas[1:], u[1:], strict=False)
        for k, (high, low, place) in enumerate(levels, start=1):
            w = _heun(self.target, w, high, low)
            share = k / (len(self.sigmas) - 1)  # of what stays
            yield _like(rows, w - (place - u[-1]) - (1 - share) * gathered)

    def stages(self, rows, stop=1.0, rng=None):
        """Yield the rows after each step, up to the time ``stop`` in [0, 1].

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            Rows of the base distribution.
        stop : float, default=1.0
            How far to go; part of a step is that part of its displacement.
        rng : numpy.random.RandomState, default=None
            Runs the chain; None follows the probability flow.

        Yields
        ------
        ndarray of shape (n_rows, n_features)
        """
        if stop == 0:
            return
        times = self.flow_times if rng is None and stop != 1 else self.times
        n_steps, last_share = split_time(stop, times)
        way = self._flow(rows) if rng is None else (y for y, _ in self._chain(rows, rng))
        before = rows
        for k, after in enumerate(way, start=1):
            if k == n_steps:
                yield _like(rows, before + last_share * (after - before))
                return
            before = after
            yield after

    def carry(self, rows, stop=1.0, rng=None):
        """The last of :meth:`stages`; the rows themselves at time 0.

        Without rng piece by piece, since the probability flow holds each row at all levels. The
        chain holds few, and takes all rows at once: its noise belongs to rows and steps.
        """

        def last(rows):
            for stage in self.stages(rows, stop, rng):
                rows = stage
            return rows

        return last(rows) if rng is not None else in_pieces(last, rows, self._row_bytes(rows))

    def _row_bytes(self, rows, n_more=_ROWS_THERE):
        """What the probability flow holds of a row."""
        return 8 * ((len(self.sigmas) + n_more) * rows.shape[1] + _NEIGHBORS)

    def carry_back(self, rows, stop=1.0):
        """Rows that :meth:`carry` brings to these rows, without noise.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            Rows at the time ``stop``.
        stop : float, default=1.0
            Where they are: 0 or 1.

        Returns
        -------
        ndarray of shape (n_rows, n_features)

        Raises
        ------
        ValueError
            For a time in between, where the way back cannot be told from the place.

        Warns
        -----
        UserWarning
            For rows that no base row was found for.
        """
        if stop == 0:
            return rows
        if stop != 1:
            raise ValueError(
                "The reverse process of a diffusion can be inverted from its end only: use "
                f"t_stop=1.0, got {stop!r}."
            )
        if self.n_steps < len(self.sigmas) - 1:
            raise ValueError(
                "The reverse process of a diffusion can be inverted from its end only, and this "
                f"one was stopped after {self.n_steps} of {len(self.sigmas) - 1} steps."
            )
        failed = []

        def back(rows):
            found, solved = self._trace_back(rows)
            failed.append((~solved).sum())
            return found

        found = in_pieces(back, rows, self._row_bytes(rows, _ROWS_BACK))
        if sum(failed):
            warnings.warn(
                f"{sum(failed)} of {len(rows)} rows could not be traced back to the base. "
                "Their result is approximate. More steps help.",
                UserWarning,
                stacklevel=3,
            )
        return found

    def _trace_back(self, rows):
        """Base rows of some that are at the end, and which of them were found."""
        z, solved = rows.astype(np.float64), np.ones(len(rows), dtype=bool)
        levels = list(zip(self.sigmas, self.sigmas[1:], strict=False))
        for high, low in reversed(levels):

            def forward(z, high=high, low=low):
                return _heun(self.target, z, high, low)

            z, reached = solve(forward, z, tolerance=1e-13 * low)
            solved &= reached

        z = self.of_target.onto(self.of_base, z, self.sigmas[0])

        def up(y):
            return self.of_base.unsmoothed(self._up(y)[0], self.sigmas[0])

        z, reached = solve(up, self.of_base.unsmoothed(z, self.sigmas[0]), tolerance=1e-10)
        return _like(rows, z), solved & reached

    def cloud_at(self, stop):
        """The particles at a time, and the bandwidth of the step that leads there."""
        if stop == 1:
            return self.particles, self.last.sigma
        n_steps, _ = split_time(stop, self.times)
        Y = self.carry(self.start, stop, np.random.RandomState(self._seed))
        return Y, float(self.sigmas[n_steps])

    def field_at(self, time):
        """The way to E[x | z], at the noise level of the step that is under way at a time.

        Returns
        -------
        callable
            A function of rows in flow space, with the noise that they carry.
        """
        sigma = self.sigmas[max(split_time(time, self.times)[0], 1) - 1]
        return lambda rows: _like(rows, self.target(rows, sigma) - rows)


def _heun(denoise, z, sigma, next_sigma):
    """A step of ``dz / dsigma = (z - E[x | z]) / sigma`` by Heun's method, in log sigma."""
    step = np.log(next_sigma / sigma)
    slope = z - denoise(z, sigma)
    there = z + step * slope
    return z + step / 2 * (slope + there - denoise(there, next_sigma))


def _like(rows, values):
    return values.astype(rows.dtype, copy=False)
