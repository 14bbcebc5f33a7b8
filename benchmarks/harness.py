"""Times that can be compared: contenders in turns, checked before they count.

Contenders are functions without arguments that return an array. They run in turns, in an order
that is rotated in each repeat; the first round warms up, and its results are checked. A contender
whose error is above its limit, whose result has another dtype or who changes the number of threads
is listed with the reason and without a time, and so is one that is missing or fails.

Other processes do not slow all contenders down alike: OpenMP waits for the slowest thread, and ten
times longer on a core that is taken, while skflow deals its work out in pieces. Where the system
tells, the processor time of others is therefore measured too: repeats that they had a part in do
not count. A time is marked as disturbed where these are the most, or where the median is far above
the fastest repeat; without a mark on a machine that others use, it may still be.
"""

import importlib
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numba
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

PAUSE = 0.3  # seconds; the threads of BLAS and OpenMP spin for a while after a call
TURN = 0.3  # seconds that a turn lasts at least, by as many calls as that takes
_SPARE = 0.25  # of a thread, for the interpreter and the clock
_LEAST_TURN = 0.05  # seconds, below which processor times are too coarse to say anything
_DISTURBED = 0.1  # of a core, above which others are at work
_UNSTEADY = 1.5  # times the fastest repeat, above which the median of a contender is not its own


class Missing(Exception):
    """A contender that cannot run here; the message says why."""


@dataclass
class Result:
    """What was measured of a contender.

    `seconds` are those of a call, one number for each repeat, `uses` the processor seconds per
    second (how many threads were at work) and `others` those of other processes. `reason` says why
    there are none.
    """

    seconds: list = field(default_factory=list)
    uses: list = field(default_factory=list)
    others: list = field(default_factory=list)
    error: float = np.nan
    reason: str = ""

    @property
    def disturbed(self):
        """Whether others were at work in most of the repeats, or it looks as if they were."""
        if not self.seconds:
            return False
        unsteady = np.median(self.seconds) > _UNSTEADY * self.fastest
        return bool(unsteady or 2 * len(self._quiet()) < len(self.seconds))

    @property
    def fastest(self):
        """Seconds of the fastest repeat: what is least disturbed."""
        return min(self.seconds) if self.seconds and not self.reason else np.nan

    def _quiet(self):
        """Seconds of the repeats in which no others were at work, as far as the system tells."""
        pairs = zip(self.seconds, self.others, strict=True)
        return [seconds for seconds, others in pairs if not others > _DISTURBED]

    def _counted(self):
        if self.reason or not self.seconds:
            return [np.nan]
        return self.seconds if self.disturbed else self._quiet()

    @property
    def median(self):
        return float(np.median(self._counted()))

    @property
    def spread(self):
        """Half of the range between the quartiles."""
        return float(np.subtract(*np.percentile(self._counted(), [75, 25])) / 2)

    @property
    def use(self):
        known = [use for use in self.uses if not np.isnan(use)]
        return float(np.median(known)) if known else np.nan

    def time(self, scale=1.0, digits=3):
        """Median and spread of a call times `scale`, or the reason why there are none."""
        if self.reason:
            return self.reason
        marked = " (disturbed)" if self.disturbed else ""
        return f"{self.median * scale:.{digits}f} ± {self.spread * scale:.{digits}f}{marked}"


def need(package, name=None):
    """Import a package, or say that it is missing."""
    try:
        return importlib.import_module(package)
    except Exception as error:  # some packages raise other errors where a compiler is missing
        raise Missing(f"{name or package} cannot be imported: {_first_line(error)}") from error


def prepare(makers, *arguments):
    """{name: contender or the reason why there is none}, from functions that make contenders."""
    contenders = {}
    for name, make in makers.items():
        try:
            contenders[name] = make(*arguments)
        except Missing as error:
            contenders[name] = str(error)
        except Exception as error:
            contenders[name] = f"failed: {_first_line(error)}"
    return contenders


