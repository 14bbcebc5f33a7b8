"""What every test needs before its first import."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes side by side keep the cores busy. numpy reads this when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import skflow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # benchmarks are not installed

# scikit-learn's array API checks skip themselves without it, and scipy reads it only once.
os.environ.setdefault("SCIPY_ARRAY_API", "1")


def _cache_of_these_sources():
    """numba looks at the file of a cached function, and not at those that it was generated from."""
    folder = Path(skflow.__file__).parent / "_kernels"
    sources = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    return Path(tempfile.gettempdir(), f"skflow-tests-{hashlib.md5(sources).hexdigest()}")


os.environ.setdefault("NUMBA_CACHE_DIR", str(_cache_of_these_sources()))

from skflow._kernels import threads  # noqa: E402

threads._INLINE_WORK = 2**21  # the small data of tests are shared among threads, too
