"""What judges that are not ours say of the samplers that `benchmarks.quality` compares.

Halves, samplers and options are those of `benchmarks.quality`. All judges get columns standardised
by the training half, and judge samples against the held-out half:

- sdmetrics' QualityReport: its overall score, and the two parts it is the mean of, how alike single
  columns are and how alike the correlations of pairs (1 is best). It counts only pairs that are
  correlated by 0.5 or more in the held-out rows: without any, there is no score of pairs (nan).
  Every column is numerical to it.
- sdmetrics' DCROverfittingProtection: 1 if at most half of the samples are closer to training rows
  than to held-out rows, 0 if all are.
- dcor's energy test, by 999 permutations (its default of none makes no test): the p-value of all
  splits together, which is the smallest one times the number of splits.
- POT's sliced Wasserstein distance (0 is best).
- Our energy distance, which is to be read beside the test.

Two controls are judged like samples. The training rows themselves: their fidelity is what a perfect
sampler reaches, for they are rows of the law, and they are copies. Fresh rows, which are in neither
half, where there are at least half as many as in one: what a sampler should be like.

Two of the quantities are also computed by `skflow.metrics`: the largest difference is printed.
The last table is the mean over all data sets, and on how many the energy test does not reject, at
5 %, that samples and held-out rows are of one law.

    python -m benchmarks.judges [--splits 2] [--rows 400] [--datasets wine banana]
        [--samplers SDFlowSampler SMOTE]

Judges, rivals and data whose packages are not installed are left out, and said to be.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import Missing, need
from benchmarks.quality import SAMPLERS
from benchmarks.real_data import DATASETS, halves, load_each
from benchmarks.report import machine, table
from skflow.metrics import energy_distance, sliced_wasserstein_distance

COPIES, FRESH = "training rows", "fresh rows"
PVALUE = "p, energy test"
PERMUTATIONS = 999
LEVEL = 0.05


class Rows(NamedTuple):
    """What is judged, in standard deviations of the training rows, and the number of the split."""

    samples: np.ndarray
    train: np.ndarray
    heldout: np.ndarray
    seed: int


class Judge(NamedTuple):
    """The module that a judge needs, the names of its figures, and how it finds them."""

    module: str
    figures: tuple[str, ...]
    judge: Callable[[Rows], list[float]]


# --- judges ---------------------------------------------------------------------------------------


def _frames(*arrays):
    """Data frames as sdmetrics takes them, and their metadata."""
    pandas = need("pandas")
    names = [f"x{i}" for i in range(arrays[0].shape[1])]
    columns = {name: {"sdtype": "numerical"} for name in names}
    frames = (pandas.DataFrame(array, columns=names) for array in arrays)
    return *frames, {"tables": {"rows": {"columns": columns}}}


def quality_report(rows):
    from sdmetrics.reports import QualityReport

    samples, heldout, metadata = _frames(rows.samples, rows.heldout)
    report = QualityReport()
    report.generate({"rows": heldout}, {"rows": samples}, metadata, verbose=False)
    parts = report.get_properties().set_index("Property")["Score"]
    return [report.get_score(), parts["Column Shapes"], parts["Column Pair Trends"]]


def overfitting_protection(rows):
    from sdmetrics.single_table import DCROverfittingProtection

    samples, train, heldout, metadata = _frames(rows.samples, rows.train, rows.heldout)
    return [DCROverfittingProtection.compute(train, samples, heldout, metadata, "rows")]


def energy_test(rows):
    from dcor.homogeneity import energy_test

    found = energy_test(
        rows.samples, rows.heldout, num_resamples=PERMUTATIONS, random_state=rows.seed
    )
    return [found.pvalue]


def sliced_wasserstein(rows):
    from ot import sliced_wasserstein_distance

    return [float(sliced_wasserstein_distance(rows.samples, rows.heldout, seed=rows.seed))]


def our_energy_distance(rows):
    return [energy_distance(rows.samples, rows.heldout)]


JUDGES = {
    "QualityReport": Judge(
        "sdmetrics.reports", ("quality", "column shapes", "column pairs"), quality_report
    ),
    "DCROverfittingProtection": Judge(
        "sdmetrics.single_table", ("DCR protection",), overfitting_protection
    ),
    "energy test": Judge("dcor", (PVALUE,), energy_test),
    "sliced Wasserstein": Judge("ot", ("sliced Wasserstein",), sliced_wasserstein),
    "energy distance": Judge("skflow.metrics", ("energy distance",), our_energy_distance),
}

# --- the same quantity by theirs and by ours ------------------------------------------------------


def energy_by_dcor(rows):
    theirs = need("dcor").energy_distance(rows.samples, rows.heldout)
    return float(theirs), energy_distance(rows.samples, rows.heldout)


def sliced_wasserstein_by_pot(rows):
    theirs, log = need("ot").sliced_wasserstein_distance(
        rows.samples, rows.heldout, seed=rows.seed, log=True
    )
    projections = np.transpose(log["projections"])
    ours = sliced_wasserstein_distance(rows.samples, rows.heldout, projections=projections)
    return float(theirs), ours


CHECKS = {
    "energy distance, dcor": energy_by_dcor,
    "sliced Wasserstein distance, POT": sliced_wasserstein_by_pot,
}


def differences(rows):
    """{quantity: relative difference of theirs and ours}, of the packages that are here."""
    found = {}
    for name, check in CHECKS.items():
        try:
            theirs, ours = check(rows)
        except Missing:
            continue
        found[name] = abs(ours - theirs) / max(abs(theirs), np.finfo(float).tiny)
    return found


# --- splits and tables ----------------------------------------------------------------------------


def available(judges=JUDGES):
    """The judges whose packages are installed; says which are not."""
    found = {}
    for name, judge in judges.items():
        try:
            need(judge.module)
        except Missing as error:
            print(f"{name}: {error}")
            continue
        found[name] = judge
    return found


def controls(rest, size):
    """Samplers of rows that are real: those that train, and of the rest if there are enough."""
    found = {COPIES: lambda train, n, seed: train[:n]}
    if 2 * len(rest) >= size:
        found[FRESH] = lambda train, n, seed: np.random.RandomState(seed).permutation(rest)[:n]
    return found


def split(sampler, X, seed):
    """One half of the rows, samples like them, and the other half."""
    train, heldout = halves(X, seed)
    scale = StandardScaler().fit(train).transform
    return Rows(scale(sampler(train, len(train), seed)), scale(train), scale(heldout), seed)


def run(datasets, n_splits, samplers, judges, n_rows):
    """Of each data set, control and sampler: {figure: values of all splits}, and differences."""
    for dataset, rows in load_each(datasets):
        X, rest = rows[:n_rows], rows[n_rows:]
        for name, sampler in {**controls(rest, len(X) // 2), **samplers}.items():
            try:
                splits = [split(sampler, X, seed) for seed in range(n_splits)]
            except Missing as error:
                print(f"{name}: {error}")
                continue
            figures = {}
            for judge in judges.values():
                judged = np.transpose([judge.judge(rows) for rows in splits])
                figures.update(zip(judge.figures, judged, strict=True))
            yield dataset, name, figures, [differences(rows) for rows in splits]


def together(figure, values):
    """One number of all splits: the mean of those that have one, or Bonferroni's p-value."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan
    return min(1.0, len(known) * known.min()) if figure == PVALUE else known.mean()


