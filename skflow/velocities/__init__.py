"""The right-hand sides of the flows: where a particle wants to go.

A velocity is an estimator. It is fitted once on the target, ``fit(X, sample_weight=weights)``, and
then called as ``velocity(Z, X, Y, sigma)``, the line of Algorithm 1 that computes the direction: Z
the noised particles, X the target rows and Y the particles of the step (mini-batches or all),
sigma its bandwidth. The flow hands it more, by keyword; one that has no use for these takes them
as ``**unused``:

- ``sample_weight``, the weights of X;
- ``own``, where rows are carried through a recorded flow: particles see themselves among the
  particles, and so must a carried row;
- ``learned``, what its ``learn(X, Y, sigma, sample_weight=None, learned=None)`` returned before
  the step. Velocities that train a model on the particles have this method; it is given what it
  returned last, so that it can go on from there, and must leave that as it was.

If its ``fit`` takes them, it is also told ``sigmas``, the bandwidths of all steps, and ``space``,
the :class:`~skflow._space.FlowSpace` in which X and Y are given.
"""

from typing import TYPE_CHECKING

from skflow.velocities._denoising import Denoising
from skflow.velocities._mmd import MMD
from skflow.velocities._score_difference import ScoreDifference
from skflow.velocities._stein import Stein

if TYPE_CHECKING:
    from skflow.velocities._density_ratio import DensityRatio

__all__ = ["MMD", "Denoising", "DensityRatio", "ScoreDifference", "Stein"]


def __getattr__(name):
    """Import on first use: DensityRatio loads the classifiers that it can differentiate."""
    if name == "DensityRatio":
        from skflow.velocities._density_ratio import DensityRatio

        return DensityRatio
    raise AttributeError(f"module 'skflow.velocities' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
