"""Tables 1 to 4 and Figures 1 to 5 of the paper, ours beside its own.

    python -m benchmarks.paper [--table 1 2 3 4] [--figure 1 2 3 4 5] [--trials 5] [--quick]
        [--jobs -1] [--folder benchmarks/results/paper]

Everything, unless tables or figures are named. Cells are computed side by side and kept, so that
what was interrupted goes on; other code computes them again. Tables come as CSV, a line for each
cell, and as Markdown. `--quick` makes one trial of 20 steps of every cell, and figures of 20
steps: enough to see that all runs, too few to converge.
"""

import argparse
import time
from pathlib import Path

from benchmarks.paper.cells import N_STEPS
from benchmarks.paper.figures import FIGURES, save
from benchmarks.paper.kept import memory
from benchmarks.paper.tables import TABLES, compute, render, write
from benchmarks.report import machine


def make_tables(numbers, problem, n_trials, n_steps, folder, n_jobs):
    """Write tables that are about the same problem, and print them."""
    start = time.perf_counter()
    distances, limit = compute(problem, n_trials, n_steps, memory(folder), n_jobs)
    seconds = time.perf_counter() - start
    name = problem.replace(" ", "_")
    write(folder / f"{name}.csv", distances, limit)
    report = "\n\n".join(render(number, distances, limit) for number in numbers)
    report += f"\n\n{n_trials} trials of {n_steps} steps, {seconds:.0f} s; {machine()}"
    (folder / f"{name}.md").write_text(report + "\n")
    print(f"\n{report}\n", flush=True)


def make_figure(number, n_steps, folder):
    start = time.perf_counter()
    path = folder / f"figure_{number}.png"
    save(FIGURES[number](n_steps), path)
    print(f"{path}  ({time.perf_counter() - start:.0f} s)", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", type=int, nargs="+", choices=TABLES, default=[])
    parser.add_argument("--figure", type=int, nargs="+", choices=FIGURES, default=[])
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results/paper"))
    options = parser.parse_args(arguments)
    tables, figures = options.table, options.figure
    if not tables and not figures:
        tables, figures = list(TABLES), list(FIGURES)
    n_trials, n_steps = (1, 20) if options.quick else (options.trials, N_STEPS)
    folder = options.folder / "quick" if options.quick else options.folder
    folder.mkdir(parents=True, exist_ok=True)
    for problem in dict.fromkeys(TABLES[number] for number in tables):
        numbers = [number for number in tables if TABLES[number] == problem]
        make_tables(numbers, problem, n_trials, n_steps, folder, options.jobs)
    for number in figures:
        make_figure(number, n_steps, folder)


if __name__ == "__main__":
    main()
