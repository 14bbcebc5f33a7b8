"""A small cell of every benchmark; the figures themselves are not tested."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import kernel_speed, quality, report  # noqa: E402


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


def test_the_machine_is_named():
    assert "numba" in report.machine()
