"""Score-difference flows as scikit-learn estimators."""

from typing import TYPE_CHECKING

from skflow._version import __version__

if TYPE_CHECKING:
    from skflow import (
        datasets,
        denoisers,
        inspection,
        metrics,
        optimizers,
        schedules,
        velocities,
    )
    from skflow._classwise import ClasswiseSampler
    from skflow._generator import SDFlowGenerator
    from skflow._pipelines import sample
    from skflow._samplers import DiffusionSampler, MMDFlowSampler, SDFlowSampler, SVGDSampler

__all__ = [
    "ClasswiseSampler",
    "DiffusionSampler",
    "MMDFlowSampler",
    "SDFlowGenerator",
    "SDFlowSampler",
    "SVGDSampler",
    "__version__",
    "datasets",
    "denoisers",
    "inspection",
    "metrics",
    "optimizers",
    "sample",
    "schedules",
    "velocities",
]

_HOMES = {
    "ClasswiseSampler": "skflow._classwise",
    "DiffusionSampler": "skflow._samplers",
    "MMDFlowSampler": "skflow._samplers",
    "SDFlowGenerator": "skflow._generator",
    "SDFlowSampler": "skflow._samplers",
    "SVGDSampler": "skflow._samplers",
    "sample": "skflow._pipelines",
}


def __getattr__(name):
    """Import on first use: `import skflow` alone loads neither scikit-learn nor numba."""
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in __all__:
        return import_module(f"skflow.{name}")
    raise AttributeError(f"module 'skflow' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
