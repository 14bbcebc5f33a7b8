"""Pictures are drawn, and show what they are about."""

import pickle
import sys
import warnings
from io import BytesIO

import matplotlib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_wine, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skflow
from skflow import DiffusionSampler, SDFlowGenerator, SDFlowSampler, inspection
from skflow.inspection import (
    BandwidthSearchDisplay,
    ConvergenceDisplay,
    CorrelationsDisplay,
    EvolutionDisplay,
    MarginalsDisplay,
    NearestDistanceDisplay,
    VelocityFieldDisplay,
)
from skflow.metrics import get_sample_scorer_names, nearest_neighbor_distances
from skflow.metrics._scorers import names_by_kind

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WINE = load_wine(as_frame=True).data
DIGITS = load_digits().data[:150]
MOONS = make_moons(150, noise=0.05, random_state=0)[0]
COLUMNS = {1: MOONS[:, :1], 2: MOONS, 3: WINE.iloc[:, :3], 13: WINE, 64: DIGITS}

every_width = pytest.mark.parametrize("n_features", COLUMNS)


def sampler(**params):
    return SDFlowSampler(**{"n_particles": 60, "n_steps": 8, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    """Fitted samplers, by the number of columns."""
    return {n_features: sampler().fit(X) for n_features, X in COLUMNS.items()}


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


def picture(display):
    """The image of a Display, as it is saved: an array of shape (height, width, 3) of bytes."""
    file = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display.figure_.savefig(file, format="png", dpi=50)
    assert file.getvalue().startswith(b"\x89PNG")
    file.seek(0)
    return (plt.imread(file)[..., :3] * 255).round().astype(int)


def has_color(image, color, background=1.0, alpha=1.0, at_least=5):
    """Whether some pixels of an image have a colour, drawn over a background."""
    wanted = 255 * (alpha * np.array(matplotlib.colors.to_rgb(color)) + (1 - alpha) * background)
    return (np.abs(image - wanted).max(axis=-1) < 25).sum() >= at_least


def check_picture(display, *axes):
    """A picture with some ink in each of the axes, whose limits are finite and hold the data."""
    image = picture(display)
    assert image.shape[0] > 50 and image.shape[1] > 50
    for ax in axes:
        limits = [*ax.get_xlim(), *ax.get_ylim()]
        assert np.isfinite(limits).all()
        box = ax.get_window_extent().transformed(display.figure_.dpi_scale_trans.inverted())
        left, bottom, right, top = (np.array(box.extents) * 50).astype(int)
        height = image.shape[0]
        inside = image[height - top : height - bottom, left:right]
        assert len(np.unique(inside.reshape(-1, 3), axis=0)) > 3
    return image


def holds(ax, rows):
    """Whether the axes hold all of some rows of two columns."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    low, high = rows.min(axis=0), rows.max(axis=0)
    return left <= low[0] and high[0] <= right and bottom <= low[1] and high[1] <= top


REAL, SYNTHETIC = "#0072B2", "#D55E00"


# --- evolution ----------------------------------------------------------------------------------


@every_width
def test_evolution(fitted, n_features):
    X = COLUMNS[n_features]
    display = EvolutionDisplay.from_estimator(
        fitted[n_features], X, times=(0, 0.5, 1), n_samples=40, random_state=0
    )
    assert display.axes_.shape == (1, 3)
    assert [ax.get_title() for ax in display.axes_[0]] == ["t = 0, base", "t = 0.5", "t = 1, end"]
    image = check_picture(display, *display.axes_[0])
    assert has_color(image, SYNTHETIC, alpha=1.0 if n_features == 1 else 0.7)
    label = display.axes_[0, 0].get_xlabel()
    assert label.startswith({1: "x0", 2: "x0", 3: "alcohol"}.get(n_features, "PC 1 ("))
    (legend,) = display.figure_.legends
    assert [text.get_text() for text in legend.get_texts()] == ["target", "rows of the flow"]


def test_evolution_shows_the_rows_of_the_flow(fitted):
    display = EvolutionDisplay.from_estimator(
        fitted[2], MOONS, X_base=MOONS[:20] * 2, times=(0, 0.3, 1)
    )
    for ax, t in zip(display.axes_[0], (0, 0.3, 1), strict=True):
        target, rows = ax.collections
        assert_allclose(target.get_offsets(), MOONS)
        assert_allclose(rows.get_offsets(), fitted[2].interpolate(MOONS[:20] * 2, t))
        assert holds(ax, np.asarray(rows.get_offsets()))
        assert ax.get_aspect() == 1


def test_the_target_is_what_was_fitted(fitted):
    for display in (EvolutionDisplay, VelocityFieldDisplay):
        shown = display.from_estimator(fitted[3], random_state=0)
        assert_allclose(shown.X, WINE.iloc[:, :3])
        assert shown.feature_names == list(WINE.columns[:3])
        pickled = pickle.loads(pickle.dumps(fitted[3]))
        assert_allclose(display.from_estimator(pickled, random_state=0).X, shown.X)


@pytest.mark.parametrize("follow", [True, False], ids=["given rows", "drawn rows"])
def test_the_base_taken_for_the_target_is_noticed(follow):
    kind = load_wine().target
    target, source = WINE[kind == 1], WINE[kind == 0]
    flow = SDFlowSampler(n_steps=30, random_state=0).fit(target, X_base=source[:30])
    rows = {"X_base": source[30:]} if follow else {"random_state": 0}
    with pytest.warns(UserWarning, match="moves away from X.* pass rows to start from as X_base"):
        EvolutionDisplay.from_estimator(flow, source[30:], **rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EvolutionDisplay.from_estimator(flow, target, **rows)


@pytest.mark.parametrize("base", ["mixture", "normal"])
def test_a_short_way_to_rows_that_were_held_out_is_no_mistake(base):
    for seed in range(5):
        for X in (WINE, MOONS):
            train, heldout = train_test_split(X, test_size=0.5, random_state=seed)
            flow = sampler(base=base, random_state=seed).fit(train)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                EvolutionDisplay.from_estimator(flow, heldout, times=[0, 1], random_state=seed)
            plt.close("all")


def test_evolution_follows_the_rows_of_sample():
    flow = sampler(base="normal").fit(MOONS)
    display = EvolutionDisplay.from_estimator(
        flow, times=(0, 0.01, 1), n_samples=30, random_state=5
    )
    base, early, late = display.stages
    assert np.linalg.norm(early - base, axis=1).max() < np.linalg.norm(late - base, axis=1).mean()
    assert flow.t_stop == 1.0
    assert late.shape == (30, 2)
    assert nearest_neighbor_distances(late, MOONS).mean() < 0.9 * (
        nearest_neighbor_distances(base, MOONS).mean()
    )


def test_columns_with_units_of_their_own_fill_the_axes():
    X = WINE[["alcohol", "proline"]]
    display = EvolutionDisplay.from_estimator(sampler().fit(X), X, times=[1], random_state=0)
    ax = display.axes_[0, 0]
    assert ax.get_aspect() == "auto"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("alcohol", "proline")


def test_evolution_on_principal_components(fitted):
    components = [(0, 1), (2, 3)]
    display = EvolutionDisplay.from_estimator(
        fitted[13], WINE, times=(0, 1), n_samples=20, components=components, random_state=0
    )
    assert display.axes_.shape == (2, 2)
    standard = (WINE - WINE.mean()) / WINE.std(ddof=0)
    values, vectors = np.linalg.eigh(np.cov(standard.T, ddof=0))
    for row, pair in zip(display.axes_, components, strict=True):
        shown = np.asarray(row[0].collections[0].get_offsets())
        expected = standard.to_numpy() @ vectors[:, ::-1][:, list(pair)]
        assert_allclose(np.abs(shown), np.abs(expected), atol=1e-8)
        share = values[::-1][pair[0]] / values.sum()
        assert row[0].get_xlabel() == f"PC {pair[0] + 1} ({share:.0%} of variance)"
    check_picture(display, *display.axes_.ravel())
    with pytest.raises(ValueError, match="numbered from 0 to 12"):
        display.plot(components=[(0, 13)])


def test_evolution_of_given_stages():
    stages = [np.zeros((5, 2)), np.ones((5, 2))]
    with pytest.raises(ValueError, match="rows at 2 times, and times has 1"):
        EvolutionDisplay.from_predictions(stages, [0.0])
    with pytest.raises(ValueError, match="stages has 2 columns but X has 13"):
        EvolutionDisplay.from_predictions(stages, [0, 1], WINE)
    display = EvolutionDisplay.from_predictions(stages, [0, 1], feature_names=["a", "b"])
    check_picture(display, *display.axes_[0])
    with pytest.raises(ValueError, match="1 names for 2 columns"):
        EvolutionDisplay.from_predictions(stages, [0, 1], feature_names=["a"])


# --- velocity field -----------------------------------------------------------------------------


def test_velocity_at_is_what_transform_starts_with():
    flow = sampler(noise_scale=0, n_steps=1, step_size=0.25).fit(WINE)
    moved = flow.transform(WINE)
    assert_allclose(WINE + 0.25 * flow.velocity_at(WINE, 0.0), moved, rtol=1e-12)
    assert_allclose(flow.velocity_at(WINE, 1.0), flow.velocity_at(WINE, 0.0))


def test_velocity_at_is_that_of_the_step_under_way():
    flow = sampler(noise_scale=0, n_steps=4, step_size=0.25).fit(MOONS)
    stages = [MOONS, *flow.staged_transform(MOONS)]
    for k, time in enumerate(flow._flow.times[:-1]):
        velocity = flow.velocity_at(stages[k], time + 1e-6)
        assert_allclose(stages[k] + 0.25 * velocity, stages[k + 1], atol=1e-12)


def test_velocity_of_a_diffusion_leads_to_the_mean_of_the_clean_rows():
    flow = DiffusionSampler(n_particles=50, n_steps=10, random_state=0).fit(WINE)
    scale = WINE.std(ddof=0).to_numpy()
    X = WINE.to_numpy() / scale
    noisy = X + np.random.default_rng(0).normal(scale=3, size=X.shape)
    velocity = flow.velocity_at(pd.DataFrame(noisy * scale, columns=WINE.columns), 0.0)
    sigma = 30 * flow.bandwidth_
    kernels = np.exp(-np.square(noisy[:, None] - X).sum(axis=-1) / (2 * sigma**2))
    mean = kernels @ X / kernels.sum(axis=1, keepdims=True)
    assert_allclose(velocity / scale, mean - noisy, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("t", [-0.1, 1.1, np.nan, "half"])
def test_bad_times(fitted, t):
    with pytest.raises(ValueError, match=r"t must be a number in \[0, 1\]"):
        fitted[2].velocity_at(MOONS, t)
    with pytest.raises(ValueError, match=r"t must be a number in \[0, 1\]"):
        VelocityFieldDisplay.from_estimator(fitted[2], t=t)


@every_width
def test_velocity_field(fitted, n_features):
    X = COLUMNS[n_features]
    display = VelocityFieldDisplay.from_estimator(
        fitted[n_features], X, t=0.25, grid_resolution=6, n_samples=15, random_state=0
    )
    n_places = {1: 60, 2: 36}.get(n_features, 15)
    assert display.places.shape == display.velocity.shape == (n_places, n_features)
    places = display.places
    if n_features in (3, 13):
        places = pd.DataFrame(places, columns=X.columns)
    assert_allclose(display.velocity, fitted[n_features].velocity_at(places, 0.25))
    image = check_picture(display, display.ax_)
    assert has_color(image, REAL, alpha=0.5)
    assert display.ax_.get_title() == "velocity at t = 0.25"


def test_arrows_point_where_rows_go(fitted):
    display = VelocityFieldDisplay.from_estimator(fitted[2], grid_resolution=6, random_state=0)
    arrows, velocity = display.arrows_, display.velocity
    speed = np.linalg.norm(velocity, axis=1)
    assert_allclose(arrows.get_array(), speed)
    assert arrows.get_clim() == (0, speed.max())
    assert display.figure_.axes[-1].get_ylabel().endswith("arrows: direction only")
    cosines = (arrows.U * velocity[:, 0] + arrows.V * velocity[:, 1]) / speed
    assert_allclose(cosines, np.hypot(arrows.U, arrows.V))
    assert holds(display.ax_, display.places)


def test_arrows_where_nothing_moves():
    display = VelocityFieldDisplay.from_predictions(MOONS, np.zeros_like(MOONS))
    assert not (display.arrows_.U.any() or display.arrows_.V.any())
    check_picture(display, display.ax_)


def test_the_curve_of_a_single_column(fitted):
    display = VelocityFieldDisplay.from_estimator(fitted[1], COLUMNS[1], random_state=0)
    x, y = display.line_.get_data()
    assert_allclose(y, fitted[1].velocity_at(x[:, None], 0.0)[:, 0])
    assert (np.diff(x) > 0).all()


def test_velocity_field_of_given_arrows():
    with pytest.raises(ValueError, match="one velocity for each place"):
        VelocityFieldDisplay.from_predictions(MOONS, MOONS[:3])
    with pytest.raises(ValueError, match="places has 2 columns but X has 13"):
        VelocityFieldDisplay.from_predictions(MOONS, MOONS, WINE)


# --- convergence --------------------------------------------------------------------------------


def test_convergence(fitted):
    display = ConvergenceDisplay.from_estimator(fitted[13])
    steps, speed = display.line_.get_data()
    assert_array_equal(steps, np.arange(1, 9))
    assert_allclose(speed**2, fitted[13].history_)
    assert display.ax_.get_yscale() == "log"
    assert "column standard deviations" in display.ax_.get_ylabel()
    assert display.ax_.get_legend() is None
    assert has_color(check_picture(display, display.ax_), SYNTHETIC)


def test_several_histories_in_one_picture(fitted):
    generator = SDFlowGenerator(n_steps=3, random_state=0).fit(WINE)
    first = ConvergenceDisplay.from_estimator(fitted[13], name="sampler")
    second = ConvergenceDisplay.from_estimator(generator, name="generator", ax=first.ax_)
    assert second.figure_ is first.figure_
    assert [text.get_text() for text in first.ax_.get_legend().get_texts()] == [
        "sampler",
        "generator",
    ]
    assert first.line_.get_color() != second.line_.get_color()


@pytest.mark.parametrize("history", [[0.5], [0.0, 0.0], [1.0, 0.0, 0.5]])
def test_histories_that_are_short_or_touch_zero(history):
    display = ConvergenceDisplay.from_predictions(history)
    check_picture(display, display.ax_)
    assert display.ax_.get_ylim()[0] <= min(np.sqrt(history))


@pytest.mark.parametrize("history", [[[1.0, 2.0]], [-1.0]])
def test_what_is_no_history(history):
    with pytest.raises(ValueError, match="one mean squared velocity a step"):
        ConvergenceDisplay.from_predictions(history)


def test_an_estimator_without_a_history():
    with pytest.raises(TypeError, match="GaussianMixture has none"):
        ConvergenceDisplay.from_estimator(GaussianMixture().fit(WINE))


# --- nearest distances --------------------------------------------------------------------------


@every_width
def test_nearest_distances(fitted, n_features):
    X = COLUMNS[n_features]
    display = NearestDistanceDisplay.from_estimator(fitted[n_features], X, X, random_state=0)
    assert len(display.histograms_) == 3
    for histogram in display.histograms_:
        assert_allclose(histogram.get_data().values.sum(), 1)
    assert not display.heldout.any()
    scale = np.asarray(X).std(axis=0)
    scale[scale == 0] = 1
    synthetic = np.asarray(fitted[n_features].sample(len(X), random_state=0))
    expected = nearest_neighbor_distances(synthetic / scale, np.asarray(X) / scale)
    assert_allclose(display.synthetic, expected)
    assert has_color(check_picture(display, display.ax_), SYNTHETIC)
    assert display.ax_.get_xlim()[0] == 0


def test_nearest_distances_in_units_of_the_data():
    train, samples = np.array([[0.0], [4.0]]), np.array([[1.0], [7.0], [2.0]])
    display = NearestDistanceDisplay.from_predictions(samples, train, standardize=False)
    assert_array_equal(display.synthetic, [1, 3, 2])
    assert_array_equal(display.train, [4, 4])
    (legend,) = display.figure_.legends
    assert legend.get_texts()[1].get_text() == "new rows, median 2"
    assert "units of the data" in display.ax_.get_xlabel()


def test_copies_are_at_zero():
    display = NearestDistanceDisplay.from_predictions(MOONS, np.concatenate([MOONS, MOONS]))
    assert not display.synthetic.any()
    for histogram in display.histograms_:
        assert histogram.get_data().values[0] == 1
    check_picture(display, display.ax_)


# --- marginals and correlations -----------------------------------------------------------------


@every_width
def test_marginals(fitted, n_features):
    X = COLUMNS[n_features]
    display = MarginalsDisplay.from_estimator(fitted[n_features], X, random_state=0)
    n_shown = min(n_features, 15)
    axes = [ax for ax in display.axes_.ravel() if ax is not None]
    assert len(axes) == len(display.shown_) == n_shown
    for ax, column in zip(axes, display.shown_, strict=True):
        values = display.real[:, column]
        left, right = ax.get_xlim()
        assert left <= values.min() <= values.max() <= right
        for patch in ax.patches:
            assert_allclose(patch.get_data().values.sum(), 1)
    assert has_color(check_picture(display, *axes), SYNTHETIC)
    if n_features == 13:
        assert [ax.get_title().splitlines()[0] for ax in axes] == list(WINE.columns)


def test_marginals_that_differ_most_are_shown():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(2, 200, 20))
    synthetic[:, [3, 17]] += 2
    display = MarginalsDisplay.from_predictions(real, synthetic, max_features=2)
    assert display.shown_ == [3, 17]
    assert display.axes_[0, 0].get_title().startswith("x3\nKS 0.")
    assert "2 of 20 columns" in display.axes_[0, 0].get_ylabel()


def test_constant_columns_are_equal_up_to_rounding():
    real = np.column_stack([MOONS, np.zeros(len(MOONS))])
    display = MarginalsDisplay.from_predictions(real, real + 1e-16)
    assert_array_equal(display.distances_[2], 0)
    check_picture(display, *display.axes_.ravel())


@pytest.mark.parametrize("n_features", [2, 3, 13, 64])
def test_correlations(fitted, n_features):
    X = COLUMNS[n_features]
    display = CorrelationsDisplay.from_estimator(fitted[n_features], X, random_state=0)
    varying = np.asarray(X).std(axis=0) > 0
    expected = np.corrcoef(np.asarray(X)[:, varying], rowvar=False)
    assert_allclose(display.real[np.ix_(varying, varying)], expected, atol=1e-10)
    for matrix in (display.real, display.synthetic):
        assert np.isnan(matrix[~varying]).all()
    real, synthetic, difference = (np.asarray(image.get_array()) for image in display.images_)
    assert_allclose(synthetic - real, difference)
    check_picture(display, *display.axes_.ravel()[:2])
    if n_features == 13:
        labels = [label.get_text() for label in display.axes_[0, 0].get_yticklabels()]
        assert labels == list(WINE.columns)


def test_correlations_need_two_columns():
    with pytest.raises(ValueError, match="MarginalsDisplay shows a single column"):
        CorrelationsDisplay.from_predictions(MOONS[:, :1], MOONS[:, :1])


# --- search -------------------------------------------------------------------------------------


def two_scores(flow, X, y=None):
    return {"fidelity": flow.score(X), "copying": float(flow.n_steps_)}


def search(grid, **params):
    params = {"scoring": two_scores, "refit": "fidelity", "cv": 2, **params}
    return GridSearchCV(params.pop("estimator", sampler(n_steps=2)), grid, **params).fit(MOONS)


def test_bandwidth_search():
    found = search({"bandwidth": [2.0, 0.25, 0.5], "n_steps": [1, 3]})
    display = BandwidthSearchDisplay.from_estimator(
        found, fidelity="fidelity", copying="copying", ideal_copying=0.0
    )
    assert display.axes_.shape == (2, 1)
    assert display.lines_.shape == (2, 2)
    results = pd.DataFrame(found.cv_results_)
    for i, n_steps in enumerate([1, 3]):
        rows = results[results.param_n_steps == n_steps].sort_values("param_bandwidth")
        for side, score in enumerate(["fidelity", "copying"]):
            x, y = display.lines_[side, i].get_data()
            assert_array_equal(x, [0.25, 0.5, 2.0])
            assert_allclose(y, rows[f"mean_test_{score}"].to_numpy(float))
    (legend,) = display.figure_.legends
    words = {text.get_text() for text in legend.get_texts()}
    assert words == {"n_steps=1", "n_steps=3", "chosen", "without copying"}
    chosen = [line for line in display.axes_[0, 0].lines if line.get_label() == "chosen"]
    assert chosen[0].get_xdata() == [found.best_params_["bandwidth"]]
    assert display.axes_[0, 0].get_xscale() == "log"
    image = check_picture(display, *display.axes_.ravel())
    assert has_color(image, REAL) and has_color(image, SYNTHETIC)


def scored(**scores):
    return search(
        {"bandwidth": [0.5, 1.0]},
        scoring=lambda flow, X, y=None: scores,
        refit=next(iter(scores)),
    )


def test_scores_are_found_by_their_names():
    both = {"fidelity_without_copying": 0.3, "mine": 0.4}
    energy, share = {"neg_energy_distance": -0.1}, {"neg_closer_to_train_share": -0.6}
    found = scored(**both, **energy, **share)
    display = BandwidthSearchDisplay.from_estimator(found)
    assert display.score_names == (*energy, *share)
    assert_array_equal(display.copying, [-0.6, -0.6])
    dashed = {"without copying": [-0.5, -0.5]}
    lines = {line.get_label(): line.get_ydata() for line in display.axes_[1, 0].lines}
    assert lines.items() >= dashed.items()
    display = BandwidthSearchDisplay.from_estimator(found, fidelity="mine", ideal_copying=-0.4)
    assert display.score_names == ("mine", *share)
    lines = {line.get_label(): line.get_ydata() for line in display.axes_[1, 0].lines}
    assert list(lines["without copying"]) == [-0.4, -0.4]
    two = scored(**energy, **share, neg_privacy_loss=-0.1)
    with pytest.raises(ValueError, match=r"has 2 scores .* for copying among .* copying="):
        BandwidthSearchDisplay.from_estimator(two)
    display = BandwidthSearchDisplay.from_estimator(two, copying="neg_privacy_loss")
    assert display.score_names == (*energy, "neg_privacy_loss")
    with pytest.raises(ValueError, match=r"has 0 scores .* for fidelity among .* fidelity="):
        BandwidthSearchDisplay.from_estimator(scored(**both, **share))


def test_every_score_is_for_fidelity_or_copying_or_both():
    fidelity, ideals = names_by_kind()
    assert not fidelity & ideals.keys()
    kinds = fidelity | ideals.keys() | {"fidelity_without_copying"}
    assert kinds == set(get_sample_scorer_names())


def test_a_search_over_rules_in_a_pipeline():
    found = search(
        {"sdflowsampler__bandwidth": ["auto", 0.5]},
        estimator=make_pipeline(StandardScaler(), sampler(n_steps=2)),
        scoring={
            "fidelity": lambda pipe, X, y=None: pipe.score(X),
            "copying": lambda pipe, X, y=None: 1.0,
        },
    )
    display = BandwidthSearchDisplay.from_estimator(found, fidelity="fidelity", copying="copying")
    labels = [label.get_text() for label in display.axes_[1, 0].get_xticklabels()]
    assert labels == ["auto", "0.5"]
    assert display.axes_[1, 0].get_xlabel() == "sdflowsampler__bandwidth"
    check_picture(display, *display.axes_.ravel())


def test_searches_that_do_not_fit():
    names = {"fidelity": "fidelity", "copying": "copying"}
    with pytest.raises(TypeError, match="needs a search"):
        BandwidthSearchDisplay.from_estimator(sampler(), **names)
    with pytest.raises(NotFittedError):
        BandwidthSearchDisplay.from_estimator(GridSearchCV(sampler(), {}), **names)
    found = search({"n_steps": [1, 2]})
    with pytest.raises(ValueError, match="went over n_steps"):
        BandwidthSearchDisplay.from_estimator(found, **names)
    display = BandwidthSearchDisplay.from_estimator(found, **names, param_name="n_steps")
    assert display.axes_[1, 0].get_xlabel() == "n_steps"
    with pytest.raises(ValueError, match="no score 'energy', but fidelity, copying"):
        BandwidthSearchDisplay.from_estimator(found, fidelity="energy", copying="copying")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        BandwidthSearchDisplay.from_predictions([1.0, 2.0], [1.0, 2.0], [1.0])


# --- all of them --------------------------------------------------------------------------------

FROM_SAMPLER = {
    EvolutionDisplay: lambda flow, X, **kw: EvolutionDisplay.from_estimator(flow, X, **kw),
    VelocityFieldDisplay: lambda flow, X, **kw: VelocityFieldDisplay.from_estimator(flow, X, **kw),
    ConvergenceDisplay: lambda flow, X, **kw: ConvergenceDisplay.from_estimator(flow, **kw),
    NearestDistanceDisplay: lambda flow, X, **kw: NearestDistanceDisplay.from_estimator(
        flow, X, **kw
    ),
    MarginalsDisplay: lambda flow, X, **kw: MarginalsDisplay.from_estimator(flow, X, **kw),
    CorrelationsDisplay: lambda flow, X, **kw: CorrelationsDisplay.from_estimator(flow, X, **kw),
}
of_a_sampler = pytest.mark.parametrize("display", FROM_SAMPLER, ids=lambda d: d.__name__)


@of_a_sampler
def test_before_fit(display):
    with pytest.raises(NotFittedError):
        FROM_SAMPLER[display](sampler(), MOONS)


@of_a_sampler
def test_what_is_no_sampler(display):
    message = f"{display.__name__}.from_estimator needs .* StandardScaler has n"
    with pytest.raises(TypeError, match=message):
        FROM_SAMPLER[display](StandardScaler().fit(MOONS), MOONS)


DRAWN = [MarginalsDisplay, CorrelationsDisplay, NearestDistanceDisplay]


@pytest.fixture(scope="module")
def pipelines():
    """Fitted to wines: a pipeline, and a search for one."""
    pipeline = make_pipeline(StandardScaler(), sampler()).fit(WINE)
    grid = {"sdflowsampler__bandwidth": [0.5, 1.0]}
    return {"pipeline": pipeline, "search": GridSearchCV(pipeline, grid, cv=2).fit(WINE)}


@pytest.mark.parametrize("kind", ["pipeline", "search"])
@pytest.mark.parametrize("display", DRAWN, ids=lambda d: d.__name__)
def test_rows_are_drawn_through_a_pipeline(pipelines, kind, display):
    drawn = display.from_estimator(pipelines[kind], WINE, random_state=0)
    rows = skflow.sample(pipelines[kind], len(WINE), random_state=0)
    expected = display.from_predictions(*([rows, WINE] if display is DRAWN[2] else [WINE, rows]))
    assert_array_equal(drawn.synthetic, expected.synthetic)
    if display is not NearestDistanceDisplay:
        assert drawn.feature_names == list(WINE.columns)


@pytest.mark.parametrize("kind", ["pipeline", "search"])
def test_the_history_is_that_of_the_last_step(pipelines, kind):
    fitted = getattr(pipelines[kind], "best_estimator_", pipelines[kind])
    display = ConvergenceDisplay.from_estimator(pipelines[kind])
    assert_allclose(display.speed**2, fitted[-1].history_)
    assert "column standard deviations" in display.ax_.get_ylabel()


@pytest.mark.parametrize("display", [EvolutionDisplay, VelocityFieldDisplay])
def test_a_flow_behind_other_steps_is_shown_alone(pipelines, display):
    for estimator in pipelines.values():
        with pytest.raises(TypeError, match=r"pass the last step, pipeline\[-1\], and rows as"):
            display.from_estimator(estimator, WINE)
    pipeline = pipelines["pipeline"]
    display.from_estimator(pipeline[-1], pipeline[:-1].transform(WINE), random_state=0)
    alone = GridSearchCV(sampler(), {"bandwidth": [0.5]}, cv=2).fit(MOONS)
    display.from_estimator(alone, MOONS, random_state=0)


def test_a_mixture_is_drawn_without_a_seed():
    display = MarginalsDisplay.from_estimator(GaussianMixture().fit(MOONS), MOONS)
    assert display.synthetic.shape == MOONS.shape


@pytest.mark.parametrize(
    "display", [d for d in FROM_SAMPLER if d is not ConvergenceDisplay], ids=lambda d: d.__name__
)
def test_rows_of_another_width(fitted, display):
    with pytest.raises(ValueError, match=r"13 columns|has 13"):
        FROM_SAMPLER[display](fitted[2], WINE)


@of_a_sampler
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_frames_come_and_go(display, container):
    flow = sampler().fit(WINE).set_output(transform=container)
    drawn = FROM_SAMPLER[display](flow, WINE)
    check_picture(drawn)


@of_a_sampler
def test_given_axes_are_used(fitted, display):
    figure, ax = plt.subplots()
    drawn = FROM_SAMPLER[display](fitted[13], WINE, ax=ax)
    assert drawn.figure_ is figure
    assert not figure.legends
    check_picture(drawn)
    if hasattr(drawn, "axes_"):
        n_panels = sum(one is not None for one in drawn.axes_.ravel())
        axes = plt.figure().subplots(1, n_panels)
        again = FROM_SAMPLER[display](fitted[13], WINE, ax=axes)
        assert list(again.axes_.ravel()[:n_panels]) == list(axes)
        with pytest.raises(ValueError, match=f"draws {n_panels} panels, but ax has 1"):
            FROM_SAMPLER[display](fitted[13], WINE, ax=axes[:1])
    else:
        assert drawn.ax_ is ax


def test_axes_in_space(fitted):
    with pytest.raises(ValueError, match='use projection="3d"'):
        EvolutionDisplay.from_estimator(fitted[3], times=[0, 1], ax=plt.figure().subplots(1, 2))


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"ConvergenceDisplay\.plot requires matplotlib"):
        ConvergenceDisplay.from_predictions([1.0])


def test_every_display_is_made_in_both_ways():
    for name in inspection.__all__:
        display = getattr(inspection, name)
        for method in ("from_estimator", "from_predictions", "plot"):
            assert callable(getattr(display, method))


def test_held_out_rows_are_shown():
    train, heldout = train_test_split(WINE, test_size=0.5, random_state=0)
    flow = sampler().fit(train)
    display = NearestDistanceDisplay.from_estimator(flow, train, heldout, random_state=0)
    assert len(display.heldout) == len(heldout)
    assert len(display.synthetic) == len(train)
