"""Types of what the estimators take, for their signatures."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "Bandwidth",
    "Base",
    "CovarianceType",
    "FeatureChoice",
    "OfTime",
    "Optimizer",
    "Rows",
    "Schedule",
    "Seed",
]

Bandwidth = float | Literal["auto", "paper", "liu-wang", "scott", "silverman"]
Base = Any  # "mixture", "normal", rows, or an object with `sample` or `rvs`
CovarianceType = Literal["spherical", "diag", "full"]
FeatureChoice = Literal["auto"] | bool | ArrayLike
OfTime = float | Callable[[float], float]
Optimizer = Any  # "sgd", "adagrad", or an object with `init` and `step`
Rows = Any  # an array, or the data frame that `set_output` asks for
Schedule = Literal["auto", "constant", "cosine", "geometric", "linear"] | Callable[[float], float]
Seed = int | np.random.RandomState | None
