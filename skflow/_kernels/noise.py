"""Normal numbers, as numpy draws them."""

import math

import numpy as np

from skflow._kernels.compiled import fill_normals

# Fewer numbers are left to numpy: to call a compiled loop with a generator takes the interpreter
# for a while, which other threads wait for; and what is not called is not compiled.
_FEW = 2**14


def normals(shape, scale, dtype, rng):
    """Normal numbers of a standard deviation, rounded to a dtype.

    Many of a generator's are drawn in a loop that numba compiles, which takes less time than
    numpy's: the same numbers, bit for bit.

    Parameters
    ----------
    shape : tuple of int
        How many.
    scale : float
        Their standard deviation.
    dtype : dtype
        What they are rounded to, after they are scaled in float64.
    rng : numpy.random.Generator or numpy.random.RandomState
        It is left as numpy would leave it.

    Returns
    -------
    ndarray of that shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> from skflow._kernels import normals
    >>> drawn = normals((10000, 2), 3.0, np.float64, np.random.default_rng(0))
    >>> bool((drawn == 3.0 * np.random.default_rng(0).standard_normal((10000, 2))).all())
    True
    """
    if math.prod(shape) < _FEW or not isinstance(rng, np.random.Generator):
        return (scale * rng.standard_normal(shape)).astype(dtype, copy=False)
    drawn = np.empty(shape, dtype)
    fill_normals(rng, scale, drawn.reshape(-1))
    return drawn
