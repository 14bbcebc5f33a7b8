"""Does moving rows help a classifier that learned elsewhere? Flows beside optimal transport.

A classifier has labelled rows of one domain and meets rows of another, whose labels it never sees.
Half of the new rows, without labels, show where they are; accuracies are on the other half. Rows
are moved either way: new rows are carried to where the classifier was trained, or the labelled
rows are carried to the new ones and the classifier is trained there. All methods get columns
standardised by the labelled rows. "Shares known" is the flow of 300 steps whose target rows are
weighted by the shares that the classes have among the new rows, as one may know them.

    python -m benchmarks.adaptation [--seeds 10] [--shifts cells ...]

Needs POT and palmerpenguins, of the extra "benchmarks".
"""

import argparse
from functools import partial

import numpy as np
from scipy.linalg import fractional_matrix_power
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.report import machine, table
from skflow import SDFlowSampler

# --- shifts: labelled rows and rows of the other domain, as pairs of X and y ----------------------


def cells(seed, turned=False, n_each=None):
    """Ten quantities of cell nuclei: means over all of a patient, and over the three worst.

    A third of the patients has labels and was measured in one way, the others in the other. With
    `n_each`, so many of either diagnosis have labels; of the others more than a third is malignant.
    """
    X, y = load_breast_cancer(return_X_y=True)
    means, worst = X[:, :10], X[:, 20:]
    known, new = (worst, means) if turned else (means, worst)
    some, others = train_test_split(np.arange(len(y)), test_size=2 / 3, random_state=seed)
    if n_each is not None:
        some = np.concatenate([some[y[some] == label][:n_each] for label in (0, 1)])
    return (known[some], y[some]), (new[others], y[others])


def penguins(seed, known, new):
    """The sex of a penguin by four measures, learned on one species and asked of another."""
    from palmerpenguins import load_penguins

    data = load_penguins().dropna()
    measures = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    species = (data[data.species == name] for name in (known, new))
    return tuple((rows[measures].to_numpy(), rows.sex.to_numpy()) for rows in species)


SPECIES = ("Adelie", "Gentoo", "Chinstrap")
SHIFTS = {
    "cells": cells,
    "cells-turned": partial(cells, turned=True),
    "cells-shares": partial(cells, n_each=55),
    **{
        f"{known}-{new}": partial(penguins, known=known, new=new)
        for known in SPECIES
        for new in SPECIES
        if known != new
    },
}

# --- methods: a map of base rows onto target rows -------------------------------------------------


def nothing(base, target):
    return lambda rows: rows


def mean_and_scale(base, target):
    """Each column for itself."""
    before, after = StandardScaler().fit(base), StandardScaler().fit(target)
    return lambda rows: after.inverse_transform(before.transform(rows))


def coral(base, target):
    """CORAL (Sun, Feng and Saenko, 2016), and the means: whitened, and coloured again."""

    def power(rows, exponent):
        return fractional_matrix_power(np.cov(rows.T) + np.eye(rows.shape[1]), exponent).real

    matrix = power(base, -0.5) @ power(target, 0.5)
    return lambda rows: (rows - base.mean(axis=0)) @ matrix + target.mean(axis=0)


def linear_transport(base, target):
    """POT's optimal map between Gaussians."""
    from ot.da import LinearTransport

    transport = LinearTransport(reg=1e-3).fit(Xs=base, Xt=target)
    return lambda rows: transport.transform(Xs=rows)


def sinkhorn_transport(base, target, reg_e=0.1):
    """POT's entropic transport; rows that were not there go the way of their neighbours.

    Of 0.01, 0.1 and 1, in units of the median cost, this was the best in a first look.
    """
    from ot.da import SinkhornTransport

    transport = SinkhornTransport(reg_e=reg_e, norm="median").fit(Xs=base, Xt=target)
    return lambda rows: transport.transform(Xs=rows)


def flow(base, target, weights=None, **params):
    sampler = SDFlowSampler(random_state=0, **params)
    return sampler.fit(target, X_base=base, sample_weight=weights).transform


METHODS = {
    "nothing": nothing,
    "mean, scale": mean_and_scale,
    "CORAL": coral,
    "POT Linear": linear_transport,
    "POT Sinkhorn": sinkhorn_transport,
    "SDFlowSampler": flow,
    "same, 300 steps": partial(flow, n_steps=300),
}
CLASSIFIERS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "random forest": RandomForestClassifier(random_state=0),
}
WAYS = ("new rows carried", "labelled rows carried")
OWN = "own labels"
SHARES = "same, shares known"


def judge(shift, seed, methods=METHODS):
    """Accuracies on held-out rows, by (classifier, way, method)."""
    (X, y), (X_new, y_new) = SHIFTS[shift](seed)
    halves = train_test_split(X_new, y_new, test_size=0.5, stratify=y_new, random_state=seed)
    scale = StandardScaler().fit(X).transform
    X, seen, held_out = map(scale, (X, *halves[:2]))
    y_seen, y_held_out = halves[2:]
    maps = {name: (method(seen, X), method(X, seen)) for name, method in methods.items()}
    weighted = flow(seen, X, weights_of_shares(y, y_seen), n_steps=300)
    scores = {}
    for name, classifier in CLASSIFIERS.items():
        trained = clone(classifier).fit(X, y)
        scores[name, WAYS[0], SHARES] = trained.score(weighted(held_out), y_held_out)
        own = clone(classifier).fit(seen, y_seen).score(held_out, y_held_out)
        for method, (back, forth) in maps.items():
            there = clone(classifier).fit(forth(X), y)
            scores[name, WAYS[0], method] = trained.score(back(held_out), y_held_out)
            scores[name, WAYS[1], method] = there.score(held_out, y_held_out)
        scores[name, WAYS[0], OWN] = scores[name, WAYS[1], OWN] = own
    return scores


def weights_of_shares(y, y_new):
    """Weights with which the classes have the shares that they have among new rows."""
    share = {label: np.mean(y_new == label) / np.mean(y == label) for label in np.unique(y)}
    return np.array([share[label] for label in y])


def run(shift, n_seeds, methods=METHODS):
    """Mean and standard error of the accuracies, by (classifier, way, method)."""
    judged = [judge(shift, seed, methods) for seed in range(n_seeds)]
    figures = {key: np.array([scores[key] for scores in judged]) for key in judged[0]}
    return {key: (v.mean(), v.std(ddof=1) / np.sqrt(n_seeds)) for key, v in figures.items()}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--shifts", nargs="+", choices=SHIFTS, default=list(SHIFTS))
    options = parser.parse_args(arguments)
    print(f"{options.seeds} seeds; {machine()}")
    results = {shift: run(shift, options.seeds) for shift in options.shifts}
    for classifier in CLASSIFIERS:
        for way in WAYS:
            columns = [*METHODS, *([SHARES] if way == WAYS[0] else []), OWN]
            accuracies = {
                shift: [result[classifier, way, method] for method in columns]
                for shift, result in results.items()
            }
            rows = [
                [shift, *(f"{m:.3f} ± {e:.3f}" for m, e in row)]
                for shift, row in accuracies.items()
            ]
            print(f"\n{classifier}, {way}\n")
            print(table(["shift", *columns], rows))


if __name__ == "__main__":
    main()