def cell(figure, values):
    """What a table says of the values of all splits; means with their standard errors."""
    number, known = together(figure, values), values[~np.isnan(values)]
    if figure == PVALUE or not len(known):
        return f"{number:.3f}"
    error = known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else 0.0
    return f"{number:.3f} ± {error:.3f}"


def summary(rows):
    """Of each sampler: mean figures of the data sets that have them, and tests not rejected."""
    found = {}
    for _, name, figures, _ in rows:
        for figure, values in figures.items():
            numbers = found.setdefault(name, {}).setdefault(figure, [])
            numbers.append(together(figure, values))
    for name, by_figure in found.items():
        pvalues = np.array(by_figure.pop(PVALUE, []))
        means = (f"{np.nanmean(numbers):.3f}" for numbers in by_figure.values())
        yield [name, *means, f"{(pvalues > LEVEL).sum()} of {len(pvalues)}"]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of rivals and judges, about their own fits
    samplers = {name: SAMPLERS[name] for name in options.samplers}
    judges = available()
    figures = [figure for judge in judges.values() for figure in judge.figures]
    print(f"{options.splits} random halves of at most {options.rows} rows; {machine()}\n")
    print(table(["data", "sampler", *figures], []))
    rows, largest = [], {}
    for row in run(options.datasets, options.splits, samplers, judges, options.rows):
        rows.append(row)
        dataset, name, found, checks = row
        cells = [cell(figure, values) for figure, values in found.items()]
        print(table([dataset, name, *cells], [], rule=False), flush=True)
        for quantity, difference in (pair for check in checks for pair in check.items()):
            largest[quantity] = max(difference, largest.get(quantity, 0.0))
    means = [figure for figure in figures if figure != PVALUE]
    print(f"\n{table(['sampler', *means, 'test does not reject'], summary(rows))}\n")
    for quantity in CHECKS:
        said = f"{largest[quantity]:.1e}" if quantity in largest else "its package is missing"
        print(f"{quantity}, largest relative difference from ours: {said}")


if __name__ == "__main__":
    main()
