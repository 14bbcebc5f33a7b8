"""Many columns: digits, and patches of photographs, by the kernel in pixels or fewer directions.

Digits are 8 x 8. Patches are 16 x 16: the tiles of the two photographs that scikit-learn ships, in
grey, about their mean, without the flat ones. The base is a Gaussian with the training rows' mean
and covariance, or a mixture of 20 with diagonal covariances. The flow runs in all pixels, with the
automatic bandwidth or a share of it; along the first principal components alone, which leaves the
rest of the base as it is (see `projected`); along 30 random directions that are new in every step
("slices", with steps of 1 for 0.1); or with a trained denoiser of the target in place of the
kernel. Samples are rounded and clipped to what a pixel can be. Figures, against rows that were held
out: energy distance over that of the training rows (1 is right), AUC of a forest that is to tell
samples from held-out rows (0.5 is right, 1 is told at sight), share nearer to a training row than
to a held-out one (0.5 is right) and distance to the nearest training row over that of held-out rows
(1 is right, above is blur, 0 is copying).

    python -m benchmarks.questions.images [--trials 2] [--rows 800] [--steps 200]
        [--picture file]
"""

import itertools
import time
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits, load_sample_images
from sklearn.ensemble import RandomForestClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from benchmarks.questions.common import options, report, side_by_side, spreads
from benchmarks.questions.projected import principal, projected_flow, slices
from skflow.denoisers import RegressorDenoiser
from skflow.metrics import (
    classifier_two_sample_auc,
    closer_to_train_share,
    energy_distance,
    nearest_distance_ratio,
)
from skflow.velocities import ScoreDifference

FIGURES = ["energy distance", "AUC", "closer to train", "distance ratio"]
TRAINING = "training rows"


# --- data ---------------------------------------------------------------------------------------


def digits():
    return load_digits().data


