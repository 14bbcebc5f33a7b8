"""Fidelity and memorisation of the default sampler beside its rivals, on held-out rows.

Of at most `--rows` rows of each data set half train, half are held out; every sampler makes as many
rows as are held out, and the figures are means over random halves, with their standard errors.
Columns are standardised by the training half before anything is measured; SDFlowSampler gets the
raw columns, its rivals the standardised ones that they need. A forest sees at once where columns of
few values, as counts, come out as real numbers: SDFlowSampler puts them back, and so are the rivals
that are "rounded" in the same way. Each rival is also the base of a flow ("refined"), which is to
be read beside the rounded one. SMOTE draws between training rows.

The last table is the mean over all data sets, the largest share, and on how many data sets a
sampler is better than KernelDensity in AUC, energy distance and share at once.

    python -m benchmarks.quality [--splits 5] [--rows 1000] [--datasets wine banana]
        [--samplers SDFlowSampler SMOTE] [--jobs 2]

Rivals and data whose packages are not installed are left out, and said to be.
"""

import argparse
import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import Missing, n_threads, need
from benchmarks.real_data import DATASETS, OTHERS, halves, load_each
from benchmarks.report import machine, table
from skflow import SDFlowSampler
from skflow._discrete import DiscreteFeatures
from skflow.metrics import (
    classifier_two_sample_auc,
    closer_to_train_share,
    energy_distance,
    nearest_distance_ratio,
)

ALL = [*DATASETS, *OTHERS]
FIGURES = ["C2ST AUC", "energy distance", "closer to train", "distance ratio"]
YARDSTICK = "KernelDensity, CV"


def flow(train, n, seed, **parameters):
    """SDFlowSampler as it comes, or with other parameters."""
    return SDFlowSampler(random_state=seed, **parameters).fit(train).sample(n, random_state=seed)


def flow_from_normal(train, n, seed):
    return flow(train, n, seed, base="normal")


def kernel_density(train, n, seed):
    """KernelDensity, bandwidth by cross-validated likelihood."""
    scaler = StandardScaler().fit(train)
    search = GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.05, 2, 20)})
    best = search.fit(scaler.transform(train)).best_estimator_
    return scaler.inverse_transform(best.sample(n, random_state=seed))


def gaussian_mixture(train, n, seed):
    """GaussianMixture, number of components and kind of covariance by BIC; rows shuffled."""
    scaler = StandardScaler().fit(train)
    scaled = scaler.transform(train)
    candidates = (
        GaussianMixture(k, covariance_type=kind, reg_covar=1e-3, random_state=seed).fit(scaled)
        for k in range(1, 9)
        for kind in ("full", "diag")
    )
    best = min(candidates, key=lambda mixture: mixture.bic(scaled))
    rows = np.random.RandomState(seed).permutation(best.sample(n)[0])
    return scaler.inverse_transform(rows)


def gaussian_copula(train, n, seed):
    """A copula with marginals that the package copulas chooses."""
    pandas, _ = need("pandas"), need("copulas")
    from copulas.multivariate import GaussianMultivariate

    copula = GaussianMultivariate(random_state=seed)
    copula.fit(pandas.DataFrame(train))
    return copula.sample(n).to_numpy()


def smote(train, n, seed):
    """SMOTE of imbalanced-learn: as many new rows of a class, beside one of other rows."""
    over_sampling = need("imblearn.over_sampling", "imbalanced-learn")
    scaler = StandardScaler().fit(train)
    rows = scaler.transform(train)
    both = np.concatenate([rows, np.zeros_like(rows)])  # neighbours are of the same class
    labels = np.repeat([1, 0], len(rows))
    enough = {1: len(rows) + n}
    drawn, _ = over_sampling.SMOTE(sampling_strategy=enough, random_state=seed).fit_resample(
        both, labels
    )
    return scaler.inverse_transform(drawn[len(both) :])


class _Drawn:
    """A rival as the base of a flow."""

    def __init__(self, rival, train):
        self.rival, self.train = rival, train

    def sample(self, n, random_state=None):
        return self.rival(self.train, n, random_state.randint(2**31 - 1))


def refined(rival):
    return lambda train, n, seed: flow(train, n, seed, base=_Drawn(rival, train))


def rounded(rival):
    """A rival whose columns of few values are put back on these, as SDFlowSampler does it."""

    def sampler(train, n, seed):
        rows = rival(train, n, seed)
        return DiscreteFeatures(train).rounding(rows).round(rows)

    return sampler


RIVALS = {
    YARDSTICK: kernel_density,
    "GaussianMixture, BIC": gaussian_mixture,
    "Gaussian copula": gaussian_copula,
    "SMOTE": smote,
}
SAMPLERS = {
    "SDFlowSampler": flow,
    'SDFlowSampler, base="normal"': flow_from_normal,
    **RIVALS,
    **{f"{name}, rounded": rounded(rival) for name, rival in RIVALS.items() if name != "SMOTE"},
    **{f"{name}, refined": refined(rival) for name, rival in RIVALS.items()},
}


def judge(name, X, seed):
    """The four figures of one sampler on one split; or why there are none."""
    train, heldout = halves(X, seed)
    with n_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rivals, about their own fits
        try:
            samples = SAMPLERS[name](train, len(train), seed)
        except Missing as error:
            return error
        return figures(samples, train, heldout, seed)


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


def run(datasets, n_splits, samplers=tuple(SAMPLERS), n_rows=None, n_jobs=1):
    """Rows (data set, sampler, mean and standard error of each figure)."""
    for dataset, rows in load_each(datasets):
        X = rows[:n_rows]
        for name in samplers:
            judged = Parallel(n_jobs)(delayed(judge)(name, X, seed) for seed in range(n_splits))
            if isinstance(judged[0], Missing):
                print(f"{name}: {judged[0]}")
                continue
            means, judged = np.mean(judged, axis=0), np.array(judged)
            errors = judged.std(axis=0, ddof=1) / np.sqrt(n_splits) if n_splits > 1 else 0 * means
            yield dataset, name, means, errors


def summary(rows):
    """Of each sampler: mean figures, largest share, and where it is better than the yardstick."""
    found = {}
    for dataset, name, means, _ in rows:
        found.setdefault(name, {})[dataset] = means
    yardstick = found.get(YARDSTICK, {})
    for name, by_dataset in found.items():
        average = np.mean(list(by_dataset.values()), axis=0)
        worst = max(by_dataset, key=lambda dataset: by_dataset[dataset][2])
        both = [dataset for dataset in by_dataset if dataset in yardstick]
        better = sum((by_dataset[d][:3] < yardstick[d][:3]).all() for d in both)
        largest = f"{by_dataset[worst][2]:.3f} ({worst})"
        yield [name, *(f"{value:.3f}" for value in average), largest, f"{better} of {len(both)}"]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--datasets", nargs="+", choices=ALL, default=DATASETS)
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    print(f"{options.splits} random halves of at most {options.rows} rows; {machine()}\n")
    print(table(["data", "sampler", *FIGURES], []))
    rows = []
    settings = options.splits, options.samplers, options.rows, options.jobs
    for dataset, name, means, errors in run(options.datasets, *settings):
        rows.append((dataset, name, means, errors))
        cells = [f"{m:.3f} ± {e:.3f}" for m, e in zip(means, errors, strict=True)]
        print(table([dataset, name, *cells], [], rule=False), flush=True)
    header = ["sampler", *FIGURES, "largest share", f"better than {YARDSTICK}"]
    print(f"\n{table(header, summary(rows))}")


if __name__ == "__main__":
    main()
