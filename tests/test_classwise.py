"""ClasswiseSampler: rows and labels drawn, carried and scored class by class."""

import pickle
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal, assert_equal
from scipy.special import logsumexp
from scipy.stats import chisquare
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_wine
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skflow
from skflow import ClasswiseSampler, SDFlowSampler, SVGDSampler
from skflow.metrics import energy_distance, get_sample_scorer

X, CULTIVAR = load_wine(return_X_y=True)
FRAME = load_wine(as_frame=True).data
NAMES = np.array(["barolo", "grignolino", "barbera"])[CULTIVAR]
SHIFTED = X + X.std(axis=0) * np.where(CULTIVAR == 0, 3.0, -2.0)[:, None]


def flow(**params):
    return SDFlowSampler(**{"n_particles": 100, "n_steps": 20, **params})


def classwise(sampler=None, **params):
    return ClasswiseSampler(flow() if sampler is None else sampler, **{"random_state": 0, **params})


def energy(rows, others):
    return energy_distance(rows / X.std(axis=0), others / X.std(axis=0))


# --- drawing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [CULTIVAR, NAMES, NAMES.astype(object), CULTIVAR + 0.0])
def test_rows_of_a_class_are_like_those_of_the_class(labels):
    sampler = classwise().fit(X, labels)
    assert_array_equal(sampler.classes_, np.unique(labels))
    for label in sampler.classes_:
        rows = sampler.sample(100, random_state=0, y=label)
        of_class = {other: energy(rows, X[labels == other]) for other in sampler.classes_}
        assert min(of_class, key=of_class.get) == label
        assert of_class[label] < 0.5 * sorted(of_class.values())[1]


def test_labels_belong_to_their_rows():
    sampler = classwise().fit(X, NAMES)
    rows, labels = sampler.sample(60, random_state=0, return_y=True)
    assert_array_equal(sampler.sample(60, random_state=0), rows)
    nearest = KernelDensity(bandwidth=0.5)
    scaler = StandardScaler().fit(X)
    densities = [
        nearest.fit(scaler.transform(X[NAMES == name])).score_samples(scaler.transform(rows))
        for name in sampler.classes_
    ]
    assert np.mean(sampler.classes_[np.argmax(densities, axis=0)] == labels) > 0.9
    asked = np.array(["barbera", "barolo", "barbera"])
    rows, labels = sampler.sample(3, random_state=0, y=asked, return_y=True)
    assert_array_equal(labels, asked)
    assert_array_equal(sampler.sample(random_state=0, y=pd.Series(asked)), rows)
    # Each row is of the class at its place: the two of a class are draws of that class's sampler.
    assert_array_equal(sampler.sample(random_state=0, y=asked[[1, 0, 2]])[0], rows[1])


def test_shares_are_those_of_the_classes_and_do_not_depend_on_the_number():
    weights = np.where(CULTIVAR == 0, 3.0, 1.0)
    sampler = classwise(flow(n_steps=1)).fit(X, CULTIVAR, sample_weight=weights)
    assert_allclose(sampler.class_prior_, np.bincount(CULTIVAR, weights) / weights.sum())
    rng = np.random.RandomState(0)
    singly = np.concatenate([sampler.sample(1, rng, return_y=True)[1] for _ in range(600)])
    at_once = sampler.sample(600, rng, return_y=True)[1]
    for labels in (singly, at_once):
        assert chisquare(np.bincount(labels), 600 * sampler.class_prior_).pvalue > 1e-3
        assert (np.diff(labels) != 0).mean() > 0.4  # not sorted by class


@pytest.mark.parametrize("sampler", [KernelDensity(bandwidth=5.0), GaussianMixture(2)])
def test_other_samplers(sampler):
    fitted = classwise(sampler).fit(X, NAMES)
    first, second = fitted.sample(50, random_state=0, y="barolo"), fitted.sample(50, y="barolo")
    assert first.shape == (50, 13) and not set(first[:, 0]) & set(second[:, 0])
    assert_array_equal(fitted.sample(50, random_state=0, y="barolo"), first)
    assert np.isfinite(fitted.score(X, NAMES))
    assert not hasattr(fitted, "carry")


