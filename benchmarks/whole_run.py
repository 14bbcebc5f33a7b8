"""SDFlowSampler as users call it against the same flow in torch and in numpy.

The flows of flow_torch.py and flow_numpy.py do the same arithmetic: both fields, all rows in every
step, the same schedule, step size and amount of noise, every state kept. They are given base rows,
and so is "fit from rows", where `fit` chooses a base first. They have no `sample`; to carry as many
other rows through the states would cost them a run again, so that the time of `sample` is
comparable with theirs, too.

Before a time counts, each flow must agree with ours:

- without noise, from the same rows, in value: the largest difference, in spreads of the target;
- with noise, from the same rows, in pace: the mean squared velocity in the second half of the run,
  over ours. Half of the noise makes it a sixth; runs of ours with other seeds differ by a tenth;
- with noise, in law: energy distance and CFD to four runs of ours with other seeds, over the
  largest of 20 pairs of independent samples of the target of this size.

Targets: 3 times as fast as torch and 10 times as fast as numpy.

    python -m benchmarks.whole_run [--particles 2000] [--steps 500] [--widths 2 10]
        [--dtypes float32 float64] [--repeats 3] [--threads 2]
"""

import argparse
from functools import partial

import numpy as np

from benchmarks import flow_numpy
from benchmarks.harness import Missing, measure, n_threads, need, prepare
from benchmarks.report import machine, table
from skflow import SDFlowSampler
from skflow.metrics import characteristic_function_distance, energy_distance
from skflow.schedules import SCHEDULES

STEP_SIZE, SCHEDULE = 0.1, "geometric"
VALUE_LIMITS = {"float32": 1e-2, "float64": 1e-8}  # the flow makes more of roundings in 500 steps
PACE_LIMIT, LAW_LIMIT, N_PAIRS = 1.25, 1.0, 20
TARGETS = {"torch": 3.0, "numpy": 10.0}


def make_data(n, d, dtype, seed=0):
    """Rows of a mixture of eight Gaussians, and base rows of one with their mean and covariance."""
    centers = 2 * np.random.default_rng(0).standard_normal((8, d))
    rng = np.random.default_rng([seed, d])
    X = centers[rng.integers(8, size=n)] + 0.3 * rng.standard_normal((n, d))
    base = rng.multivariate_normal(X.mean(axis=0), np.cov(X.T), size=n)
    return X.astype(dtype), base.astype(dtype)


def our_sampler(d, n, steps, noise_scale=1.0, seed=0):
    return SDFlowSampler(
        bandwidth=bandwidth(d),
        schedule=SCHEDULE,
        step_size=STEP_SIZE,
        n_steps=steps,
        noise_scale=noise_scale,
        n_particles=n,
        covariance_type="spherical",
        random_state=seed,
    )


def bandwidth(d):
    return 0.3 * float(np.sqrt(d / 2))


def make_sigmas(d, steps):
    return [bandwidth(d) * SCHEDULES[SCHEDULE]()(t) for t in np.linspace(0, 1, steps)]


def numpy_flow(X, Y, settings):
    return lambda seed=0, noise=1.0: flow_numpy.run(X, Y, *settings, noise, seed)


def torch_flow(X, Y, settings, field):
    need("torch")
    try:
        from benchmarks import flow_torch
    except ImportError as error:
        raise Missing(f"torch is too old: {error}") from error
    soft_mean = getattr(flow_torch, field)

    def flow(seed=0, noise=1.0):
        states = flow_torch.run(X, Y, *settings, noise, seed, soft_mean)
        return [state.numpy() for state in states]

    return flow


OTHERS = {
    "torch, flash attention": lambda *given: torch_flow(*given, "flash_mean"),
    "torch, matrix": lambda *given: torch_flow(*given, "matrix_mean"),
    "numpy": numpy_flow,
}


