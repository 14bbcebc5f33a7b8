"""Who may import whom: the rooms of the package, and what importing it must not do."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skflow"

MAY_IMPORT = {
    "_version": set(),
    "_typing": set(),
    "_sklearn": set(),
    "_process": set(),
    "_weights": {"_sklearn"},
    "_progress": {"_kernels"},
    "_kernels": set(),
    "schedules": {"_sklearn", "_weights"},
    "optimizers": {"_sklearn"},
    "_discrete": set(),
    "_estimators": set(),
    "denoisers": {
        "_estimators",
        "_kernels",
        "_process",
        "_rows",
        "_sklearn",
        "_typing",
        "_weights",
    },
    "velocities": {
        "_estimators",
        "_kernels",
        "_process",
        "_rows",
        "_sklearn",
        "_typing",
        "_weights",
    },
    "metrics": {"_estimators", "_kernels", "_pipelines", "_sklearn"},
    "datasets": {"_sklearn", "_typing"},
    "_fixed_point": set(),
    "_flow": {"_kernels"},
    "_guard": {"_flow", "_kernels"},
    "_pieces": set(),
    "_recording": {"_fixed_point", "_flow", "_kernels", "_pieces", "_stand_in"},
    "_stand_in": {"_kernels"},
    "_space": {"_kernels"},
    "_rows": {"_sklearn"},
    "_sources": {"_kernels", "_process", "_rows", "_space", "_weights"},
    "_base": {
        "_discrete",
        "_estimators",
        "_flow",
        "_kernels",
        "_rows",
        "_sklearn",
        "_sources",
        "_space",
        "_typing",
        "_weights",
        "schedules",
    },
    "_stopping": {"_kernels", "_sklearn", "_space"},
    "_training": {"_estimators", "_sources"},
    "_making": {"_base", "_typing"},
    "_generator": {
        "_base",
        "_discrete",
        "_estimators",
        "_kernels",
        "_making",
        "_process",
        "_progress",
        "_rows",
        "_sklearn",
        "_sources",
        "_stopping",
        "_training",
        "_typing",
        "optimizers",
        "velocities",
    },
    "_diffusion": {"_fixed_point", "_kernels", "_pieces", "_recording", "_space", "_stand_in"},
    "_samplers": {
        "_base",
        "_diffusion",
        "_discrete",
        "_estimators",
        "_flow",
        "_guard",
        "_kernels",
        "_progress",
        "_recording",
        "_rows",
        "_sklearn",
        "_sources",
        "_space",
        "_stopping",
        "_typing",
        "denoisers",
        "optimizers",
        "schedules",
        "velocities",
    },
    "_classwise": {
        "_estimators",
        "_process",
        "_rows",
        "_samplers",
        "_sklearn",
        "_sources",
        "_typing",
        "_weights",
    },
    "_pipelines": {"_rows"},
    "inspection": {"_pipelines", "metrics"},
}

FILES = sorted(PACKAGE.rglob("*.py"))
FILE_IDS = [path.relative_to(PACKAGE).as_posix() for path in FILES]


def module_of(path, package=PACKAGE):
    """The row of the table that a file belongs to; a subpackage is one module."""
    return path.relative_to(package).with_suffix("").parts[0]


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in {
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    }


def nodes(tree, *, at_import_only):
    """All nodes below `tree`, or only those that run when the module is imported."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if at_import_only and is_type_checking(node):
            stack.extend(node.orelse)
        elif at_import_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The body waits for a call; decorators and defaults do not.
            stack.extend([*node.decorator_list, node.args])
        elif at_import_only and isinstance(node, ast.Lambda):
            stack.append(node.args)
        else:
            stack.extend(ast.iter_child_nodes(node))


def imported_names(path, *, at_import_only=False, package=PACKAGE):
    """Full dotted names that a file imports, relative imports resolved."""
    here = [package.name, *path.relative_to(package).parent.parts]
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in nodes(tree, at_import_only=at_import_only):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def imported_modules(path, *, at_import_only=False, package=PACKAGE):
    """Modules of skflow that a file imports; the package itself counts as `__init__`."""
    known = set(MAY_IMPORT) | {module_of(other, package) for other in package.rglob("*.py")}
    modules = set()
    for name in imported_names(path, at_import_only=at_import_only, package=package):
        first, _, rest = name.partition(".")
        if first == package.name:
            module = rest.partition(".")[0]
            modules.add(module if module in known else "__init__")
    return modules - {module_of(path, package)}


def top_levels(path, **kwargs):
    return {name.partition(".")[0] for name in imported_names(path, **kwargs)}


