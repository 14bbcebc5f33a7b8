"""Every form of the flow on the same data: fidelity, memorisation and cost.

Half of the rows train, half are held out, as in `benchmarks.quality`; each form is used as it
comes, with its default parameters. `--pictures` draws what some of them generate.

    python -m benchmarks.family [--splits 3] [--datasets moons wine digits] [--pictures folder]
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_moons
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

from benchmarks.quality import FIGURES, figures, gaussian_mixture, kernel_density
from benchmarks.real_data import halves
from benchmarks.report import machine, table
from skflow import (
    DiffusionSampler,
    MMDFlowSampler,
    SDFlowGenerator,
    SDFlowSampler,
    SVGDSampler,
)
from skflow.denoisers import RegressorDenoiser
from skflow.velocities import DensityRatio, ScoreDifference

DATASETS = {
    "moons": lambda: make_moons(600, noise=0.05, random_state=0)[0],
    "wine": lambda: load_wine().data,
    "breast_cancer": lambda: load_breast_cancer().data,
    "digits": lambda: load_digits().data,
}
DISCRIMINANT = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage="auto")
TRAINED = RegressorDenoiser()


def score_difference(target=None, source=None):
    return SDFlowSampler(velocity=ScoreDifference(target, source))


FORMS = {
    "SDFlowSampler": SDFlowSampler(),
    "SDFlowSampler, trained denoiser of the target": score_difference(TRAINED),
    "SDFlowSampler, trained denoisers of both": score_difference(TRAINED, TRAINED),
    "SDFlowSampler, density ratio by a network": SDFlowSampler(velocity=DensityRatio()),
    "SDFlowSampler, density ratio by QDA": SDFlowSampler(velocity=DensityRatio(DISCRIMINANT)),
    "MMDFlowSampler": MMDFlowSampler(),
    "SVGDSampler": SVGDSampler(),
    "DiffusionSampler": DiffusionSampler(),
    "DiffusionSampler, trained denoiser": DiffusionSampler(0.1, denoiser=TRAINED),
    "SDFlowGenerator": SDFlowGenerator(),
    "SDFlowGenerator, density ratio by a network": SDFlowGenerator(velocity=DensityRatio()),
}
RIVALS = {"KernelDensity, CV": kernel_density, "GaussianMixture, BIC": gaussian_mixture}


def judge_form(form, X, seed):
    """The four figures, and seconds to fit and to sample as many rows as were held out."""
    train, heldout = halves(X, seed)
    begin = time.perf_counter()
    fitted = clone(form).set_params(random_state=seed).fit(train)
    between = time.perf_counter()
    samples = fitted.sample(len(heldout), random_state=seed)
    seconds = [between - begin, time.perf_counter() - between]
    return [*figures(samples, train, heldout, seed), *seconds]


def judge_rival(rival, X, seed):
    train, heldout = halves(X, seed)
    begin = time.perf_counter()
    samples = rival(train, len(heldout), seed)
    return [*figures(samples, train, heldout, seed), time.perf_counter() - begin, np.nan]


def run(datasets, n_splits, forms=FORMS, rivals=RIVALS):
    """Rows (data set, name, mean of each figure and of the seconds)."""
    for dataset in datasets:
        X = DATASETS[dataset]()
        for name, form in forms.items():
            yield dataset, name, np.mean([judge_form(form, X, s) for s in range(n_splits)], axis=0)
        for name, rival in rivals.items():
            yield (
                dataset,
                name,
                np.mean([judge_rival(rival, X, s) for s in range(n_splits)], axis=0),
            )


def generate(n_rows=100_000, repeats=5):
    """Median seconds in which a generator makes rows of wine, and of its regressor's `predict`."""
    generator = SDFlowGenerator(n_steps=10, random_state=0).fit(load_wine().data)
    inputs = np.random.default_rng(0).standard_normal((n_rows, 13))
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        generator.sample(n_rows, random_state=0)
        between = time.perf_counter()
        generator.regressor_.predict(inputs)
        seconds.append([between - begin, time.perf_counter() - between])
    return np.median(seconds, axis=0)


def draw(folder, names=("SDFlowSampler", "SDFlowGenerator", "DiffusionSampler, trained denoiser")):
    """Pictures of held-out rows beside samples: points, principal components, digits."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    Path(folder).mkdir(parents=True, exist_ok=True)
    for dataset in ("moons", "wine", "digits"):
        train, heldout = halves(DATASETS[dataset](), 0)
        rows = {"held-out rows": heldout}
        for name in names:
            form = clone(FORMS[name]).set_params(random_state=0)
            rows[name] = form.fit(train).sample(len(heldout), random_state=0)
        scale = StandardScaler().fit(train).transform
        axes_of = np.linalg.svd(scale(train), full_matrices=False)[2][:2].T
        figure, axes = plt.subplots(1, len(rows), figsize=(4 * len(rows), 4), layout="constrained")
        for ax, (name, values) in zip(axes, rows.items(), strict=True):
            ax.set_title(name)
            if dataset == "digits":
                tiles = np.clip(values[:100], 0, 16).reshape(10, 10, 8, 8)
                tiles = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)))
                ax.imshow(tiles.transpose(0, 2, 1, 3).reshape(100, 100), cmap="gray_r")
                ax.axis("off")
                continue
            points = values if dataset == "moons" else scale(values) @ axes_of
            ax.scatter(*points.T, s=8)
            ax.set(xlim=axes[0].get_xlim(), ylim=axes[0].get_ylim())
        figure.savefig(Path(folder) / f"family_{dataset}.png", dpi=80)
        plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--pictures", metavar="FOLDER")
    options = parser.parse_args(arguments)
    if options.pictures:
        draw(options.pictures)
    print(f"{options.splits} random halves; {machine()}\n")
    header = ["data", "form", *FIGURES, "fit, s", "sample, s"]
    print(table(header, []))
    for dataset, name, means in run(options.datasets, options.splits):
        cells = [*(f"{m:.3f}" for m in means[:4]), *(f"{m:.2f}" for m in means[4:])]
        print(table([dataset, name, *cells], [], rule=False), flush=True)
    sample, predict = generate()
    print(f"\nSDFlowGenerator, 100000 wines: {sample:.3f} s; predict alone: {predict:.3f} s")


if __name__ == "__main__":
    main()
