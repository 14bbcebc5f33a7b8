"""
Can data be made Gaussian, and brought back?
============================================

A flow that leads from a Gaussian to the data can be run backwards, row by row. Two columns of the
wines show what that does to rows that were not fitted on.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import inv, sqrtm
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler

from skflow import SDFlowSampler
from skflow.metrics import energy_distance

X, cultivar = load_wine(return_X_y=True, as_frame=True)
X = X[["flavanoids", "proline"]]
train, heldout, _, cultivar = train_test_split(X, cultivar, test_size=0.5, random_state=0)
train, heldout = train.to_numpy(), heldout.to_numpy()

flow = SDFlowSampler(base="normal", random_state=0).fit(train)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    gaussian = flow.inverse_transform(heldout)
print(*(warning.message for warning in caught), sep="\n")

# %%
# Wines at the edge of all that the flow has seen are thrown far out, and there is a warning;
# ``support`` tells which they are. The others are brought back.

inside = flow.support(gaussian) <= flow.support_limit_
back = flow.transform(gaussian[inside])
error = np.abs(back - heldout[inside]).max(axis=0) / train.std(axis=0)
print(f"Thrown out: {np.sum(~inside)} of {len(heldout)} held-out wines")
print(f"Largest error of the others when they are back: {error.max():.1e} standard deviations")

# %%
# How Gaussian are those? The energy distance to draws of a standard Gaussian, after rows have been
# centred and whitened as the training wines are, with transformers of single columns beside it.


def whitened(rows, like):
    return (rows - like.mean(axis=0)) @ inv(sqrtm(np.cov(like.T)))


rng = np.random.default_rng(0)
draws = rng.standard_normal((2000, 2))
results = {"a second Gaussian sample": rng.standard_normal((inside.sum(), 2))}
for name, transformer in {
    "StandardScaler": StandardScaler(),
    "PowerTransformer": PowerTransformer(),
    "QuantileTransformer": QuantileTransformer(n_quantiles=89, output_distribution="normal"),
}.items():
    like = transformer.fit_transform(train)
    results[name] = whitened(transformer.transform(heldout[inside]), like)
results["the flow, backwards"] = whitened(gaussian[inside], train)
for name, rows in results.items():
    print(f"{name:26}{energy_distance(rows, draws):.3f}")

# %%
# The picture
# -----------

base = rng.multivariate_normal(train.mean(axis=0), np.cov(train.T), 1000)
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharex=True, sharey=True, layout="constrained")
for ax, rows, title in [
    (axes[0], heldout, "Held-out wines"),
    (axes[1], gaussian, "The same wines, carried back to the Gaussian"),
    (axes[2], back, "The same wines again"),
]:
    kinds = cultivar[inside] if rows is back else cultivar
    for kind, color, marker in zip([0, 1, 2], ["#0072B2", "#D55E00", "0.2"], "o^s", strict=True):
        label = f"cultivar {kind}"
        ax.scatter(*rows[kinds == kind].T, s=22, color=color, marker=marker, label=label)
    ax.set(xlabel="flavanoids", title=title)
axes[1].scatter(*base.T, s=4, color="0.8", zorder=0, label="draws of the Gaussian")
axes[1].legend(frameon=False, fontsize=8, loc="upper left")
axes[0].set(ylabel="proline", xlim=(-2, 7), ylim=(-500, 2200))
plt.show()

# %%
# The three cultivars fill the Gaussian side by side, and it is more of one than what transformers
# of single columns make of the wines. The way back is exact. But a few rows at the edge are lost:
# the flow draws rows in from outside, and backwards it throws out those that lie beyond what it
# has seen.
