"""The engine among threads and processes: the same bits, no hang, and no more cores than there are.

What may abort, hang or end a process is run in a process of its own, by :func:`run`.
"""

import hashlib
import itertools
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

import skflow
from skflow._kernels import Points, kernel_mean, nearest, threads
from skflow._kernels.threads import (
    Loop,
    alone,
    at_once,
    n_threads,
    run_in_threads,
    together,
)

TESTS, ROOT = Path(__file__).parents[:2]
NOWHERE = str(Path(__file__, "nowhere"))  # below a file nobody can make a folder, not even root
MANY = 10**9  # pairs of a query and a point: worth any number of threads

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def run(function, *arguments, package=ROOT, **environment):
    """What a function of this module returns in a fresh process, as text; None unsets a setting."""
    call = f"{function.__name__}(*{arguments!r})"
    code = f"import conftest\nfrom test_threads import *\nprint('returned', {call})"
    path = os.pathsep.join(map(str, [package, TESTS]))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", **environment}
    result = subprocess.run(
        [sys.executable, "-u", "-c", code],
        env={name: value for name, value in environment.items() if value is not None},
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.partition("returned ")[2].strip()


def draw(width, n_rows=300, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, width))


def digest(*arrays):
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()


def answers(Z=None):
    """A checksum of what the engine returns, with enough work for threads."""
    Z, X = draw(3) if Z is None else Z, draw(3, seed=1)
    single = kernel_mean(Z.astype(np.float32), X.astype(np.float32), 1.0)
    blocks = kernel_mean(Z, X, 0.1, algorithm="blocks")
    return digest(*kernel_mean(Z, X, 1.0), *single, *blocks, *nearest(Z, X, 2))


def sampler(**parameters):
    from skflow import SDFlowSampler

    return SDFlowSampler(n_steps=3, n_particles=200, random_state=0, **parameters)


def share():
    """Threads of a process that may compute, but for callers."""
    return min(numba.config.NUMBA_DEFAULT_NUM_THREADS, numba.config.NUMBA_NUM_THREADS)


def pretend_four_cores():
    numba.config.NUMBA_DEFAULT_NUM_THREADS = 4


# Callers in threads


def concurrent_callers():
    flow, Z = sampler().fit(draw(3)), draw(3, seed=1)

    def everything(_=None):
        return answers(), digest(flow.transform(Z))

    expected = everything()
    with ThreadPoolExecutor(4) as callers:
        same = set(callers.map(everything, range(12))) == {expected}
    numba.get_num_threads()  # which starts the threading layer, if nothing else did
    return same, numba.threading_layer()


def test_callers_in_threads_where_numbas_own_loops_abort():
    returned = run(concurrent_callers, NUMBA_THREADING_LAYER="workqueue")
    assert returned == "(True, 'workqueue')"


def test_a_threading_layer_that_is_not_installed_is_not_missed():
    assert run(answers, NUMBA_THREADING_LAYER="tbb") == answers()


class Census:
    """A piece of work that knows how many threads were at it at one time, at most."""

    def __init__(self):
        self.lock, self.now, self.most, self.items = threading.Lock(), 0, 0, []

    def __call__(self, start, stop):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.items += range(start, stop)
        time.sleep(0.002)
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("n_callers", [2, 5])
@pytest.mark.parametrize("wanted", [2, 8])
def test_callers_share_the_cores(wanted, n_callers):
    census, gathered = Census(), threading.Event()
    all_callers = threading.Barrier(n_callers, action=gathered.set)

    def call(_):
        outside = {threading.get_ident()}

        def work(start, stop):
            if threading.get_ident() in outside:
                outside.clear()
                all_callers.wait(10)
            if gathered.is_set():  # who helped before may end the piece that it is at
                census(start, stop)

        run_in_threads(work, 400, wanted)

    with ThreadPoolExecutor(n_callers) as callers:
        list(callers.map(call, range(n_callers)))
    assert n_callers <= census.most <= max(n_callers, share())


def test_a_caller_alone_is_helped():
    census = Census()
    run_in_threads(census, 400, share())
    assert census.most == share()
    assert sorted(census.items) == list(range(400))


