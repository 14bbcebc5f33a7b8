"""scikit-learn's callbacks: what they see of a fit, and that they can stop it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import FitCallback, ProgressBar, ScoringMonitor
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import DiffusionSampler, MMDFlowSampler, SDFlowGenerator, SDFlowSampler, SVGDSampler

X = np.random.default_rng(0).normal([2, -1], [1, 0.5], size=(60, 2))
BASE = np.random.default_rng(1).normal(size=(50, 2))
N_STEPS = 23  # no multiple of the ten steps after which a LinearRegression is fitted anew
LEARNER = MultiOutputRegressor(SGDRegressor(random_state=0))

SAMPLERS = {
    "SD": SDFlowSampler(),
    "mini-batches": SDFlowSampler(),
    "MMD": MMDFlowSampler(),
    "SVGD": SVGDSampler(optimizer="sgd"),
}
GENERATORS = {
    "generator": SDFlowGenerator(LEARNER),
    "generator in rounds": SDFlowGenerator(LinearRegression()),
}
ALL = {**SAMPLERS, "diffusion": DiffusionSampler(), **GENERATORS}


def estimator(name, n_steps=N_STEPS):
    params = {"batch_size": 100} if name in GENERATORS else {"n_particles": 60}
    if name == "mini-batches":
        params["batch_size"] = 20
    return clone(ALL[name]).set_params(n_steps=n_steps, random_state=0, **params)


class Watch:
    """Writes down the tasks and the estimators that it is handed; stops after some step."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events, self.handed, self.seen = [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.events.append(("end", context.task_name, context.task_id))
        self.seen.append((X, y, metadata))
        if context.task_name == "step":
            self.handed.append(fitted_estimator)
            self.look(fitted_estimator)
            return len(self.handed) == self.stop_after

    def look(self, fitted_estimator):
        """What is done with it while the fit is waiting."""


class Propagated(Watch):
    """One that a meta-estimator hands on to what it fits."""

    max_propagation_depth = None


class Drawing(Watch):
    def __init__(self):
        super().__init__()
        self.draws = []

    def look(self, fitted_estimator):
        rows, there = fitted_estimator.sample(5, random_state=0), fitted_estimator.particles_
        self.draws.append((rows, there, fitted_estimator.transform(BASE)))
        assert np.isfinite(fitted_estimator.score(X))


def steps(n_steps):
    return [(word, "step", k) for k in range(n_steps) for word in ("begin", "end")]


# --- what they see -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_every_step_begins_and_ends(name):
    watch, y, weights = Watch(), np.arange(60), np.ones(60)
    assert isinstance(watch, FitCallback)
    watched = estimator(name).set_callbacks(watch).fit(X, y, X_base=BASE, sample_weight=weights)
    fit = [("begin", "fit", 0), *steps(N_STEPS), ("end", "fit", 0)]
    assert watch.events == ["setup", *fit, "teardown"]
    for seen_X, seen_y, metadata in watch.seen:
        assert seen_X is X and seen_y is y
        assert list(metadata) == ["sample_weight"] and metadata["sample_weight"] is weights
    plain = estimator(name).fit(X, y, X_base=BASE, sample_weight=weights)
    assert_array_equal(watched.particles_, plain.particles_)  # to be watched changes nothing
    assert_array_equal(watched.history_, plain.history_)
    assert_array_equal(watched.sample(5, 0), plain.sample(5, 0))


@pytest.mark.parametrize("name", ALL)
def test_an_estimator_in_the_making_can_be_used(name):
    watch = Drawing()
    watched = estimator(name).set_callbacks(watch).fit(X, X_base=BASE)
    assert len(watch.draws) == N_STEPS
    assert all(np.isfinite(rows).all() for draw in watch.draws for rows in draw)
    for k, made in enumerate(watch.handed, start=1):
        assert made is not watched and type(made) is type(watched)
        assert len(made.history_) == k
        assert_array_equal(made.history_, watched.history_[:k])
    if name not in GENERATORS:  # what is handed over stays as it was
        for made, (rows, there, moved) in zip(watch.handed, watch.draws, strict=True):
            assert_array_equal(made.sample(5, 0), rows)
            assert_array_equal(made.particles_, there)
            assert_array_equal(made.transform(BASE), moved)