def test_each_class_has_what_a_sampler_of_its_own_would_have():
    fitted = classwise(flow(random_state=3)).fit(X, CULTIVAR)
    for label, sampler in zip(fitted.classes_, fitted.samplers_, strict=True):
        alone = flow(random_state=3).fit(X[CULTIVAR == label])
        assert_array_equal(sampler.particles_, alone.particles_)
        assert_array_equal(sampler.score_samples(X), alone.score_samples(X))


def test_samplers_without_a_seed_get_different_ones():
    seeds = [sampler.random_state for sampler in classwise().fit(X, CULTIVAR).samplers_]
    assert len(set(seeds)) == 3
    assert clone(classwise()).fit(X, CULTIVAR).samplers_[0].random_state == seeds[0]


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_same_bits_for_any_number_of_jobs(backend):
    from joblib import parallel_config

    alone = classwise().fit(X, NAMES)
    with parallel_config(backend=backend):
        together = classwise(n_jobs=2).fit(X, NAMES)
    assert_array_equal(together.sample(50, 0), alone.sample(50, 0))
    for one, other in zip(alone.samplers_, together.samplers_, strict=True):
        assert_array_equal(one.particles_, other.particles_)
        assert one.n_steps_ == 20


def test_integer_weights_are_repeats_and_zeros_are_absent():
    counts = np.random.default_rng(0).integers(0, 3, size=len(X))
    counts[CULTIVAR == 2] = 0
    weighted = classwise().fit(X, NAMES, sample_weight=counts)
    repeated = classwise().fit(np.repeat(X, counts, axis=0), np.repeat(NAMES, counts))
    assert_array_equal(weighted.classes_, ["barolo", "grignolino"])
    assert_allclose(weighted.class_prior_, repeated.class_prior_)
    assert_allclose(weighted.sample(30, 0), repeated.sample(30, 0), rtol=1e-9)


def test_weights_are_scaled_over_all_classes_together():
    plain = classwise().fit(X, NAMES)
    few = np.full(len(X), 1 / len(X))
    weighted = classwise().fit(X, NAMES, sample_weight=few)
    assert_allclose(weighted.sample(30, 0), plain.sample(30, 0), rtol=1e-9)
    assert_array_equal(few, 1 / len(X))  # it is the caller's

    weights = np.where(CULTIVAR == 0, 3.0, 1.0)
    scaled = weights * weights.sum() / np.square(weights).sum()
    expected = classwise().fit(X, NAMES, sample_weight=scaled)
    small = classwise().fit(X, NAMES, sample_weight=weights / 1e3)
    assert_allclose(small.class_prior_, expected.class_prior_)
    first, other, alone = (each.samplers_[1].bandwidth_ for each in (small, expected, plain))
    assert_allclose(first, other)
    assert first < 0.99 * alone  # as rows that count 1.4 times


# --- carrying ------------------------------------------------------------------------------------


def test_one_labelled_dataset_is_carried_onto_another():
    sampler = flow(n_steps=60, noise_scale=0)
    fitted = classwise(sampler).fit(X, NAMES, X_base=SHIFTED, y_base=NAMES)
    carried = fitted.carry(SHIFTED, NAMES)
    for label, of_class in zip(fitted.classes_, fitted.samplers_, strict=True):
        mine = label == NAMES
        assert_allclose(carried[mine], of_class.particles_, rtol=1e-9)
        assert energy(carried[mine], X[mine]) < 0.05 * energy(SHIFTED[mine], X[mine])
    # Row by row, whatever company a row has.
    some = np.array([150, 3, 77])
    assert_array_equal(fitted.carry(SHIFTED[some], NAMES[some]), carried[some])
    # Blind to the labels the classes are mixed up: their shifts go into different directions.
    blind = clone(sampler).set_params(random_state=0).fit(X, X_base=SHIFTED).transform(SHIFTED)
    barolo = NAMES == "barolo"
    assert energy(carried[barolo], X[barolo]) < 0.2 * energy(blind[barolo], X[barolo])