@pytest.mark.parametrize(
    ("work", "a_thread"), [(0, 1), (2**27, 1), (2**28, 2), (2**30, 4), (math.inf, 4)]
)
def test_small_work_is_cut_into_few_pieces(work, a_thread):
    pieces = []
    run_in_threads(lambda start, stop: pieces.append((start, stop)), 400, 2, work=work)
    assert len(pieces) == 2 * a_thread
    assert sorted(pieces)[0][0] == 0 and sorted(pieces)[-1][1] == 400


@pytest.mark.parametrize("work", [0, 2**22, 2**24, 2**28, 2**40, math.inf])
@pytest.mark.parametrize("least", [1, 60])
@pytest.mark.parametrize("n_items", [0, 1, 7, 100, 10**6])
def test_the_caller_has_a_head_start_and_every_item_is_in_one_piece(n_items, least, work):
    head_start = 2**22
    pieces = Loop(None, n_items, least, work).pieces(4, head_start)
    sizes = [stop - start for _, start, stop in pieces]
    assert [start for _, start, _ in pieces] == [0, *itertools.accumulate(sizes[:-1])]
    assert sum(sizes) == n_items and (len(sizes) == 1 or min(sizes) >= least)
    if len(sizes) > 1:
        expected = min(n_items / 2, n_items * head_start / max(work, 1))
        assert sizes[0] - np.mean(sizes[1:]) == pytest.approx(expected, abs=2)


def test_only_the_first_loop_of_a_call_has_a_head_start():
    call = threads._Call(2)
    for _ in range(2):
        call.add(Loop(None, 1000, work=4 * threads._HEAD_START))
    sizes = [stop - start for _, start, stop in call.pieces]
    assert sizes == [625, 375, 500, 500]


def caller_beside_a_long_call():
    """Whether a call ends while another one's work goes on."""
    pretend_four_cores()
    begun, end = threading.Semaphore(0), threading.Event()

    def long(start, stop):
        begun.release()
        end.wait(20)

    callers = [threading.Thread(target=run_in_threads, args=(f, 64, 8)) for f in (long, Census())]
    callers[0].start()
    all_begun = all([begun.acquire(timeout=10) for _ in range(4)])
    callers[1].start()
    callers[1].join(5)
    ended = not callers[1].is_alive()
    end.set()
    return all_begun and ended


def test_a_call_does_not_wait_for_the_work_of_another():
    assert run(caller_beside_a_long_call, NUMBA_NUM_THREADS="8") == "True"


def calls_within_calls():
    signal.alarm(10)
    for _ in range(5):
        run_in_threads(lambda start, stop: run_in_threads(Census(), 8, 2), 8, 3)


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="needs signal.alarm")
def test_calls_within_calls_end():
    run(calls_within_calls)


def a_caller_that_outlives_the_main_thread():
    expected = answers()

    def late():
        threading.main_thread().join()
        time.sleep(0.3)  # from then on the interpreter starts no threads
        right = False
        try:
            right = answers() == expected
        finally:
            os._exit(0 if right else 3)

    threading.Thread(target=late).start()


def test_while_the_interpreter_ends_a_caller_works_alone():
    run(a_caller_that_outlives_the_main_thread)


def what_late_threads_keep():
    """Whether a call's work is alive after it, while those that were asked to help have no time."""
    pretend_four_cores()
    end = threading.Event()
    for _ in range(3):
        threads._submit(end.wait)
    work = Census()
    alive = weakref.ref(work)
    run_in_threads(work, 8, 4)
    n_waiting = threads._pool._work_queue.qsize()
    del work
    end.set()
    return n_waiting > 0, alive() is not None


def test_a_thread_that_comes_too_late_keeps_no_arrays_alive():
    assert run(what_late_threads_keep, NUMBA_NUM_THREADS="4") == "(True, False)"


# Several functions at the same time


def side_by_side(work, *functions):
    return together(work, *(at_once(function) for function in functions))


def functions_side_by_side(n_set):
    """Results in order, what ran at one time at most, and whether all items were done once."""
    pretend_four_cores()
    numba.set_num_threads(n_set)
    census = Census()
    parts = [lambda: run_in_threads(census, 200, n_set), lambda: run_in_threads(census, 100, n_set)]
    functions = [lambda part=part, i=i: (part(), i)[1] for i, part in enumerate(parts)]
    results = side_by_side(MANY, *functions)
    return results, census.most, sorted(census.items) == sorted([*range(200), *range(100)])


