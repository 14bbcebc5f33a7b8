"""What every benchmark prints around its figures: the machine, and a table."""

import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numba
from threadpoolctl import threadpool_info


def machine():
    """One line: processor, cores, versions and date."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "scikit-learn"))
    return (
        f"{model}, {os.cpu_count()} cores, {numba.get_num_threads()} threads; "
        f"Python {platform.python_version()}, {packages}{_blas()}; {date.today()}"
    )


def _blas():
    """For which processor the matrix products of numpy and scipy are, where their library tells."""
    libraries = [info for info in threadpool_info() if info.get("architecture")]
    kinds = sorted({f"{info['internal_api']} for {info['architecture']}" for info in libraries})
    return "".join(f", {kind}" for kind in kinds)


def table(header, rows, digits=3, rule=True):
    """A Markdown table; floats are rounded. Without a rule, lines to go on one with."""

    def cell(value):
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    lines = [header, *([["---"] * len(header)] if rule else []), *rows]
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)
