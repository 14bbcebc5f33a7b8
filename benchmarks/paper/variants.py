"""What the paper leaves open, tried one at a time: which reading explains which cells.

A line for each cell that a reading is about: the smallest distance as in the tables, that with
the other reading, both of the first trial, and the paper's mean. A second table is about the
paper's distances in mini-batches, where all that converges ends at the same distance.

    python -m benchmarks.paper.variants [--jobs -1] [--folder benchmarks/results/paper]
"""

import argparse
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone

from benchmarks.paper import published
from benchmarks.paper.cells import (
    BATCH,
    METHODS,
    N_STEPS,
    Cell,
    Distance,
    EachStep,
    cells,
    sampler,
    smallest,
)
from benchmarks.paper.geometry import PROBLEMS
from benchmarks.paper.kept import memory
from benchmarks.report import machine, table
from skflow.schedules import BANDWIDTH_RULES
from skflow.velocities import Stein


class Recomputed(BaseEstimator):
    """A velocity at the bandwidth of footnote 14 of the particles as they are now."""

    def __init__(self, velocity):
        self.velocity = velocity

    def fit(self, X, sample_weight=None):
        self.velocity_ = clone(self.velocity).fit(X, sample_weight)
        return self

    def __call__(self, Z, X, Y, sigma, **options):
        return self.velocity_(Z, X, Y, BANDWIDTH_RULES["paper"](X, None, Y), **options)


def dealt(cell, draw):
    """Batches of all 1024 particles take turns, an eighth of them moves in a step."""
    return {"base": draw.base}


def recomputed(cell, draw):
    return {"velocity": Recomputed(METHODS[cell.method])}


def first_line(cell, draw):
    return {"velocity": Stein()}


def cell(problem, letters, method, offset=True):
    """A cell by the letters of its row: AdaGrad, batch, const, anneal."""
    return Cell(problem, *(letter == "Y" for letter in letters), offset, method)


VARIANTS = [
    ("SVGD by the first line of equation 51", first_line, cell("grid", "YNNN", "SVGD")),
    ("SVGD by the first line of equation 51", first_line, cell("question mark", "YNNN", "SVGD")),
    ("bandwidth recomputed in each step", recomputed, cell("grid", "NNYN", "SD")),
    *(
        ("batches dealt to all particles", dealt, one)
        for one in (
            cell("grid", "NYNN", "SD"),
            cell("grid", "NYNN", "MMD"),
            cell("grid", "YYNN", "SD"),
            cell("grid", "YYNN", "MMD"),
            cell("question mark", "NYNN", "SD"),
            cell("question mark", "NYNN", "MMD"),
            cell("question mark", "NYNN", "MMD", offset=False),
            cell("question mark", "YYNN", "SD", offset=False),
            cell("question mark", "YYNN", "MMD", offset=False),
        )
    ),
]


def smallest_with(reading, cell, trial=0, n_steps=N_STEPS):
    """The smallest distance of a cell with other arguments."""
    draw = PROBLEMS[cell.problem].draw_trial(trial, cell.offset)
    distance, found = Distance(draw.X, draw.frequencies), []
    flow = sampler(cell, draw.base, n_steps, random_state=trial)
    flow.set_params(**reading(cell, draw))
    flow.set_callbacks(EachStep(lambda particles: found.append(distance(particles))))
    flow.fit(draw.X)
    return min(found)


def smallest_of_batches(problem, trial, n_steps=N_STEPS):
    """The smallest distance in as many steps of two random batches of the same rows."""
    draw = PROBLEMS[problem].draw_trial(trial, True)
    rng = np.random.RandomState(trial)

    def batch():
        return draw.X[rng.permutation(len(draw.X))[:BATCH]]

    return min(Distance(batch(), draw.frequencies)(batch()) for _ in range(n_steps))


def compare(what, reading, cell, run):
    found = run(cell, 0, N_STEPS), smallest_with(reading, cell)
    theirs = published.distance(cell, cells(cell.problem))
    return [what, cell.problem, cell.conditions, cell.method, *map(float, found), theirs]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results/paper"))
    options = parser.parse_args(arguments)
    run = memory(options.folder).cache(smallest)  # what the tables have computed
    print(f"First trials; {machine()}\n")
    header = ["reading", "problem", "conditions", "method", "tables", "so read", "paper"]
    print(table(header, []))
    for row in Parallel(options.jobs, return_as="generator")(
        delayed(compare)(*variant, run) for variant in VARIANTS
    ):
        print(table(row, [], digits=4, rule=False), flush=True)
    rows = []
    for problem in PROBLEMS:
        ours = np.mean([smallest_of_batches(problem, trial) for trial in range(5)])
        every = cells(problem)
        of_paper = [published.distance(c, every) for c in every if c.batch and c.method == "SD"]
        rows.append([problem, float(ours), f"{min(of_paper):.4f} to {max(of_paper):.4f}"])
    header = ["problem", "smallest of two batches of the target", "paper, SD in mini-batches"]
    print(f"\n{table(header, rows, digits=4)}")


if __name__ == "__main__":
    main()
