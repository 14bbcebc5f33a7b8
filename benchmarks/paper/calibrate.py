"""The geometry that the paper does not give, held against what it prints.

What is known of each problem: the threshold, which depends on the target and the frequencies alone,
and the distances of runs that never moved, which depend on the base, too. Those are the largest
distances in Tables 3 and 4, of MMD with mini-batches and of SVGD with plain steps; all are minima
over a run, and so at most the distance at the start.

Each line changes one choice of :mod:`benchmarks.paper.geometry` and says what would become of
these figures. Lengths and frequencies only count as products: twice the frequencies is the same as
twice all lengths, but for the bandwidths, which the paper gives.

    python -m benchmarks.paper.calibrate [--pairs 1000] [--jobs -1]
"""

import argparse
import time

import numpy as np
from joblib import Parallel, delayed

from benchmarks.paper import published
from benchmarks.paper.cells import Distance, threshold
from benchmarks.paper.geometry import PROBLEMS
from benchmarks.report import machine, table

N_TRIALS = 5


def choices(name):
    """(what is changed, to what, the problem with that change), the choice that was made first."""
    problem = PROBLEMS[name]
    yield "as chosen", "", problem
    for scale in (0.15, 0.2, 0.3, 0.4):
        if scale != problem.frequency_scale:
            yield "frequency scale", scale, problem._replace(frequency_scale=scale)
    for key, value in problem.target.items():
        for factor in (0.5, 0.8, 1.25, 2.0):
            changed = {**problem.target, key: factor * value}
            yield key, factor * value, problem._replace(target=changed)
    for std in (1.0, 1.5, 3.0):
        yield "base std", std, problem._replace(base_std=std)
    for factor in (0.7, 1.4):
        offset = tuple(round(factor * x, 2) for x in problem.offset)
        yield "offset", offset, problem._replace(offset=offset)


def starts(problem):
    """Mean distance of the base to the target before the first step: near, and far away."""
    distances = []
    for trial in range(N_TRIALS):
        draws = [problem.draw_trial(trial, offset) for offset in (False, True)]
        distances.append([Distance(draw.X, draw.frequencies)(draw.base) for draw in draws])
    return np.mean(distances, axis=0)


def of_target(problem):
    """A name for all that the threshold depends on."""
    return repr((problem.make, problem.target, problem.frequency_scale))


def figures(problems, n_pairs, parallel):
    """Threshold and starts of each problem; a threshold is computed once for each target."""
    targets = {of_target(problem): problem for problem in problems}
    found = parallel(delayed(threshold)(problem, n_pairs) for problem in targets.values())
    thresholds = dict(zip(targets, found, strict=True))
    of_bases = parallel(delayed(starts)(problem) for problem in problems)
    return [
        [thresholds[of_target(problem)], *map(float, near_and_far)]
        for problem, near_and_far in zip(problems, of_bases, strict=True)
    ]


def unmoved(name):
    """The largest distances that the paper prints: of near and of distant bases."""
    rows = np.array(published.DISTANCES[name])
    far = rows.max()
    near = float(rows[::2].max()) if name == "question mark" else ""
    return near, float(far)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args(arguments)
    print(f"Threshold of {options.pairs} pairs, starts of {N_TRIALS} trials; {machine()}")
    header = ["changed", "to", "threshold", "start, centred", "start, offset"]
    start = time.perf_counter()
    with Parallel(options.jobs) as parallel:
        for name in PROBLEMS:
            what, values, problems = zip(*choices(name), strict=True)
            found = figures(problems, options.pairs, parallel)
            rows = [["the paper", "", published.THRESHOLDS[name], *unmoved(name)]]
            rows += [[*line[:2], *line[2]] for line in zip(what, values, found, strict=True)]
            print(f"\n{name}\n\n{table(header, rows, digits=4)}", flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