def compare(flows, X, Y, d, steps):
    """{name: (difference in value, pace over ours)} of the flows that are there."""
    still = our_sampler(d, len(X), steps, noise_scale=0.0).fit(X, X_base=Y).particles_
    seeds = 0, 1, 2
    noisy = [our_sampler(d, len(X), steps, seed=s).fit(X, X_base=Y).history_ for s in seeds]
    pace = np.mean([history[steps // 2 :].mean() for history in noisy])
    spread = float(np.sqrt(X.var(axis=0).mean()))
    agreement = {}
    for name, flow in flows.items():
        if callable(flow):
            moves = np.diff(flow(), axis=0)[steps // 2 :] / STEP_SIZE
            theirs = np.square(moves).sum(axis=-1).mean()
            difference = np.abs(flow(0, 0.0)[-1] - still).max()
            agreement[name] = float(difference / spread), float(theirs / pace)
    return agreement


def make_law_error(X, d, steps):
    """How far rows are from runs of ours, over the largest of independent samples of the target."""
    runs = [our_sampler(d, len(X), steps, seed=seed).fit(X).particles_ for seed in (1, 2, 3, 4)]
    runs = np.concatenate(runs)
    distances = energy_distance, partial(characteristic_function_distance, random_state=0)
    seeds = range(1, 2 * N_PAIRS, 2)
    pairs = [[make_data(len(X), d, X.dtype, s)[0] for s in (seed, seed + 1)] for seed in seeds]
    largest = [max(distance(*pair) for pair in pairs) for distance in distances]

    def error(rows):
        measured = zip(distances, largest, strict=True)
        return max(distance(rows, runs) / most for distance, most in measured)

    return error


def run(n, d, dtype, steps, repeats=3, threads=2, others=OTHERS):
    """{name: Result}, and {name: (difference in value, pace over ours)}."""
    X, Y = make_data(n, d, dtype)
    flows = prepare(others, X, Y, (make_sigmas(d, steps), STEP_SIZE))
    with n_threads(threads):
        sampler = our_sampler(d, n, steps).fit(X)
        agreement = compare(flows, X, Y, d, steps)
        law_error = make_law_error(X, d, steps)
    contenders = {
        "skflow, fit": lambda: our_sampler(d, n, steps).fit(X).particles_,
        "skflow, fit from rows": lambda: our_sampler(d, n, steps).fit(X, X_base=Y).particles_,
        "skflow, sample": lambda: sampler.sample(n, random_state=0),
    }
    for name, flow in flows.items():
        contenders[name] = refusal(*agreement[name], dtype) if callable(flow) else flow
        if not contenders[name]:
            contenders[name] = lambda flow=flow: flow()[-1]
    options = {"error": law_error, "limit": LAW_LIMIT, "dtype": dtype}
    return measure(contenders, repeats=repeats, threads=threads, **options), agreement


def refusal(difference, pace, dtype):
    """Why a flow is not the same as ours, or an empty string."""
    if not difference <= VALUE_LIMITS[dtype]:
        return f"differs by {difference:.1e} without noise"
    if not 1 / PACE_LIMIT <= pace <= PACE_LIMIT:
        return f"moves at {pace:.2f} of our pace"
    return ""


def verdicts(results):
    """How much faster ours is than the fastest flow of each library."""
    mine = {name: results[f"skflow, {name}"].median for name in ("fit", "fit from rows", "sample")}
    for library, target in TARGETS.items():
        times = [r.median for name, r in results.items() if name.startswith(library)]
        theirs = min((seconds for seconds in times if seconds > 0), default=np.nan)
        ratios = [f"{theirs / mine[name]:.2f} by {name}" for name in mine]
        verdict = "met" if theirs / mine["fit"] >= target else "missed"
        if any(result.disturbed for result in results.values()):
            verdict = "disturbed"
        if not theirs / mine["fit"] > 0:
            ratios, verdict = ["-"], "no time"
        yield f"{library}: {', '.join(ratios)} (target {target:g}: {verdict})"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--widths", type=int, nargs="+", default=[2, 10])
    parser.add_argument("--dtypes", nargs="+", choices=VALUE_LIMITS, default=list(VALUE_LIMITS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    n, steps = options.particles, options.steps
    print(f"{n} particles, {n} target rows, {steps} steps; {machine()}")
    for dtype in options.dtypes:
        for d in options.widths:
            results, agreement = run(n, d, dtype, steps, options.repeats, options.threads)
            rows = []
            for name, result in results.items():
                value, pace = agreement.get(name, (0.0, 1.0))
                errors = [f"{value:.1e}", f"{pace:.2f}", f"{result.error:.2f}"]
                rows.append([name, result.time(digits=2), f"{result.use:.2f}", *errors])
            header = ["flow", "seconds", "threads at work", "value", "pace", "law"]
            print(f"\nd = {d}, {dtype}\n\n{table(header, rows)}\n")
            print("\n".join(verdicts(results)), flush=True)


if __name__ == "__main__":
    main()
