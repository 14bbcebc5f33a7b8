"""The gallery keeps its form. The examples themselves run where the site is built."""

import ast
import re
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("plot_*.py"))
ALLOWED = {"matplotlib", "numpy", "scipy", "sklearn", "skflow", "time", "warnings"}

every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Full names of all that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_there_is_an_order_of_learning():
    numbers = [re.fullmatch(r"plot_(\d\d)_[a-z_]+", path.stem).group(1) for path in EXAMPLES]
    assert numbers == [f"{i:02}" for i in range(1, len(numbers) + 1)]
    assert len(numbers) >= 12


@every_example
def test_begins_with_a_question(path):
    title, line, blank, *_ = ast.get_docstring(parsed(path)).splitlines()
    assert title.endswith("?")
    assert line == "=" * len(title)
    assert blank == ""


@every_example
def test_ends_in_a_picture_and_a_sentence(path):
    last = parsed(path).body[-1]
    assert ast.unparse(last) == "plt.show()"
    after = path.read_text(encoding="utf-8").splitlines()[last.end_lineno :]
    assert after[:2] == ["", "# %%"]
    assert all(line.startswith("# ") for line in after[2:])
    assert " ".join(after[2:]).endswith(".")


@every_example
def test_needs_no_network_and_nothing_private(path):
    names = list(imported(parsed(path)))
    assert {name.split(".")[0] for name in names} <= ALLOWED
    assert not [name for name in names if any(part.startswith("_") for part in name.split("."))]
    data = [name for name in names if name.startswith("sklearn.datasets.")]
    assert data
    assert all(name.startswith("sklearn.datasets.load_") for name in data)


@every_example
def test_has_fixed_seeds(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and re.search(r"Sampler$|Generator$", ast.unparse(node.func)):
            assert "random_state" in [keyword.arg for keyword in node.keywords], ast.unparse(node)
