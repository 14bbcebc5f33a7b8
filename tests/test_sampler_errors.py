"""Bad input: an error that says what to do, before any work, and nothing lost. And what is said
along the way: warnings, progress, history, seeds."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, SGDRegressor

from skflow import SDFlowGenerator, SDFlowSampler
from skflow._flow import ParticleFlow
from skflow.optimizers import AdaGrad
from skflow.schedules import Constant, Cosine
from skflow.velocities import MMD, ScoreDifference

WINE = load_wine().data
FRAME = load_wine(as_frame=True).data
ONES = np.ones(len(WINE))
PLAIN = WINE[:, :3]
CONSTANT = np.column_stack([PLAIN, np.full(len(WINE), 0.1)])
DUPLICATE = np.column_stack([PLAIN, PLAIN[:, 1]])


def sampler(**params):
    return SDFlowSampler(**{"n_particles": 100, "n_steps": 10, "random_state": 0, **params})


def changed(array, value, row=3):
    array = array.astype(object if isinstance(value, str) else float)
    array[row] = value
    return array


class Returning:
    """A base whose draws are what it was made with."""

    def __init__(self, rows):
        self.rows = rows

    def sample(self, n_samples):
        return self.rows


@pytest.fixture
def steps(monkeypatch):
    """The steps of Algorithm 1 that are taken."""
    taken = []
    step = ParticleFlow.step

    def count(flow, state, noise=None):
        taken.append(state.step)
        return step(flow, state, noise)

    monkeypatch.setattr(ParticleFlow, "step", count)
    return taken


# --- fit -----------------------------------------------------------------------------------------

BAD_X = {
    "NaN": (changed(WINE, np.nan), "X contains NaN"),
    "infinity": (changed(WINE, np.inf), "X contains infinity"),
    "strings": (changed(WINE, "red"), "could not convert string to float: 'red'"),
    "sparse array": (sparse.csr_array(WINE), "toarray()"),
    "sparse matrix": (sparse.csc_matrix(WINE), "toarray()"),
    "one dimension": (WINE[:, 0], "Reshape your data"),
    "three dimensions": (WINE[None], "dim <= 2 is required"),
    "no rows": (WINE[:0], "minimum of 2"),
    "one row": (WINE[:1], "minimum of 2"),
    "no columns": (WINE[:, :0], "minimum of 1"),
    "all rows equal": (WINE[[5] * 9], "Pass at least two different rows"),
    "complex": (WINE * 1j, "Complex data not supported"),
}

BAD_BASE = {
    "another width": (PLAIN, "X_base has 3 features, but X has 13.*Pass the same columns"),
    "NaN": (changed(WINE, np.nan), "X_base contains NaN"),
    "infinity": (changed(WINE, -np.inf), "X_base contains infinity"),
    "strings": (changed(WINE, "red"), "could not convert string to float: 'red'"),
    "sparse": (sparse.csr_array(WINE), "X_base.*toarray()"),
    "one dimension": (WINE[0], "^X_base must be 2-D: rows of 13 columns.*got ndarray of shape"),
    "no dimension": (1.0, r"^X_base must be 2-D.*float of shape \(\)"),
    "a list": ([1.0] * 178, r"^X_base must be 2-D.*list of shape \(178,\)"),
    "no rows": (WINE[:0], "minimum of 1"),
}

BAD_WEIGHTS = {
    "negative": (changed(ONES, -1.0), "Negative values in data passed to `sample_weight`"),
    "NaN": (changed(ONES, np.nan), "sample_weight contains NaN"),
    "infinity": (changed(ONES, np.inf), "sample_weight contains infinity"),
    "all zero": (0 * ONES, "weights must contain at least one non-zero"),
    "one positive": (changed(0 * ONES, 1.0), "needs at least two rows with a positive weight"),
    "another length": (ONES[:5], r"sample_weight.shape == \(5,\), expected \(178,\)"),
    "strings": (changed(ONES, "heavy"), "could not convert string to float: 'heavy'"),
    "equal rows": (changed(0 * ONES, 1.0, row=slice(0, 2)), "Pass at least two different rows"),
}

BAD_PARAMS = [
    *[
        ("bandwidth", v, r"range \(0.0, inf\) or a str among")
        for v in (0, -1, np.nan, np.inf, None)
    ],
    ("bandwidth", "median", "among.*'auto'"),
    *[("step_size", v, r"range \(0.0, inf\) or a callable") for v in (0, -0.1, np.nan, "small")],
    *[("noise_scale", v, r"range \[0.0, inf\)") for v in (-1, np.nan, np.inf)],
    *[("t_stop", v, r"range \[0.0, 1.0\]") for v in (-0.1, 1.5, np.nan)],
    *[("n_steps", v, r"an int in the range \[1, inf\)") for v in (0, 2.5)],
    *[("n_particles", v, r"an int in the range \[1, inf\)") for v in (0, 2.5)],
    *[("batch_size", v, r"an int in the range \[1, inf\) or None") for v in (0, 2.5)],
    ("schedule", "quadratic", "among.*'cosine'"),
    ("optimizer", "adam", "among.*'adagrad'"),
    ("covariance_type", "tied", "among.*'spherical'"),
    ("velocity", "mmd", "implementing 'fit' and '__call__'"),
    ("random_state", "seed", "an int in the range"),
    (
        "base",
        "uniform",
        "among {'(normal|mixture)', '(normal|mixture)'}, an array-like, an object",
    ),
    ("base", PLAIN, "base has 3 features, but X has 13.*Pass the same columns"),
    ("base", changed(WINE, np.nan), "base contains NaN"),
    ("base", WINE[:, 0], r"^base must be 2-D: rows of 13 columns.*ndarray of shape \(178,\)"),
    ("base", [1.0, 2.0], r"^base must be 2-D.*list of shape \(2,\)"),
    ("base", FRAME.rename(columns={"hue": "tint"}), "feature names"),
    ("base", Returning(PLAIN[:100]), r"must return finite rows of shape \(100, 13\)"),
    ("base", Returning(changed(WINE[:100], np.nan)), "must return finite rows.*NaN"),
    ("schedule", lambda t: -1.0, r"schedule\(0\) must be a positive finite number, got -1"),
    ("schedule", lambda t: 1.0 if t < 0.7 else np.nan, r"schedule\(0.777778\) must be a positive"),
    ("schedule", lambda t: "wide", "maps the time in .* to a bandwidth"),
    ("schedule", lambda t: np.ones(3), "maps the time in .* to a bandwidth"),
    ("schedule", lambda t: None, "maps the time in .* to a bandwidth"),
    ("schedule", Cosine(1.0, 2.0), "from sigma_max down to sigma_min"),
    ("step_size", lambda t: -0.1, r"step_size\(0\) must be a finite number of at least 0"),
    ("step_size", lambda t: 1.0 if t < 0.7 else np.inf, r"step_size\(0.777778\) must be a finite"),
    ("step_size", lambda t: "small", "maps the time in .* to eta"),
    ("schedule", Cosine, "schedule is the class Cosine: pass an instance of it"),
    ("schedule", Cosine("wide"), "'sigma_max' parameter of Cosine must be a float in the range"),
    ("noise_scale", Constant(-1), "'sigma' parameter of Constant must be a float in the range"),
    ("optimizer", AdaGrad, "optimizer is the class AdaGrad: pass an instance of it"),
    *[("optimizer", AdaGrad(v), "'decay' parameter of AdaGrad must be") for v in (-3, 1.5, None)],
    *[("optimizer", AdaGrad(epsilon=v), "'epsilon' parameter of AdaGrad") for v in (0, "small")],
    ("velocity", MMD(scaled="no"), "'scaled' parameter of MMD must be an instance of 'bool'"),
    ("velocity", ScoreDifference(tolerance=-1), "'tolerance' parameter of ScoreDifference"),
]

BAD_FITS = {
    **{f"X: {name}": ({}, {"X": X}, words) for name, (X, words) in BAD_X.items()},
    **{f"X_base: {name}": ({}, {"X_base": X}, words) for name, (X, words) in BAD_BASE.items()},
    **{f"weights: {n}": ({}, {"sample_weight": w}, words) for n, (w, words) in BAD_WEIGHTS.items()},
    **{
        f"{name} {number}": ({name: value}, {}, words)
        for number, (name, value, words) in enumerate(BAD_PARAMS)
    },
    "covariance": ({"covariance_type": "full"}, {"X": CONSTANT}, ": 3. Drop the redundant ones"),
}


def test_a_series_as_base_is_no_rows_and_has_no_wrong_names(recwarn):
    with pytest.raises(ValueError, match=r"^X_base must be 2-D.*Series of shape \(178,\)"):
        sampler().fit(FRAME, X_base=FRAME["hue"])
    with pytest.raises(ValueError, match=r"^base must be 2-D.*Series of shape \(178,\)"):
        sampler(base=FRAME["hue"]).fit(FRAME)
    assert not recwarn


FITS = {
    "sampler": lambda: sampler().fit,
    "fit_transform": lambda: sampler().fit_transform,
    "generator": lambda: SDFlowGenerator(LinearRegression(), n_steps=2).fit,
    "partial_fit": lambda: SDFlowGenerator(SGDRegressor(), n_steps=2).partial_fit,
}


@pytest.mark.parametrize("method", FITS)
def test_a_y_that_looks_like_base_rows(method, recwarn):
    for y in (WINE[:50], FRAME[:50], WINE[:50].tolist()):
        with pytest.raises(ValueError, match=r"y has 50 rows, and X has 178.*pass them.*X_base="):
            FITS[method]()(WINE, y)
    message = "^y is as wide as X. y is ignored by a flow"
    recwarn.clear()
    for y in (np.arange(178), WINE[:, :12], WINE[:50, :1], None):
        FITS[method]()(WINE, y)
    FITS[method]()(WINE, WINE, X_base=WINE)
    FITS[method]()(WINE[:, :1], np.arange(178.0)[:, None])  # labels of a single column
    assert not [each for each in recwarn if re.search(message, str(each.message))]
    with pytest.warns(UserWarning, match=message) as caught:
        FITS[method]()(WINE, WINE, sample_weight=np.arange(178) % 2)
    if method != "fit_transform":
        mine = [each for each in caught if re.search(message, str(each.message))]
        assert [each.filename for each in mine] == [__file__]


NO_NUMBERS = {
    "grade": np.array(["low", "high"])[np.arange(len(WINE)) % 2],
    "kind": pd.Categorical(np.array(["a", "b"])[np.arange(len(WINE)) % 2]),
    "day": pd.date_range("2020", periods=len(WINE)),
}
MIXED = FRAME.assign(**NO_NUMBERS)
NOTE = r"that are no numbers: 'grade' \((object|str)\), 'kind' \(category\), 'day' \(datetime64"


def notes_of(error):
    return "\n".join(error.value.__notes__)


@pytest.mark.parametrize("name", ["X", "X_base", "base"])
def test_columns_that_are_no_numbers_are_named(name):
    flow = sampler(base=MIXED) if name == "base" else sampler()
    rows = {"X": MIXED, "X_base": FRAME} if name == "X" else {"X": FRAME, "X_base": MIXED}
    if name == "base":
        del rows["X_base"]
    with pytest.raises((ValueError, TypeError)) as error:
        flow.fit(**{**rows, "X": rows["X"].reindex(columns=MIXED.columns, fill_value=0.0)})
    assert re.search(f"Columns of {name} {NOTE}", notes_of(error))


@pytest.mark.parametrize("column", NO_NUMBERS)
def test_a_single_column_that_is_no_number_is_named(column):
    frame = FRAME.assign(hue=NO_NUMBERS[column])
    fitted = sampler().fit(FRAME)
    for method in (fitted.transform, fitted.score_samples, sampler().fit):
        with pytest.raises((ValueError, TypeError)) as error:
            method(frame)
        assert notes_of(error).startswith("Columns of X that are no numbers: 'hue' (")


@pytest.mark.parametrize(
    "rows", [changed(WINE, "red"), changed(WINE, "red").tolist(), changed(WINE, "red").astype(str)]
)
def test_columns_without_names_are_told_by_place(rows):
    with pytest.raises(ValueError, match="could not convert string to float") as error:
        sampler().fit(rows)
    assert "numbers: 0, 1, 2, 3, 4 and 8 more. A flow" in notes_of(error)


@pytest.mark.parametrize("name", ["X_base", "base"])
def test_an_error_about_columns_of_a_base_says_that_it_is_the_base(name):
    narrow = FRAME.drop(columns="hue")
    flow, rows = (sampler(), {name: narrow}) if name == "X_base" else (sampler(base=narrow), {})
    with pytest.raises(ValueError, match=r"(?s)now missing:.*hue") as error:
        flow.fit(FRAME, **rows)
    assert f"are those of {name}; names seen at fit" in notes_of(error)


@pytest.mark.parametrize("name", ["X", "X_base"])
@pytest.mark.parametrize("frame", [True, False])
def test_columns_with_missing_values_are_named(name, frame):
    lacking = FRAME.copy()
    lacking.iloc[3, [1, 4]] = np.nan
    lacking = lacking if frame else lacking.to_numpy()
    whole = FRAME if frame else FRAME.to_numpy()
    with pytest.raises(ValueError, match=f"Input {name} contains NaN") as error:
        sampler().fit(**{"X": whole, "X_base": whole, name: lacking})
    columns = ", ".join(repr(FRAME.columns[k] if frame else k) for k in (1, 4))
    assert notes_of(error).startswith(f"Columns of {name} with missing values: {columns}. Drop")


@pytest.mark.parametrize("value", [np.inf, 1j])
def test_nothing_is_said_of_missing_values_where_none_are(value):
    with pytest.raises(ValueError) as error:
        sampler().fit(FRAME * value)
    assert "missing" not in "".join(getattr(error.value, "__notes__", []))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1j])
def test_other_errors_have_no_note_of_columns(value):
    for rows in (WINE * value, FRAME * value):
        with pytest.raises(ValueError) as error:
            sampler().fit(rows)
        assert "no numbers" not in "".join(getattr(error.value, "__notes__", []))


@pytest.mark.filterwarnings("ignore:.*does not have valid feature names")
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")
@pytest.mark.parametrize("bad", BAD_FITS)
def test_bad_input_to_fit(bad, steps):
    params, arguments, words = BAD_FITS[bad]
    default = {"X": FRAME}
    if "weights: equal rows" == bad:
        default = {"X": changed(WINE, WINE[0], row=slice(0, 2))}
    flow = sampler().fit(FRAME)
    before = flow.sample(5, random_state=0), flow.particles_
    steps.clear()
    flow.set_params(**params)
    with pytest.raises((ValueError, TypeError), match=f"(?s){words}"):
        flow.fit(**{**default, **arguments})
    assert steps == []  # before any work
    flow.set_params(**{name: getattr(sampler(), name) for name in params})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the names of the columns are those of the last attempt
        rows = np.asarray(flow.sample(5, random_state=0))
    for after, expected in zip((rows, flow.particles_), before, strict=True):
        assert_array_equal(after, expected)


@pytest.mark.parametrize(
    ("X", "named"), [(CONSTANT, ["tin"]), (DUPLICATE, ["ash", "tin"])], ids=["constant", "twice"]
)
def test_redundant_columns(X, named):
    frame = pd.DataFrame(X, columns=["acid", "ash", "malt", "tin"])
    with pytest.raises(ValueError, match=f"of each other: {', '.join(named)}.*Drop .*diag"):
        sampler(covariance_type="full").fit(frame)
    for covariance_type in ("diag", "spherical"):
        for dtype in (np.float64, np.float32):
            flow = sampler(covariance_type=covariance_type).fit(X.astype(dtype))
            rows = flow.sample(50, random_state=0)
            assert np.isfinite(rows).all()
            if named == ["tin"]:
                assert_array_equal(rows[:, 3], X.astype(dtype)[:50, 3])
            else:
                assert_allclose(rows[:, 3], rows[:, 1], rtol=0, atol=20 * np.finfo(dtype).eps)
            assert np.ptp(rows[:, :3], axis=0).min() > 0


def test_fewer_rows_than_a_full_covariance_needs():
    with pytest.raises(ValueError, match=r'5 rows of X.*covariance_type="diag"'):
        sampler(covariance_type="full").fit(WINE[:5])
    assert np.isfinite(sampler().fit(WINE[:2]).sample(5, random_state=0)).all()


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_flow_that_diverges_says_so():
    flow = sampler().fit(WINE)
    before = flow.sample(5, random_state=0)
    with pytest.raises(FloatingPointError, match="Use a smaller step_size"):
        flow.set_params(step_size=1e300).fit(WINE)
    assert_array_equal(flow.sample(5, random_state=0), before)


def test_inputs_are_not_modified_and_may_be_read_only():
    for order, dtype in [("C", float), ("F", float), ("C", np.float32)]:
        inputs = [np.array(a, order=order, dtype=dtype) for a in (WINE, WINE[:50] + 1, ONES)]
        copies = [a.copy() for a in inputs]
        for a in inputs:
            a.setflags(write=False)
        X, X_base, weights = inputs
        flow = sampler().fit(X, X_base=X_base, sample_weight=weights)
        moved = flow.transform(X_base)
        moved.setflags(write=False)
        flow.inverse_transform(moved)
        flow.interpolate(X_base, 0.5), list(flow.staged_transform(X_base)), flow.score(X)
        for a, copy in zip(inputs, copies, strict=True):
            assert_array_equal(a, copy)
        expected = flow.sample(5, random_state=0)
        flow.sample(5, random_state=0)[:] = 0
        moved = flow.transform(X_base)
        moved[:] = 0  # what is handed out is not the sampler's own
        assert_array_equal(flow.sample(5, random_state=0), expected)


# --- after fit -----------------------------------------------------------------------------------

METHODS = {
    "transform": lambda flow, X: flow.transform(X),
    "inverse_transform": lambda flow, X: flow.inverse_transform(X),
    "staged_transform": lambda flow, X: next(flow.staged_transform(X)),
    "interpolate": lambda flow, X: flow.interpolate(X, 0.5),
    "velocity_at": lambda flow, X: flow.velocity_at(X, 0.5),
    "support": lambda flow, X: flow.support(X),
    "sensitivity": lambda flow, X: flow.sensitivity(X),
    "score_samples": lambda flow, X: flow.score_samples(X),
    "score": lambda flow, X: flow.score(X),
}


@pytest.mark.parametrize("method", [*METHODS, "sample", "get_feature_names_out"])
def test_use_before_fit(method):
    use = METHODS.get(method, lambda flow, X: getattr(flow, method)())
    with pytest.raises(NotFittedError, match="Call 'fit'"):
        use(sampler(), WINE)


@pytest.mark.parametrize("method", METHODS)
def test_bad_rows_after_fit(method):
    use, flow = METHODS[method], sampler().fit(FRAME)
    bad_rows = [
        (FRAME[FRAME.columns[::-1]], "same order"),
        (FRAME.rename(columns={"ash": "cinders"}), "unseen at fit time:\n- cinders"),
        (FRAME.drop(columns="ash"), "now missing:\n- ash"),
        (FRAME.mask(FRAME > 1000), "X contains NaN"),
    ]
    for X, words in bad_rows:
        with pytest.raises(ValueError, match=words):
            use(flow, X)
    flow = sampler().fit(WINE)
    for name in ("NaN", "infinity", "strings", "sparse array", "one dimension"):
        X, words = BAD_X[name]
        with pytest.raises((ValueError, TypeError), match=words):
            use(flow, X)
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 13"):
        use(flow, PLAIN)
    with pytest.raises(ValueError, match="minimum of 1"):
        use(flow, WINE[:0])


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, 2.0, "3", None, True, np.nan])
def test_bad_numbers_of_samples(n_samples):
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        sampler().fit(WINE).sample(n_samples)


@pytest.mark.parametrize("t", [-0.1, 1.1, np.nan, np.inf, "half", None])
def test_bad_times(t):
    with pytest.raises(ValueError, match=r"t must be a number in \[0, 1\]"):
        sampler().fit(WINE).interpolate(WINE, t)


def test_inverse_transform_needs_an_optimizer_without_memory():
    flow = sampler(optimizer="adagrad").fit(WINE)
    with pytest.raises(AttributeError, match="no attribute 'inverse_transform'") as raised:
        flow.inverse_transform(WINE)
    assert 'Fit with optimizer="sgd"' in str(raised.value.__cause__)
    assert hasattr(SDFlowSampler(optimizer="sgd"), "inverse_transform")


# --- what is said along the way ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["transform", "interpolate", "staged_transform", "sensitivity"])
def test_rows_outside_the_base_warn_and_others_do_not(method):
    flow = sampler().fit(WINE, X_base=WINE)
    far = WINE.copy()
    far[:7] += 50 * WINE.std(axis=0)
    with pytest.warns(UserWarning, match="7 of 178 rows lie far outside.*pass X_base to fit"):
        METHODS[method](flow, far)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        METHODS[method](flow, WINE + 0.1 * WINE.std(axis=0))
        flow.sample(500, random_state=0)


def test_verbose(capsys):
    said = {}
    for verbose in (0, 1, 2):
        sampler(n_steps=20, verbose=verbose).fit(WINE)
        said[verbose] = capsys.readouterr().out.splitlines()
    assert said[0] == []
    assert len(said[1]) == 10
    assert len(said[2]) == 20
    assert said[2][-1] == said[1][-1]
    assert said[2][-1].startswith("[SDFlowSampler] step 20 of 20, bandwidth 3.37, rms velocity")


def test_history_decreases_as_the_flow_arrives():
    base = WINE + 3 * WINE.std(axis=0)
    history = sampler(noise_scale=0, n_steps=30).fit(WINE, X_base=base).history_
    assert history.shape == (30,)
    assert (np.diff(history) < 0).all()
    assert history[-1] < 0.05 * history[0]


def test_seeds_of_sample():
    flow = sampler().fit(WINE)
    assert_array_equal(flow.sample(5, random_state=1), flow.sample(5, random_state=1))
    assert not np.array_equal(flow.sample(5, random_state=1), flow.sample(5, random_state=2))
    assert not np.array_equal(flow.sample(5), flow.sample(5))
    rng, again = np.random.RandomState(1), np.random.RandomState(1)
    first, second = flow.sample(5, random_state=rng), flow.sample(5, random_state=rng)
    assert not np.array_equal(first, second)
    assert_array_equal(flow.sample(5, random_state=again), first)
    assert_array_equal(flow.sample(5, random_state=again), second)
    assert_array_equal(flow.sample(5, random_state=1), first)
    assert flow.sample().shape == (1, 13)


@pytest.mark.parametrize("step_size", [2.5, 10.0])
def test_divergence_is_an_error(step_size):
    with pytest.raises(FloatingPointError, match="Use a smaller step_size"):
        SDFlowSampler(step_size=step_size, random_state=0).fit(WINE)


def test_mini_batches_that_leave_particles_behind_warn():
    with pytest.warns(UserWarning, match="Only 10 of 25 mini-batches .* Raise n_steps"):
        SDFlowSampler(n_particles=100, n_steps=10, batch_size=4, random_state=0).fit(WINE)


@pytest.mark.parametrize("t_stop", [2.0, -1.0, np.nan])
def test_t_stop_is_checked_after_fit(t_stop):
    flow = sampler().fit(WINE).set_params(t_stop=t_stop)
    for method in (flow.transform, flow.inverse_transform, flow.score):
        with pytest.raises(ValueError, match="t_stop must be a time in"):
            method(WINE)


def test_a_class_as_base():
    with pytest.raises(ValueError, match="pass an instance"):
        SDFlowSampler(base=Rvs).fit(WINE)


class Rvs:
    def rvs(self, size):
        raise AssertionError("never drawn from")


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("bandwidth", [0.5, "auto"])
def test_fresh_draws_are_inside_and_outliers_outside(bandwidth, schedule):
    flow = SDFlowSampler(bandwidth, schedule=schedule, n_steps=5, random_state=0).fit(WINE)
    fresh = np.random.RandomState(1).multivariate_normal(WINE.mean(axis=0), np.cov(WINE.T), 500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.transform(fresh)
    outlier = WINE[:3].copy()
    outlier[1, 4] += 20 * WINE[:, 4].std()
    with pytest.warns(UserWarning, match="1 of 3 rows lie far outside"):
        flow.transform(outlier)


def test_parts_are_checked_before_a_base_is_fitted():
    class Base:
        def sample(self, n_samples):
            raise AssertionError("the base was asked for rows")

    with pytest.raises(ValueError, match="'scaled' parameter of MMD"):
        sampler(velocity=MMD(scaled="no"), base=Base()).fit(WINE)


def test_parts_are_not_checked_where_scikit_learn_is_told_not_to():
    with config_context(skip_parameter_validation=True):
        sampler(velocity=MMD(scaled="no")).fit(WINE)