def test_the_base_of_a_class_is_that_of_its_name():
    quiet = classwise(flow(noise_scale=0))
    fitted = clone(quiet).fit(X, NAMES, X_base=SHIFTED, y_base=NAMES)
    turned = clone(quiet).fit(X, NAMES, X_base=SHIFTED[::-1], y_base=NAMES[::-1])
    assert_allclose(turned.carry(SHIFTED, NAMES), fitted.carry(SHIFTED, NAMES), rtol=1e-9)


def test_base_rows_go_through_a_pipeline():
    sampler = classwise(flow(covariance_type="spherical", noise_scale=0))
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("flow", sampler)], transform_input=["X_base"]
        ).fit(X, NAMES, X_base=SHIFTED, y_base=NAMES)
    carried = pipeline["flow"].carry(pipeline["scale"].transform(SHIFTED), NAMES)
    carried = pipeline["scale"].inverse_transform(carried)
    assert energy(carried, X) < 0.1 * energy(SHIFTED, X)
    rows, labels = skflow.sample(pipeline, 20, random_state=0, y="barolo", return_y=True)
    assert set(labels) == {"barolo"}
    assert energy(rows, X[NAMES == "barolo"]) < energy(rows, X[NAMES == "barbera"])


# --- metadata routing ----------------------------------------------------------------------------


class Recorder(BaseEstimator):
    """A sampler that keeps the metadata of its fit."""

    def fit(self, X, y=None, sample_weight=None, X_base=None):
        self.sample_weight_, self.X_base_ = sample_weight, X_base
        return self

    def sample(self, n_samples):
        raise NotImplementedError("it is only fitted")


WEIGHTS = 1.0 + np.arange(len(X))


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def weights_seen(fitted):
    return [sampler.sample_weight_ for sampler in fitted.samplers_]


def test_weights_go_to_the_samplers_that_request_them(routing):
    for requested, expected in (
        (True, [WEIGHTS[NAMES == label] for label in np.unique(NAMES)]),
        (False, [None] * 3),
    ):
        sampler = ClasswiseSampler(Recorder().set_fit_request(sample_weight=requested))
        fitted = sampler.fit(X, NAMES, sample_weight=WEIGHTS)
        assert_equal(weights_seen(fitted), expected)
        mass = [WEIGHTS[NAMES == label].sum() for label in fitted.classes_]
        assert_allclose(fitted.class_prior_, mass / WEIGHTS.sum())


def test_without_routing_the_samplers_get_all_weights():
    with config_context(enable_metadata_routing=True):
        refusing = Recorder().set_fit_request(sample_weight=False)
    for sampler in (Recorder(), refusing):
        fitted = ClasswiseSampler(sampler).fit(X, NAMES, sample_weight=WEIGHTS)
        assert_array_equal(weights_seen(fitted)[0], WEIGHTS[NAMES == fitted.classes_[0]])


def test_weights_that_nobody_spoke_of_are_an_error(routing):
    with pytest.raises(UnsetMetadataPassedError, match=r"Recorder\.fit") as raised:
        ClasswiseSampler(Recorder()).fit(X, NAMES, sample_weight=WEIGHTS)
    assert list(raised.value.unrequested_params) == ["sample_weight"]
    ClasswiseSampler(Recorder()).fit(X, NAMES)


def test_the_default_sampler_requests_weights(routing):
    counts = np.random.default_rng(0).integers(0, 3, size=len(X))
    default = ClasswiseSampler(random_state=0).fit(X, NAMES, sample_weight=counts)
    with config_context(enable_metadata_routing=False):
        expected = ClasswiseSampler(random_state=0).fit(X, NAMES, sample_weight=counts)
    assert_array_equal(default.sample(5, 0), expected.sample(5, 0))