def run(code):
    """Run `code` in a new interpreter that imports this checkout; return what it prints."""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_the_table_goes_downwards_only():
    assert set().union(*MAY_IMPORT.values()) <= set(MAY_IMPORT)
    graphlib.TopologicalSorter(MAY_IMPORT).prepare()  # raises on a cycle


@pytest.mark.parametrize("path", FILES, ids=FILE_IDS)
def test_imports_go_downwards(path):
    module = module_of(path)
    if module == "__init__":
        eager = imported_modules(path, at_import_only=True) - {"_version"}
        assert not eager, f"skflow/__init__.py imports {sorted(eager)} eagerly; make it lazy"
        return
    assert module in MAY_IMPORT, (
        f"skflow.{module} is new: add it to MAY_IMPORT in tests/test_imports.py, "
        "with the modules that it may import"
    )
    upwards = imported_modules(path) - MAY_IMPORT[module]
    assert not upwards, f"skflow.{module} may not import {sorted(upwards)} from skflow"


@pytest.mark.parametrize("path", FILES, ids=FILE_IDS)
def test_numba_is_imported_in_kernels_only(path):
    if module_of(path) != "_kernels":
        assert not {"numba", "llvmlite"} & top_levels(path)


def private_names_of_scikit_learn(path):
    names = (name.split(".") for name in imported_names(path))
    return [
        ".".join(name)
        for name in names
        if name[0] == "sklearn" and any(part.startswith("_") for part in name)
    ]


@pytest.mark.parametrize("path", FILES, ids=FILE_IDS)
def test_private_names_of_scikit_learn_are_met_in_one_room(path):
    if module_of(path) != "_sklearn":
        assert private_names_of_scikit_learn(path) == []


def test_the_room_of_private_names_has_those_that_are_used():
    room = PACKAGE / "_sklearn.py"
    taken = {name.rpartition(".")[2] for name in private_names_of_scikit_learn(room)}
    used = {name for path in FILES if path != room for name in imported_names(path)}
    assert {f"skflow._sklearn.{name}" for name in taken} == {
        name for name in used if name.startswith("skflow._sklearn.")
    }


@pytest.mark.parametrize("path", FILES, ids=FILE_IDS)
def test_matplotlib_is_imported_inside_functions_only(path):
    assert "matplotlib" not in top_levels(path, at_import_only=True)


@pytest.mark.parametrize(
    ("source", "everywhere", "at_import"),
    [
        ("from ._base import x", {"_base"}, {"_base"}),
        ("from . import _base, schedules as s", {"_base", "schedules"}, {"_base", "schedules"}),
        ("from skflow import SDFlowSampler", {"__init__"}, {"__init__"}),
        ("import skflow", {"__init__"}, {"__init__"}),
        ("import skflow._base as b", {"_base"}, {"_base"}),
        ("from skflow._kernels import x", {"_kernels"}, {"_kernels"}),
        ("def f():\n    from ._base import x", {"_base"}, set()),
        ("class A:\n    from ._base import x", {"_base"}, {"_base"}),
        (
            "try:\n    import skflow.metrics\nexcept ImportError:\n    pass",
            {"metrics"},
            {"metrics"},
        ),
        ("if TYPE_CHECKING:\n    from ._base import x", {"_base"}, set()),
        ("import numpy\nfrom scipy import stats", set(), set()),
    ],
)
def test_the_reader_of_imports(tmp_path, source, everywhere, at_import):
    package = tmp_path / "skflow"
    package.mkdir()
    path = package / "velocities.py"
    path.write_text(source, encoding="utf-8")
    assert imported_modules(path, package=package) == everywhere
    assert imported_modules(path, at_import_only=True, package=package) == at_import


def test_importing_skflow_loads_neither_numba_nor_matplotlib():
    code = """
import sys
import skflow
print(*sorted({"numba", "matplotlib"} & set(sys.modules)))
"""
    assert run(code) == ""


def test_an_ordinary_sampler_loads_no_models():
    code = """
import sys
import sklearn.base
before = set(sys.modules)
from skflow import SDFlowSampler
heavy = "ensemble linear_model metrics model_selection multioutput neural_network pipeline"
print(*[name for name in heavy.split() if f"sklearn.{name}" in set(sys.modules) - before])
"""
    assert run(code) == ""


def test_importing_every_public_name_compiles_nothing():
    code = """
import importlib
import skflow
for name in skflow.__all__:
    getattr(skflow, name)
compiled = importlib.import_module("skflow._kernels.compiled")
loops = {name: value for name, value in vars(compiled).items() if hasattr(value, "signatures")}
assert loops
print(*[name for name, loop in loops.items() if loop.signatures])
"""
    assert run(code) == ""
