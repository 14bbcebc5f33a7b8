"""A fit tells when the flow has not arrived, and when it copies; and is silent otherwise."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skflow import DiffusionSampler, SDFlowSampler
from skflow._guard import copying, pace
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
    sampler = SDFlowSampler(bandwidth=0.3, schedule="constant", noise_scale=0, n_steps=300)
    assert UserWarning not in [category for category, _ in warned(sampler, WINE, X_base=WINE + 1)]


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