def test_base_rows_are_not_routed_but_dealt_out_by_class(routing):
    for requested in (None, False, True):
        sampler = ClasswiseSampler(Recorder().set_fit_request(X_base=requested))
        fitted = sampler.fit(X, NAMES, X_base=SHIFTED, y_base=NAMES)
        for label, of_class in zip(fitted.classes_, fitted.samplers_, strict=True):
            assert_array_equal(of_class.X_base_, SHIFTED[NAMES == label])


def test_routing_through_a_pipeline(routing):
    sampler = ClasswiseSampler(Recorder().set_fit_request(sample_weight=True))
    weighted = sampler.set_fit_request(sample_weight=True)
    pipeline = Pipeline(
        [("scale", StandardScaler().set_fit_request(sample_weight=False)), ("flow", weighted)],
        transform_input=["X_base"],
    ).fit(X, NAMES, X_base=SHIFTED, y_base=NAMES, sample_weight=WEIGHTS)
    first = NAMES == np.unique(NAMES)[0]
    assert_array_equal(weights_seen(pipeline["flow"])[0], WEIGHTS[first])
    base = pipeline["scale"].transform(SHIFTED)[first]
    assert_array_equal(pipeline["flow"].samplers_[0].X_base_, base)
    # One of the two is not enough: the meta-estimator is asked, and then its sampler.
    for silent in (
        ClasswiseSampler(weighted.sampler),
        clone(weighted).set_params(sampler=Recorder()),
    ):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            make_pipeline(silent).fit(X, NAMES, sample_weight=WEIGHTS)


# --- densities -----------------------------------------------------------------------------------


def test_densities_are_those_of_the_mixture():
    fitted = classwise().fit(X, NAMES)
    joint = np.column_stack([s.score_samples(X) for s in fitted.samplers_])
    joint += np.log(fitted.class_prior_)
    assert_allclose(fitted.score_samples(X), logsumexp(joint, axis=1))
    assert_allclose(fitted.score(X), fitted.score_samples(X).mean())
    own = joint[np.arange(len(X)), np.searchsorted(fitted.classes_, NAMES)]
    assert_allclose(fitted.score(X, NAMES), own.mean())
    assert fitted.score(X, NAMES) < fitted.score(X)
    assert fitted.score(X, np.roll(NAMES, 60)) < fitted.score(X, NAMES) - 1


@pytest.mark.parametrize("labelled", [False, True])
def test_weights_of_a_score_are_repeats_and_zeros_are_absent(labelled):
    counts = np.arange(len(X)) % 3
    counts[CULTIVAR == 2] = 0
    fitted = classwise().fit(X, NAMES, sample_weight=counts)  # knows no row of the third
    repeated = [np.repeat(each, counts, axis=0) for each in (X, NAMES)]
    expected = fitted.score(*repeated[: 1 + labelled])
    y = NAMES if labelled else None
    assert_allclose(fitted.score(X, y, sample_weight=counts), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="Negative values"):
        fitted.score(X, y, sample_weight=-counts)


def test_a_search_over_the_parameters_of_the_sampler():
    grid = {"sampler__bandwidth": [0.1, 0.6, 4.0]}
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(classwise(), grid, cv=folds).fit(X, NAMES)
    assert search.best_params_ == {"sampler__bandwidth": 0.6}
    assert skflow.sample(search, 3, random_state=0, y="barbera").shape == (3, 13)


# --- callbacks -----------------------------------------------------------------------------------


class Watch:
    """Counts the tasks that end; handed on to the samplers of the classes."""

    max_propagation_depth = None

    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        """Nothing to prepare."""

    def teardown(self, estimator, context):
        """Nothing to close."""

    def on_fit_task_begin(self, estimator, context):
        """Only ends are counted."""

    def on_fit_task_end(self, estimator, context):
        self.ended.append((type(estimator).__name__, context.task_name))


