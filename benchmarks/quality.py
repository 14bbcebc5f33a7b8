"""Fidelity and memorisation of the default sampler beside its rivals, on held-out rows.

Half of the rows train, half are held out; every sampler makes as many rows as are held out, and
the figures are means over random halves, with their standard errors. Columns are standardised by
the training half before anything is measured; SDFlowSampler gets the raw columns, its rivals the
standardised ones that they need.

    python -m benchmarks.quality [--splits 10] [--datasets wine breast_cancer]
"""

import argparse

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from benchmarks.report import machine, table
from skflow import SDFlowSampler
from skflow.metrics import (
    classifier_two_sample_auc,
    closer_to_train_share,
    energy_distance,
    nearest_distance_ratio,
)

DATASETS = {"wine": load_wine, "breast_cancer": load_breast_cancer}
FIGURES = ["C2ST AUC", "energy distance", "closer to train", "distance ratio"]


def flow(train, n, seed):
    """SDFlowSampler as it comes."""
    return SDFlowSampler(random_state=seed).fit(train).sample(n, random_state=seed)


def kernel_density(train, n, seed):
    """KernelDensity, bandwidth by cross-validated likelihood."""
    scaler = StandardScaler().fit(train)
    search = GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.05, 2, 20)})
    best = search.fit(scaler.transform(train)).best_estimator_
    return scaler.inverse_transform(best.sample(n, random_state=seed))


def gaussian_mixture(train, n, seed):
    """GaussianMixture, number of components and kind of covariance by BIC."""
    scaler = StandardScaler().fit(train)
    scaled = scaler.transform(train)
    candidates = (
        GaussianMixture(k, covariance_type=kind, reg_covar=1e-3, random_state=seed).fit(scaled)
        for k in range(1, 9)
        for kind in ("full", "diag")
    )
    best = min(candidates, key=lambda mixture: mixture.bic(scaled))
    return scaler.inverse_transform(best.sample(n)[0])


SAMPLERS = {
    "SDFlowSampler": flow,
    "KernelDensity, CV": kernel_density,
    "GaussianMixture, BIC": gaussian_mixture,
}


def judge(sampler, X, seed):
    """The four figures of one sampler on one split."""
    train, heldout = train_test_split(X, test_size=0.5, random_state=seed)
    size = min(len(train), len(heldout))
    train, heldout = train[:size], heldout[:size]
    return figures(sampler(train, size, seed), train, heldout, seed)


def figures(samples, train, heldout, seed):
    """The four figures, in standard deviations of the training rows."""
    scale = StandardScaler().fit(train).transform
    samples, train, heldout = scale(samples), scale(train), scale(heldout)
    return [
        classifier_two_sample_auc(samples, heldout, random_state=seed),
        energy_distance(samples, heldout),
        closer_to_train_share(samples, train, heldout),
        nearest_distance_ratio(samples, train, heldout),
    ]


def run(datasets, n_splits, samplers=SAMPLERS):
    """Rows (data set, sampler, mean and standard error of each figure)."""
    for dataset in datasets:
        X = DATASETS[dataset]().data
        for name, sampler in samplers.items():
            judged = np.array([judge(sampler, X, seed) for seed in range(n_splits)])
            means = judged.mean(axis=0)
            errors = judged.std(axis=0, ddof=1) / np.sqrt(n_splits) if n_splits > 1 else 0 * means
            yield dataset, name, means, errors


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    options = parser.parse_args(arguments)
    rows = [
        [dataset, name, *(f"{m:.3f} ± {e:.3f}" for m, e in zip(means, errors, strict=True))]
        for dataset, name, means, errors in run(options.datasets, options.splits)
    ]
    print(f"{options.splits} random halves; {machine()}\n")
    print(table(["data", "sampler", *FIGURES], rows))


if __name__ == "__main__":
    main()
