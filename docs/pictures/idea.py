"""The picture that explains the idea: particles on their way from one distribution to another.

python docs/pictures/idea.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from skflow import SDFlowSampler

TARGET, PARTICLES, ARROW = "#2f6db3", "#e0662a", "0.1"
STAGES = {0.0: "1. Start anywhere", 0.68: "2. Follow the arrows", 1.0: "3. Arrive as new rows"}


def apart(rows, distance):
    """Rows that are at least so far from each other, for arrows that do not overlap."""
    chosen = rows[:1]
    for row in rows:
        if np.linalg.norm(chosen - row, axis=1).min() > distance:
            chosen = np.vstack([chosen, row])
    return chosen


target = make_moons(400, noise=0.07, random_state=0)[0] * [1.5, 2.0]
base = np.random.default_rng(0).normal([-2.9, 0.5], 0.4, size=(400, 2))
flow = SDFlowSampler(0.25, n_steps=400, random_state=0).fit(target, X_base=base)

figure, panels = plt.subplots(1, 3, figsize=(13, 3.8), sharex=True, sharey=True)
for panel, (t, title) in zip(panels, STAGES.items(), strict=True):
    particles = flow.interpolate(base, t)
    panel.scatter(*target.T, s=14, color=TARGET, alpha=0.45, linewidth=0)
    panel.scatter(*particles.T, s=14, color=PARTICLES, alpha=0.75, linewidth=0)
    if t < 1:
        some = apart(particles, 0.42 if t else 0.36)
        arrows = flow.velocity_at(some, t)
        panel.quiver(
            *some.T,
            *arrows.T,
            color=ARROW,
            width=0.007,
            zorder=3,
            angles="xy",
            scale=7 if t else 14,
            edgecolor="white",
            linewidth=0.6,
        )
    panel.set_title(title, fontsize=16)
    panel.set(aspect="equal", xticks=[], yticks=[], xlim=(-4.2, 3.4), ylim=(-2.6, 2.6))
    panel.spines[:].set_visible(False)
left, middle, right = panels
words = {"ha": "center", "fontsize": 14}
left.text(-2.9, -1.5, "particles\n(density $q$)", color=PARTICLES, **words, va="center")
left.text(0.75, -2.35, "your rows (density $p$)", color=TARGET, **words)
middle.text(-0.4, -2.45, r"arrow: $\nabla\log p-\nabla\log q$", color=ARROW, **words)
right.text(0.75, -2.35, "$q$ is close to $p$", color=PARTICLES, **words)
figure.subplots_adjust(0.005, 0.0, 0.995, 0.9, wspace=0.02)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
