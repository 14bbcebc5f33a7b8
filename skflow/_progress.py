"""What the outside hears of a fit while it runs."""

import numpy as np

from skflow._kernels import mean_square

__all__ = ["Progress"]


class Progress:
    """The history of a fit, printed lines, and scikit-learn's callbacks.

    Parameters
    ----------
    estimator : BaseFlow
        What is being fitted.
    X, y, sample_weight : array-like
        The arguments of `fit` that callbacks score by; `X_base` is none of a scorer's.

    Attributes
    ----------
    history : list of float
        Mean squared velocity of each step.
    """

    def __init__(self, estimator, X, y, sample_weight):
        self.history = []
        self._estimator = estimator
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"X": X, "y": y, "metadata": metadata}
        self._fit = estimator._init_callback_context(max_subtasks=estimator.n_steps)
        self._fit.call_on_fit_task_begin(estimator=estimator, **self._data)
        self._step = None
        self._begin_step()

    def _begin_step(self):
        self._step = self._fit.subcontext(task_name="step")
        self._step.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def step(self, velocity, sigma, fitted, ends=False):
        """A step is done; returns whether it was the last, as a callback may ask for.

        Parameters
        ----------
        velocity : ndarray of shape (n_particles, n_features)
            Velocity of the particles that it moved.
        sigma : float
            Its bandwidth.
        fitted : callable
            Returns the attributes that the estimator would have if fit ended here.
        ends : bool, default=False
            Whether it was the last in any case.
        """
        estimator = self._estimator
        self.history.append(mean_square(velocity))
        done, n_steps = len(self.history), estimator.n_steps
        every = max(1, n_steps // 10) if estimator.verbose == 1 else 1
        if estimator.verbose and done % every == 0:
            print(
                f"[{type(estimator).__name__}] step {done} of {n_steps}, "
                f"bandwidth {sigma:.3g}, rms velocity {np.sqrt(self.history[-1]):.3g}"
            )
        stop = self._step.call_on_fit_task_end(
            estimator=estimator,
            **self._data,
            reconstruction_attributes=lambda: {**fitted(), "history_": np.array(self.history)},
        )
        stop = stop or ends
        if not stop and done < n_steps:
            self._begin_step()
        return stop

    def end(self):
        """The estimator is fitted."""
        self._fit.call_on_fit_task_end(
            estimator=self._estimator,
            **self._data,
            # The one attribute that a generator's copy is made without.
            reconstruction_attributes={"_training_X": self._estimator._training_X},
        )
