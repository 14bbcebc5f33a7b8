"""
New wines, and one wine turned into another
===========================================

Are rows that a sampler makes like real ones, and are they new? And what does it look like to carry
one kind of row onto another? Both on the 178 wines that scikit-learn ships, in their raw units.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skflow import SDFlowSampler
from skflow.metrics import (
    classifier_two_sample_auc,
    closer_to_train_share,
    energy_distance,
    nearest_distance_ratio,
)

wine = load_wine()
X, cultivar = wine.data, wine.target

# %%
# 1. New rows, judged by wines that no sampler has seen
# -----------------------------------------------------
# Half of the wines train, half are held out. The rivals need standardised columns; the flow takes
# them as they are.


def flow_samples(train, n, seed):
    return SDFlowSampler(random_state=seed).fit(train).sample(n, random_state=seed)


def kernel_density_samples(train, n, seed):
    scaler = StandardScaler().fit(train)
    search = GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.05, 2, 20)})
    best = search.fit(scaler.transform(train)).best_estimator_
    return scaler.inverse_transform(best.sample(n, random_state=seed))


def mixture_samples(train, n, seed):
    candidates = [
        make_pipeline(
            StandardScaler(),
            GaussianMixture(k, covariance_type=kind, reg_covar=1e-3, random_state=seed),
        ).fit(train)
        for k in range(1, 9)
        for kind in ("full", "diag")
    ]
    scaler, mixture = min(candidates, key=lambda p: p[-1].bic(p[0].transform(train)))
    return scaler.inverse_transform(mixture.sample(n)[0])


samplers = {
    "SDFlowSampler, as it comes": flow_samples,
    "KernelDensity, bandwidth by CV": kernel_density_samples,
    "GaussianMixture, by BIC": mixture_samples,
}
figures = {name: [] for name in samplers}
for seed in range(5):
    halves = train_test_split(X, test_size=0.5, random_state=seed)
    scale = StandardScaler().fit(halves[0]).transform
    train, heldout = map(scale, halves)
    for name, samples in samplers.items():
        new = scale(samples(halves[0], len(heldout), seed))
        figures[name].append(
            [
                classifier_two_sample_auc(new, heldout, random_state=seed),
                energy_distance(new, heldout),
                closer_to_train_share(new, train, heldout),
                nearest_distance_ratio(new, train, heldout),
            ]
        )

print("New wines against held-out wines, mean of 5 splits (standardised columns)\n")
print(f"{'':32}{'fidelity':^22}{'memorisation':^26}")
print(f"{'':32}{'C2ST AUC':>10}{'energy':>10}{'closer to train':>17}{'ratio':>8}")
for name, rows in figures.items():
    auc, energy, share, ratio = np.mean(rows, axis=0)
    print(f"{name:32}{auc:10.3f}{energy:10.3f}{share:17.3f}{ratio:8.2f}")
print(f"{'ideal':32}{0.5:10.3f}{0:10.3f}{0.5:17.3f}{1:8.2f}\n")

# %%
# 2. One cultivar carried onto another
# ------------------------------------
# The flow learns from half of the wines of either cultivar; the wines that are carried, and those
# that they are compared with, are others.

source, target = X[cultivar == 0], X[cultivar == 1]
source_fit, source_new = train_test_split(source, test_size=0.5, random_state=0)
target_fit, target_new = train_test_split(target, test_size=0.5, random_state=0)

carrier = SDFlowSampler(random_state=0).fit(target_fit, X_base=source_fit)
halfway, carried = carrier.interpolate(source_new, 0.5), carrier.transform(source_new)

scale = StandardScaler().fit(target_fit).transform
print("Cultivar 0 carried onto cultivar 1, wines that were not fitted on (energy distance to the")
print("target's held-out half)\n")
for name, rows in [
    ("as they are", source_new),
    ("half way", halfway),
    ("all the way", carried),
    ("the target's other half", target_fit),
]:
    print(f"{name:32}{energy_distance(scale(rows), scale(target_new)):10.3f}")

# %%
# 3. The picture
# --------------

sampler = SDFlowSampler(random_state=0).fit(X)
new = sampler.sample(len(X), random_state=0)

x, y = (wine.feature_names.index(name) for name in ("alcohol", "flavanoids"))
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), sharex=True, sharey=True)
left.scatter(X[:, x], X[:, y], s=18, color="0.45", label=f"{len(X)} real wines")
left.scatter(new[:, x], new[:, y], s=30, marker="+", color="C1", label=f"{len(new)} new wines")
left.set_title("New rows like the old ones")
left.set_ylabel("flavanoids")
right.scatter(
    target[:, x], target[:, y], s=18, color="0.75", label="cultivar 1, where they should go"
)
for rows, color, label in [
    (source_new, "C0", "cultivar 0, not fitted on"),
    (halfway, "C4", "half way"),
    (carried, "C3", "all the way"),
]:
    right.scatter(rows[:, x], rows[:, y], s=18, color=color, label=label)
stages = [source_new, *carrier.staged_transform(source_new)]
way = np.stack(stages)[:, :, [x, y]]
right.plot(*way.transpose(2, 0, 1), color="0.3", linewidth=0.4, alpha=0.6, zorder=0)
right.set_title("One cultivar carried onto another")
for axes in (left, right):
    axes.set_xlabel("alcohol (%)")
    axes.legend(frameon=False, fontsize=9)
figure.tight_layout()

# %%
# The new wines lie where wines are without sitting on them, and some lie in the gaps between the
# cultivars, which a narrower bandwidth would keep free; the carried ones spread over their target.

if "__file__" in globals():
    picture = Path(__file__).with_suffix(".png")
    figure.savefig(picture, dpi=130)
    print(f"\nThe picture is in {picture}")
