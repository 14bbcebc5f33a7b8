"""
Do made-up patients help where few are ill?
===========================================

Of the patients that a classifier learns from only twelve are ill, and some 180 are well. Such a
classifier calls too many of the ill ones well. Class weights are the usual remedy; another one is
to draw more ill patients from a flow that was fitted on the twelve.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skflow import SDFlowSampler

cancer = load_breast_cancer()
X, ill = cancer.data, cancer.target == 0

classifiers = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "support vectors": SVC(),
    "random forest": RandomForestClassifier(random_state=0),
    "boosted trees": HistGradientBoostingClassifier(max_iter=50, random_state=0),
}
scorers = get_scorer("balanced_accuracy"), get_scorer("average_precision")
ways = ["as it is", "class weights", "more ill ones by a flow"]

# %%
# Half of the patients are held out. All models see the same patients of the other half.

halves = StratifiedShuffleSplit(5, test_size=0.5, random_state=0)
scores = {(name, way): [] for name in classifiers for way in ways}
for train, test in halves.split(X, ill):
    X_well, X_ill = X[train][~ill[train]], X[train][ill[train]][:12]
    n_more = len(X_well) - len(X_ill)
    X_more = SDFlowSampler(random_state=0).fit(X_ill).sample(n_more, random_state=0)
    X_few, y_few = np.concatenate([X_well, X_ill]), np.repeat([False, True], [len(X_well), 12])
    X_even, y_even = np.concatenate([X_few, X_more]), np.append(y_few, np.ones(n_more, bool))
    for name, classifier in classifiers.items():
        weighted = clone(classifier).set_params(class_weight="balanced")
        for way, model, X_seen, y_seen in [
            (ways[0], classifier, X_few, y_few),
            (ways[1], weighted, X_few, y_few),
            (ways[2], classifier, X_even, y_even),
        ]:
            model = make_pipeline(StandardScaler(), model).fit(X_seen, y_seen)
            scores[name, way].append([scorer(model, X[test], ill[test]) for scorer in scorers])

means = {key: np.mean(values, axis=0) for key, values in scores.items()}
print(f"{'':24}{'':26}{'balanced accuracy':>18}{'average precision':>20}")
for (name, way), (accuracy, precision) in means.items():
    print(f"{name:24}{way:26}{accuracy:18.3f}{precision:20.3f}")

# %%
# The picture
# -----------

figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
places = np.arange(len(classifiers))
for which, ax in enumerate(axes):
    for k, (way, color) in enumerate(zip(ways, ["0.7", "#0072B2", "#D55E00"], strict=True)):
        splits = np.array([scores[name, way] for name in classifiers])[:, :, which]
        y = places + 0.22 * (k - 1)
        ax.plot(splits, y, ".", color=color, alpha=0.5)
        ax.plot(splits.mean(axis=1), y, "D", color=color, label=way)
axes[0].set_yticks(places, classifiers)
axes[0].invert_yaxis()
axes[0].set(xlabel="balanced accuracy of held-out patients", title="Decisions")
axes[1].set(xlabel="average precision of held-out patients", title="Rankings")
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# Made-up patients correct the decisions of support vectors and of trees further than class
# weights do; logistic regression is better off with weights. Rankings change by about a
# hundredth, and that of logistic regression for the worse: a flow knows no more of the ill than the
# twelve tell.