def test_callbacks_see_every_step_of_every_class():
    watch = Watch()
    watched = classwise(flow(n_steps=4), n_jobs=2).set_callbacks(watch).fit(X, NAMES)
    counts = Counter(watch.ended)
    assert counts["SDFlowSampler", "step"] == 3 * 4
    assert counts["SDFlowSampler", "fit"] == 3
    assert watch.ended[-1] == ("ClasswiseSampler", "fit")
    assert_array_equal(watched.sample(5, 0), classwise(flow(n_steps=4)).fit(X, NAMES).sample(5, 0))


def test_a_progress_bar(capsys):
    pytest.importorskip("rich")
    classwise(flow(n_steps=2)).set_callbacks(ProgressBar()).fit(X, NAMES)
    printed = capsys.readouterr().out
    assert "ClasswiseSampler - fit" in printed and "SDFlowSampler - fit" in printed


# --- frames, copies ------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library):
    convert = {"pandas": pd.DataFrame, "polars": pl.from_pandas}[library]
    frame, base = convert(FRAME), convert(pd.DataFrame(SHIFTED, columns=FRAME.columns))
    sampler = classwise().fit(frame, pd.Series(NAMES), X_base=base, y_base=NAMES)
    assert list(sampler.feature_names_in_) == list(FRAME)
    assert list(sampler.samplers_[0].feature_names_in_) == list(FRAME)
    rows, carried = sampler.sample(4, 0), sampler.carry(base, NAMES)
    assert isinstance(rows, np.ndarray) and isinstance(carried, np.ndarray)
    sampler.set_output(transform=library)
    for framed, plain in ((sampler.sample(4, 0), rows), (sampler.carry(base, NAMES), carried)):
        assert type(framed) is type(frame)
        assert list(framed.columns) == list(FRAME)
        assert_array_equal(framed.to_numpy(), plain)
    plain = classwise().fit(X, NAMES, X_base=SHIFTED, y_base=NAMES)
    assert_allclose(plain.sample(4, 0), rows, rtol=1e-12)
    with pytest.raises(ValueError, match="same order"):
        sampler.carry(base[list(FRAME)[::-1]], NAMES)


def test_single_precision_and_copies():
    fitted = classwise().fit(X.astype(np.float32), NAMES)
    assert fitted.sample(3).dtype == np.float32
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(copy.sample(5, 0), fitted.sample(5, 0))


# --- errors --------------------------------------------------------------------------------------


class Untouched(SDFlowSampler):
    def fit(self, X, y=None, *, X_base=None, sample_weight=None):
        raise AssertionError("no sampler should be fitted")


LONELY = np.where(np.arange(len(X)) == 7, "lonely", NAMES)


