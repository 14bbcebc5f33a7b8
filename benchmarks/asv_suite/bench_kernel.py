"""The kernel mean, by dtype, width and algorithm."""

import inspect

import numpy as np

from skflow._kernels import kernel_mean


def data(n, d, dtype="float64"):
    return np.random.default_rng(0).standard_normal((2, n, d)).astype(dtype)


class Dense:
    """Every kernel counts."""

    params = [["float32", "float64"], [2, 10, 50, 200]]
    param_names = ["dtype", "d"]

    def setup(self, dtype, d):
        self.arguments = (*data(4000, d, dtype), float(np.sqrt(d)))
        kernel_mean(*self.arguments)

    def time_kernel_mean(self, dtype, d):
        kernel_mean(*self.arguments)


class Algorithms:
    """Wide and narrow kernels in two dimensions."""

    params = [["auto", "dense", "blocks", "nufft"], [0.02, 0.5], ["float32", "float64"]]
    param_names = ["algorithm", "sigma", "dtype"]

    def setup(self, algorithm, sigma, dtype):
        if "algorithm" not in inspect.signature(kernel_mean).parameters:
            raise NotImplementedError("this version has one algorithm")
        self.options = {"algorithm": algorithm, "tolerance": 1e-6}
        self.arguments = (*data(20_000, 2, dtype), sigma)
        kernel_mean(*self.arguments, **self.options)

    def time_kernel_mean(self, algorithm, sigma, dtype):
        kernel_mean(*self.arguments, **self.options)

    def peakmem_kernel_mean(self, algorithm, sigma, dtype):
        kernel_mean(*self.arguments, **self.options)
