"""
From how many rows on does a generator pay?
===========================================

A sampler carries every new row through all steps of its flow. A generator learns to make in one
step what the flow leads to: it takes longer to fit, and then a row costs next to nothing.
"""

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skflow import SDFlowGenerator, SDFlowSampler
from skflow.metrics import closer_to_train_share, energy_distance

X = load_breast_cancer().data
train, heldout = train_test_split(X, test_size=0.5, random_state=0)
scale = StandardScaler().fit(train).transform
# What is compiled at first use is not to be timed.
SDFlowSampler(n_steps=1, random_state=0).fit(train).sample()

models = {
    "SDFlowSampler": SDFlowSampler(random_state=0),
    "SDFlowGenerator": SDFlowGenerator(n_steps=200, random_state=0),
}
counts, seconds = np.array([100, 1000, 2000, 4000, 6000]), {}
print(f"{'':18}{'energy distance':>16}{'closer to train':>18}")
for name, model in models.items():
    start = process_time()
    model.fit(train)
    fitted, drawn = process_time() - start, []
    for n in counts:
        start = process_time()
        new = model.sample(n, random_state=0)
        drawn.append(process_time() - start)
    seconds[name] = fitted + np.array(drawn)
    new = scale(new[:1000])
    distance = energy_distance(new, scale(heldout))
    share = closer_to_train_share(new, scale(train), scale(heldout))
    print(f"{name:18}{distance:16.3f}{share:18.2f}")
print(f"{'training rows':18}{energy_distance(scale(train), scale(heldout)):16.3f}")

# %%
# The picture
# -----------

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, times), color in zip(seconds.items(), ["#0072B2", "#D55E00"], strict=True):
    ax.plot(counts, times, "o-", color=color, label=name)
ax.set(
    xlabel="new rows",
    ylabel="seconds of processor time, to fit and to draw",
    xlim=(0, None),
    ylim=(0, None),
)
ax.legend(frameon=False)
plt.show()

# %%
# The seconds of the sampler grow with the rows that it draws, and those of the generator are all
# but spent when it has been fitted: where the lines cross it begins to pay. Its rows are a
# little less faithful here, and a little less near to the training rows.