@pytest.mark.parametrize(
    "y", [X[:, 0], np.where(NAMES == "barolo", None, NAMES), np.where(NAMES == "barolo", np.nan, 1)]
)
def test_an_error_about_labels_says_what_they_have_to_be(y):
    with pytest.raises(ValueError, match=r"Unknown label type|y contains NaN") as caught:
        ClasswiseSampler().fit(X, y)
    assert caught.value.__notes__[0].startswith("y has the class of each row")
    with pytest.raises(ValueError, match="X contains NaN") as caught:
        ClasswiseSampler().fit(X * np.nan, NAMES)
    assert "y has the class" not in "".join(caught.value.__notes__)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": LONELY}, r"Of the 4 classes in y, 1 have .*: 'lonely'"),
        ({"y": np.arange(len(X))}, r"0, 1, 10, 100, 101 and 173 more"),
        ({"y": X[:, 0]}, "Unknown label type"),
        ({"y": None}, "requires y to be passed"),
        ({"y": NAMES[:-1]}, "inconsistent numbers"),
        ({"X_base": X}, "X_base was given without y_base"),
        ({"y_base": NAMES}, "y_base was given without X_base"),
        ({"X_base": X, "y_base": LONELY}, "only y_base has 'lonely'"),
        ({"X_base": X[:130], "y_base": NAMES[:130]}, "only y has 'barbera'"),
        ({"X_base": X[:9], "y_base": NAMES}, "inconsistent numbers"),
        ({"X_base": X[:, :4], "y_base": NAMES}, "X_base has 4 features, but X has 13"),
        ({"sample_weight": np.zeros(len(X))}, "at least one non-zero"),
        ({"sample_weight": (NAMES != "barolo") + 0.0, "X_base": X, "y_base": NAMES}, "only y_base"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClasswiseSampler(Untouched()).fit(**{"X": X, "y": NAMES, **arguments})


def test_a_frozen_sampler():
    frozen = FrozenEstimator(flow(random_state=0).fit(X))
    with pytest.raises(ValueError, match=r"a fit of its own.*pass the SDFlowSampler itself"):
        ClasswiseSampler(frozen).fit(X, NAMES)


def test_base_rows_of_one_dimension():
    with pytest.raises(ValueError, match=r"^X_base must be 2-D.*ndarray of shape \(178,\)"):
        classwise().fit(X, NAMES, X_base=X[:, 0], y_base=NAMES)


def test_what_the_sampler_does_not_take():
    with pytest.raises(ValueError, match=r"X_base was given, but KernelDensity\.fit takes none"):
        ClasswiseSampler(KernelDensity()).fit(X, NAMES, X_base=X, y_base=NAMES)
    with pytest.raises(ValueError, match=r"GaussianMixture\.fit takes none"):
        ClasswiseSampler(GaussianMixture()).fit(X, NAMES, sample_weight=np.ones(len(X)))
    with pytest.raises(ValueError, match="is the class SDFlowSampler"):
        ClasswiseSampler(SDFlowSampler).fit(X, NAMES)


def test_labels_that_are_not_known():
    fitted = classwise(flow(n_steps=1)).fit(X, NAMES)
    for use in (
        lambda: fitted.sample(2, y="chianti"),
        lambda: fitted.carry(X[:2], ["barolo", "chianti"]),
        lambda: fitted.score(X[:2], ["barolo", "chianti"]),
    ):
        with pytest.raises(ValueError, match=r"not there at fit: 'chianti'.*knows 'barbera'"):
            use()
    with pytest.raises(ValueError, match="n_samples=3, but y has 2 labels"):
        fitted.sample(3, y=["barolo", "barolo"])
    with pytest.raises(ValueError, match="at least 1"):
        fitted.sample(0)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        fitted.carry(X, NAMES[:5])


def test_an_error_of_a_sampler_tells_its_class():
    constant = X.copy()
    constant[NAMES == "barbera", 0] = 1.0
    with pytest.raises(ValueError, match="full rank") as caught:
        classwise(flow(covariance_type="full")).fit(constant, NAMES)
    assert caught.value.__notes__ == ["This was the sampler of class 'barbera'."]


def test_methods_are_those_of_the_sampler():
    assert hasattr(ClasswiseSampler(), "carry")
    assert hasattr(ClasswiseSampler(SVGDSampler()), "score_samples")
    assert not hasattr(ClasswiseSampler(KernelDensity()), "carry")
    assert not hasattr(ClasswiseSampler(), "transform")


def test_a_classwise_sampler_in_a_pipeline_keeps_its_seed():
    pipeline = make_pipeline(StandardScaler(), classwise(flow(n_steps=2))).fit(X, NAMES)
    assert_array_equal(skflow.sample(pipeline, 3, 0), skflow.sample(pipeline, 3, random_state=0))


def test_scorers_see_the_rows_that_all_samplers_were_fitted_on():
    sampler = classwise().fit(X, NAMES)
    rows = sampler._training_rows()
    assert_array_equal(np.unique(rows, axis=0), np.unique(X, axis=0))
    assert 0.3 < -get_sample_scorer("neg_closer_to_train_share")(sampler, X[::2]) <= 1
    assert not hasattr(classwise(KernelDensity()).fit(X, NAMES), "_training_rows")
