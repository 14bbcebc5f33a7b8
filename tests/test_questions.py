"""The questions beyond the paper: that each measures what it says, in little."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_sample_images
from sklearn.utils import check_random_state

from benchmarks.questions import (
    __main__ as every,
)
from benchmarks.questions import (
    common,
    images,
    projected,
    schedules,
    scores,
    supports,
    tails,
)
from benchmarks.questions.common import INDEPENDENT
from skflow.denoisers import KernelDenoiser
from skflow.velocities import ScoreDifference

SMALL = ["--trials", "1", "--jobs", "1"]


def test_trials_are_summarised():
    assert common.spread([1.0, 2.0, 3.0]) == "2.00 ± 1.00"
    assert common.spread([0.25], 1) == "0.2"
    assert common.spread([1.0, np.inf]) == "lost" and common.spread([np.nan]) == ""
    assert common.spreads([[1.0, 5.0], [3.0, 5.0]], 1) == ["2.0 ± 1.4", "5.0 ± 0.0"]


def test_the_unit_is_what_independent_rows_score():
    unit = common.energy_unit(lambda rng, n_rows: rng.standard_normal((n_rows, 1)), 500)
    assert_allclose(unit, 2 / 500 * 2 / np.sqrt(np.pi), rtol=0.3)  # E|x - x'| (1/n + 1/n)


def test_ninety_nine_in_a_hundred_are_on_a_mode():
    rows = 3 + 0.2 * np.random.RandomState(0).standard_normal((20_000, 5))
    assert_allclose(common.on_a_mode(rows, np.full((1, 5), 3.0), 0.2), 0.99, atol=0.003)
    assert common.on_a_mode(rows + 2, np.full((1, 5), 3.0), 0.2) == 0


def test_settings_run_side_by_side_as_in_turn():
    settings = [(1, 2), (3, 4)]
    assert common.side_by_side(max, settings, 1) == {(1, 2): 2, (3, 4): 4}


# --- schedules ----------------------------------------------------------------------------------


def test_a_wide_start_is_needed_from_afar_and_a_low_floor_for_details():
    unit = common.energy_unit(schedules.draw, schedules.N_ROWS, n_pairs=3)

    def figures(schedule, floor):
        return schedules.run("far", schedule, 1.0, floor, 0, 150, unit)

    narrow, wide, low = figures("constant", 0.1), figures("cosine", 1.0), figures("geometric", 0.1)
    assert narrow[0] > 50 * low[0]
    assert low[1] > 0.6 > 0.2 > wide[1]
    assert_allclose(schedules.independent(0, unit)[1:], [0.99, 0.5], atol=0.07)


def test_lost_particles_are_told(monkeypatch):
    monkeypatch.setattr(schedules, "particles_of", lambda *_: None)
    assert schedules.run("near", "linear", 1.0, 0.1, 0, 2, 1.0) == [np.inf] * 3


# --- scores -------------------------------------------------------------------------------------


def test_the_known_denoiser_is_that_of_many_rows():
    target, rng = scores.TARGETS["grid, 2 columns"], np.random.RandomState(0)
    X, Z = target.draw(rng, 50_000), rng.standard_normal((50, 2))
    exact = scores.MixtureDenoiser(*target).denoise(Z, 0.5)
    assert_allclose(exact, KernelDenoiser().fit(X).denoise(Z, 0.5), atol=0.03)
    origin = np.array([3.0, -1.0])
    moved = scores.MixtureDenoiser(*target, origin).denoise(Z - origin, 0.5)
    assert_allclose(moved, exact - origin, atol=1e-12)


@pytest.mark.parametrize("name", scores.TARGETS)
def test_knowing_the_target_makes_the_velocity_better(name):
    names = ["exact target", "kernel", "density ratio, QDA"]
    errors = scores.velocity_errors(scores.TARGETS[name], 0, 300, names)
    assert list(errors) == ["its size", *names]
    assert np.shape(list(errors.values())) == (4, 2 * len(scores.SIGMAS))
    assert np.isfinite(list(errors.values())).all()
    assert np.less(errors["exact target"], errors["kernel"]).all()
    assert errors["exact target"][0] < 1 and errors["its size"][0] > errors["its size"][3]


def test_knowing_the_target_copies_less():
    target = scores.TARGETS["clusters, 20 columns"]
    ends = scores.ends(target, 0, 40, 300, ["exact target", "kernel"])
    assert list(ends) == [INDEPENDENT, "exact target", "kernel"]
    distance, on, closer, seconds = np.transpose(list(ends.values()))
    assert on[0] > 0.97 and closer[1] + 0.1 < closer[2]
    assert (distance > 0).all() and (seconds[1:] > 0).all()


# --- supports -----------------------------------------------------------------------------------


def test_the_score_is_the_gradient_of_the_log_density():
    def log_density(rows):
        return np.logaddexp(
            *(
                -0.5 * np.square(rows - side * supports.APART * np.eye(3)[0]).sum(axis=1)
                for side in (-1, 1)
            )
        )

    rows, h = np.random.RandomState(0).standard_normal((20, 3)), 1e-5
    steps = h * np.eye(3)
    slopes = [(log_density(rows + s) - log_density(rows - s)) / (2 * h) for s in steps]
    assert_allclose(supports.score(rows), np.transpose(slopes), atol=1e-8)


def test_the_score_difference_comes_all_the_way_where_mmd_does_not():
    found = {
        method: dict(zip(supports.FIGURES, supports.run(method, 5, 0, 100, 1.0), strict=True))
        for method in ("SD, wide", "MMD, wide", supports.GAUSSIAN, INDEPENDENT)
    }
    assert_allclose(found["SD, wide"]["way"], 1, atol=0.03)
    assert found["MMD, wide"]["way"] < 0.9 and found["MMD, wide"]["spread"] > 2
    assert found["SD, wide"]["between"] + 0.1 < found[supports.GAUSSIAN]["between"]
    assert_allclose(found[INDEPENDENT]["between"], 0.0227, atol=0.02)
    assert found["SD, wide"]["energy distance"] < found[supports.GAUSSIAN]["energy distance"]


def test_schedules_from_afar_are_as_wide_as_the_way():
    X, base = np.zeros((4, 2)), np.full((4, 2), [0.0, 8.0])
    assert [supports.wide(X, base, 0.5)(t) for t in (0.0, 1.0)] == [8.0, 1.0]
    assert supports.wide(X, base, 9.0)(0.0) == 1.0


# --- tails --------------------------------------------------------------------------------------


def test_tails_are_measured_by_what_the_law_has(monkeypatch):
    monkeypatch.setattr(tails, "N_LAW", 50_000)
    energy, wide, far = tails.tails(3, INDEPENDENT, 0, 4000, 2e-3)
    assert_allclose([wide, far], [0.05, 0.01], atol=0.012)
    assert 0 < energy < 2


def test_outliers_are_smeared_by_a_flow_from_one_gaussian():
    names = ("SDFlowSampler", "SDFlowSampler from one Gaussian", "SDFlowSampler on normal scores")
    rows = {name: tails.outliers(name, 0, 1000, (1.0, 1.0)) for name in (INDEPENDENT, *names)}
    assert_allclose(rows[INDEPENDENT][1], 0.05, atol=0.01)
    assert_allclose(rows[names[0]][1], 0.05, atol=0.02)
    assert rows[names[1]][1] > 2 * rows[INDEPENDENT][1]
    assert rows[names[1]][0] > 2 * rows[names[2]][0]


@pytest.mark.parametrize("name", tails.SAMPLERS)
def test_every_sampler_of_tails_gives_rows(name):
    rng = np.random.RandomState(0)
    samples = tails.SAMPLERS[name](tails.draw_student(3, rng, 60), 30, 0)
    assert samples.shape == (30, 2) and np.isfinite(samples).all()


# --- projected ----------------------------------------------------------------------------------


def test_a_projected_flow_moves_rows_in_the_subspace_alone():
    rng = np.random.RandomState(0)
    X, base = 2 * rng.standard_normal((60, 5)) + 1, rng.standard_normal((40, 5))
    directions = partial(projected.principal, 2)
    flow, basis = projected.projected_flow(directions, X, base, n_steps=5, random_state=0)
    flow.fit(X, X_base=base)
    moved = flow.particles_ - base
    assert np.abs(moved).max() > 0.1
    assert_allclose(moved @ basis @ basis.T, moved, atol=1e-12)
    carried = flow.transform(base) - base  # rows stand in for particles there, too
    assert_allclose(carried @ basis @ basis.T, carried, atol=1e-12)


def test_in_all_directions_it_is_the_score_difference():
    rng = np.random.RandomState(0)
    X, Y = rng.standard_normal((30, 3)), 2 + rng.standard_normal((20, 3))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    turned = projected.ProjectedScoreDifference(partial(projected.given, turn)).fit(X)
    expected = ScoreDifference().fit(X)(Y, X, Y, 0.7)
    assert_allclose(turned(Y, X, Y, 0.7), expected, atol=1e-12)


def test_directions_are_what_they_are_said_to_be():
    rng = np.random.RandomState(0)
    X, Y = rng.standard_normal((500, 4)) * [1, 5, 1, 1], rng.standard_normal((500, 4))
    for find in (projected.principal, projected.by_velocity):
        basis = find(1, X, Y, 0, None)
        assert abs(basis[1, 0]) > 0.95
        assert find(1, Y, X, 1, basis) is basis
    first, second = (projected.slices(2, X, Y, step, None) for step in (0, 1))
    assert_allclose(first.T @ first, np.eye(2), atol=1e-12)
    assert not np.allclose(first, second)
    assert_allclose(first, projected.slices(2, Y, X, 0, second))


def test_a_level_ring_has_the_moments_of_the_base():
    rows = projected.draw_ring(projected.RINGS["level"], check_random_state(0), 50_000)
    assert_allclose(np.cov(rows.T), np.eye(2), atol=0.02)


def test_the_plane_is_better_than_all_columns():
    found = {
        way: dict(zip(projected.FIGURES, projected.run("wide", 20, way, 0, 60, 1.0), strict=True))
        for way in ("all columns", "principal components", "the plane")
    }
    assert found["the plane"]["of the plane"] > 0.999
    assert found["principal components"]["of the plane"] > 0.95
    for way in ("the plane", "principal components"):
        assert found[way]["on a mode"] > 3 * found["all columns"]["on a mode"]
        assert found[way]["energy distance"] < found["all columns"]["energy distance"]


# --- images -------------------------------------------------------------------------------------


def test_patches_are_tiles_of_the_photographs():
    rows = images.patches()
    corner = load_sample_images().images[0][-27:-11, :16].mean(axis=2)  # 26 tiles of 16 rows in 427
    expected = np.rint(corner - corner.mean()).ravel()
    assert (rows == expected).all(axis=1).sum() == 1
    assert 1000 < len(rows) < 2 * 26 * 40 and len(np.unique(rows, axis=0)) == len(rows)
    train, heldout = images.halves("patches", 100, 0)
    assert train.shape == heldout.shape == (100, 256)
    assert not (train[:, None] == heldout).all(axis=2).any()


def test_a_narrow_kernel_copies_digits():
    found = {
        way: dict(zip(images.FIGURES, images.run("digits", way, 200, 60, 0), strict=True))
        for way in (images.TRAINING, "Gaussian base, no flow", images.COPIES)
    }
    assert found[images.TRAINING]["energy distance"] == 1
    assert found["Gaussian base, no flow"]["distance ratio"] > 1.2
    assert (
        found[images.COPIES]["closer to train"]
        > 0.1 + (found["Gaussian base, no flow"]["closer to train"])
    )


def test_samples_are_pixels_and_every_way_makes_them():
    for way in images.WAYS:
        if not images.WAYS[way].trained:
            samples = images.generate("digits", way, 60, 2, 0)[2]
            assert samples.shape == (60, 64) and set(np.unique(samples)) <= set(range(17)), way


def test_images_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "SHOWN", ["pixels", images.COPIES])
    images.draw(tmp_path / "images.png", 60, 2)
    assert (tmp_path / "images.png").stat().st_size > 10_000
    named = dict(images.lines("digits", 60, 2))
    train = images.halves("digits", 60, 0)[0]
    assert next(iter(named)) == "real, held out" and len(named) == 4
    assert (named["  nearest training rows"][:, None] == train).all(axis=2).any(axis=1).all()


# --- tables -------------------------------------------------------------------------------------


def test_tables_are_printed(capsys, monkeypatch):
    """Every question from end to end, with as little as it takes."""
    schedules.main([*SMALL, "--steps", "2", "--floors", "1"])
    assert "| far | geometric | no |" in capsys.readouterr().out
    few = {"kernel": ScoreDifference()}
    monkeypatch.setattr(scores, "estimates", lambda target, origin: few)
    scores.main([*SMALL, "--steps", "2", "--rows", "60"])
    out = capsys.readouterr().out
    assert "| clusters, 20 columns | its size |" in out and out.count("| kernel |") == 4
    supports.main([*SMALL, "--steps", "2", "--widths", "3"])
    assert f"| 3 | {supports.GAUSSIAN} |" in capsys.readouterr().out
    monkeypatch.setattr(tails, "N_LAW", 1000)
    monkeypatch.setattr(tails, "SAMPLERS", {"MMDFlowSampler": tails.SAMPLERS["MMDFlowSampler"]})
    tails.main([*SMALL, "--rows", "60"])
    out = capsys.readouterr().out
    assert "| 10 | MMDFlowSampler |" in out and "| off the moons |" in out
    projected.main([*SMALL, "--steps", "2", "--widths", "3"])
    assert "| level | 3 | by velocity |" in capsys.readouterr().out
    monkeypatch.setattr(images, "WAYS", {"pixels": images.WAYS["pixels"]})
    images.main([*SMALL, "--steps", "2", "--rows", "60"])
    assert "| patches | training rows | 1.00 |" in capsys.readouterr().out


def test_all_questions_are_asked_in_turn(monkeypatch, capsys):
    asked = []
    for name, question in every.QUESTIONS.items():
        monkeypatch.setattr(question, "main", lambda _, name=name: asked.append(name))
    every.main([])
    assert asked == list(every.QUESTIONS) and "# tails" in capsys.readouterr().out
    every.main(["--only", "tails"])
    assert asked[-1] == "tails" and len(asked) == 7
