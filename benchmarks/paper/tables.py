"""Tables 1 to 4: all cells, beside what the paper prints."""

import csv
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from benchmarks.paper import published
from benchmarks.paper.cells import METHODS, cells, smallest, threshold
from benchmarks.paper.geometry import PROBLEMS
from benchmarks.report import table

TABLES = {1: "grid", 2: "question mark", 3: "grid", 4: "question mark"}


def compute(problem, n_trials, n_steps, memory, n_jobs, say=print):
    """{cell: smallest distances of its trials}, and the threshold; nothing is run twice."""
    run = memory.cache(smallest)
    every = cells(problem)
    todo = [(cell, trial) for cell in every for trial in range(n_trials)]
    found = Parallel(n_jobs, return_as="generator")(
        delayed(run)(cell, trial, n_steps) for cell, trial in todo
    )
    distances = {cell: [] for cell in every}
    for (cell, _), distance in zip(todo, found, strict=True):
        distances[cell].append(distance)
        if len(distances[cell]) == n_trials:
            done = f"{every.index(cell) + 1} of {len(every)}"
            mean = np.mean(distances[cell])
            say(f"{problem} {done}  {cell.conditions}  {cell.method}: {mean:.4f}", flush=True)
    return distances, memory.cache(threshold)(PROBLEMS[problem])


def share_converged(distances, limit):
    return float(np.mean(np.array(distances) < limit))


def write(path, distances, limit):
    """One line for each cell: conditions, the trials' distances, and the paper's."""
    every = list(distances)
    columns = [*every[0]._fields, *(f"distance_{i}" for i in range(len(distances[every[0]])))]
    columns += ["threshold", "converged", "paper_distance", "paper_converged"]
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for cell, ours in distances.items():
            figures = f"{limit:.6f}", share_converged(ours, limit)
            theirs = published.distance(cell, every), published.converged(cell)
            writer.writerow([*cell, *(f"{d:.6f}" for d in ours), *figures, *theirs])


def render(number, distances, limit):
    """Convergence (Tables 1 and 2) or distances (3 and 4), ours / the paper's.

    Cells in which another share of the trials converges than in the paper are bold.
    """
    every, rows = list(distances), []
    n_differ = 0
    for start in range(0, len(every), len(METHODS)):
        row = every[start : start + len(METHODS)]
        entries = []
        for cell in row:
            ours, theirs = share_converged(distances[cell], limit), published.converged(cell)
            bold = "**" if ours != theirs else ""
            n_differ += ours != theirs
            if number > 2:
                ours, theirs = np.mean(distances[cell]), published.distance(cell, every)
            digits = ".1f" if number <= 2 else ".4f"
            entries.append(f"{bold}{ours:{digits}} / {theirs:{digits}}{bold}")
        rows.append([*row[0].conditions.split(), *entries])
    columns = ["AdaGrad", "batch", "const", "anneal", "offset"][: len(rows[0]) - len(METHODS)]
    what = "share of trials that converge" if number <= 2 else "mean of the smallest distances"
    problem = TABLES[number]
    return (
        f"Table {number}, {problem}: {what}, ours / the paper's. Threshold {limit:.4f} / "
        f"{published.THRESHOLDS[problem]:.4f}. {n_differ} of {len(every)} verdicts differ.\n\n"
        + table([*columns, *METHODS], rows)
    )
