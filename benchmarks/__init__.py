"""Scripts that measure, run with ``python -m benchmarks.NAME``; RESULTS.md has what they said."""

import os
import sys

# Peers may use all that the processor can do, also where the environment holds libraries to less:
# they read these variables when they are loaded, which is after this. Where they are there already,
# as in the tests, it is too late, and other processes should have the same libraries as this one.
if "numpy" not in sys.modules:
    for _name in (
        "ATEN_CPU_CAPABILITY",
        "MKL_ENABLE_INSTRUCTIONS",
        "NPY_DISABLE_CPU_FEATURES",
        "OPENBLAS_CORETYPE",
        "OPENBLAS_L2_SIZE",
    ):
        os.environ.pop(_name, None)
