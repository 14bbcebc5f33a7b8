"""
Are new wines like real ones, and are they new?
===============================================

Half of the 178 wines that scikit-learn ships train a sampler, in their raw units. The other half
judges: new wines should be like wines that the sampler has not seen, and no nearer to those that it
has seen than these are.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

from skflow import SDFlowSampler
from skflow.inspection import MarginalsDisplay, NearestDistanceDisplay

wines = load_wine(as_frame=True).data
train, heldout = train_test_split(wines, test_size=0.5, random_state=0)
sampler = SDFlowSampler(random_state=0).set_output(transform="pandas").fit(train)
new = sampler.sample(1000, random_state=0)
print(new.head(3).round(2).T)

# %%
# Left: the four of thirteen columns in which new wines differ most from held-out ones, each with
# the largest difference of the distribution functions. Right: how far every wine is from the
# nearest one that the sampler was fitted on.

figure, axes = plt.subplot_mosaic("ABEE;CDEE", figsize=(11, 5), layout="constrained")
MarginalsDisplay.from_predictions(heldout, new, max_features=4, ax=[axes[k] for k in "ABCD"])
NearestDistanceDisplay.from_predictions(new, train, heldout, ax=axes["E"])
plt.show()

# %%
# Even in these columns new wines spread as real ones do, and they keep about the
# distance from the training wines that held-out wines keep: none of them is a copy.
