"""Whole runs of the default sampler."""

import numpy as np

from skflow import SDFlowSampler


class Sampler:
    params = [[2, 10]]
    param_names = ["d"]

    def setup(self, d):
        self.X = np.random.default_rng(0).standard_normal((1000, d))
        self.fitted = SDFlowSampler(random_state=0).fit(self.X)
        self.fitted.sample(10, random_state=0)

    def time_fit(self, d):
        SDFlowSampler(random_state=0).fit(self.X)

    def time_sample(self, d):
        self.fitted.sample(1000, random_state=0)

    def time_transform(self, d):
        self.fitted.transform(self.X[:200])

    def time_score_samples(self, d):
        self.fitted.score_samples(self.X)