@pytest.mark.parametrize("n_set", [1, 2, 3])
def test_functions_side_by_side_share_their_threads(n_set):
    """No more threads than were asked for, and none without work while another one has some."""
    expected = ([0, 1], n_set, True)
    assert run(functions_side_by_side, n_set, NUMBA_NUM_THREADS="4") == str(expected)


def test_an_error_in_one_of_several_functions_is_raised():
    def fail():
        raise ValueError("one of them")

    for functions in ((fail, int), (int, fail)):
        for work in (1, MANY):
            with pytest.raises(ValueError, match="one of them"):
                side_by_side(work, *functions)
    assert side_by_side(MANY, int, str) == [0, ""]


# Tasks, whose loops threads do


def loops_of_two_tasks():
    """Results, and whether a loop had begun before all were prepared; four threads are at them."""
    pretend_four_cores()
    begun, all_at_one, early = threading.Event(), threading.Barrier(4), []

    def work(start, stop):
        begun.set()
        all_at_one.wait(10)  # a piece of either loop for each thread

    def first():
        yield Loop(work, 2)
        return "first"

    def second():
        early.append(begun.wait(0.1))
        yield Loop(work, 2)
        items = []
        yield Loop(lambda start, stop: items.extend(range(start, stop)), 10)  # and another one
        return sorted(items) == list(range(10))

    return [*together(MANY, first(), second()), *early]


def test_loops_of_tasks_begin_together_when_all_are_prepared():
    assert run(loops_of_two_tasks, NUMBA_NUM_THREADS="4") == str(["first", True, False])


def test_tasks_of_little_work_take_their_turns_here():
    threads_seen = []

    def task(result):
        yield Loop(lambda *piece: threads_seen.append((*piece, threading.get_ident())), 9, work=1)
        return result

    assert together(1, task(0), task(1)) == [0, 1]
    assert alone(task(2)) == 2 and together(MANY) == []
    assert threads_seen == [(0, 9, threading.get_ident())] * 3


@pytest.mark.parametrize("work", [1, MANY])
def test_an_error_in_a_task_or_its_loop_is_raised_and_leaves_the_threads_usable(work):
    def fail(*_):
        raise ValueError("here")

    def fails_at_first():
        fail()
        yield

    def fails_in_its_loop():
        yield Loop(fail, 8)

    def fails_later():
        yield Loop(lambda start, stop: None, 8)
        fail()

    def is_good():
        yield Loop(lambda start, stop: None, 8)
        return "good"

    for bad in (fails_at_first, fails_in_its_loop, fails_later):
        for tasks in ([bad(), is_good()], [is_good(), bad()]):
            with pytest.raises(ValueError, match="here"):
                together(work, *tasks)
        assert together(work, is_good(), is_good()) == ["good", "good"]


# Errors, and what numba is set to


def error_beside_work(who):
    """An error in the caller or in one of two others: what is raised, and who had ended then."""
    pretend_four_cores()
    caller, messages, ended = threading.get_ident(), [], []
    for _ in range(6):  # the others come in any order
        begun, turns = threading.Barrier(3), itertools.count()

        def work(start, stop, begun=begun, turns=turns):
            begun.wait(10)  # three pieces, so that each thread is at one
            is_caller = threading.get_ident() == caller
            turn = 0 if is_caller else next(turns)
            if turn == 0 and is_caller == (who == "caller"):
                raise ValueError(who)
            time.sleep(0.1)
            ended.append(start)

        try:
            run_in_threads(work, 3, 3)
        except ValueError as error:
            messages.append(str(error))
        ended.append("raised")
    times = [i for i, event in enumerate(ended) if event == "raised"]
    usable = Census()
    run_in_threads(usable, 400, 3)
    return set(messages) == {who} and len(messages) == 6 and times == [2, 5, 8, 11, 14, 17], (
        usable.most,
        sorted(usable.items) == list(range(400)),
    )


@pytest.mark.parametrize("who", ["caller", "other"])
def test_an_error_is_raised_when_all_have_ended_and_leaves_the_threads_usable(who):
    assert run(error_beside_work, who, NUMBA_NUM_THREADS="4") == "(True, (3, True))"


def settings():
    """What numba is set to here, after all that the engine did, and in another thread."""
    numba.set_num_threads(2)
    X = draw(3)
    sampler().fit(X).transform(X)

    def fail(start, stop):
        raise ValueError

    for function in (lambda: run_in_threads(fail, 8, 2), lambda: kernel_mean(X, X, -1.0)):
        with pytest.raises(ValueError):
            function()
    with ThreadPoolExecutor(1) as other:
        elsewhere = other.submit(lambda: (numba.get_num_threads(), n_threads(MANY))).result()
    return numba.get_num_threads(), n_threads(MANY), n_threads(1), elsewhere


