"""skflow needs no library of data frames: where none is installed, arrays go in and come out."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FRAMES = ("pandas", "polars", "pyarrow")

WITHOUT = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {FRAMES}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
"""


def run_without(code, folder=ROOT):
    """Run `code` in a new interpreter, in a folder, that finds no library of data frames."""
    command = [sys.executable, "-c", WITHOUT + code]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("library", FRAMES)
def test_it_is_not_found(library):
    with pytest.raises(AssertionError, match=f"No module named '{library}'"):
        run_without(f"import {library}")


PIPELINES = """
import skflow
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

X, y = load_wine(return_X_y=True)
flow = skflow.SDFlowSampler(n_particles=60, n_steps=20, random_state=0)
classes = skflow.ClasswiseSampler(flow)
grid = {"sdflowsampler__bandwidth": [0.5, 1.0]}
for pipeline in (
    make_pipeline(StandardScaler(), flow),
    make_pipeline(make_pipeline(PowerTransformer(), PCA(5)), flow),
    make_pipeline(StandardScaler(), classes),
    GridSearchCV(make_pipeline(StandardScaler(), flow), grid, cv=2),
    flow,
):
    print(skflow.sample(pipeline.fit(X, y), 5, random_state=0).shape)
pipeline = make_pipeline(StandardScaler(), classes).fit(X, y)
rows, labels = skflow.sample(pipeline, 5, return_y=True)
print(rows.shape, labels.shape)
rows, kinds = skflow.sample(make_pipeline(StandardScaler(), GaussianMixture(2)).fit(X), 5)
print(rows.shape, kinds.shape)
"""


def test_samples_through_pipelines():
    assert run_without(PIPELINES).splitlines() == ["(5, 13)"] * 5 + ["(5, 13) (5,)"] * 2


# What a reader meets first. Other pages are about frames, too, and say so.
FIRST = "start", "make_rows", "carry", "bandwidth", "generator", "copying"
PAGES = ["README.md", *(f"docs/{page}.md" for page in FIRST)]


@pytest.mark.parametrize("page", PAGES)
def test_snippets_of_the_first_pages_run(page, tmp_path):
    run_without(
        f"""
import matplotlib
matplotlib.use("agg")
from test_docs import ROOT, run_snippets
run_snippets(ROOT / {page!r})
""",
        tmp_path,
    )
