"""Figures 1 to 5: what the paper shows, drawn from runs of ours."""

import io

import numpy as np
from sklearn.datasets import make_swiss_roll

from benchmarks import model_optimization
from benchmarks.paper.cells import METHODS, N_STEPS, Cell, Distance, EachStep, cosine, sampler
from benchmarks.paper.geometry import N_ROWS, PROBLEMS
from skflow import SDFlowSampler
from skflow.metrics import nearest_neighbor_distances

SHARES = (0.0, 0.05, 0.2, 0.5, 1.0)  # of the steps, after which particles are shown
TARGET, MOVED, FRESH = "#f4977e", "#0b3c8c", "0.3"


def shown_steps(n_steps):
    return [round(share * n_steps) for share in SHARES]


def snapshots(flow, X, base, n_steps):
    """Particles at the steps that are shown: those before a flow diverged, if it does."""
    wanted, seen = shown_steps(n_steps), [base]

    def see(particles):
        seen.append(particles if len(seen) in wanted else None)

    flow.set_callbacks(EachStep(see))
    try:
        flow.fit(X)
    except FloatingPointError:
        pass
    return {step: seen[step] for step in wanted if step < len(seen)}


def evolutions(problem, n_steps=N_STEPS, methods=tuple(METHODS)):
    """{method: {step: (particles, distance)}} of the conditions of Figures 1 and 2, and target.

    No AdaGrad, all data in each step, the cosine schedule, noise, and a distant base: the second
    row of Table 1, the fourth of Table 2.
    """
    draw = PROBLEMS[problem].draw_trial(0, True)
    distance, runs = Distance(draw.X, draw.frequencies), {}
    for method in methods:
        cell = Cell(problem, False, False, False, True, True, method)
        flow = sampler(cell, draw.base, n_steps, random_state=0)
        seen = snapshots(flow, draw.X, draw.base, n_steps)
        runs[method] = {step: (rows, distance(rows)) for step, rows in seen.items()}
    return runs, draw.X


def swiss_roll(rng):
    """The roll about its mean, as spread out as the question mark, and rolled up in its plane."""
    roll = make_swiss_roll(N_ROWS, random_state=rng)[0][:, [0, 2, 1]]
    roll -= roll.mean(axis=0)
    mark = PROBLEMS["question mark"].draw(np.random.RandomState(0))
    return (roll * (mark.std() / roll.std())).astype(np.float32)


def interpolations(n_steps=N_STEPS):
    """Figure 3: the Swiss roll to the question mark, and back."""
    draw = PROBLEMS["question mark"].draw_trial(0, False)
    roll = swiss_roll(np.random.RandomState(1))
    ends = {"Swiss roll to question mark": (draw.X, roll), "and back": (roll, draw.X)}
    runs = {}
    for name, (X, base) in ends.items():
        flow = SDFlowSampler(
            bandwidth=1.0,
            schedule=cosine("question mark"),
            step_size=0.1,
            n_steps=n_steps,
            covariance_type="spherical",
            base=base,
            random_state=0,
        )
        distance = Distance(X, draw.frequencies)
        seen = snapshots(flow, X, base, n_steps)
        runs[name] = X, {step: (rows, distance(rows)) for step, rows in seen.items()}
    return runs


def neighbor_distances(n_steps=N_STEPS):
    """Figure 4: distances to the nearest target row, of particles, target rows and new rows.

    The particles are those of Figure 2; target rows do not count as their own neighbours. New rows
    of the target's law, which the paper does not show, are what particles should look like.
    """
    runs, X = evolutions("question mark", n_steps, ["SD"])
    particles, _ = runs["SD"][n_steps]
    fresh = PROBLEMS["question mark"].draw(np.random.RandomState(1))
    return {
        "particles": nearest_neighbor_distances(particles, X),
        "target rows": nearest_neighbor_distances(X),
        "new rows of the target's law": nearest_neighbor_distances(fresh, X),
    }


def learned_gaussian(n_steps=N_STEPS):
    """Figure 5: true and learned mean and covariance in 50 dimensions, and nearest neighbours."""
    fitted = model_optimization.fit(0, n_steps)
    pairs = {"mean": fitted.means, "covariance": fitted.covariances}
    samples = fitted.generator.sample(model_optimization.BATCH, random_state=0)
    distances = {
        "samples": nearest_neighbor_distances(samples, fitted.X),
        "target rows": nearest_neighbor_distances(fitted.X),
        "new rows of the target's law": nearest_neighbor_distances(fitted.heldout, fitted.X),
    }
    return pairs, distances


# --- drawing --------------------------------------------------------------------------------------