def test_what_numba_is_set_to_is_read_and_left_alone():
    assert run(settings, NUMBA_NUM_THREADS="5") == "(2, 2, 1, (5, 5))"


def lone_thread():
    return answers(), threading.active_count()


def test_one_thread_starts_no_others():
    assert run(lone_thread, NUMBA_NUM_THREADS="1") == str((answers(), 1))


# Other processes


def leaf(Z):
    return answers(Z), n_threads(MANY), Z.flags.writeable


def branch(Z):
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2)(delayed(leaf)(Z) for _ in range(2))


def nested_jobs(backend):
    from joblib import Parallel, delayed

    expected = answers()  # so that a fork copies a pool that has been used
    jobs = Parallel(n_jobs=2, backend=backend, max_nbytes=1)  # arrays become read-only memmaps
    leaves = itertools.chain(*jobs(delayed(branch)(draw(3)) for _ in range(2)))
    checksums, numbers, writeable = map(set, zip(*leaves, strict=True))
    return checksums == {expected}, max(numbers), writeable


@pytest.mark.parametrize(
    ("backend", "start"),
    [
        ("loky", None),
        ("threading", None),
        pytest.param("multiprocessing", "fork", marks=needs_fork),
        ("multiprocessing", "spawn"),
    ],
)
def test_jobs_within_jobs(backend, start):
    settings = {"NUMBA_THREADING_LAYER": "workqueue", "JOBLIB_START_METHOD": start}
    returned = run(nested_jobs, backend, **settings)
    in_threads = backend == "threading"  # of one process, which share the cores
    most = share() if in_threads else max(1, share() // 2)
    expected = {str((True, number, {in_threads})) for number in range(1, most + 1)}
    assert returned in expected


def outcome_in_a_child(task, expected):
    """0 if a forked child gets what is expected, within seconds."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(10)
            status = int(task() != expected)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def child_and_grandchild():
    expected = answers()

    def both():
        return answers() == expected and outcome_in_a_child(answers, expected)

    return outcome_in_a_child(both, 0)


@needs_fork
def test_a_child_and_its_child_compute_the_same():
    assert run(child_and_grandchild) == "0"


def children_of_a_busy_process():
    """Children that are forked at any moment of the calls of other threads."""
    Z, X, stop = draw(2, 100), draw(2, 600), threading.Event()

    def task():
        return digest(*kernel_mean(Z, X, 1.0))

    def call(function):
        while not stop.is_set():
            function()

    expected = task()
    for function in (task, task, lambda: n_threads(MANY)):
        threading.Thread(target=call, args=(function,), daemon=True).start()
    outcomes = itertools.takewhile(
        lambda outcome: outcome == 0, (outcome_in_a_child(task, expected) for _ in range(100))
    )
    n_right = len(list(outcomes))
    stop.set()
    return n_right


@needs_fork
def test_a_fork_beside_callers_leaves_no_lock_behind():
    assert run(children_of_a_busy_process) == "100"


def child_after_a_series():
    Z = draw(2, 5000)

    def task():
        return digest(*kernel_mean(Z, Z, 1.0, algorithm="nufft", tolerance=1e-6))

    return outcome_in_a_child(task, task())


@needs_fork
def test_a_child_computes_a_fourier_series_like_its_parent():
    pytest.importorskip("finufft")
    assert run(child_after_a_series) == "0"


def threads_in_a_pool():
    pretend_four_cores()
    settings = [None, lambda: numba.set_num_threads(3)]
    fork = multiprocessing.get_context("fork")
    return [fork.Pool(1, initializer).apply(n_threads, (MANY,)) for initializer in settings]


@needs_fork
def test_a_process_of_a_pool_has_one_thread_unless_numba_is_set_to_others():
    assert run(threads_in_a_pool, NUMBA_NUM_THREADS="4") == "[1, 3]"


# Arrays that others own


@pytest.fixture
def read_only(tmp_path):
    """Copies of arrays as memory maps that cannot be written to."""
    names = map(str, itertools.count())

    def copy(array):
        path = tmp_path / f"{next(names)}.npy"
        np.save(path, array)
        mapped = np.load(path, mmap_mode="r")
        assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
        return mapped

    return copy


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [2, 7])
def test_read_only_memmaps(width, dtype, read_only):
    Z, X, values = (draw(width, seed=seed).astype(dtype) for seed in range(3))
    arrays = Z, X, values[:, :2], np.arange(300.0) % 5
    maps = [read_only(array) for array in arrays]
    for algorithm in ("dense", "blocks"):
        results = []
        for Z, X, values, weights in (arrays, maps):
            plain = kernel_mean(Z, X, 1.0, algorithm=algorithm)
            weighted = kernel_mean(Z, Points(X, values, weights), 1.0, algorithm=algorithm)
            results.append(digest(*plain, *weighted, *nearest(Z, X, 2)))
        assert results[0] == results[1]


@pytest.mark.parametrize("name", ["DiffusionSampler", "MMDFlowSampler", "SDFlowSampler"])
def test_estimators_take_read_only_memmaps(name, read_only):
    X, X_base, Z = draw(2), draw(2, seed=1) - 3, draw(2, seed=2) - 3
    flow = getattr(skflow, name)(n_steps=3, random_state=0)
    results = []
    for copy in (np.copy, read_only):
        flow.fit(copy(X), X_base=copy(X_base), sample_weight=copy(np.arange(300.0) % 3 + 1))
        rows = flow.transform(copy(Z)), flow.sample(5, random_state=0)
        results.append(digest(*rows, flow.score(copy(X))))
    assert results[0] == results[1]


# The same bits


def in_any_split(width, dtype, n_values, weighted):
    """Whether a result depends on the number of threads or on the other queries."""
    Z, X = draw(width).astype(dtype), draw(width, 257, seed=1).astype(dtype)
    Z *= np.geomspace(0.1, 100, 300, dtype=dtype)[:, None]  # some in float64, some far out
    values = draw(n_values, 257, seed=2).astype(dtype) if n_values else None
    points = Points(X, values, np.arange(257) % 5 if weighted else None)
    sigma = 0.8 * np.sqrt(width)

    def results(rows=slice(None)):
        yield from kernel_mean(Z[rows], points, sigma)
        if dtype == np.float64:
            yield from kernel_mean(Z[rows], points, sigma / 4, algorithm="blocks")
        yield from nearest(Z[rows], X, 3)

    numba.set_num_threads(1)
    expected = digest(*results())
    for number in (2, 3, 5, 8):
        numba.set_num_threads(number)
        if digest(*results()) != expected:
            return False
    edges = [0, 1, 2, 9, 140, 300]
    parts = [list(results(slice(*pair))) for pair in itertools.pairwise(edges)]
    return digest(*map(np.concatenate, zip(*parts, strict=True))) == expected


def cases_that_depend_on_the_split():
    numba.config.NUMBA_DEFAULT_NUM_THREADS = 8  # cores, so that there are as many threads
    widths, options = (1, 2, 3, 4, 5, 7, 8, 17, 50, 100), [(0, False), (2, True)]
    cases = itertools.product(widths, (np.float32, np.float64), options)
    return [case for case in cases if not in_any_split(*case[:2], *case[2])]


def test_any_number_of_threads_and_any_split_give_the_same_bits():
    assert run(cases_that_depend_on_the_split, NUMBA_NUM_THREADS="8") == "[]"


# Where nothing can be written


def first_sample():
    from skflow._kernels import compiled

    rows = sampler().fit(draw(2, 100)).sample(5, random_state=0)
    return digest(rows), compiled.stream.stats.cache_path


def test_a_read_only_installation_without_a_cache_works(tmp_path):
    package = tmp_path / "skflow"
    shutil.copytree(ROOT / "skflow", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "_kernels" / "__pycache__").touch()  # a file, so that it cannot be a folder
    folders = ("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE")
    returned = run(first_sample, package=tmp_path, **dict.fromkeys(folders, NOWHERE))
    assert returned == str((first_sample()[0], None))


def on_a_full_disk():
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return digest(*kernel_mean(draw(2), draw(2), 1.0))


def test_a_full_disk_is_no_error(tmp_path):
    pytest.importorskip("resource")
    expected = digest(*kernel_mean(draw(2), draw(2), 1.0))
    assert run(on_a_full_disk, NUMBA_CACHE_DIR=str(tmp_path)) == expected
