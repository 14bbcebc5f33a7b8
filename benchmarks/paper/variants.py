"""What the paper leaves open, tried one at a time: which reading explains which cells.

First the condition in which verdicts differ, MMD flow with AdaGrad, mini-batches and a centred
base, by every reading in :mod:`benchmarks.paper.readings`; and beside it what the reading makes of
MMD flow from a distant base and with plain steps, and of SD flow from a distant base, which
converges in the paper. Cells that a reading does not touch are empty. Then a line for each cell
that some readings are about: the smallest distance as in the tables, that with the other reading,
and the paper's. A last table is about the paper's distances in mini-batches, where all that
converges ends at the same distance. All are without noise and of the first trial, but for the
paper's, and the last table's means of five.

    python -m benchmarks.paper.variants [--jobs -1] [--folder benchmarks/results/paper]
"""

import argparse
import itertools
import time
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from benchmarks.paper import published
from benchmarks.paper.cells import (
    BATCH,
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
from benchmarks.paper.readings import (
    READINGS,
    Reading,
    dealt,
    first_line,
    recomputed,
    smallest_to_batches,
)
from benchmarks.report import machine, table


def cell(problem, letters, method, offset=True):
    """A cell by the letters of its row: AdaGrad, batch, const, anneal."""
    return Cell(problem, *(letter == "Y" for letter in letters), offset, method)


FIRST_LINE = Reading("SVGD by the first line of equation 51", changes=first_line)
RECOMPUTED = Reading("bandwidth recomputed in each step", changes=recomputed)
DEALT = Reading("batches dealt to all particles", changes=dealt)

TO_BATCHES = Reading("distance to batches", measure=smallest_to_batches)

VARIANTS = [
    *((TO_BATCHES, cell("grid", row, "SD")) for row in ("NYNN", "NYYN", "YYNN", "YYYN")),
    (FIRST_LINE, cell("grid", "YNNN", "SVGD")),
    (FIRST_LINE, cell("question mark", "YNNN", "SVGD")),
    (RECOMPUTED, cell("grid", "NNYN", "SD")),
    *(
        (DEALT, one)
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

# Two of the four cells whose verdicts differ from the paper's, those without noise; and beside
# them MMD flow where it does not converge, and SD flow, which does.
OPEN = [cell("question mark", row, "MMD", offset=False) for row in ("YYNN", "YYYN")]
BESIDE = [
    cell("question mark", "YYNN", "MMD"),
    cell("question mark", "NYNN", "MMD", offset=False),
    *(cell("question mark", row, "SD") for row in ("YYNN", "YYYN", "NYNN", "NYYN")),
]


def figure(reading, cell, trial=0, n_steps=N_STEPS):
    """The distance of a cell that a reading gives."""
    draw = PROBLEMS[cell.problem].draw_trial(trial, cell.offset)
    if reading.draw is not None:
        draw = reading.draw(draw)
    flow, states = sampler(cell, draw.base, n_steps, random_state=trial), []
    flow.set_params(**reading.changes(cell, draw))
    flow.set_callbacks(EachStep(states.append))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # many do not arrive: that is the question
        try:
            flow.fit(draw.X)
        except FloatingPointError:  # diverged: what it reached before counts
            pass
    return reading.measure(draw, states)


def smallest_of_batches(problem, trial, n_steps=N_STEPS):
    """The smallest distance in as many steps of two random batches of the same rows."""
    draw = PROBLEMS[problem].draw_trial(trial, True)
    rng = np.random.RandomState(trial)

    def batch():
        return draw.X[rng.permutation(len(draw.X))[:BATCH]]

    return min(Distance(batch(), draw.frequencies)(batch()) for _ in range(n_steps))


def compare(reading, cell, run):
    found = run(cell, 0, N_STEPS), figure(reading, cell)
    theirs = published.distance(cell, cells(cell.problem))
    return [reading.name, cell.problem, cell.conditions, cell.method, *map(float, found), theirs]


def show_readings(parallel):
    shown = [*OPEN, *BESIDE]
    every = cells("question mark")
    header = ["reading", *(f"{one.method} {one.conditions}" for one in shown)]
    paper = ["the paper", *(published.distance(one, every) for one in shown)]
    print(f"{table(header, [paper], digits=4)}", flush=True)
    readings = (Reading("the tables"), *READINGS)
    todo = [(r, c) for r, c in itertools.product(readings, shown) if r.touches(c)]
    found = parallel(delayed(figure)(*one) for one in todo)
    for reading in readings:
        row = [next(found) if reading.touches(one) else "" for one in shown]
        print(table([reading.name, *row], [], digits=4, rule=False), flush=True)


def show_cells(run, parallel):
    header = ["reading", "problem", "conditions", "method", "tables", "so read", "paper"]
    print(f"\n{table(header, [])}")
    for row in parallel(delayed(compare)(*variant, run) for variant in VARIANTS):
        print(table(row, [], digits=4, rule=False), flush=True)


def show_batches():
    rows = []
    for problem in PROBLEMS:
        ours = np.mean([smallest_of_batches(problem, trial) for trial in range(5)])
        every = cells(problem)
        of_paper = [published.distance(c, every) for c in every if c.batch and c.method == "SD"]
        rows.append([problem, float(ours), f"{min(of_paper):.4f} to {max(of_paper):.4f}"])
    header = ["problem", "smallest of two batches of the target", "paper, SD in mini-batches"]
    print(f"\n{table(header, rows, digits=4)}", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results/paper"))
    options = parser.parse_args(arguments)
    kept, start = memory(options.folder), time.perf_counter()  # what the tables have computed
    print(f"{machine()}\n")
    with Parallel(options.jobs, return_as="generator") as parallel:
        show_readings(parallel)
        show_cells(kept.cache(smallest), parallel)
    show_batches()
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
