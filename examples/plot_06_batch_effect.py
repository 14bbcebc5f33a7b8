"""
Can the mark that an instrument leaves on data be removed?
==========================================================

Two laboratories have measured different patients, and one of the instruments bends, mixes and
shifts what it shows. The patients are those of scikit-learn's diabetes data; the second instrument
is made up, so that its readings can be compared with what the first would have shown.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import inv, sqrtm
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skflow import SDFlowSampler

diabetes = load_diabetes(as_frame=True)
measures = diabetes.data.drop(columns=["age", "sex"])
truth, progression = StandardScaler().fit_transform(measures), diabetes.target.to_numpy()

mixing = np.eye(8) + np.random.default_rng(0).normal(0, 0.2, (8, 8))
shown = 0.5 + (truth + 0.2 * (truth**2 - 1)) @ mixing

# %%
# No patient was in both laboratories. Four ways to bring the rows of the second to the first, from
# simple to flow, learn from half of its patients, and are judged on the others.


def rescaled(rows, base, target):
    before, after = (StandardScaler().fit(some) for some in (base, target))
    return after.inverse_transform(before.transform(rows))


def quantiles_matched(rows, base, target):
    before, after = (QuantileTransformer(n_quantiles=100).fit(some) for some in (base, target))
    return after.inverse_transform(before.transform(rows))


def covariances_matched(rows, base, target):
    root = sqrtm(np.cov(base.T))
    matrix = inv(root) @ sqrtm(root @ np.cov(target.T) @ root) @ inv(root)
    return (rows - base.mean(axis=0)) @ matrix + target.mean(axis=0)


def carried(rows, base, target):
    return SDFlowSampler(random_state=0).fit(target, X_base=base).transform(rows)


ways = {
    "as shown": lambda rows, base, target: rows,
    "columns rescaled": rescaled,
    "quantiles matched": quantiles_matched,
    "covariances matched": covariances_matched,
    "carried by the flow": carried,
}
errors, scores = {name: [] for name in ways}, {name: [] for name in ways}
scores["measured by the first"] = []
for seed in range(5):
    first, second = train_test_split(np.arange(len(truth)), test_size=2 / 3, random_state=seed)
    seen, held_out = train_test_split(second, test_size=0.5, random_state=seed)
    model = Ridge().fit(truth[first], progression[first])
    for name, way in ways.items():
        rows = way(shown[held_out], shown[seen], truth[first])
        errors[name].append(np.sqrt(np.mean((rows - truth[held_out]) ** 2)))
        scores[name].append(model.score(rows, progression[held_out]))
    scores["measured by the first"].append(model.score(truth[held_out], progression[held_out]))

print("Held-out patients of the second laboratory, mean of 5 splits")
print(f"\n{'':24}{'error':>8}{'R2 of a model of the first':>30}")
for name in scores:
    error = np.mean(errors[name]) if name in errors else 0
    print(f"{name:24}{error:8.2f}{np.mean(scores[name]):30.2f}")

# %%
# The picture
# -----------

corrected = rows  # by the flow, in the last split
x, y = 5, 6  # the columns s4 and s5
figure, axes = plt.subplots(1, 3, figsize=(12.5, 4), layout="constrained")
for ax, rows, title in [
    (axes[0], shown[held_out], "As the second instrument shows them"),
    (axes[1], corrected, "The same patients, carried"),
]:
    ax.scatter(*truth[first][:, [x, y]].T, s=12, color="0.75", label="the first laboratory")
    ax.scatter(*rows[:, [x, y]].T, s=12, color="#D55E00", label="the second, held out")
    names = [f"{measures.columns[k]} (standard deviations)" for k in (x, y)]
    ax.set(xlabel=names[0], ylabel=names[1], title=title)
axes[1].sharex(axes[0])
axes[1].sharey(axes[0])
axes[0].legend(frameon=False)
means = [np.mean(errors[name]) for name in ways]
bars = axes[2].barh(list(ways), means, color=["0.6"] * 4 + ["#D55E00"])
axes[2].bar_label(bars, fmt="%.2f", padding=3)
axes[2].set_xlim(0, 1.2 * max(means))
axes[2].invert_yaxis()
axes[2].set(xlabel="error (standard deviations of a column)", title="How far from the truth")
plt.show()

# %%
# Carried rows are the nearest to what the first instrument would have shown, and a model of the
# first laboratory predicts best from them, though not as well as from its own readings. All of
# these ways need patients of the same kind in both laboratories.
