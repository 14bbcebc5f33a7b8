"""Early stopping: when it ends a flow, what is kept of it, and that it saw no row it should not."""

import pickle
import warnings

import naive_metrics
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist, pdist
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

from skflow import ClasswiseSampler, MMDFlowSampler, SDFlowGenerator, SDFlowSampler, SVGDSampler
from skflow._base import Target
from skflow._kernels import kernel_mean
from skflow._space import FlowSpace
from skflow._stopping import EarlyStopping, EnergyStopping, hold_out
from skflow._training import Training
from skflow.metrics import closer_to_train_share, energy_distance

WINE, LABELS = load_wine(return_X_y=True)
CANCER = load_breast_cancer().data
SAMPLERS = [SDFlowSampler, MMDFlowSampler, SVGDSampler]
COPYING = {"bandwidth": 0.5, "schedule": "constant", "noise_scale": 0.0, "n_steps": 200}
LONG = {**COPYING, "batch_size": 90, "n_steps": 900}


def early(estimator=SDFlowSampler, **params):
    return estimator(early_stopping=True, n_particles=200, random_state=0, **params)


def banana(n_rows, seed=0):
    X = np.random.default_rng(seed).standard_normal((n_rows, 2))
    X[:, 1] += X[:, 0] ** 2
    return X


def split(X, seed=0, weights=None, fraction=0.1):
    """What a fit with this seed holds out."""
    return hold_out(X, weights, fraction, np.random.RandomState(seed))


# --- which rows are held out ---------------------------------------------------------------------


def test_every_row_is_on_one_side_and_equal_rows_together():
    X = np.random.default_rng(0).integers(0, 4, size=(300, 3)).astype(float)
    weights = np.arange(1.0, 301)
    (train, of_train), (heldout, of_heldout) = split(X, weights=weights)
    assert len(train) + len(heldout) == 300
    for rows, mine in ((train, of_train), (heldout, of_heldout)):
        assert_array_equal(rows, X[mine.astype(int) - 1])
        assert (np.diff(mine) > 0).all()
    there, away = ({tuple(row) for row in rows} for rows in (train, heldout))
    assert not there & away
    assert len(away) == np.ceil(0.1 * len(there | away))


@pytest.mark.parametrize("kind", ["repeated", "shuffled"])
def test_the_draw_depends_on_the_different_rows_only(kind):
    rng = np.random.default_rng(0)
    again = np.repeat(WINE, rng.integers(1, 4, len(WINE)), axis=0)
    again = again if kind == "repeated" else WINE[rng.permutation(len(WINE))]
    expected, found = ({tuple(row) for row in split(X)[1][0]} for X in (WINE, again))
    assert expected == found
    assert expected != {tuple(row) for row in split(WINE, seed=1)[1][0]}


