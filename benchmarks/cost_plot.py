"""The picture of cost_curve.py: time and memory against the number of rows."""

from pathlib import Path

import numpy as np


def draw_costs(rows, path, contenders, fixed):
    """Two pictures, NAME_seconds and NAME_megabytes: a row for each width, a column for each share.

    `rows` are those of the CSV file. Contenders that are `fixed` are drawn at every share, though
    they may have run at one.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in rows if row["seconds"]]
    widths = sorted({int(row["d"]) for row in rows})
    shares = sorted({float(row["share"]) for row in rows})
    present = [name for name in contenders if any(row["contender"] == name for row in rows)]
    for quantity, label in (("seconds", "seconds a call"), ("megabytes", "growth of memory, MB")):
        figure, axes = plt.subplots(
            *(len(widths), len(shares)),
            figsize=(3.6 * len(shares) + 2.4, 2.8 * len(widths) + 0.8),
            squeeze=False,
            sharex=True,
            sharey=True,
            layout="constrained",
        )
        for d, line in zip(widths, axes, strict=True):
            for share, ax in zip(shares, line, strict=True):
                for number, name in enumerate(present):
                    sizes, values = _curve(rows, name, d, share, quantity, name in fixed)
                    ours = name not in fixed or name == "dense"
                    ax.loglog(
                        *(sizes, values),
                        color=plt.get_cmap("tab20")(number % 20),
                        linestyle="-" if ours else "--",
                        marker="o" if ours else "x",
                        markersize=4,
                        label=name,
                    )
                ax.set_title(f"d = {d}, sigma = {share:g} of the spread", fontsize=10)
                ax.grid(alpha=0.3)
        for ax in axes[-1]:
            ax.set_xlabel("N = M, rows")
            ax.xaxis.set_minor_formatter("")
        for ax in axes[:, 0]:
            ax.set_ylabel(label)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", fontsize=9)
        path = Path(path)
        figure.savefig(path.with_stem(f"{path.stem}_{quantity}"), dpi=110)
        plt.close(figure)


def _curve(rows, name, d, share, quantity, fixed):
    """Sizes and values of a contender, in rising order."""
    points = {
        int(row["n"]): max(float(row[quantity]), 0.1 if quantity == "megabytes" else 0.0)
        for row in rows
        if row["contender"] == name
        and int(row["d"]) == d
        and (fixed or float(row["share"]) == share)
    }
    sizes = np.array(sorted(points))
    return sizes, np.array([points[n] for n in sizes])
