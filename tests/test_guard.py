"""A fit tells when the flow has not arrived, gathered, or copies; and is silent otherwise."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture

from skflow import DiffusionSampler, SDFlowSampler
from skflow._guard import copying, covered, hits, pace, shape, warn_of_gathering
from skflow.datasets import make_gaussian_grid
from skflow.velocities import DensityRatio

WINE = load_wine().data
DATA = {"iris": load_iris().data, "wine": WINE, "breast_cancer": load_breast_cancer().data}


def warned(sampler, X, **given):
    """What a fit warns of, and from which files."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sampler.fit(X, **given)
    return [(w.category, str(w.message)) for w in caught if w.filename == __file__]


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("params", [{}, {"base": "mixture"}, {"batch_size": 64, "n_steps": 600}])
def test_defaults_arrive_and_do_not_copy(params, name):
    assert warned(SDFlowSampler(n_particles=300, random_state=0, **params), DATA[name]) == []


def test_too_few_steps():
    sampler = SDFlowSampler(0.5, n_steps=3, base="normal", n_particles=300, random_state=0)
    ((category, message),) = warned(sampler, DATA["iris"])
    assert category is ConvergenceWarning
    assert message.startswith("After 3 steps the particles still move")
    assert "Raise n_steps" in message


def test_a_base_that_is_far_away():
    """A constant narrow bandwidth does not see the way."""
    sampler = SDFlowSampler(schedule="constant", step_size=0.01, random_state=0)
    base = WINE[::2] + 3 * WINE.std(axis=0)
    assert warned(sampler, WINE[1::2], X_base=base)[0][0] is ConvergenceWarning


@pytest.mark.parametrize(
    "sampler",
    [
        SDFlowSampler(bandwidth=0.3, schedule="constant", noise_scale=0, n_steps=300),
        DiffusionSampler(bandwidth=0.02),
    ],
)
def test_copies(sampler):
    sampler.set_params(random_state=0)
    messages = [message for category, message in warned(sampler, WINE) if category is UserWarning]
    assert len(messages) == 1
    assert messages[0].startswith("The particles copy rows of X")
    assert "raise the bandwidth" in messages[0]


def test_rows_that_are_carried_onto_others_may_end_there():
    sampler = SDFlowSampler(bandwidth=0.3, noise_scale=0, n_steps=300)
    assert warned(sampler, WINE, X_base=WINE + WINE.std(axis=0)) == []
    assert copying(sampler._flow.particles, sampler._flow.flow.X) < 0.1


def test_copying_is_one_for_fresh_rows_and_zero_for_copies():
    rng = np.random.default_rng(0)
    X, fresh = rng.standard_normal((2, 2000, 3))
    assert abs(copying(fresh, X) - 1) < 0.1
    assert copying(X[:500], X) == 0
    assert abs(copying((X[:500] + X[500:1000]) / 2, X)) < 1  # nearer to the middle
    assert copying(fresh, np.repeat(X[:50], 2, axis=0)) == np.inf  # nothing can be told