@pytest.mark.parametrize("rows", [WINE[:10], np.repeat(WINE[:10], 9, axis=0), WINE[:3]])
def test_too_few_rows(rows):
    with pytest.raises(ValueError, match=r"would hold out 1 of (10|3) .*Change validation_frac"):
        early().fit(rows)
    early(validation_fraction=0.5, n_steps=2).fit(WINE[:10])
    with pytest.raises(ValueError, match="would hold out 10 of 10"):
        early(validation_fraction=0.95).fit(WINE[:10])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("validation_fraction", v) for v in (0, 1, -0.1, 1.5, np.nan, None, 5)],
        *[("n_iter_no_change", v) for v in (0, 2.5, None)],
        *[("tol", v) for v in (-1e-3, np.nan, None, "small")],
        ("early_stopping", "auto"),
    ],
)
def test_bad_parameters(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        early().set_params(**{name: value}).fit(WINE)


class Seen:
    """A base that is fitted, and keeps what it was shown."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X):
        Seen.rows = X
        self.mean = X.mean(axis=0)
        return self

    def sample(self, n_samples, random_state):
        return self.mean + random_state.standard_normal((n_samples, len(self.mean)))


@pytest.mark.parametrize("estimator", SAMPLERS)
def test_heldout_rows_play_no_part(estimator):
    """The flow is that of the other rows alone, with the seed as it is after the draw."""
    train = split(WINE)[0][0]
    sampler = early(estimator, n_steps=15).fit(WINE)
    rng = np.random.RandomState(0)
    rng.permutation(len(WINE))
    alone = estimator(n_particles=200, n_steps=15, random_state=rng).fit(train)
    kept = sampler.n_steps_
    assert_array_equal(sampler.history_, alone.history_[:kept])
    assert sampler.bandwidth_ == alone.bandwidth_
    assert_array_equal(sampler._training_rows(), train)
    stage = [*alone.staged_transform(WINE)][kept - 1]
    assert_array_equal([*sampler.staged_transform(WINE)][-1], stage)


def test_heldout_rows_are_not_shown_to_the_base():
    early(base=Seen(), n_steps=2).fit(WINE)
    assert_array_equal(Seen.rows, split(WINE)[0][0])


# --- the criteria --------------------------------------------------------------------------------


class Run:
    """A recording as far as early stopping looks at one."""

    def __init__(self, particles, n_steps=1, epoch=1, sigma=0.7):
        self.n_steps, self.epoch, self.particles = n_steps, epoch, particles
        self.last = self
        self.flow = type("Flow", (), {"sigmas": [9.0, sigma], "n_steps": 100})

    def so_far(self):
        return Run(self.particles, self.n_steps)

    def _replace(self, velocity):
        return self


def watch(train, heldout, weights=None, n_iter_no_change=10, tol=1e-3, kind=EarlyStopping):
    space = FlowSpace("diag").fit(train)
    target = Target(train, space.to_flow(train), None, space)
    return kind(target, heldout, weights, n_iter_no_change, tol)


@pytest.mark.parametrize("weighted", [False, True])
def test_both_criteria_as_written_out(weighted):
    rng = np.random.default_rng(0)
    train, heldout = rng.normal(1, 3, size=(40, 2)), rng.normal(1, 3, size=(10, 2))
    weights = rng.uniform(0.1, 5, size=10) if weighted else None
    Y = rng.standard_normal((60, 2))
    stopping = watch(train, heldout, weights)
    stopping(Run(Y))
    rows, unseen = stopping._space.to_flow(train), stopping._space.to_flow(heldout)
    expected = naive_metrics.mean_log_density(unseen, Y, 0.7, weights)
    expected -= np.log(train.std(axis=0)).sum()  # in units of the data
    assert_allclose(stopping.scores, expected, rtol=1e-12)
    expected = naive_metrics.adjusted_closer_to_train_share(Y, rows, unseen)
    assert_allclose(stopping.shares, expected, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_energy_score_as_written_out(weighted):
    rng = np.random.default_rng(0)
    train, heldout = rng.normal(1, 3, size=(40, 2)), rng.normal(1, 3, size=(10, 2))
    weights = rng.uniform(0.1, 5, size=10) if weighted else None
    Y = rng.standard_normal((60, 2))
    stopping = watch(train, heldout, weights, kind=EnergyStopping)
    stopping(Run(Y))
    unseen = stopping._space.to_flow(heldout)
    expected = naive_metrics.energy_score(unseen, Y, weights) / np.sqrt(
        2 * 2
    )  # columns of unit std
    assert_allclose(stopping.scores, expected, rtol=1e-12)
    assert_allclose(
        stopping.shares,
        naive_metrics.adjusted_closer_to_train_share(Y, stopping._space.to_flow(train), unseen),
        rtol=1e-12,
    )


def test_only_the_energy_score_knows_a_cloud_that_is_too_narrow():
    """A kernel of four standard deviations, as the default on wine, takes it for a good one."""
    rng = np.random.default_rng(0)
    rows, draws = rng.standard_normal((600, 13)), rng.standard_normal((500, 13))
    scores = {}
    for kind in (EarlyStopping, EnergyStopping):
        stopping = watch(rows[:400], rows[400:], kind=kind)
        for width in (0.5, 1.0, 1.5):
            stopping(Run(width * draws, sigma=4.0))
        scores[kind] = stopping.scores
    assert np.argmax(scores[EarlyStopping]) == 0
    assert np.argmax(scores[EnergyStopping]) == 1


def test_the_energy_score_of_many_rows_is_that_of_some_of_them():
    """As many times as they are there, and whatever the units are."""
    rng = np.random.default_rng(0)
    rows, Y = rng.standard_normal((3000, 2)), 0.8 * rng.standard_normal((2500, 2))
    weights = rng.integers(1, 4, 2900)

    def score(heldout, weights=None, factor=1.0):
        space = FlowSpace("spherical").fit(factor * rows[:100])
        target = Target(rows, space.to_flow(factor * rows[:100]), None, space)
        stopping = EnergyStopping(target, factor * heldout, weights, 10, 1e-3)
        stopping(Run(factor * Y))
        return stopping.scores[0]

    some = score(rows[100:])
    assert some != score(rows[100:1000])
    every = pdist(Y).mean() / 2 - cdist(rows[100:], Y).mean()
    typical = np.sqrt(2 * rows[:100].var(axis=0).sum())
    assert_allclose(some, every / typical, rtol=0.03)
    assert_allclose(score(rows[100:], factor=1e6), some, rtol=1e-9)
    weighted = score(rows[100:], weights)
    assert_allclose(score(np.repeat(rows[100:], weights, axis=0)), weighted, rtol=1e-12)
    assert abs(weighted - some) > 1e-6


def test_rows_that_are_there_twice_count_once_in_the_share():
    rng = np.random.default_rng(0)
    train, heldout, Y = (rng.standard_normal((n, 2)) for n in (40, 10, 60))
    once, twice = watch(train, heldout), watch(np.repeat(train, 3, axis=0), heldout)
    for stopping in (once, twice):
        stopping(Run(Y))
    assert once.shares == twice.shares


def test_the_share_is_a_half_for_fresh_rows_and_one_for_copies():
    rows = np.random.default_rng(0).standard_normal((4000, 2))
    stopping = watch(rows[:1800], rows[1800:2000])
    Y = stopping._space.to_flow(rows[2000:])
    stopping(Run(Y))
    stopping(Run(Y[:500] * 0 + stopping._rows[:500]))
    assert abs(stopping.shares[0] - 0.5) < 0.15
    assert stopping.shares[1] == 1


def test_the_error_of_the_share_is_that_of_other_draws():
    rng = np.random.default_rng(0)
    rows, Y = rng.standard_normal((60, 2)), rng.standard_normal((300, 2))
    space = FlowSpace("spherical").fit(rows)
    shares, errors = [], []
    for _ in range(1000):
        rows = rng.permutation(rows)
        stopping = EarlyStopping(Target(None, rows[:48], None, space), rows[48:], None, 1, 0.0)
        stopping._rows = rows
        share, error = stopping._share(Y)
        shares.append(share)
        errors.append(error)
    assert_allclose(errors, errors[0], rtol=1e-12)
    assert abs(np.mean(shares) - 0.5) < 4 * errors[0] / np.sqrt(1000)
    assert abs(np.std(shares) / errors[0] - 1) < 0.1


@pytest.mark.parametrize("place", [0.0, 50.0])
def test_particles_in_one_place_or_far_away_are_no_copies(place):
    """Their nearest rows are few, and of the target more often than not."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((200, 10))
        stopping = watch(rows[:180], rows[180:])
        assert not stopping(Run(place + 0.1 * rng.standard_normal((300, 10))))
    assert stopping.shares[0] > 0.75 or place == 0


def scored(monkeypatch, scores, shares, error=0.0, **params):
    """After how many checks these figures end a run, and which is kept."""
    scores, shares = iter(scores), iter(shares)
    monkeypatch.setattr(EarlyStopping, "_score", lambda *_: next(scores))
    monkeypatch.setattr(EarlyStopping, "_share", lambda *_: (next(shares), error))
    rows = np.random.default_rng(0).standard_normal((50, 2))
    stopping = watch(rows[:40], rows[40:], **params)
    checks = 1
    while not stopping(run := Run(rows, checks)) and checks < 20:
        checks += 1
    return checks, stopping.kept(run).n_steps, stopping.best_score


GOOD = [0.5] * 30
STEADY = list(range(30))


def test_the_rule(monkeypatch):
    flat = [0.0, 1.0, *[1.0] * 30]
    assert scored(monkeypatch, flat, GOOD, n_iter_no_change=3) == (5, 2, 1.0)
    assert scored(monkeypatch, STEADY, GOOD, n_iter_no_change=3) == (20, 20, 19)
    worse = [3.0, 2.0, 2.5, 2.9, 3.0, 3.1]
    assert scored(monkeypatch, worse, GOOD, n_iter_no_change=3) == (4, 1, 3.0)
    # Slow but steady: it is what several steps gain together that counts.
    slow = [0.4e-3 * k for k in range(30)]
    assert scored(monkeypatch, slow, GOOD, n_iter_no_change=3)[0] == 20
    assert scored(monkeypatch, slow, GOOD, n_iter_no_change=2)[:2] == (3, 3)
    copies = [0.5, 0.75, 0.75, 0.76]
    assert scored(monkeypatch, STEADY, copies) == (4, 3, 2)
    assert scored(monkeypatch, [5.0, *STEADY], copies) == (4, 1, 5.0)
    assert scored(monkeypatch, STEADY, [0.9]) == (1, 1, 0)
    assert scored(monkeypatch, STEADY, copies, error=0.1) == (4, 3, 2)
    assert scored(monkeypatch, STEADY, GOOD[:9] + [1.0] * 20, error=0.19) == (10, 9, 8)
    assert scored(monkeypatch, STEADY, GOOD[:9] + [1.0] * 20, error=0.21) == (20, 20, 19)


# --- fits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [SDFlowSampler, MMDFlowSampler])
def test_a_flow_that_has_converged_ends(estimator):
    X = banana(600)
    sampler = early(estimator, schedule="constant", n_steps=1000, tol=0.01).fit(X)
    checks = len(sampler.validation_scores_)
    assert sampler.n_steps_ <= checks < 1000
    assert sampler.validation_copying_.max() <= 0.75
    last = sampler.validation_scores_[-10:]
    assert last.max() - sampler.validation_scores_[:-10].max() <= sampler.tol
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a flow that was not long enough
        sampler.fit(X)


@pytest.mark.parametrize("X", [WINE, CANCER], ids=["wine", "breast cancer"])
def test_a_flow_that_begins_to_copy_ends(X):
    """And copies less than the whole of it, by rows that neither has seen."""
    X, unseen = X[::2], X[1::2]
    stopped = early(**COPYING, validation_fraction=0.2, n_iter_no_change=1000).fit(X)
    whole = SDFlowSampler(**COPYING, n_particles=200, random_state=0).fit(X)
    assert stopped.n_steps_ < 200
    assert stopped.validation_copying_[-1] > 0.75
    shares = [
        closer_to_train_share(
            each.particles_ / X.std(axis=0),
            train / X.std(axis=0),
            unseen / X.std(axis=0),
            adjusted=True,
        )
        for each, train in ((stopped, stopped._training_rows()), (whole, X))
    ]
    assert shares[0] < 0.85 < 0.95 < shares[1]


@pytest.mark.parametrize("name", ["banana", "breast cancer"])
def test_the_default_is_not_ended_too_early(name):
    """Nor at a wide bandwidth: new rows are as likely under what is kept as under the whole."""
    X = banana(1200) if name == "banana" else CANCER
    X, unseen = X[::2], X[1::2]
    offset = X + 2 * X.std(axis=0)
    for base in (None, offset):
        stopped = early().fit(X, X_base=base)
        whole = SDFlowSampler(n_particles=200, random_state=0).fit(
            stopped._training_rows(), X_base=base
        )
        sigma, space = whole._flow.flow.sigmas[-1], whole._space
        rows = space.to_flow(unseen)
        start, kept, end = (
            kernel_mean(rows, Y, sigma)[1].mean()
            for Y in (whole._flow.start, space.to_flow(stopped.particles_), whole._flow.particles)
        )
        assert kept > end - 0.1 * abs(end - start) - 0.05


def test_a_flow_that_goes_on_getting_nearer_is_not_ended():
    sampler = early(step_size=0.01, n_steps=30)
    with pytest.warns(ConvergenceWarning, match="Raise n_steps"):
        sampler.fit(CANCER, X_base=CANCER + 3 * CANCER.std(axis=0))
    assert sampler.n_steps_ == 30 == len(sampler.validation_scores_)
    assert (np.diff(sampler.validation_scores_) > 0).all()


def test_mini_batches_are_checked_once_an_epoch():
    sampler = early(batch_size=60, n_steps=30, n_iter_no_change=1000).fit(WINE)
    assert len(sampler.validation_scores_) == 8  # of 4 steps each, and the end
    assert sampler.n_steps_ % 4 == 0 or sampler.n_steps_ == 30
    with pytest.warns(UserWarning, match="Only 3 of 4 mini-batches"):
        sampler.set_params(n_steps=3).fit(WINE)
    assert sampler.n_steps_ == 3 == len(sampler.history_)


def test_copies_from_the_first_check_are_told_of():
    base = split(WINE)[0][0] + 1e-6
    with pytest.warns(UserWarning, match="copy rows of X at the first check.*Raise the bandwidth"):
        sampler = early(**COPYING).fit(WINE, X_base=base)
    assert sampler.n_steps_ == 1


@pytest.mark.parametrize("memory", [1024, 0.001])
@pytest.mark.parametrize(
    "sampler", [early(**COPYING), early(MMDFlowSampler, **COPYING, base="normal"), early(**LONG)]
)
def test_what_is_kept_is_a_flow(sampler, memory):
    with config_context(working_memory=memory):
        sampler = clone(sampler).fit(WINE)
    kept = sampler.n_steps_
    assert 1 <= kept < sampler.n_steps
    assert sampler.history_.shape == (kept,)
    best = sampler.validation_scores_.tolist().index(sampler.best_validation_score_)
    assert kept == min((best + 1) * sampler._flow.epoch, sampler.n_steps)
    moved = sampler.transform(WINE)
    stages = [*sampler.staged_transform(WINE)]
    assert len(stages) == kept
    assert_array_equal(stages[-1], moved)
    assert_array_equal(sampler.interpolate(WINE, 1.0), moved)
    assert_allclose(sampler.interpolate(WINE, 0.0), WINE, rtol=1e-12)
    assert_allclose(sampler.inverse_transform(moved), WINE, rtol=1e-6)
    again = pickle.loads(pickle.dumps(sampler))
    assert_array_equal(again.transform(WINE), moved)
    assert_array_equal(again.sample(5, random_state=0), sampler.sample(5, random_state=0))
    assert np.isfinite(sampler.score_samples(WINE)).all()
    assert (sampler.sensitivity(WINE[:5]) > 0).all()
    assert np.isfinite(sampler.velocity_at(WINE[:5], 1.0)).all()


def test_the_score_is_that_of_the_estimator():
    """Where the schedule is constant."""
    sampler = early(**COPYING).fit(WINE)
    heldout = split(WINE)[1][0]
    assert_allclose(sampler.score(heldout), sampler.best_validation_score_, rtol=1e-12)


def test_weights_equal_repeats():
    weights = np.random.default_rng(0).integers(1, 4, len(WINE))
    params = {"noise_scale": 0.0, "n_steps": 40}
    weighted = early(**params).fit(WINE, sample_weight=weights)
    repeated = early(**params).fit(np.repeat(WINE, weights, axis=0))
    assert_allclose(weighted.validation_scores_, repeated.validation_scores_, rtol=1e-9)
    assert_allclose(weighted.validation_copying_, repeated.validation_copying_, rtol=1e-12)
    assert_allclose(weighted.particles_, repeated.particles_, rtol=1e-6)


@pytest.mark.parametrize("estimator", SAMPLERS)
def test_without_early_stopping_its_parameters_change_nothing(estimator):
    plain = estimator(n_particles=50, n_steps=15, random_state=0).fit(WINE)
    other = {"validation_fraction": 0.5, "n_iter_no_change": 1, "tol": 100.0}
    same = clone(plain).set_params(**other).fit(WINE)
    assert_array_equal(plain.particles_, same.particles_)
    assert plain.n_steps_ == same.n_steps_ == 15
    assert plain.validation_scores_ is plain.validation_copying_ is None
    assert plain.best_validation_score_ is None
    assert len(plain._training_rows()) == len(WINE)
    refitted = early(estimator, n_steps=15).fit(WINE).set_params(early_stopping=False).fit(WINE)
    assert refitted.validation_scores_ is None


def test_each_class_holds_out_its_own():
    sampler = ClasswiseSampler(early(**COPYING), random_state=0).fit(WINE, LABELS)
    for k, each in enumerate(sampler.samplers_):
        n_rows = (LABELS == k).sum()
        assert len(each._training_rows()) == n_rows - np.ceil(0.1 * n_rows)
        assert each.n_steps_ < 200
    with pytest.raises(ValueError, match="different rows") as raised:
        ClasswiseSampler(early(), random_state=0).fit(WINE[:69], LABELS[:69])
    assert "This was the sampler of class 1" in raised.value.__notes__[0]


# --- the generator -------------------------------------------------------------------------------

NETWORK = MLPRegressor(hidden_layer_sizes=(16,), max_iter=30, learning_rate_init=0.01)
REGRESSORS = {  # learn by partial_fit, by a warm start, and anew
    "network": NETWORK,
    "warm": clone(NETWORK).set_params(solver="lbfgs", max_iter=20),
    "linear": LinearRegression(),
    "forest": ExtraTreesRegressor(5),
}
every_regressor = pytest.mark.parametrize("name", REGRESSORS)
ignore_short_training = pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs")
OFFSET = WINE[::2] + WINE.std(axis=0)


def generator(regressor=NETWORK, early_stopping=True, **params):
    """One whose steps do not depend on how many there are."""
    params = {"schedule": "constant", "n_steps": 100, "batch_size": 150, **params}
    return SDFlowGenerator(
        clone(regressor), early_stopping=early_stopping, random_state=0, **params
    )


@every_regressor
@ignore_short_training
@pytest.mark.parametrize("base", [None, OFFSET], ids=["drawn", "rows"])
def test_what_is_kept_of_a_training_is_a_shorter_one(name, base):
    """On the rows that are left, with the seed as it is after the draw: heldout rows play no part.

    So what is kept is that of the best check, which the steps after it have not touched.
    """
    g = generator(REGRESSORS[name], n_iter_no_change=3).fit(WINE, X_base=base)
    kept, checks = g.n_steps_, len(g.validation_scores_)
    assert kept == 10 * (1 + g.validation_scores_.argmax()) <= 10 * checks
    train, heldout = (rows for rows, _ in split(WINE))
    rng = np.random.RandomState(0)
    rng.permutation(len(WINE))
    alone = generator(REGRESSORS[name], early_stopping=False, n_steps=kept)
    alone.set_params(random_state=rng).fit(train, X_base=base)
    assert_array_equal(g.particles_, alone.particles_)
    assert_array_equal(g.history_, alone.history_)
    assert_array_equal(g.transform(WINE), alone.transform(WINE))
    assert_array_equal(g._training_rows(), train)
    assert g.bandwidth_ == alone.bandwidth_
    unseen, rows = (g._space.to_flow(each) for each in (heldout, g.particles_))
    expected = naive_metrics.energy_score(unseen, rows) / np.sqrt(2 * WINE.shape[1])
    assert g.best_validation_score_ == pytest.approx(expected, rel=1e-9)
    again = pickle.loads(pickle.dumps(g))
    assert_array_equal(again.sample(5, random_state=0), g.sample(5, random_state=0))
    assert_array_equal(again.validation_copying_, g.validation_copying_)


@every_regressor
@ignore_short_training
def test_these_trainings_go_on_after_their_best_check(name):
    """One of both at least, without which the test above would say nothing of what is kept.

    A rounding decides what a small forest learns: it is not the same on every processor.
    """
    sampler = generator(REGRESSORS[name], n_iter_no_change=3)
    trainings = [clone(sampler).fit(WINE, X_base=base) for base in (None, OFFSET)]
    assert any(g.n_steps_ < 10 * len(g.validation_scores_) < 100 for g in trainings)


@pytest.mark.parametrize("name", ["network", "linear"])
@ignore_short_training
@pytest.mark.parametrize(("n_steps", "checks"), [(7, 1), (20, 2), (25, 3)])
def test_a_training_is_checked_every_ten_steps_and_at_its_end(name, n_steps, checks):
    g = generator(REGRESSORS[name], n_steps=n_steps, n_iter_no_change=1000).fit(CANCER)
    assert len(g.validation_scores_) == len(g.validation_copying_) == checks
    assert g.n_steps_ == min(10 * (1 + g.validation_scores_.argmax()), n_steps) == len(g.history_)


@every_regressor
@ignore_short_training
def test_only_a_regressor_that_learns_on_is_copied(name, monkeypatch):
    kept = []
    so_far = Training.so_far
    monkeypatch.setattr(Training, "so_far", lambda t: kept.append((t, so_far(t))) or kept[-1][1])
    generator(REGRESSORS[name], n_steps=10).fit(WINE)
    ((training, copied),) = kept
    assert (copied.regressor is training.regressor) == (name in ("linear", "forest"))


def test_a_check_looks_at_no_more_rows_than_a_step(monkeypatch):
    looked_at, score = [], EnergyStopping._score
    monkeypatch.setattr(
        EnergyStopping, "_score", lambda s, Y, sigma: looked_at.append(len(Y)) or score(s, Y, sigma)
    )
    g = generator(LinearRegression(), n_steps=10, batch_size=50).fit(CANCER, X_base=CANCER)
    assert looked_at == [len(CANCER[::12])]
    assert len(g.particles_) == len(CANCER)


@pytest.mark.parametrize("regressor", [None, ExtraTreesRegressor(5)], ids=["network", "forest"])
@pytest.mark.parametrize("name", ["wine", "breast cancer"])
def test_a_training_is_not_ended_too_early(name, regressor):
    X = {"wine": WINE, "breast cancer": CANCER}[name]
    X, unseen = X[::2], X[1::2]
    stopped = SDFlowGenerator(regressor, early_stopping=True, random_state=0).fit(X)
    whole = SDFlowGenerator(regressor, n_steps=300, random_state=0).fit(stopped._training_rows())
    scale = X.std(axis=0)
    kept, end = (
        energy_distance(g.sample(1000, random_state=0) / scale, unseen / scale)
        for g in (stopped, whole)
    )
    assert 10 * len(stopped.validation_scores_) < 500
    assert kept < 1.2 * end


def test_a_training_that_begins_to_copy_ends():
    """The forest learns by heart where rows of the base went."""
    X, unseen = CANCER[::2], CANCER[1::2]
    params = {**COPYING, "n_steps": 200, "batch_size": 300, "n_iter_no_change": 1000}
    g = generator(ExtraTreesRegressor(20), **params).fit(X, X_base=unseen)
    assert g.n_steps_ < 200
    assert g.validation_copying_[-1] > 0.75 and (g.validation_copying_[:-1] <= 0.75).all()


def test_a_generator_that_copies_from_the_first_check_is_told_of():
    base = split(WINE)[0][0] + 1e-6
    with pytest.warns(UserWarning, match="copy rows of X at the first check") as caught:
        g = generator(LinearRegression(), **COPYING).fit(WINE, X_base=base)
    assert caught[0].filename == __file__
    assert g.n_steps_ == 10


def test_too_few_rows_for_a_generator():
    with pytest.raises(ValueError, match="would hold out 1 of 10"):
        generator(LinearRegression()).fit(WINE[:10])


def test_partial_fit_holds_nothing_out():
    """As that of MLPRegressor and SGDRegressor: it says so, and leaves what was fitted."""
    g = generator(n_steps=20).fit(WINE)
    before, history = g.sample(5, random_state=0), g.history_
    with pytest.raises(ValueError, match=r"does not support early_stopping=True.*Use fit"):
        g.partial_fit(WINE)
    assert_array_equal(g.sample(5, random_state=0), before)
    g.set_params(early_stopping=False).partial_fit(WINE)
    assert_array_equal(g.history_[:-1], history)
    assert g.n_steps_ == len(history) + 1
    assert g.validation_scores_ is g.validation_copying_ is g.best_validation_score_ is None


@pytest.mark.parametrize("name", ["network", "linear"])
@ignore_short_training
def test_a_warm_start_goes_on_from_what_was_kept(name):
    g = generator(REGRESSORS[name], n_iter_no_change=2, warm_start=True).fit(WINE)
    moved, train = g.transform(WINE), g._training_rows()
    g.set_params(step_size=1e-12, n_steps=1).fit(WINE)
    assert_array_equal(g._training_rows(), train)
    assert g.n_steps_ == len(g.history_) == len(g.validation_scores_) == 1
    far = np.abs(g.transform(WINE) - moved) / WINE.std(axis=0)
    assert far.max() < (1e-9 if name == "linear" else 0.5)


@every_regressor
@ignore_short_training
def test_without_early_stopping_its_parameters_change_nothing_in_a_generator(name):
    plain = generator(REGRESSORS[name], early_stopping=False, n_steps=15).fit(WINE)
    other = {"validation_fraction": 0.5, "n_iter_no_change": 1, "tol": 100.0}
    same = clone(plain).set_params(**other).fit(WINE)
    assert_array_equal(plain.particles_, same.particles_)
    assert plain.n_steps_ == same.n_steps_ == 15
    assert plain.validation_scores_ is plain.validation_copying_ is None
    assert plain.best_validation_score_ is None
    assert len(plain._training_rows()) == len(WINE)
