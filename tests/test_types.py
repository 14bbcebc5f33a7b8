"""The type hints of the public modules are complete, and mypy finds no contradiction in them."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

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
    from skflow import sample

    yield sample
    for module in (importlib.import_module(f"skflow.{name}") for name in MODULES):
        for value in (getattr(module, name) for name in module.__all__):
            if inspect.isfunction(value):
                yield value
            elif inspect.isclass(value):
                for name, _ in inspect.getmembers(value, callable):
                    method = inspect.unwrap(getattr(value, name))
                    is_public = not name.startswith("_") or name in ("__init__", "__call__")
                    if is_public and getattr(method, "__module__", "").startswith("skflow."):
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
        "from skflow.schedules import Cosine\n"
        "sigma: float = Cosine(2.0, 1.0)(0.5)\n"
        "wrong: str = Cosine(2.0, 1.0)(0.5)\n",
        encoding="utf-8",
    )
    found = mypy("--config-file", str(ROOT / "pyproject.toml"), str(user))
    assert "user.py:3" in found and "user.py:2" not in found
