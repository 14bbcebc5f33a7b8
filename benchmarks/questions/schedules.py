"""Which noise schedule, and how far down? The grid of 25 Gaussians, from near and from afar.

Each schedule runs from three spacings of the grid down to a floor, which "constant" has all along;
the Gaussians have a standard deviation of a twentieth of a spacing. The base is a Gaussian with the
target's moments, or a narrower one well outside of the grid. A cell has three figures, against rows
that were held out: energy distance over that of independent rows (1 is arrived), share of particles
on a mode (0.99 is right), and share nearer to a training row than to a held-out one (0.5 is right).

    python -m benchmarks.questions.schedules [--trials 3] [--steps 200] [--floors 0.05 0.1 ...]
"""

import itertools
import time

import numpy as np

from benchmarks.questions.common import (
    INDEPENDENT,
    energy_unit,
    on_a_mode,
    options,
    particles_of,
    report,
    side_by_side,
    spread,
)
from skflow import SDFlowSampler
from skflow.datasets import make_gaussian_grid
from skflow.metrics import closer_to_train_share, energy_distance
from skflow.schedules import Constant, Cosine, Geometric, Linear

N_ROWS, STD, WIDEST = 1000, 0.05, 3.0
FLOORS = (0.05, 0.1, 0.2, 0.5, 1.0)
SCHEDULES = {
    "constant": lambda high, low: Constant(low),
    "linear": Linear,
    "cosine": Cosine,
    "geometric": Geometric,
}
BASES = {"near": ((0.0, 0.0), np.sqrt(2)), "far": ((-6.0, 6.0), 1.0)}
CENTERS = np.stack(np.meshgrid(np.arange(5.0) - 2, np.arange(5.0) - 2), axis=-1).reshape(-1, 2)


def draw(rng, n_rows=N_ROWS):
    return make_gaussian_grid(n_rows, std=STD, random_state=rng)[0]


def figures(rows, train, heldout, unit):
    return [
        energy_distance(rows, heldout) / unit,
        on_a_mode(rows, CENTERS, STD),
        closer_to_train_share(rows, train, heldout),
    ]


def run(base, schedule, noise_scale, floor, trial, n_steps, unit):
    """The three figures of a flow; infinite if particles were lost."""
    rng = np.random.RandomState(trial)
    train, heldout = draw(rng), draw(rng)
    center, std = BASES[base]
    flow = SDFlowSampler(
        bandwidth=1.0,
        schedule=SCHEDULES[schedule](WIDEST, floor),
        n_steps=n_steps,
        noise_scale=noise_scale,
        base=center + std * rng.standard_normal((N_ROWS, 2)),
        covariance_type="spherical",
        random_state=trial,
    )
    particles = particles_of(flow, train)
    return [np.inf] * 3 if particles is None else figures(particles, train, heldout, unit)


def independent(trial, unit):
    rng = np.random.RandomState(trial)
    train, heldout, others = draw(rng), draw(rng), draw(rng)
    return figures(others, train, heldout, unit)


def cell(trials):
    distance, *shares = np.transpose(trials)
    return " / ".join([spread(distance, 1), *(f"{np.mean(share):.2f}" for share in shares)])


def main(arguments=None):
    given = options(__doc__, arguments, trials=3, steps=200, floors=FLOORS)
    unit, trials, start = energy_unit(draw, N_ROWS), range(given.trials), time.perf_counter()
    flows = list(itertools.product(BASES, SCHEDULES, (1.0, 0.0)))
    settings = [
        (*flow, floor, trial, given.steps, unit)
        for flow, floor, trial in itertools.product(flows, given.floors, trials)
    ]
    found = side_by_side(run, settings, given.jobs)
    rows = []
    for flow in flows:
        cells = [
            cell([found[*flow, floor, trial, given.steps, unit] for trial in trials])
            for floor in given.floors
        ]
        rows.append([*flow[:2], "yes" if flow[2] else "no", *cells])
    beside = cell([independent(trial, unit) for trial in trials])
    rows.append([INDEPENDENT, "", "", beside, *[""] * (len(given.floors) - 1)])
    header = ["base", "schedule", "noise", *(f"floor {floor:g}" for floor in given.floors)]
    report(f"{given.steps} steps of 0.1, {given.trials} trials", header, rows, start)


if __name__ == "__main__":
    main()
