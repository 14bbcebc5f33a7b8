"""
What moves the rows?
====================

A flow starts from rows that are easy to draw, here of a Gaussian, and moves them by a velocity:
towards the target, and away from where there are too many of them already. Two columns of the
wines show it.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine

from skflow import SDFlowSampler
from skflow.inspection import VelocityFieldDisplay

wines = load_wine(as_frame=True).data[["flavanoids", "proline"]]
sampler = SDFlowSampler(base="normal", random_state=0).fit(wines)

figure, axes = plt.subplots(1, 3, figsize=(15, 4.4), layout="constrained")
for t, ax in zip([0.0, 0.5, 1.0], axes, strict=True):
    VelocityFieldDisplay.from_estimator(
        sampler, wines, t=t, grid_resolution=14, random_state=0, ax=ax
    )
plt.show()

# %%
# Arrows tell where rows go, and the pale ones are slow. At first the velocity turns the whole
# cloud, and empties the lower left corner, where no wine is. As the bandwidth narrows it sorts
# the rows into groups, and at the end it is strong only outside, where it holds them in.
