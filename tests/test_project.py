"""The repository's furniture agrees with itself."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import skflow

ROOT = Path(__file__).resolve().parents[1]
CI_RUN = ROOT / ".ci" / "run"

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def bash_blocks(markdown):
    return re.findall(r"^```bash\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL)


def commands(ci_run):
    result = subprocess.run(
        ["bash", str(ci_run), "--commands"], capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout.splitlines()


def test_readme_has_two_commands():
    blocks = bash_blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) == 2
    for block in blocks:
        assert block.count("\n") == 1
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
    quickstart, tests = (block.strip() for block in blocks)
    assert quickstart.endswith('".[plots]" && .venv/bin/python examples/quickstart.py')
    assert tests.endswith('-e ".[tests]" && .venv/bin/python -m pytest -n 2')


def test_the_quickstart_exists():
    assert (ROOT / "examples" / "quickstart.py").is_file()


@needs_bash
def test_ci_runs_the_commands_of_readme():
    blocks = bash_blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert os.access(CI_RUN, os.X_OK)
    assert commands(CI_RUN) == (0, [block.strip() for block in blocks])


@needs_bash
def test_ci_reads_the_commands_from_readme(tmp_path):
    (tmp_path / ".ci").mkdir()
    ci_run = shutil.copy(CI_RUN, tmp_path / ".ci" / "run")
    readme = tmp_path / "README.md"

    expected = ["first examples/quickstart.py", "second -m pytest --of-this-readme"]
    readme.write_text(
        "```python\nprint()\n```\n```bash\n{}\n```\ntext\n```bash\n{}\n```\n".format(*expected),
        encoding="utf-8",
    )
    assert commands(ci_run) == (0, expected)

    readme.write_text("```bash\nfirst examples/quickstart.py\n```\n", encoding="utf-8")
    code, printed = commands(ci_run)
    assert code != 0
    assert not printed


def test_citation_has_the_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    versions = re.findall(r"^version: *(\S+)$", citation, flags=re.MULTILINE)
    assert versions == [skflow.__version__]


def test_the_package_is_marked_as_typed():
    assert (ROOT / "skflow" / "py.typed").is_file()


@pytest.mark.parametrize("name", skflow.__all__)
def test_public_names_are_documented(name):
    value = getattr(skflow, name)
    if name != "__version__":  # a string, whose docstring is that of str
        assert value.__doc__ and value.__doc__.strip()


def test_no_file_names_a_home_directory():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # Files about to be added count: they are tracked a moment later.
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = {name for name in listing.stdout.decode().split("\0") if name}
    assert "tests/test_project.py" in names
    needles = [b"/" + word + b"/" for word in (b"root", b"work")]
    found = [
        f"{name}: {needle.decode()}"
        for name in sorted(names)
        if (ROOT / name).is_file()
        for needle in needles
        if needle in (ROOT / name).read_bytes()
    ]
    assert not found
