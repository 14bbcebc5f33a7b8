"""The documentation agrees with the code: snippets run, links lead somewhere, names are there."""

import doctest
import inspect
import re
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from numpydoc.validate import validate
from sklearn import config_context

import skflow

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MODULES = {name: getattr(skflow, name) for name in skflow.__all__}
MODULES = {f"skflow.{name}": value for name, value in MODULES.items() if inspect.ismodule(value)}
MODULES["skflow"] = skflow


def read(path):
    return path.read_text(encoding="utf-8")


# --- snippets -----------------------------------------------------------------------------------


def run_snippets(path):
    """Run the Python of a page, in order and with the same names, and return these."""
    names = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for block in FENCE.finditer(text := read(path)):
        kind, code = block.groups()
        line = text[: block.start(2)].count("\n")
        if kind == "python":
            exec(compile("\n" * line + code, str(path), "exec"), names)
            continue
        page = doctest.DocTestParser().get_doctest(code, {}, path.name, str(path), line)
        page.globs = names
        assert page.examples
        assert runner.run(page, clear_globs=False).failed == 0
    return names


@pytest.fixture
def page_of_its_own():
    """What a page switches on, it switches on for itself."""
    with config_context(), plt.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


CHECKS = {  # what the prose claims of names that snippets leave
    "README.md": lambda names: (
        names["X_new"].shape == (500, 13) and names["X_carried"].shape == names["X_later"].shape
    ),
    "pipelines.md": lambda names: (
        names["accuracy"] > 0.85
        and names["search"].best_params_["flow__t_stop"] > 0
        and list(names["new_wines"].columns) == list(names["wine"].columns)
        and set(names["y_drawn"]) == {"barolo", "grignolino", "barbera"}
    ),
}
WITH_SNIPPETS = [path for path in PAGES if FENCE.search(read(path))]


@pytest.mark.parametrize("path", WITH_SNIPPETS, ids=lambda path: path.name)
def test_snippets_run(path, page_of_its_own):
    names = run_snippets(path)
    assert CHECKS.get(path.name, bool)(names)


def test_a_snippet_that_fails_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```pycon\n>>> x\n2\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        run_snippets(page)


# --- links --------------------------------------------------------------------------------------


def anchors(path):
    """Anchors of the headings of a page, as the site and the web view of a repository make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", FENCE.sub("", read(path))):
        name, _, anchor = link.partition("#")
        place = path.parent / name if name else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(link)
    assert not broken


def test_every_page_is_in_a_table_of_contents():
    listed = {"index"}
    for path in DOCS.glob("*.md"):
        for block in re.findall(r"```{toctree}\n(.*?)```", read(path), re.DOTALL):
            listed.update(re.findall(r"^[\w/]+$", block, re.MULTILINE))
    assert listed - {"auto_examples/index"} == {path.stem for path in DOCS.glob("*.md")}


def test_figures_in_readme_are_those_of_the_results():
    """A row of README's table of figures is a row of RESULTS.md, to the letter."""
    results = set(read(ROOT / "benchmarks" / "RESULTS.md").splitlines())
    rows = [line for line in read(ROOT / "README.md").splitlines() if re.match(r"\|.*\d\.\d", line)]
    assert len(rows) >= 4
    assert set(rows) <= results


# --- public names -------------------------------------------------------------------------------


def is_documented_elsewhere(value):
    """Tables of names and the version have no docstring of their own."""
    return isinstance(value, dict | str)


PUBLIC = {
    f"{module}.{name}": getattr(value, name)
    for module, value in MODULES.items()
    for name in value.__all__
    if not inspect.ismodule(getattr(value, name))
}


def test_the_reference_has_every_public_name_and_no_other():
    text = read(DOCS / "api.md")
    listed = re.findall(r"^   (skflow[\w.]+)$", text, re.MULTILINE)
    named = set(re.findall(r"`(skflow[\w.]+)`", text)) - set(MODULES)
    assert len(listed) == len(set(listed))
    constants = {name for name, value in PUBLIC.items() if is_documented_elsewhere(value)}
    assert set(listed) == set(PUBLIC) - constants
    assert named == constants


@pytest.mark.parametrize("module", sorted(MODULES))
def test_all_has_what_a_module_defines(module):
    """Nothing public is forgotten in ``__all__``, and a module says what it is for."""
    value = MODULES[module]
    defined = {
        name
        for name, part in vars(value).items()
        if not name.startswith("_")
        and (inspect.isclass(part) or inspect.isfunction(part))
        and f"{part.__module__}.".startswith(f"{module}.")
    }
    assert value.__doc__
    assert sorted(set(value.__all__)) == sorted(value.__all__)
    assert defined <= set(value.__all__)


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isclass(value)])
def test_an_error_about_an_argument_names_the_class(name):
    """And none that is not public, of which it inherits."""
    with pytest.raises(TypeError, match=rf"^{PUBLIC[name].__name__}(\.__init__)?\(\)"):
        PUBLIC[name](no_such_parameter=0)


def with_methods(name, value):
    """The name of a class or function, and those of the methods that skflow defines."""
    yield name
    for method in dir(value) if inspect.isclass(value) else ():
        part = getattr(value, method, None)
        module = getattr(part, "__module__", None) or ""
        if (method == "__call__" or not method.startswith("_")) and module.startswith("skflow"):
            yield f"{name}.{method}"


def checks():
    with open(ROOT / "pyproject.toml", "rb") as file:
        return set(tomllib.load(file)["tool"]["numpydoc_validation"]["checks"]) - {"all"}


@pytest.mark.parametrize(
    "name", [name for name, value in PUBLIC.items() if not is_documented_elsewhere(value)]
)
def test_docstrings_are_numpydoc(name):
    left_out, value = checks(), PUBLIC[name]
    errors = [
        f"{path}: {code} {message}"
        for path in with_methods(name, value)
        for code, message in validate(path)["errors"]
        if code not in left_out or (code == "EX01" and path == name)
    ]
    assert not errors


# --- spelling -----------------------------------------------------------------------------------

BRITISH = re.compile(r"isation|is(e|ed|er|es|ing)$|ours?$|neighbour|centre|grey|analogue|catalogue")
NEITHER = {"classwise", "denoise", "denoiser", "denoising", "noise"}


def names_in_code():
    """What users write: names, methods, parameters, attributes, and the scorers."""
    yield from skflow.metrics.get_sample_scorer_names()
    for name, value in PUBLIC.items():
        yield from name.split(".")
        if is_documented_elsewhere(value):
            continue
        for path in with_methods(name, value):
            method = path.removeprefix(name).lstrip(".")
            yield method
            part = getattr(value, method) if method else value
            yield from inspect.signature(part).parameters if callable(part) else ()
        yield from re.findall(r"^ {4}(\w+_) :", value.__doc__, re.MULTILINE)


def test_names_are_spelled_as_those_of_scikit_learn():
    words = {
        word.lower() for name in names_in_code() for word in re.findall("[A-Za-z][a-z]*", name)
    }
    assert {"history", "memorization", "neighbor", "velocity", "denoiser"} <= words
    assert {word for word in words if BRITISH.search(word)} <= NEITHER
