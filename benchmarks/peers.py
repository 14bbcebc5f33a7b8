"""The Gaussian soft mean as others compute it: sum_j K(z, x_j) x_j / sum_j K(z, x_j).

`PEERS` is {name: function of Z, X and sigma}. Such a function lays everything out as its library
likes it, and returns a contender without arguments that does the rest: what peers prepare is not in
their times. It raises `Missing` where the library is not installed or cannot do it here.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.harness import Missing, need

_CHUNK = 2**18  # kernels that a careful user of numpy has in hand at a time: they stay in a cache
_MOST_ANCHOR = 16  # dimensions: with more, the sums of the anchor leave the registers


def reference(Z, X, sigma):
    """The soft mean in long double, a row at a time."""
    X, sigma = X.astype(np.longdouble), np.longdouble(sigma)
    means = np.empty((len(Z), X.shape[1]), np.longdouble)
    for row, z in enumerate(Z.astype(np.longdouble)):
        logits = -0.5 * np.square((z - X) / sigma).sum(axis=1)
        weights = np.exp(logits - logits.max())
        means[row] = weights @ X / weights.sum()
    return means


def numpy_matrix(Z, X, sigma, rows=None):
    """A product, exp, a product: for all queries at once, or for so many rows at a time."""
    _check_memory((rows or len(Z)) * len(X) * Z.dtype.itemsize)
    scale = Z.dtype.type(1 / sigma**2)
    bias = 0.5 * np.square(X).sum(axis=1)

    def mean():
        means = np.empty_like(Z)
        for start in range(0, len(Z), rows or len(Z)):
            part = slice(start, start + (rows or len(Z)))
            weights = Z[part] @ X.T
            weights -= bias
            weights *= scale
            weights -= weights.max(axis=1, keepdims=True)
            np.exp(weights, out=weights)
            means[part] = weights @ X / weights.sum(axis=1, keepdims=True)
        return means

    return mean


def numpy_chunks(Z, X, sigma):
    return numpy_matrix(Z, X, sigma, rows=max(16, _CHUNK // len(X)))


def torch_matrix(Z, X, sigma):
    """softmax(logits) @ X, with the matrix of all pairs."""
    torch = need("torch")
    _check_memory(2 * len(Z) * len(X) * Z.dtype.itemsize)
    z, x = torch.from_numpy(Z / sigma**2), torch.from_numpy(X)
    bias = x.square().sum(dim=1) / (2 * sigma**2)

    def mean():
        with torch.no_grad():
            return torch.softmax(torch.addmm(-bias, z.to(x.dtype), x.T), dim=1) @ x

    return mean


def torch_flash(Z, X, sigma, multiple=1):
    """`scaled_dot_product_attention` without the matrix.

    A column more holds -|x|^2 / 2 sigma^2, which meets a one in the queries; columns of zeros fill
    up to a multiple, which its matrix products may like.
    """
    torch = need("torch")
    attention = need("torch.nn.attention", "torch's flash attention")
    d = X.shape[1]
    width = -(-(d + 1) // multiple) * multiple
    query, key, value = (np.zeros((len(rows), width), X.dtype) for rows in (Z, X, X))
    query[:, :d], query[:, d] = Z / sigma**2, 1
    key[:, :d], key[:, d] = X, -np.square(X).sum(axis=1) / (2 * sigma**2)
    value[:, :d] = X
    query, key, value = (torch.from_numpy(rows)[None, None] for rows in (query, key, value))
    attend = torch.nn.functional.scaled_dot_product_attention

    def mean():
        with torch.no_grad(), attention.sdpa_kernel(attention.SDPBackend.FLASH_ATTENTION):
            return attend(query, key, value, scale=1.0)[0, 0, :, :d]

    return mean


def torch_flash_padded(Z, X, sigma):
    return torch_flash(Z, X, sigma, multiple=16)


def keops(Z, X, sigma):
    """KeOps on the processor: a formula that is compiled when it is first met."""
    if compiler() is None:
        raise Missing("needs a C++ compiler")
    need("pykeops").set_verbose(False)
    LazyTensor = need("pykeops.numpy").LazyTensor
    z, x = LazyTensor(Z[:, None]), LazyTensor(X[None])
    logits = ((z - x) ** 2).sum(-1) * float(-0.5 / sigma**2)

    def mean():
        return logits.sumsoftmaxweight(x, axis=1, backend="CPU")

    return mean


def c_anchor(Z, X, sigma):
    """A few lines of C (anchor.c), built for the dtype and the number of dimensions."""
    n, d = Z.shape
    if d > _MOST_ANCHOR:
        raise Missing(f"is for at most {_MOST_ANCHOR} dimensions")
    dtype = Z.dtype.name
    function = _built(d, dtype)
    queries, columns = np.ascontiguousarray(Z), np.ascontiguousarray(X.T)
    bias = (0.5 * np.square(X).sum(axis=1)).astype(dtype)
    scale = {"float32": ctypes.c_float, "float64": ctypes.c_double}[dtype]
    scale = scale(1 / (np.log(2) * sigma**2))

    def mean():
        means = np.empty_like(queries)
        arrays = [ctypes.c_void_p(a.ctypes.data) for a in (queries, columns, bias, means)]
        function(*arrays, ctypes.c_long(n), ctypes.c_long(len(X)), scale)
        return means

    return mean


def compiler():
    """The C compiler: what the environment says, or one by its usual name."""
    return next(filter(None, map(shutil.which, [os.environ.get("CC", "cc"), "gcc", "clang"])), None)


@cache
def _built(d, dtype):
    if compiler() is None:
        raise Missing("needs a C compiler")
    source = Path(__file__).with_name("anchor.c")
    options = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-fPIC", f"-DD={d}"]
    options += ["-DSINGLE"] if dtype == "float32" else []
    with tempfile.TemporaryDirectory() as folder:
        compiled, library = Path(folder, "anchor.o"), Path(folder, "anchor.so")
        _compile(*options, "-c", source, "-o", compiled)
        # A library that is linked with -ffast-math sets the whole process to flush to zero.
        _compile("-shared", "-fopenmp", compiled, "-o", library)
        function = ctypes.CDLL(str(library)).soft_mean
    function.restype = None
    return function


def _compile(*arguments):
    done = subprocess.run([compiler(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"cannot be built: {done.stderr.strip().partition(chr(10))[0]}")


def _check_memory(n_bytes):
    try:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        return
    if n_bytes > 0.8 * free:
        raise Missing(f"out of memory: needs {n_bytes / 2**30:.0f} of {free / 2**30:.0f} GiB free")


PEERS = {
    "torch flash attention": torch_flash,
    "torch flash attention, padded": torch_flash_padded,
    "torch softmax": torch_matrix,
    "numpy": numpy_matrix,
    "numpy, in chunks": numpy_chunks,
    "KeOps": keops,
    "C anchor": c_anchor,
}
