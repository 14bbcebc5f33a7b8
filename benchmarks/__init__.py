"""Scripts that measure, run with ``python -m benchmarks.NAME``; RESULTS.md has what they said."""