def same_after(name, k):
    """Whether what is handed over after k steps is what a fit of k steps would have made."""
    watch = Drawing()
    estimator(name).set_callbacks(watch).fit(X, X_base=BASE)
    shorter, made = estimator(name, n_steps=k).fit(X, X_base=BASE), watch.handed[k - 1]
    rows, there, moved = watch.draws[k - 1]
    assert made.n_steps_ == shorter.n_steps_ == k
    assert_array_equal(made.history_, shorter.history_)
    assert_allclose(there, shorter.particles_, rtol=1e-12)
    assert_allclose(rows, shorter.sample(5, 0), rtol=1e-12)
    assert_allclose(moved, shorter.transform(BASE), rtol=1e-12)
    assert_array_equal(made.particles_, there)


@pytest.mark.filterwarnings("ignore:Only 2 of 3 mini-batches")
@pytest.mark.parametrize("k", [2, 9, N_STEPS])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_after_k_steps_is_one_of_k_steps(name, k):
    same_after(name, k)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_after_k_steps_is_one_of_k_steps(name):
    same_after(name, 10)


def test_a_generator_that_was_handed_over_stays_as_it_was():
    watch = Drawing()
    estimator("generator").set_callbacks(watch).fit(X, X_base=BASE)
    for made, (rows, _, _) in zip(watch.handed, watch.draws, strict=True):
        assert_array_equal(made.sample(5, 0), rows)


# --- stopping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [1, 7, N_STEPS])
@pytest.mark.parametrize("name", ALL)
@pytest.mark.filterwarnings("ignore:Only 1 of 3 mini-batches")
def test_a_callback_stops_the_fit(name, stop_after):
    watch = Watch(stop_after)
    stopped = estimator(name).set_callbacks(watch).fit(X, X_base=BASE)
    fit = [("begin", "fit", 0), *steps(stop_after), ("end", "fit", 0)]
    assert watch.events == ["setup", *fit, "teardown"]
    assert stopped.n_steps_ == len(stopped.history_) == stop_after
    assert stopped.sample(5).shape == (5, 2)
    assert np.isfinite(stopped.score(X))
    if name in GENERATORS:
        assert_allclose(stopped.transform(BASE), stopped.particles_, rtol=0, atol=1e-9)
    if name in (*SAMPLERS, *GENERATORS):  # a schedule that does not depend on the number of steps
        shorter = estimator(name, n_steps=stop_after).fit(X, X_base=BASE)
        assert_array_equal(stopped.particles_, shorter.particles_)
        assert_array_equal(stopped.sample(5, 0), shorter.sample(5, 0))
        assert stopped.score(X) == shorter.score(X)
    if name not in GENERATORS:
        *_, last = stopped.staged_transform(BASE)
        assert_array_equal(last, stopped.transform(BASE))
        half = stopped.set_params(t_stop=0.5)
        assert_array_equal(half.transform(BASE), stopped.interpolate(BASE, 0.5))
        assert np.isfinite(half.sample(5, 0)).all() and np.isfinite(half.score(X))


@pytest.mark.parametrize("stop_after", [7, 13])
@pytest.mark.parametrize("name", GENERATORS)
def test_a_callback_and_early_stopping(name, stop_after):
    """Before the first check everything is kept, and after it what was best."""
    watch = Watch(stop_after)
    stopped = estimator(name).set_params(early_stopping=True).set_callbacks(watch).fit(X)
    kept = 7 if stop_after == 7 else 10
    assert stopped.n_steps_ == len(stopped.history_) == kept
    assert len(stopped.validation_scores_) == stop_after // 10
    shorter = estimator(name, n_steps=kept).set_params(early_stopping=True).fit(X)
    assert_array_equal(stopped.particles_, shorter.particles_)


