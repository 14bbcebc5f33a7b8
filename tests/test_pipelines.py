"""Flows among other steps: interpolation, bases, searches, frozen carriers, sampling through."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA, KernelPCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_validate
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, PowerTransformer, StandardScaler

import skflow
from skflow import ClasswiseSampler, SDFlowGenerator, SDFlowSampler
from skflow._pipelines import undo
from skflow.metrics import energy_distance, get_sample_scorer

FRAME, CULTIVAR = load_wine(return_X_y=True, as_frame=True)
X = FRAME.to_numpy()
TARGET, SOURCE = X[CULTIVAR == 1], X[CULTIVAR == 0]


def flow(**params):
    return SDFlowSampler(**{"n_particles": 100, "n_steps": 20, "random_state": 0, **params})


def energy(rows, others):
    return energy_distance(rows / X.std(axis=0), others / X.std(axis=0))


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


# --- two measurements of the same ten quantities -------------------------------------------------

CELLS, BENIGN = load_breast_cancer(return_X_y=True)
KNOWN, NEW, HELD_OUT = (slice(k, None, 3) for k in range(3))
MEAN, WORST = CELLS[:, :10], CELLS[:, 20:]  # of all cells of a patient; of the three largest


def adapting(**params):
    steps = [
        ("scale", StandardScaler()),
        ("flow", flow(covariance_type="spherical", **params)),
        ("classify", LogisticRegression()),
    ]
    return Pipeline(steps, transform_input=["X_base"])


def accuracy(model):
    return model.score(WORST[HELD_OUT], BENIGN[HELD_OUT])


def test_a_classifier_behind_a_flow_learns_from_the_target_as_it_is(routing):
    model = adapting().fit(MEAN[KNOWN], BENIGN[KNOWN], X_base=WORST[NEW])
    alone = make_pipeline(StandardScaler(), LogisticRegression()).fit(MEAN[KNOWN], BENIGN[KNOWN])
    assert_array_equal(model["classify"].coef_, alone[-1].coef_)
    assert accuracy(model) > accuracy(alone) + 0.1
    # What it predicts are rows of the base, carried.
    carried = model["flow"].transform(model["scale"].transform(WORST[HELD_OUT]))
    expected = model["classify"].predict(carried)
    assert_array_equal(model.predict(WORST[HELD_OUT]), expected)


@pytest.mark.parametrize("estimator", [flow(), SDFlowGenerator(n_steps=2, random_state=0)])
def test_fit_transform(estimator):
    carrier = clone(estimator)
    for rows in (TARGET, TARGET.tolist(), TARGET.astype(np.float32)):
        same = carrier.fit_transform(rows, X_base=SOURCE)
        assert_array_equal(same, rows)
        assert same is not rows and same.dtype == getattr(rows, "dtype", np.float64)
    assert_allclose(
        carrier.fit(TARGET, X_base=SOURCE).transform(SOURCE), carrier.particles_, rtol=1
    )
    given = clone(estimator).set_params(base=SOURCE)
    assert_array_equal(given.fit_transform(TARGET), TARGET)
    # Not among the rows of a base: the target plays that part itself.
    plain = clone(estimator)
    assert_array_equal(plain.fit_transform(TARGET), plain.transform(TARGET))
    weights = np.arange(len(TARGET)) + 1.0
    fitted = clone(estimator).fit(TARGET, X_base=SOURCE, sample_weight=weights)
    carrier.fit_transform(TARGET, X_base=SOURCE, sample_weight=weights)
    assert_array_equal(carrier.particles_, fitted.particles_)


def test_fit_transform_returns_frames():
    target, base = FRAME[CULTIVAR == 1], FRAME[CULTIVAR == 0]
    same = flow().set_output(transform="pandas").fit_transform(target, X_base=base)
    pd.testing.assert_frame_equal(same, target)


def test_how_far_to_move_is_found_by_a_grid_search(routing):
    """Scored by a few new rows with labels: those that are scored must be rows of the base."""
    scored = np.arange(len(BENIGN))[NEW][:60]
    rows = np.r_[MEAN[KNOWN], WORST[scored]]
    labels = np.r_[BENIGN[KNOWN], BENIGN[scored]]
    n_known = len(MEAN[KNOWN])
    split = [(np.arange(n_known), np.arange(n_known, len(rows)))]
    grid = {"flow__t_stop": [0.0, 0.5, 1.0]}
    search = GridSearchCV(adapting(), grid, cv=split, refit=False)
    search.fit(rows, labels, X_base=WORST[NEW])
    best = search.best_params_["flow__t_stop"]
    held_out = {
        t: accuracy(adapting(t_stop=t).fit(MEAN[KNOWN], BENIGN[KNOWN], X_base=WORST[NEW]))
        for t in grid["flow__t_stop"]
    }
    assert best > 0
    assert held_out[best] > held_out[0.0] + 0.1
    unmoved = make_pipeline(StandardScaler(), LogisticRegression()).fit(MEAN[KNOWN], BENIGN[KNOWN])
    assert held_out[0.0] == accuracy(unmoved)


# --- interpolation -------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_interpolation_inside_a_pipeline(routing, t):
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("flow", flow(t_stop=t))], transform_input=["X_base"]
    ).fit(TARGET, X_base=SOURCE)
    scaled = pipeline["scale"].transform(SOURCE)
    moved = pipeline.transform(SOURCE)
    assert_array_equal(moved, pipeline["flow"].interpolate(scaled, t))
    if t == 0:
        assert_allclose(moved, scaled, rtol=1e-9, atol=1e-12)
    # Set after the fit, it needs no other one.
    pipeline.set_params(flow__t_stop=0.7)
    assert_array_equal(pipeline.transform(SOURCE), pipeline["flow"].interpolate(scaled, 0.7))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_flow_of_some_columns(routing, library):
    convert = {"pandas": lambda frame: frame, "polars": pl.from_pandas}[library]
    target, base = convert(FRAME[CULTIVAR == 1]), convert(FRAME[CULTIVAR == 0])
    some = ["hue", "alcohol", "proline"]
    columns = ColumnTransformer(
        [("flow", flow(t_stop=0.5), some)], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform=library)
    same = columns.fit_transform(target, X_base=base)
    assert_array_equal(same[some].to_numpy(), target[some].to_numpy())
    alone = flow(t_stop=0.5).fit(target[some], X_base=base[some])
    moved = columns.transform(base)
    assert_allclose(moved[some].to_numpy(), alone.transform(base[some]), rtol=1e-12)
    assert_array_equal(moved["ash"].to_numpy(), base["ash"].to_numpy())


def test_columns_of_a_base_without_names(routing):
    columns = ColumnTransformer([("flow", flow(), [0, 12])])
    with pytest.raises(ValueError, match=r"X_base has 13 features, but X has 2.*data frame"):
        columns.fit(TARGET, X_base=SOURCE)
    # A flow of all columns behind the choice of them needs no names.
    choose = ColumnTransformer([("keep", "passthrough", [0, 12])])
    pipeline = Pipeline([("choose", choose), ("flow", flow())], transform_input=["X_base"])
    pipeline.fit(TARGET, X_base=SOURCE)
    alone = flow().fit(TARGET[:, [0, 12]], X_base=SOURCE[:, [0, 12]])
    assert_allclose(pipeline.transform(SOURCE), alone.transform(SOURCE[:, [0, 12]]), rtol=1e-12)


def test_a_given_base_is_cut_to_the_columns_of_the_target():
    some = ["hue", "alcohol"]
    target, base = FRAME.loc[CULTIVAR == 1, some], FRAME[CULTIVAR == 0]
    by_constructor = flow(base=base).fit(target)
    by_fit = flow().fit(target, X_base=base)
    assert_array_equal(by_constructor.particles_, by_fit.particles_)
    assert_array_equal(by_fit.particles_, flow().fit(target, X_base=base[some]).particles_)


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
@pytest.mark.parametrize("more", [False, True])
def test_columns_of_a_base_are_those_of_their_names_in_any_order(convert, more):
    target, base = FRAME[CULTIVAR == 1], FRAME[CULTIVAR == 0]
    turned = base[FRAME.columns[::-1]].assign(**({"more": 1.0} if more else {}))
    target, base, turned = (convert(each.reset_index(drop=True)) for each in (target, base, turned))
    expected = flow().fit(target, X_base=base)
    assert_array_equal(flow().fit(target, X_base=turned).particles_, expected.particles_)
    assert_array_equal(flow(base=turned).fit(target).particles_, expected.particles_)
    with pytest.raises(ValueError, match="feature names"):  # scikit-learn's rule after fit
        expected.transform(turned)
    by_class, labels = ClasswiseSampler(flow()), np.repeat([0, 1], [30, len(target) - 30])
    for rows in (base, turned):
        by_class.fit(target, labels, X_base=rows, y_base=np.arange(len(base)) % 2)
        assert_array_equal(
            by_class.samplers_[0].particles_,
            flow().fit(target[:30], X_base=base[::2]).particles_,
        )


def test_a_base_of_other_columns_is_an_error():
    others = FRAME[CULTIVAR == 0].rename(columns={"hue": "tint"}).assign(more=1.0)
    with pytest.raises(ValueError, match="feature names"):
        flow().fit(FRAME[CULTIVAR == 1], X_base=others)


# --- frozen carriers, cross-validation, threads --------------------------------------------------


def test_a_frozen_carrier_moves_whatever_comes():
    carrier = flow().fit(MEAN[KNOWN], X_base=WORST[KNOWN])
    before = carrier.particles_
    model = make_pipeline(FrozenEstimator(carrier), StandardScaler(), LogisticRegression())
    model.fit(WORST[NEW], BENIGN[NEW])
    assert_array_equal(model[0].estimator.particles_, before)
    expected = make_pipeline(StandardScaler(), LogisticRegression())
    expected.fit(carrier.transform(WORST[NEW]), BENIGN[NEW])
    assert_array_equal(model[-1].coef_, expected[-1].coef_)
    scores = cross_validate(model, WORST[NEW], BENIGN[NEW], cv=3, return_estimator=True)
    assert all(fitted[0].estimator is carrier for fitted in scores["estimator"])


def test_a_frozen_sampler_is_a_base_and_a_last_step():
    sampler = flow().fit(TARGET)
    refined = flow(base=FrozenEstimator(sampler), noise_scale=0).fit(TARGET)
    assert energy(refined.sample(100, 0), TARGET) < 0.2 * energy(SOURCE, TARGET)
    scaler = StandardScaler().fit(TARGET)
    within = FrozenEstimator(flow().fit(scaler.transform(TARGET)))
    pipeline = make_pipeline(FrozenEstimator(scaler), within)
    expected = scaler.inverse_transform(within.sample(5, random_state=0))
    assert_array_equal(skflow.sample(pipeline, 5, random_state=0), expected)
    assert_array_equal(skflow.sample(FrozenEstimator(pipeline), 5, random_state=0), expected)


def test_cross_validate_of_a_pipeline(routing):
    weights = np.random.default_rng(0).uniform(size=len(MEAN[KNOWN]))
    pipeline = adapting()
    pipeline["scale"].set_fit_request(sample_weight=False)
    pipeline["flow"].set_fit_request(sample_weight=True)
    pipeline["classify"].set_fit_request(sample_weight=False)
    judge = make_scorer(accuracy_score).set_score_request(sample_weight=False)
    rows, labels, base = MEAN[KNOWN], BENIGN[KNOWN], WORST[NEW][:150]
    params = {"X_base": base, "sample_weight": weights}
    folds = list(KFold(3).split(rows))
    options = {"scoring": judge, "cv": folds, "params": params}
    result = cross_validate(pipeline, rows, labels, return_estimator=True, **options)
    assert np.isfinite(result["test_score"]).all()
    for fitted, (train, _) in zip(result["estimator"], folds, strict=True):
        scaler = StandardScaler().fit(rows[train])
        alone = clone(pipeline["flow"]).fit(
            scaler.transform(rows[train]),
            X_base=scaler.transform(base),  # not cut into folds
            sample_weight=weights[train],
        )
        assert_array_equal(fitted["flow"].particles_, alone.particles_)


@pytest.mark.parametrize("enabled", [False, True], ids=["no routing", "routing"])
@pytest.mark.parametrize("last", [flow(), ClasswiseSampler(flow())], ids=["one", "classes"])
def test_a_pipeline_that_ends_in_a_sampler_is_scored_and_searched(enabled, last):
    with config_context(enable_metadata_routing=enabled):
        pipeline = make_pipeline(StandardScaler(), clone(last)).fit(X, CULTIVAR)
        scaled = pipeline[0].transform(X)
        assert pipeline.score(X, CULTIVAR) == pipeline[-1].score(scaled, CULTIVAR)
        step = pipeline.steps[-1][0]
        name = f"{step}__bandwidth" if step == "sdflowsampler" else f"{step}__sampler__bandwidth"
        search = GridSearchCV(pipeline, {name: [0.3, 1.0]}, cv=StratifiedKFold(2))
        assert np.isfinite(search.fit(X, CULTIVAR).cv_results_["mean_test_score"]).all()


def test_weights_reach_the_score_of_a_pipeline(routing):
    weights = np.arange(len(X)) % 3
    pipeline = make_pipeline(StandardScaler(), flow().set_score_request(sample_weight=True)).fit(X)
    expected = pipeline[-1].score(pipeline[0].transform(X), sample_weight=weights)
    assert pipeline.score(X, sample_weight=weights) == expected != pipeline.score(X)


def threads_of_a_fit(seed):
    from skflow._kernels import threads

    flow(random_state=seed).fit(X)
    return threads.n_threads(10**12)


def test_jobs_have_no_more_threads_than_there_are_cores():
    from skflow._kernels import threads

    cores = threads.n_threads(10**12)
    numbers = Parallel(n_jobs=2, backend="loky")(delayed(threads_of_a_fit)(k) for k in range(2))
    assert sum(numbers) <= max(2, cores)


# --- sampling through a pipeline -----------------------------------------------------------------


def test_samples_are_in_the_units_of_the_data():
    pipeline = make_pipeline(PowerTransformer(), None, PCA(13), "passthrough", flow()).fit(TARGET)
    rows = skflow.sample(pipeline, 100, random_state=0)
    expected = pipeline[-1].sample(100, random_state=0)
    expected = pipeline[0].inverse_transform(pipeline[2].inverse_transform(expected))
    assert_array_equal(rows, expected)
    assert energy(rows, TARGET) < 0.1 * energy(rows, SOURCE)
    assert_array_equal(skflow.sample(pipeline, random_state=0).shape, (1, 13))
    assert (skflow.sample(pipeline, 5) != skflow.sample(pipeline, 5)).all()


def test_pipelines_within_pipelines_and_searches():
    inner = make_pipeline(StandardScaler(), PCA(5))
    nested = make_pipeline(inner, make_pipeline(StandardScaler(), flow()))
    grid = {"pipeline-2__sdflowsampler__bandwidth": [0.5, 1.0]}
    search = GridSearchCV(nested, grid, cv=2).fit(X)
    flat = make_pipeline(StandardScaler(), PCA(5), StandardScaler(), flow())
    flat.set_params(sdflowsampler__bandwidth=search.best_params_[next(iter(grid))]).fit(X)
    expected = skflow.sample(flat, 9, random_state=0)
    assert_array_equal(skflow.sample(search, 9, random_state=0), expected)
    assert_array_equal(skflow.sample(flat[-1], 9, 0), flat[-1].sample(9, 0))


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("last", [flow(), ClasswiseSampler(flow())], ids=["flow", "classwise"])
def test_names_are_those_of_the_data(library, last):
    convert = {"pandas": lambda frame: frame, "polars": pl.from_pandas}[library]
    pipeline = make_pipeline(StandardScaler(), PCA(4), clone(last)).fit(convert(FRAME), CULTIVAR)
    plain = skflow.sample(pipeline, 3, random_state=0)
    assert type(plain) is np.ndarray
    rows = skflow.sample(pipeline.set_output(transform=library), 3, random_state=0)
    assert list(rows.columns) == list(FRAME) and type(rows) is type(convert(FRAME))
    assert_allclose(rows.to_numpy(), plain, rtol=1e-12)
    only_last = make_pipeline(StandardScaler(), clone(last).set_output(transform=library))
    rows = skflow.sample(only_last.fit(X, CULTIVAR), 3)
    assert list(rows.columns) == [f"x{k}" for k in range(13)]


def test_more_than_rows():
    rows, kinds = skflow.sample(make_pipeline(StandardScaler(), GaussianMixture(2)).fit(X), 7)
    assert rows.shape == (7, 13) and kinds.shape == (7,)
    pipeline = make_pipeline(StandardScaler(), ClasswiseSampler(flow())).fit(X, CULTIVAR)
    rows, labels = skflow.sample(pipeline, 7, random_state=0, y=1, return_y=True)
    assert list(labels) == [1] * 7
    assert_array_equal(skflow.sample(pipeline, 7, random_state=0, y=1), rows)


class Silent(SDFlowSampler):
    def sample(self, *args, **kwargs):
        raise AssertionError("nothing should be drawn")


def log():
    return FunctionTransformer(np.log1p)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([SelectKBest(k=3), Normalizer(), Silent()], "'normalizer': Normalizer has no inverse"),
        (
            [log(), StandardScaler(), Silent()],
            "'functiontransformer': FunctionTransformer has no inverse_func",
        ),
        ([SimpleImputer(), Silent()], "'simpleimputer': .* with add_indicator=False.*out of the"),
        ([KNNImputer(), Silent()], "'knnimputer': KNNImputer has no inverse_transform. Transform"),
        ([KernelPCA(3), Silent()], "'kernelpca': .* with fit_inverse_transform=False"),
        (
            [make_pipeline(StandardScaler(), Normalizer()), Silent()],
            "'normalizer': Normalizer has no inverse_transform",
        ),
        (
            [ColumnTransformer([("scale", StandardScaler(), [0, 1])]), Silent()],
            "'columntransformer': ColumnTransformer has no inverse_transform",
        ),
        ([StandardScaler(), LogisticRegression()], "'logisticregression', has no sample: Logistic"),
        ([StandardScaler(), None], "'standardscaler', has no sample: StandardScaler"),
        (["passthrough"], "no step that draws"),
    ],
)
def test_a_step_that_cannot_be_undone_is_named(steps, message):
    pipeline = make_pipeline(*steps).fit(X, CULTIVAR)
    with pytest.raises(TypeError, match=message):
        skflow.sample(pipeline, 3)


def backwards(rows):
    raise ArithmeticError("there is no way back.")


@pytest.mark.parametrize("library", ["default", "pandas"])
def test_a_step_that_fails_on_the_way_back_is_named(library):
    inner = make_pipeline(FunctionTransformer(np.log1p, backwards, check_inverse=False))
    pipeline = make_pipeline(inner, flow()).set_output(transform=library).fit(FRAME)
    message = "'functiontransformer': Func.* raised ArithmeticError: there is no way back. Tra"
    for call in (
        lambda: skflow.sample(pipeline, 3),
        lambda: get_sample_scorer("neg_energy_distance")(pipeline, X),
    ):
        with pytest.raises(TypeError, match=message) as raised:
            call()
        assert isinstance(raised.value.__cause__, ArithmeticError)


@pytest.mark.parametrize("library", ["default", "pandas"])
@pytest.mark.parametrize("others", [[], [StandardScaler()]], ids=["alone", "before another"])
def test_samples_have_missing_values_where_an_imputer_tells_which(library, others):
    shares = np.array([0.1, 0.3])
    is_missing = np.random.default_rng(0).uniform(size=(len(X), 2)) < shares
    some = FRAME[["hue", "alcohol"]].mask(is_missing)
    pipeline = make_pipeline(SimpleImputer(add_indicator=True), *others, flow())
    rows = skflow.sample(pipeline.set_output(transform=library).fit(some), 1000, random_state=0)
    assert (type(rows) is pd.DataFrame) == (library == "pandas")
    # Twice the standard error of a share of 178 rows, and of one of 1000.
    errors = 2 * np.sqrt(shares * (1 - shares) * (1 / len(X) + 1 / 1000))
    assert (np.abs(np.isnan(np.asarray(rows)).mean(axis=0) - shares) < errors).all()


def test_indicators_that_a_scaler_has_rounded():
    """Not quite zero is not missing."""
    imputer = SimpleImputer(add_indicator=True).fit([[1.0, np.nan], [2.0, 3.0], [np.nan, 4.0]])
    rows = np.array([[1.0, 2.0, 1e-17, 1.0], [3.0, 4.0, 1.0 - 1e-16, -1e-17]])
    expected = [[1.0, np.nan], [np.nan, 4.0]]
    np.testing.assert_array_equal(undo([("imputer", imputer)], rows), expected)


def test_what_can_be_undone_after_all():
    both = FunctionTransformer(np.log, np.exp)
    rows = skflow.sample(make_pipeline(both, FunctionTransformer(), flow()).fit(X + 1), 50, 0)
    assert (rows > 0).all()
    with pytest.raises(TypeError, match="NearestNeighbors draws no rows"):
        skflow.sample(NearestNeighbors().fit(X))


def test_a_pipeline_that_is_not_fitted():
    for pipeline in (
        make_pipeline(StandardScaler(), flow()),
        make_pipeline(StandardScaler(), FrozenEstimator(flow().fit(X))),
    ):
        with pytest.raises(NotFittedError):
            skflow.sample(pipeline)
