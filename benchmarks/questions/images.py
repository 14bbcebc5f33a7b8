"""Many columns: digits and patches of photographs, in pixels and in fewer projected columns.

Digits are 8 x 8; patches are 16 x 16 of the two photographs that scikit-learn ships, in grey and
about their mean. The kernel flow runs in the pixels, on the first principal components, and on
random directions that are new in every step ("slices"): there rows move by the score difference of
their projections, as kernel methods do that are to escape the dimension (Wang et al., 2022). All
figures are of rows that were held out, in the pixels. A projection onto components loses what is
orthogonal to them: "PCA alone" is what becomes of held-out rows themselves.

    python -m benchmarks.questions.images [--rows 800] [--trials 2]
"""

import argparse

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits, load_sample_images
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d

from benchmarks.report import machine, table
from skflow import SDFlowSampler
from skflow.metrics import closer_to_train_share, energy_distance, nearest_distance_ratio
from skflow.velocities import ScoreDifference

COMPONENTS = (10, 30)


class SlicedScoreDifference(BaseEstimator):
    """The score difference of projections onto a few random directions, new in every step.

    Directions are drawn from the particles' first row, so that a step can be computed again.
    """

    def __init__(self, n_directions=10):
        self.n_directions = n_directions

    def fit(self, X, sample_weight=None):
        self.fitted_ = True
        return self

    def __call__(self, Z, X, Y, sigma, sample_weight=None, own=None):
        seed = np.frombuffer(np.ascontiguousarray(Y[0]).tobytes(), np.uint32)
        shape = Y.shape[1], min(self.n_directions, Y.shape[1])
        directions, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal(shape))
        z, x, y = (np.ascontiguousarray(rows @ directions) for rows in (Z, X, Y))
        difference = ScoreDifference().fit(x)
        return difference(z, x, y, sigma, sample_weight) @ directions.T


def digits(rng):
    return load_digits().data


def patches(rng):
    photographs = [image.mean(axis=2) for image in load_sample_images().images]
    cut = [
        extract_patches_2d(image, (16, 16), max_patches=2000, random_state=rng)
        for image in photographs
    ]
    rows = np.concatenate(cut).reshape(-1, 256)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows[rows.std(axis=1) > 5]  # not the sky


DATA = {"digits": digits, "patches": patches}


def in_pixels(train, seed):
    return (
        SDFlowSampler(covariance_type="spherical", random_state=seed)
        .fit(train)
        .sample(len(train), random_state=seed)
    )


def in_components(n_components):
    def draw(train, seed):
        pca = PCA(n_components, random_state=seed).fit(train)
        flow = SDFlowSampler(covariance_type="spherical", random_state=seed)
        return pca.inverse_transform(
            flow.fit(pca.transform(train)).sample(len(train), random_state=seed)
        )

    return draw


def in_slices(train, seed):
    flow = SDFlowSampler(
        velocity=SlicedScoreDifference(), covariance_type="spherical", random_state=seed
    )
    return flow.fit(train).particles_


def figures(samples, train, heldout):
    return [
        energy_distance(samples, heldout) / energy_distance(train, heldout),
        closer_to_train_share(samples, train, heldout),
        nearest_distance_ratio(samples, train, heldout),
    ]


def run(data, n_rows, trial):
    """{way: energy distance over that of training rows, share closer to train, distance ratio}."""
    rng = np.random.RandomState(trial)
    rows = rng.permutation(DATA[data](rng))[: 2 * n_rows]
    train, heldout = rows[: len(rows) // 2], rows[len(rows) // 2 : len(rows) // 2 * 2]
    ways = {"pixels": in_pixels, "slices": in_slices}
    ways |= {f"{k} components": in_components(k) for k in COMPONENTS}
    found = {name: figures(way(train, trial), train, heldout) for name, way in ways.items()}
    for k in COMPONENTS:
        pca = PCA(k, random_state=trial).fit(train)
        projected = pca.inverse_transform(pca.transform(heldout))
        found[f"PCA alone, {k} components"] = [
            energy_distance(projected, heldout) / energy_distance(train, heldout),
            np.nan,
            np.nan,
        ]
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--trials", type=int, default=2)
    options = parser.parse_args(arguments)
    print(f"{options.rows} training rows, {options.trials} trials; {machine()}\n")
    rows = []
    for data in DATA:
        found = [run(data, options.rows, trial) for trial in range(options.trials)]
        for way in found[0]:
            rows.append([data, way, *map(float, np.mean([f[way] for f in found], axis=0))])
    header = ["data", "flow in", "energy distance / training rows'", "closer to train"]
    print(table([*header, "distance ratio"], rows))


if __name__ == "__main__":
    main()
