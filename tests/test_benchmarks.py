"""A small cell of every benchmark; the figures themselves are not tested."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import family, kernel_speed, model_optimization, quality, report  # noqa: E402


def test_quality_judges_every_sampler(monkeypatch):
    monkeypatch.setitem(quality.DATASETS, "wine", quality.load_wine)
    rows = list(quality.run(["wine"], n_splits=1))
    assert [name for _, name, _, _ in rows] == list(quality.SAMPLERS)
    figures = np.array([means for _, _, means, _ in rows])
    assert figures.shape == (3, len(quality.FIGURES))
    assert np.isfinite(figures).all()
    assert ((figures[:, [0, 2]] >= 0) & (figures[:, [0, 2]] <= 1)).all()


def test_quality_prints_a_table(capsys, monkeypatch):
    monkeypatch.setattr(quality, "judge", lambda sampler, X, seed: [0.5, 0.0, 0.5, 1.0 + seed])
    quality.main(["--splits", "2", "--datasets", "wine"])
    out = capsys.readouterr().out
    assert "| wine | SDFlowSampler | 0.500 ± 0.000 |" in out
    assert "1.500 ± 0.500" in out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_speed_measures_both_contenders(dtype):
    times, errors = kernel_speed.run(size=128, n_features=3, dtype=dtype, repeats=1)
    assert set(times) == set(errors) == {"skflow", "numpy"}
    assert all(seconds > 0 for seconds in times.values())
    assert max(errors.values()) < 100 * np.finfo(dtype).eps


def test_first_use_runs():
    command = [sys.executable, "-m", "benchmarks.first_use", "--repeats", "1", "--shape", "50", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "first fit" in done.stdout


def test_the_family_is_judged_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(family.DATASETS, "digits", lambda: family.load_digits().data[:200])
    few = {name: clone(form).set_params(n_steps=3) for name, form in family.FORMS.items()}
    few = {name: form for name, form in few.items() if "trained" not in name}
    rows = list(family.run(["wine"], 1, few, {}))
    assert [name for _, name, _ in rows] == list(few)
    assert np.isfinite([means for _, _, means in rows]).all()
    assert (family.generate(n_rows=100, repeats=1) > 0).all()
    family.draw(tmp_path, names=("SDFlowSampler", "SDFlowGenerator"))
    pictures = sorted(path.name for path in tmp_path.iterdir())
    assert pictures == ["family_digits.png", "family_moons.png", "family_wine.png"]


def test_a_linear_generator_learns_the_low_rank_gaussian():
    start, _, _ = model_optimization.run(trial=0, n_steps=1)
    figures, variance, seconds = model_optimization.run(trial=0, n_steps=30)
    assert len(figures) == len(model_optimization.FIGURES)
    assert 500 < variance < 1000 and seconds > 0
    # A thirtieth of the way: the mean is found at once, the covariance is on its way.
    assert start[0] < 0.2 and figures[0] > 0.5 and figures[1] > 0.9


def test_the_machine_is_named():
    assert "numba" in report.machine()
