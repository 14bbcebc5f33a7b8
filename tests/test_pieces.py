"""Many rows in pieces: not a bit changes, and memory is bounded by scikit-learn's setting."""

import tracemalloc
from collections import deque

import numpy as np
import pytest
from sklearn import config_context

import skflow._pieces
from skflow import DiffusionSampler, SDFlowSampler
from skflow._pieces import in_pieces, pieces

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::UserWarning"
)
X = np.random.default_rng(0).normal(size=(100, 10))
ROWS = np.random.default_rng(1).normal(size=(10_000, 10))
FLOWS = {
    "sd": SDFlowSampler(),
    "no noise": SDFlowSampler(noise_scale=0.0),
    "adagrad": SDFlowSampler(optimizer="adagrad"),
    "batches": SDFlowSampler(batch_size=30),
    "diffusion": DiffusionSampler(),
}
every_flow = pytest.mark.parametrize("name", FLOWS)


def fitted(name):
    params = {"n_steps": 7, "base": "normal", "n_particles": 80, "random_state": 0}
    return FLOWS[name].set_params(**params).fit(X)


def ways(flow):
    """What carries many rows."""
    yield "transform", flow.transform
    yield "interpolate", lambda rows: flow.interpolate(rows, 0.4)
    yield "staged_transform", lambda rows: deque(flow.staged_transform(rows), maxlen=1)[0]
    yield "sample", lambda rows: flow.sample(len(rows), random_state=0)
    if hasattr(flow, "inverse_transform"):
        yield "inverse_transform", flow.inverse_transform


@every_flow
def test_pieces_change_no_bit(name, monkeypatch):
    flow, rows = fitted(name), ROWS[:61]
    whole = [carry(rows) for _, carry in ways(flow)]
    for least in (1, 7, 60):
        monkeypatch.setattr(skflow._pieces, "_LEAST_ROWS", least)
        with config_context(working_memory=1e-9):
            assert len(pieces(61, 1)) == -(-61 // least)
            for (way, carry), expected in zip(ways(flow), whole, strict=True):
                assert carry(rows).tobytes() == expected.tobytes(), (way, least)


def peak(function, rows):
    """Memory that is allocated at most, in units of the rows."""
    function(rows[:100])  # what is prepared once
    tracemalloc.start()
    try:
        function(rows)
        return tracemalloc.get_traced_memory()[1] / rows.nbytes
    finally:
        tracemalloc.stop()


# With AdaGrad four copies of each row have a memory, and a change of it; in a diffusion all rows
# have noise at once, and staged_transform, which it does not bound, holds them at all levels.
LIMITS = {"adagrad": 20, "diffusion": 13}


@every_flow
def test_memory_is_bounded(name):
    """By a few times the rows, which come, go, and are on their way; not by 30 to 50 times."""
    flow = fitted(name)
    with config_context(working_memory=0.5):
        for way, carry in ways(flow):
            if not (name == "diffusion" and way == "staged_transform"):
                assert peak(carry, ROWS) < LIMITS.get(name, 12), way


def test_pieces_of_nothing_and_of_everything():
    assert pieces(0, 8) == [slice(0, 0)]
    assert pieces(100, 8) == [slice(0, 100)]
    rows = np.arange(1000.0)[:, None]
    with config_context(working_memory=1e-9):
        cuts = pieces(1000, 8)
        assert len(cuts) == 4
        sizes = []
        doubled = in_pieces(lambda part: sizes.append(len(part)) or 2 * part, rows, 8)
    assert sizes == [cut.stop - cut.start for cut in cuts]
    assert doubled.tobytes() == (2 * rows).tobytes()
