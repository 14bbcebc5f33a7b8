"""
Which bandwidth is faithful without copying?
============================================

The narrower the bandwidth of a flow, the closer its samples come to the rows it was fitted on, down
to copies. A search needs two scores: how faithful samples are to rows that were held out, and how
many of them are nearer to a training row than to any of those.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    ShuffleSplit,
    train_test_split,
)
from sklearn.preprocessing import StandardScaler

from skflow import SDFlowSampler
from skflow.metrics import get_sample_scorer, most_faithful, nearest_neighbor_distances

X, _ = load_wine(return_X_y=True)

# %%
# The search
# ----------
# In every split half of the wines train, and half are held out. The rule takes the bandwidth with
# the least energy distance among those with a share of at most 0.65; 0.5 is ideal.

warnings.filterwarnings("ignore", "The particles copy rows")  # as some are meant to

bandwidths = np.geomspace(0.2, 4, 9).round(2)
halves = ShuffleSplit(6, test_size=0.5, random_state=0)
names = ["neg_energy_distance", "neg_closer_to_train_share"]
scoring = get_sample_scorer(names, n_samples=300)
sampler, grid = SDFlowSampler(n_particles=300, random_state=0), {"bandwidth": bandwidths}
search = GridSearchCV(sampler, grid, scoring=scoring, refit=most_faithful, cv=halves).fit(X)

# %%
# At random, where a grid would be too large
# ------------------------------------------

ranges = {"bandwidth": loguniform(1, 4), "n_steps": [50, 100]}
few = {"n_iter": 5, "cv": halves, "random_state": 0}
drawn = RandomizedSearchCV(sampler, ranges, scoring=scoring, refit=most_faithful, **few).fit(X)
print(f"bandwidth {drawn.best_params_['bandwidth']:.2f}, {drawn.best_params_['n_steps']} steps")

# %%
# The grid by the density of held-out wines, which is the samplers' own score
# ---------------------------------------------------------------------------

by_density = GridSearchCV(sampler, grid, cv=halves).fit(X)

# %%
# What they choose
# ----------------

energy, share = (-search.cv_results_[f"mean_test_{name}"] for name in names)
density = by_density.cv_results_["mean_test_score"]
print(f"{'bandwidth':>10}{'energy':>10}{'share':>10}{'log-density':>14}")
for row in zip(bandwidths, energy, share, density, strict=True):
    print("{:10.2f}{:10.3f}{:10.2f}{:14.1f}".format(*row))
choices = [
    (search, "#0072B2", "chosen by the rule"),
    (by_density, "#D55E00", "chosen by held-out density"),
]
for chosen, _, label in choices:
    print(f"{label}: {chosen.best_params_['bandwidth']:.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
left.plot(share, energy, "o-", color="0.6", zorder=0)
for x, y, bandwidth in zip(share, energy, bandwidths, strict=True):
    if bandwidth > 0.5:  # the narrowest are all but in one place
        left.annotate(f"{bandwidth:g}", (x, y), (7, 4), textcoords="offset points", fontsize=8)
left.axvspan(0.65, 1.02, color="#D55E00", alpha=0.1, linewidth=0)
left.text(0.66, energy.max(), "copies", color="#D55E00")
for chosen, color, label in choices:
    left.scatter(share[chosen.best_index_], energy[chosen.best_index_], 90, color, label=label)
left.set(
    title="Nine bandwidths, from 0.2 to 4",
    xlabel="share of samples closer to train (0.5 is ideal)",
    ylabel="energy distance to held-out wines",
    xlim=(None, 1.02),
)
left.legend(frameon=False, fontsize=9, loc="lower right")

train, heldout = train_test_split(X, test_size=0.5, random_state=0)
scale = StandardScaler().fit(train).transform
rows = [(heldout, "k", "held-out wines")]
for chosen, color, label in choices:
    model = clone(sampler).set_params(**chosen.best_params_).fit(train)
    rows.append((model.sample(300, random_state=1), color, f"samples, {label}"))
for some, color, label in rows:
    right.ecdf(nearest_neighbor_distances(scale(some), scale(train)), color=color, label=label)
right.set(
    title="How near the training wines are",
    xlabel="distance to the nearest training wine (standard deviations)",
    ylabel="share of rows that are nearer",
    xlim=(0, 5),
)
right.legend(frameon=False, fontsize=9, loc="lower right")
plt.show()

# %%
# Density prefers a bandwidth at which nine samples in ten are nearer to a wine that it was shown
# than to any other; the rule takes a wider one, whose samples keep the distance that new wines keep
# and are more like them, too.
