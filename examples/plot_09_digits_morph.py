"""
What is half way between a three and an eight?
==============================================

Digits of 8 x 8 pixels are rows of 64 columns. A flow from one digit to another carries digits that
it has not seen, and can be asked for them at any time on their way.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from skflow import SDFlowSampler

X, y = load_digits(return_X_y=True)
X_train, X_new, y_train, y_new = train_test_split(X, y, test_size=0.5, random_state=0)
classifier = SVC().fit(X_train, y_train)

# %%
# All pixels have the same units: the kernel is as wide in all of them. The classifier has seen the
# same half of the digits as the flows, and says what the digits of the other half become.

times = np.linspace(0, 1, 7)
calls = []
figure, axes = plt.subplots(6, len(times), figsize=(8, 7), layout="constrained")
for (first, last), rows in zip([(3, 8), (0, 6), (4, 9)], np.split(axes, 3), strict=True):
    flow = SDFlowSampler(n_steps=300, covariance_type="spherical", random_state=0)
    flow.fit(X_train[y_train == last], X_base=X_train[y_train == first])
    digits = X_new[y_new == first]
    for t, column in zip(times, rows.T, strict=True):
        stage = flow.interpolate(digits, t)
        called = classifier.predict(stage)
        calls.append((first, last, t, np.mean(called == first), np.mean(called == last)))
        for image, ax in zip(stage, column, strict=False):  # the first two digits
            ax.imshow(image.reshape(8, 8), "gray_r", vmin=0, vmax=16, interpolation="bicubic")
            ax.set_axis_off()
            ax.set_title(f"t = {t:.2f}" if ax in axes[0] else "", fontsize=10)

print("Held-out digits: what the classifier calls them\n")
for first, last, t, as_first, as_last in calls:
    print(f"t = {t:.2f}   {as_first:4.0%} a {first}   {as_last:4.0%} a {last}")
plt.show()

# %%
# Half way the classifier is in two minds, and at the end it takes nearly all digits for what they
# should be. Strokes fade and grow rather than bend, since columns are pixels, and the new digits
# are paler than real ones: a kernel averages over the few that it is shown.