def patches(side=16):
    """Tiles do not overlap: held-out ones share no pixel with the others."""
    tiles = []
    for photograph in load_sample_images().images:
        grey = photograph.mean(axis=2)
        height, width = (length // side * side for length in grey.shape)
        grid = grey[:height, :width].reshape(height // side, side, width // side, side)
        tiles.append(grid.swapaxes(1, 2).reshape(-1, side * side))
    rows = np.concatenate(tiles)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.rint(rows[rows.std(axis=1) > 5])


DATA = {"digits": (digits, (0, 16)), "patches": (patches, (-255, 255))}


def halves(data, n_rows, trial):
    """Rows for training and as many held out."""
    rows = np.random.RandomState(trial).permutation(DATA[data][0]())
    size = min(n_rows, len(rows) // 2)
    return rows[:size], rows[size : 2 * size]


# --- ways ---------------------------------------------------------------------------------------


def gaussian(train, seed):
    rng = np.random.RandomState(seed)
    return rng.multivariate_normal(train.mean(axis=0), np.cov(train.T), len(train))


def mixture(train, seed):
    fitted = GaussianMixture(
        20, covariance_type="diag", reg_covar=0.02 * train.var(), random_state=seed
    ).fit(train)
    return np.random.RandomState(seed).permutation(fitted.sample(len(train))[0])


class Way(NamedTuple):
    """How samples are made: from where, in which directions, with what share of the bandwidth."""

    base: object = gaussian
    directions: object = None
    share: float = 0.5
    trained: bool = False
    step_size: float = 0.1

    def samples(self, train, seed, n_steps):
        base = self.base(train, seed)
        if self.share == 0:
            return base
        flow, _ = projected_flow(
            self.directions,
            train,
            base,
            self.share,
            step_size=self.step_size,
            n_steps=n_steps,
            random_state=seed,
        )
        if self.trained:
            flow.set_params(velocity=ScoreDifference(RegressorDenoiser()))
        return flow.fit(train, X_base=base).particles_


WAYS = {
    "Gaussian base, no flow": Way(share=0),
    "pixels": Way(share=1),
    "pixels, half the bandwidth": Way(),
    "pixels, a quarter": Way(share=0.25),
    "30 components, half": Way(directions=partial(principal, 30)),
    "10 components, half": Way(directions=partial(principal, 10)),
    "slices, half": Way(directions=partial(slices, 30), step_size=1.0),
    "trained denoiser, half": Way(trained=True),
    "mixture base, no flow": Way(mixture, share=0),
    "mixture base, pixels, half": Way(mixture),
}


def generate(data, way, n_rows, n_steps, trial):
    """Training rows, held-out ones, and samples."""
    train, heldout = halves(data, n_rows, trial)
    if way == TRAINING:
        return train, heldout, train
    samples = WAYS[way].samples(train, trial, n_steps)
    return train, heldout, np.clip(np.rint(samples), *DATA[data][1])


def run(data, way, n_rows, n_steps, trial):
    train, heldout, samples = generate(data, way, n_rows, n_steps, trial)
    forest = RandomForestClassifier(100, random_state=trial)
    fidelity = [
        energy_distance(samples, heldout) / energy_distance(train, heldout),
        classifier_two_sample_auc(samples, heldout, classifier=forest, cv=3, random_state=trial),
    ]
    if way == TRAINING:
        return [*fidelity, np.nan, np.nan]
    near = closer_to_train_share, nearest_distance_ratio
    return [*fidelity, *(figure(samples, train, heldout) for figure in near)]


# --- picture ------------------------------------------------------------------------------------

SHOWN = [way for way in WAYS if way not in ("10 components, half", "trained denoiser, half")]
COPIES = "pixels, a quarter"


def lines(data, n_rows, n_steps):
    """Pairs of a name and rows: held-out ones, samples, and the training rows nearest to copies."""
    yield "real, held out", halves(data, n_rows, 0)[1]
    for way in SHOWN:
        train, _, samples = generate(data, way, n_rows, n_steps, 0)
        yield way, samples
        if way == COPIES:
            yield "  nearest training rows", train[nearest(samples, train)]


def nearest(samples, train):
    return NearestNeighbors(n_neighbors=1).fit(train).kneighbors(samples)[1][:, 0]


def strip(rows, n_pictures):
    """Pictures in a line, with a gap between them."""
    side = int(np.sqrt(rows.shape[1]))
    pictures = rows[:n_pictures].reshape(-1, side, side)
    gapped = np.pad(pictures, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
    return np.concatenate(list(gapped), axis=1)[:, :-1]


def draw(file, n_rows, n_steps, n_pictures=9):
    """Real rows and samples side by side, a line for each way."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    shades = {"digits": ("gray_r", 0, 16), "patches": ("gray", -80, 80)}
    figure, axes = plt.subplots(len(SHOWN) + 2, 2, figsize=(10.5, 6.5), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.01, hspace=0.02)
    for column, data in enumerate(DATA):
        colors, low, high = shades[data]
        for axis, (name, rows) in zip(axes[:, column], lines(data, n_rows, n_steps), strict=True):
            axis.imshow(
                strip(rows, n_pictures), colors, vmin=low, vmax=high, interpolation="nearest"
            )
            axis.set_axis_off()
            if column == 0:
                axis.text(-0.02, 0.5, name, ha="right", va="center", transform=axis.transAxes)
    axes[0, 0].set_title("digits, 8 x 8 pixels")
    axes[0, 1].set_title("patches of photographs, 16 x 16 pixels")
    figure.savefig(file, dpi=90)
    plt.close(figure)
    with Image.open(file) as picture:  # sixteen greys: a quarter of the size
        picture.convert("L").quantize(16).save(file, optimize=True)


def main(arguments=None):
    given = options(__doc__, arguments, trials=2, rows=800, steps=200, picture="")
    start, trials, ways = time.perf_counter(), range(given.trials), [TRAINING, *WAYS]
    settings = itertools.product(DATA, ways, [given.rows], [given.steps], trials)
    found = side_by_side(run, settings, given.jobs)
    rows = [
        [data, way, *spreads([found[data, way, given.rows, given.steps, t] for t in trials])]
        for data, way in itertools.product(DATA, ways)
    ]
    size = f"up to {given.rows} training rows, {given.steps} steps, {given.trials} trials"
    report(size, ["data", "flow in", *FIGURES], rows, start)
    if given.picture:
        draw(given.picture, given.rows, given.steps)


if __name__ == "__main__":
    main()
