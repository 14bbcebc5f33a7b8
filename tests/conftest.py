"""What every test needs before its first import."""

import os

# scikit-learn's array API checks skip themselves without it, and scipy reads it only once.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