def test_pace_tells_particles_that_are_there_from_others():
    X = np.random.default_rng(0).standard_normal((600, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = SDFlowSampler(n_steps=1, random_state=0).fit(X, X_base=X)
        away = SDFlowSampler(n_steps=1, random_state=0).fit(X, X_base=X + 4)
    assert pace(there._flow, there.history_[-1]) < 0.1
    assert pace(away._flow, away.history_[-1]) > 2


def test_pace_heeds_weights():
    """Half of the rows are another distribution, and weigh nothing."""
    X = np.random.default_rng(0).standard_normal((400, 2))
    both = np.concatenate([X, X + 10])
    weights = np.repeat([1.0, 0.0], 400)
    sampler = SDFlowSampler(n_steps=200, random_state=0)
    assert warned(sampler, both, sample_weight=weights) == []


def test_mini_batches_that_were_not_moved_are_told_of():
    sampler = SDFlowSampler(batch_size=10, n_steps=3, n_particles=100)
    ((category, message),) = warned(sampler, WINE)
    assert category is UserWarning
    assert message.startswith("Only 3 of 10 mini-batches")


def test_nothing_is_told_where_the_velocity_learns():
    sampler = SDFlowSampler(velocity=DensityRatio(LogisticRegression()), n_steps=2, n_particles=50)
    assert ConvergenceWarning not in [category for category, _ in warned(sampler, WINE)]


# --- gathering -----------------------------------------------------------------------------------

IRIS, KIND = load_iris(return_X_y=True)
CULTIVAR = load_wine().target
CANCER, BENIGN = load_breast_cancer(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)
PAIRS = {
    "iris": (IRIS[KIND == 2], IRIS[KIND == 0]),
    "wine": (WINE[CULTIVAR == 0], WINE[CULTIVAR == 1]),
    "two columns of wine": (WINE[CULTIVAR == 0][:, [6, 9]], WINE[CULTIVAR == 1][:, [6, 9]]),
    "breast cancer": (CANCER[BENIGN == 0], CANCER[BENIGN == 1]),
    "shifted breast cancer": (CANCER[::2] + 2 * CANCER.std(axis=0), CANCER[1::2]),
    "digits": (DIGITS[DIGIT == 3], DIGITS[DIGIT == 8]),
    "many rows": (np.random.default_rng(0).standard_normal((2000, 4)), IRIS[KIND == 0]),
    "few rows": (CANCER[BENIGN == 1][:20] + CANCER.std(axis=0), CANCER[BENIGN == 1]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_rows_that_went_to_the_nearest_are_told_of(name):
    """A bandwidth that is narrow from the beginning does not see most of the target."""
    base, X = PAIRS[name]
    narrow = SDFlowSampler(0.2, schedule="constant", random_state=0)
    ((category, message),) = warned(narrow, X, X_base=base)
    assert category is UserWarning
    assert message.startswith("The particles have gathered near a few rows of X")
    assert 'schedule="auto" and raise n_steps' in message
    for good in (
        SDFlowSampler(random_state=0),
        SDFlowSampler(noise_scale=0.0, random_state=0),
        SDFlowSampler(0.2, n_steps=300, random_state=0),  # as the message says
    ):
        assert warned(good, X, X_base=base) == []


@pytest.mark.parametrize("bandwidth", ["auto", 1.0])
def test_a_flow_that_blurs_tight_clusters_has_not_gathered(bandwidth):
    X = make_gaussian_grid(500, n_side=3, std=0.02, random_state=0)[0]
    base = X + np.random.default_rng(0).standard_normal(X.shape)
    sampler = SDFlowSampler(bandwidth, random_state=0)
    assert warned(sampler, X, X_base=base) == []
    rows, particles = sampler._flow.flow.X, sampler._flow.particles
    if bandwidth == 1.0:  # though few rows are near to any
        assert covered(particles, rows, np.full(500, 1 / 500))[0] < 0.5


def test_one_word_of_where_a_flow_ended():
    """Copies in few places are told of as copies, and what has not arrived as that."""
    base = IRIS[KIND == 2]
    drawn = SDFlowSampler(0.1, schedule="constant", noise_scale=0, random_state=0)
    ((_, message),) = warned(drawn.set_params(base=GaussianMixture().fit(base)), IRIS[KIND == 0])
    assert message.startswith("The particles have gathered") or "copy" in message
    few = SDFlowSampler(0.2, schedule="constant", n_steps=5, random_state=0)
    ((category, _),) = warned(few, IRIS[KIND == 0], X_base=base)
    assert category is ConvergenceWarning


def test_a_wide_kernel_that_sees_no_shape():
    """It comes to rest where the means agree, and as narrow as it began."""
    base = 0.2 * np.random.default_rng(0).standard_normal((200, 2))
    X = np.random.default_rng(1).standard_normal((300, 2))
    sampler = SDFlowSampler(100.0, schedule="constant", random_state=0)
    ((category, message),) = warned(sampler, X, X_base=base)
    assert category is UserWarning
    assert message.startswith("The flow came to rest away from X") and "spread is 0." in message


def test_shape_is_mean_and_spread():
    X, weights = WINE, np.arange(1.0, 179.0)
    repeated = np.repeat(X, np.arange(1, 179), axis=0)
    spread = np.sqrt(repeated.var(axis=0).sum())
    off = np.linalg.norm(WINE.mean(axis=0) - repeated.mean(axis=0))
    expected = off / spread, np.sqrt(WINE.var(axis=0).sum()) / spread
    np.testing.assert_allclose(shape(WINE, X, weights), expected)


def test_rows_of_next_to_no_weight_do_not_make_slow_flows_seem_fast():
    rng = np.random.default_rng(0)
    X, far = rng.standard_normal((300, 2)), 6 + rng.standard_normal((300, 2))
    base = rng.standard_normal((200, 2)) + 4
    sampler = SDFlowSampler(0.5, schedule="constant", n_steps=8, random_state=0)
    (alone,) = warned(sampler, X, X_base=base)
    weights = np.r_[np.ones(300), np.full(300, 1e-30)]
    (beside,) = warned(sampler, np.r_[X, far], X_base=base, sample_weight=weights)
    assert alone[0] is beside[0] is ConvergenceWarning


def gathered(particles, rows, weights=None):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_gathering(particles, rows, weights, 1)
    return [str(w.message) for w in caught]


@pytest.mark.parametrize(("n", "m"), [(5, 50), (30, 36), (100, 100), (400, 60)])
@pytest.mark.parametrize(("law", "d"), [("heavy", 2), ("heavy", 30), ("normal", 300)])
def test_a_second_sample_has_not_gathered(law, d, n, m):
    """The share that is covered is what it should be for any law, and nothing is told."""
    rng = np.random.default_rng(0)
    shares, usual, told = [], [], 0
    for _ in range(200):
        scale = rng.standard_exponential((n + m, 1)) if law == "heavy" else 1.0
        rows = scale * rng.standard_normal((n + m, d))
        share, expected = covered(rows[:n], rows[n:], np.full(m, 1 / m))
        shares.append(share)
        usual.append(expected)
        told += len(gathered(rows[:n], rows[n:]))
    assert told == 0
    assert len(set(usual)) == 1 and 0.95 < usual[0] < 1
    assert abs(np.mean(shares) - usual[0]) < 4 * np.std(shares) / np.sqrt(200)


def test_hits_by_chance():
    """Particles at rows that are drawn by weight."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 3))
    weights = rng.uniform(0.1, 5, size=40)
    weights /= weights.sum()
    found = [hits(rows[rng.choice(40, 60, p=weights)], rows, weights) for _ in range(300)]
    number, expected = np.transpose(found)
    assert abs(number.mean() - expected[0]) < 4 * number.std() / np.sqrt(300)
    assert hits(rows[:1], rows, weights)[0] == 1


def test_weights_equal_repeats_in_what_is_told_of_gathering():
    rng = np.random.default_rng(0)
    rows, weights = rng.standard_normal((60, 2)), rng.integers(1, 4, size=60)
    particles = rows[rng.integers(4, size=50)]
    (told,) = gathered(particles, rows, weights)
    assert gathered(particles, np.repeat(rows, weights, axis=0)) == [told]


def test_too_few_to_tell():
    rows = np.random.default_rng(0).standard_normal((50, 2))
    assert gathered(np.repeat(rows[:1], 4, axis=0), rows) == []
    assert gathered(np.repeat(rows[:1], 9, axis=0), rows) != []
    assert gathered(rows, np.repeat(rows[:4], 9, axis=0)) == []
