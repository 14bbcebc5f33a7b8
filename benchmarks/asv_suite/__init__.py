"""Benchmarks of the history, for airspeed velocity: `asv run --config benchmarks/asv.conf.json`."""