def _pyplot():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def save(figure, path):
    """A small file: few colours are enough."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90)
    Image.open(drawn).convert("RGB").quantize(32).save(path, optimize=True)


def draw_evolutions(rows, targets, title, whole=False):
    """A row of pictures for each run, a column for each step; targets below the particles.

    The window is that of target and base, or holds the whole run.
    """
    plt = _pyplot()
    steps = list(next(iter(rows.values())))
    d = next(iter(targets.values())).shape[1]
    figure, axes = plt.subplots(
        *(len(rows), len(steps)),
        figsize=(2.7 * len(steps), 2.9 * len(rows) + 0.4),
        subplot_kw={"projection": "3d"} if d == 3 else {},
        squeeze=False,
        layout="constrained",
    )
    for (name, run), line in zip(rows.items(), axes, strict=True):
        X = targets[name]
        seen = steps if whole else steps[:1]
        window = np.concatenate([X, *(run[step][0] for step in seen if step in run)])
        for step, axis in zip(steps, line, strict=True):
            flat = {"depthshade": False} if d == 3 else {}  # else what lies behind is pale
            axis.scatter(*X.T, s=9, c=TARGET, linewidths=0, zorder=1, **flat)
            axis.set_title(f"step {step}", fontsize=9)
            if step in run:
                particles, distance = run[step]
                inside = _inside(particles, window)
                axis.scatter(*particles[inside].T, s=2.5, c=MOVED, linewidths=0, zorder=2, **flat)
                left = f", {np.count_nonzero(~inside)} outside" if not inside.all() else ""
                axis.set_title(f"step {step}, distance {distance:.3f}{left}", fontsize=9)
            _set_window(axis, window)
        line[0].annotate(
            *(name, (-0.08, 0.5)),
            xycoords="axes fraction",
            rotation=90,
            ha="right",
            va="center",
            fontsize=11,
        )
    figure.suptitle(title)
    return figure


def _margins(window):
    low, high = window.min(axis=0), window.max(axis=0)
    return low - 0.1 * (high - low), high + 0.1 * (high - low)


def _inside(rows, window):
    low, high = _margins(window)
    return ((rows >= low) & (rows <= high)).all(axis=1)


def _set_window(axis, window):
    low, high = _margins(window)
    names = "xyz"[: window.shape[1]]
    for name, a, b in zip(names, low, high, strict=True):
        axis.set(**{f"{name}lim": (a, b), f"{name}ticks": []})
    if len(names) == 3:
        axis.computed_zorder = False
        axis.set_axis_off()
        axis.set_box_aspect(high - low, zoom=1.5)
        axis.view_init(elev=80, azim=-90)  # the question mark is drawn in the first two columns
    else:
        axis.set_aspect("equal")


def draw_distances(axis, distances):
    """Histograms of distances to the nearest target row."""
    bins = np.linspace(0, max(np.quantile(d, 0.995) for d in distances.values()), 50)
    for (name, values), colour in zip(distances.items(), (MOVED, TARGET, FRESH), strict=True):
        style = {"histtype": "step", "lw": 1.5} if colour == FRESH else {"alpha": 0.5}
        axis.hist(values, bins, density=True, color=colour, label=name, **style)
    axis.set(xlabel="distance to the nearest target row", ylabel="density")
    axis.legend(frameon=False, fontsize=8)


def draw_pairs(axis, truth, learned, name):
    axis.plot([truth.min(), truth.max()], [truth.min(), truth.max()], c="0.7", lw=1)
    axis.scatter(truth, learned, s=4, c=MOVED, alpha=0.5, linewidths=0)
    r = np.corrcoef(truth, learned)[0, 1]
    axis.set(xlabel=f"true {name}", ylabel=f"learned {name}", title=f"correlation {r:.3f}")


def figure_1(n_steps):
    runs, X = evolutions("grid", n_steps)
    return draw_evolutions(
        runs,
        dict.fromkeys(runs, X),
        "Figure 1: particles (blue) on their way to 25 Gaussians (red)",
    )


def figure_2(n_steps):
    runs, X = evolutions("question mark", n_steps)
    return draw_evolutions(
        runs,
        dict.fromkeys(runs, X),
        "Figure 2: particles (blue) on their way to 30 Gaussians in space (red)",
    )


def figure_3(n_steps):
    runs = interpolations(n_steps)
    rows, targets = ({n: run[i] for n, run in runs.items()} for i in (1, 0))
    return draw_evolutions(
        rows, targets, "Figure 3: from one data set (blue) to another (red)", whole=True
    )


def figure_4(n_steps):
    figure, axis = _pyplot().subplots(figsize=(6, 3.6), layout="constrained")
    draw_distances(axis, neighbor_distances(n_steps))
    axis.set_title("Figure 4: particles are no copies of target rows")
    return figure


def figure_5(n_steps):
    pairs, distances = learned_gaussian(n_steps)
    figure, axes = _pyplot().subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    for axis, (name, (truth, learned)) in zip(axes, pairs.items(), strict=False):
        draw_pairs(axis, truth, learned, name)
    draw_distances(axes[2], distances)
    figure.suptitle("Figure 5: a linear generator in 50 dimensions")
    return figure


FIGURES = {1: figure_1, 2: figure_2, 3: figure_3, 4: figure_4, 5: figure_5}