@pytest.mark.parametrize("name", GENERATORS)
def test_early_stopping_tells_callbacks_of_the_last_step(name):
    watch = Watch()
    params = {"early_stopping": True, "n_iter_no_change": 1, "tol": 100.0}
    g = estimator(name).set_params(**params).set_callbacks(watch).fit(X)
    assert watch.events == ["setup", ("begin", "fit", 0), *steps(20), ("end", "fit", 0), "teardown"]
    assert len(g.validation_scores_) == 2


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_stopped_flow_can_be_inverted(name):
    stopped = estimator(name).set_callbacks(Watch(stop_after=7)).fit(X, X_base=BASE)
    moved = stopped.transform(BASE)
    assert np.abs(moved - BASE).max() > 0.1
    assert_allclose(stopped.inverse_transform(moved), BASE, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_fit_that_fails_lets_go_of_its_callbacks(name):
    watch = Watch()
    failing = estimator(name).set_params(step_size=1e9).set_callbacks(watch)
    with pytest.raises(FloatingPointError):
        failing.fit(X)
    assert watch.events == ["setup", ("begin", "fit", 0), ("begin", "step", 0), "teardown"]
    failing.set_params(step_size=0.1).fit(X)
    assert watch.events[-2:] == [("end", "fit", 0), "teardown"]


# --- scikit-learn's own --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_progress_bar(name, capsys):
    pytest.importorskip("rich")
    estimator(name).set_callbacks(ProgressBar()).fit(X)
    assert f"{type(ALL[name]).__name__} - fit" in capsys.readouterr().out
    make_pipeline(StandardScaler(), estimator(name)).set_callbacks(ProgressBar()).fit(X)
    assert "100%" in capsys.readouterr().out


def log_density(estimator, X, y):
    return estimator.score(X)


@pytest.mark.parametrize("name", ALL)
def test_scoring_monitor(name):
    monitor = ScoringMonitor(scoring={"log-density": log_density})
    fitted = estimator(name).set_callbacks(monitor).fit(X, np.zeros(60))
    logs = [row for row in monitor.get_logs().data if row["task_name"] == "step"]
    assert [row["task_id"] for row in logs] == list(range(N_STEPS))
    scores = [row["log-density"] for row in logs]
    assert len(set(scores)) > 1 and np.isfinite(scores).all()
    if name not in GENERATORS:  # which is scored before it has learned of the step
        assert scores[-1] == fitted.score(X)
    last = monitor.get_logs().data[0]  # that of the whole fit
    assert (last["task_name"], last["log-density"]) == ("fit", fitted.score(X))


def test_scoring_monitor_of_a_fit_with_base_rows():
    monitor = ScoringMonitor(scoring={"log-density": log_density})
    estimator("SD").set_callbacks(monitor).fit(X, np.zeros(60), X_base=BASE)


# --- clones, pipelines, searches -----------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_clone_has_the_same_callbacks(name):
    watch = Watch()
    clone(estimator(name).set_callbacks(watch)).fit(X)
    assert watch.events.count("setup") == watch.events.count("teardown") == 1
    clone(estimator(name).set_callbacks(watch).set_callbacks()).fit(X)
    assert watch.events.count("setup") == 1


@pytest.mark.parametrize("name", ALL)
def test_callbacks_reach_into_pipelines_and_searches(name):
    watch = Propagated()
    pipeline = make_pipeline(StandardScaler(), estimator(name)).set_callbacks(watch).fit(X)
    assert [event for event in watch.events if event[1] == "step"] == steps(N_STEPS)
    plain = make_pipeline(StandardScaler(), estimator(name)).fit(X)
    assert_array_equal(pipeline[-1].particles_, plain[-1].particles_)
    watch = Propagated()
    search = GridSearchCV(estimator(name, n_steps=3), {"bandwidth": [0.5, 1.0]}, cv=2)
    search.set_callbacks(watch).fit(X)
    assert len(watch.handed) == 3 * (2 * 2 + 1)  # in two folds for either, and once on all
    assert watch.events.count("setup") == watch.events.count("teardown") == 1
    own = Watch()  # one that is not handed on stays where it was put
    GridSearchCV(estimator(name, n_steps=3).set_callbacks(own), {"bandwidth": [1.0]}, cv=2).fit(X)
    assert len(own.handed) == 3 * 3