def measure(contenders, *, repeats, threads, error=None, limit=np.inf, dtype=None):
    """Measure contenders in turns.

    `contenders` is {name: function, or the reason why it is missing}. `error(result)` is checked
    against `limit`, a number or {name: number}; `dtype` is that of the result. Returns
    {name: Result}.
    """
    results = {name: Result() for name in contenders}
    for name, contender in contenders.items():
        if isinstance(contender, str):
            results[name].reason = contender
    names = list(contenders)
    for repeat in range(repeats + 1):
        first = repeat % max(1, len(names))
        for name in names[first:] + names[:first]:
            result = results[name]
            if result.reason:
                continue
            most = limit[name] if isinstance(limit, dict) else limit
            time.sleep(PAUSE)
            try:
                with n_threads(threads):
                    if repeat == 0:
                        output = contenders[name]()
                        _check(output, result, error, most, dtype)
                        del output
                    else:
                        _take_turn(contenders[name], result)
                    result.reason = result.reason or _wrong_threads(threads, result)
            except Exception as problem:
                result.reason = f"failed: {_first_line(problem)}"
    return results


def _check(output, result, error, limit, dtype):
    """Write the error of a result, and what is wrong with it."""
    values = np.asarray(output)
    if error is not None:
        result.error = float(error(values))
        if not result.error <= limit:  # also when it is not a number
            result.reason = f"error {result.error:.1e} above the limit of {limit:.0e}"
    if dtype is not None and values.dtype != dtype:
        result.reason = f"result is {values.dtype}, not {np.dtype(dtype)}"


def _take_turn(contender, result):
    calls, all_busy, busy = 0, _machine_seconds(), time.process_time()
    start = time.perf_counter()
    while calls == 0 or time.perf_counter() - start < TURN:
        contender()
        calls += 1
    seconds = time.perf_counter() - start
    busy = time.process_time() - busy
    result.seconds.append(seconds / calls)
    others = _machine_seconds() - all_busy - busy
    long = seconds >= _LEAST_TURN
    result.uses.append(busy / seconds if long else np.nan)
    result.others.append(others / seconds if long else np.nan)


def _machine_seconds():
    """Processor seconds of all processes, and those that other machines took; NaN if not told."""
    try:
        fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]
    except OSError:
        return np.nan
    user, nice, system, _, _, interrupts, soft, stolen = map(int, fields)
    ticks = user + nice + system + interrupts + soft + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


def _wrong_threads(threads, result):
    """What is wrong with the number of threads after a turn, or an empty string."""
    for library, number in thread_counts().items():
        if number != threads:
            return f"{library} is set to {number} threads, not {threads}"
    if result.uses and result.use > threads + _SPARE:
        return f"uses {result.use:.1f} threads, not {threads}"
    return ""


def thread_counts():
    """{library: threads it is set to}, of all that are loaded."""
    counts = {f"{pool['prefix']} ({i})": pool["num_threads"] for i, pool in _pools()}
    counts["numba"] = numba.get_num_threads()
    if "torch" in sys.modules:
        counts["torch"] = sys.modules["torch"].get_num_threads()
    return counts


def _pools():
    return enumerate(threadpool_info())


@contextmanager
def n_threads(number):
    """Set every library that is loaded to so many threads, and back."""
    of_numba, torch = numba.get_num_threads(), sys.modules.get("torch")
    of_torch = torch.get_num_threads() if torch else None
    try:
        with threadpool_limits(number):
            numba.set_num_threads(number)
            _set_torch(torch, number)
            yield
    finally:
        numba.set_num_threads(of_numba)
        _set_torch(torch, of_torch)


def _set_torch(torch, number):
    """Not if it is set already: torch then nests the threads of its matrix products, too."""
    if torch and torch.get_num_threads() != number:
        torch.set_num_threads(number)


def _first_line(error):
    message = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
