"""Time from a fresh process to the first sample, with an empty and with a filled numba cache.

python -m benchmarks.first_use [--repeats 5]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks.report import machine, table

STAGES = """
import json, sys, time
start = time.perf_counter()
times = []
def lap(name):
    global start
    now = time.perf_counter()
    times.append((name, now - start))
    start = now
import numpy; lap("import numpy")
import sklearn.base; lap("import sklearn.base")
import skflow; lap("import skflow")
from skflow import SDFlowSampler; lap("from skflow import SDFlowSampler")
X = numpy.random.RandomState(0).standard_normal(({n}, {d}))
start = time.perf_counter()
sampler = SDFlowSampler(random_state=0).fit(X); lap("first fit")
sampler.sample(1000); lap("first sample")
sampler.fit(X); lap("second fit")
sampler.sample(1000); lap("second sample")
print(json.dumps(times))
"""


def measure(cache, n_samples, n_features):
    """Seconds of each stage in a fresh process."""
    code = STAGES.format(n=n_samples, d=n_features)
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shape", type=int, nargs=2, default=[1000, 10], metavar=("ROWS", "COLS"))
    options = parser.parse_args(arguments)
    cold, warm = [], []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(measure(cache, *options.shape))
            warm.append(measure(cache, *options.shape))
    names = [name for name, _ in cold[0]]
    medians = [
        np.median([[seconds for _, seconds in run] for run in runs], axis=0)
        for runs in (cold, warm)
    ]
    rows = [[name, float(c), float(w)] for name, c, w in zip(names, *medians, strict=True)]
    print(f"Seconds, median of {options.repeats}; {options.shape[0]} rows of {options.shape[1]}")
    print(f"columns; {machine()}\n")
    print(table(["stage of a fresh process", "empty cache", "filled cache"], rows))


if __name__ == "__main__":
    main()
