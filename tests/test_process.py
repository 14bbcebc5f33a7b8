"""Settings of the whole process are as they were, whoever else changed them at the same time."""

import os
import threading
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import ThreadpoolController, threadpool_limits

from skflow import ClasswiseSampler, SDFlowGenerator, SDFlowSampler
from skflow._process import one_blas_thread, unconverged_is_fine


def blas_threads():
    return [
        library.num_threads
        for library in ThreadpoolController().select(user_api="blas").lib_controllers
    ]


def in_a_thread(function):
    """Of which threadpoolctl, that lets one thread have its way, knows nothing any more."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.fixture
def several_threads():
    limiters = []
    in_a_thread(lambda: limiters.append(threadpool_limits(2, user_api="blas")))
    many = blas_threads()
    assert set(many) == {2}
    yield many
    in_a_thread(limiters[0].restore_original_limits)


@pytest.mark.parametrize(
    "sampler",
    [SDFlowSampler(n_particles=50), SDFlowGenerator(n_steps=2, base="mixture")],
    ids=lambda sampler: type(sampler).__name__,
)
def test_fits_side_by_side_leave_the_process_as_it_was(sampler, several_threads):
    X, y = load_wine(return_X_y=True)
    with warnings.catch_warnings():
        filters = list(warnings.filters)
        for _ in range(3):
            ClasswiseSampler(sampler, n_jobs=3, random_state=0).fit(X, y)
        assert warnings.filters == filters
    assert blas_threads() == several_threads


def test_the_last_one_out_restores(several_threads):
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    seen = []

    def first():
        with one_blas_thread:
            first_in.set()
            second_in.wait()
        first_out.set()

    def second():
        first_in.wait()
        with one_blas_thread:
            second_in.set()
            first_out.wait()
            seen.append(blas_threads())
        seen.append(blas_threads())

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [[1] * len(several_threads), several_threads]


def test_only_the_warnings_of_scikit_learn_are_not_heard():
    rows = np.random.default_rng(0).standard_normal((50, 2))
    with pytest.warns(ConvergenceWarning, match="ours") as heard, unconverged_is_fine:
        GaussianMixture(5, max_iter=1, random_state=0).fit(rows)
        warnings.warn("ours", ConvergenceWarning, stacklevel=1)
    assert len(heard) == 1


def test_after_an_error_it_is_restored(several_threads):
    with pytest.raises(ZeroDivisionError), one_blas_thread:
        1 / 0  # noqa: B018
    assert blas_threads() == several_threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_is_not_left_with_what_a_thread_of_its_parent_wanted(several_threads):
    inside, done = threading.Event(), threading.Event()

    def other():
        with one_blas_thread:
            inside.set()
            done.wait()

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        as_before = blas_threads() == several_threads
        with one_blas_thread:
            alone = set(blas_threads()) == {1}
        os._exit(0 if as_before and alone and blas_threads() == several_threads else 1)
    done.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert blas_threads() == several_threads
