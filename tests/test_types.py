"""The type hints of the public modules are complete, and mypy finds no contradiction in them."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ESTIMATORS = [
    "ClasswiseSampler",
    "DiffusionSampler",
    "MMDFlowSampler",
    "SDFlowGenerator",
    "SDFlowSampler",
    "SVGDSampler",
]
MODULES = [
    "velocities",
    "denoisers",
    "schedules",
    "optimizers",
    "metrics",
    "inspection",
    "datasets",
]


def signatures():
    """Public functions, and the methods of public classes that skflow defines."""
    import skflow

    yield skflow.sample
    for name in ESTIMATORS:
        yield from methods(getattr(skflow, name))
    for module in (importlib.import_module(f"skflow.{name}") for name in MODULES):
        for value in (getattr(module, name) for name in module.__all__):
            if inspect.isfunction(value):
                yield value
            elif inspect.isclass(value):
                yield from methods(value)


def methods(cls):
    for name in dir(cls):
        found = inspect.getattr_static(cls, name)  # some are there for some parameters only
        method = inspect.unwrap(getattr(found, "fn", found))
        is_public = not name.startswith("_") or name in ("__init__", "__call__")
        if (
            callable(method)
            and is_public
            and getattr(method, "__module__", "").startswith("skflow.")
        ):
            yield method


@pytest.mark.parametrize("function", list(signatures()), ids=lambda function: function.__qualname__)
def test_everything_public_is_annotated(function):
    signature = inspect.signature(function)
    bare = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty and name not in ("self", "cls")
    ]
    if signature.return_annotation is signature.empty:
        bare.append("return")
    assert not bare


def mypy(*arguments):
    command = [sys.executable, "-m", "mypy", "--no-error-summary", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


def test_mypy_finds_nothing():
    pytest.importorskip("mypy")
    assert mypy() == ""


def test_mypy_finds_a_wrong_argument(tmp_path):
    """The hints reach those who use the package."""
    pytest.importorskip("mypy")
    user = tmp_path / "user.py"
    user.write_text(
        "from skflow import SDFlowSampler\n"
        "from skflow.schedules import Cosine\n"
        "sigma: float = Cosine(2.0, 1.0)(0.5)\n"
        "wrong: str = Cosine(2.0, 1.0)(0.5)\n"
        "sampler = SDFlowSampler(0.5, covariance_type='diag', schedule=Cosine(2.0, 1.0))\n"
        "wrong_name = SDFlowSampler(covariance_type='diagonal')\n",
        encoding="utf-8",
    )
    found = mypy("--config-file", str(ROOT / "pyproject.toml"), str(user))
    assert [n for n in range(1, 7) if f"user.py:{n}:" in found] == [4, 6]
