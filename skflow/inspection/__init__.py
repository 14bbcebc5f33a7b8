"""Pictures of flows and of what they make: Displays in scikit-learn's way.

Each has ``from_estimator``, ``from_predictions`` for arrays from anywhere, and ``plot``. They need
matplotlib, the extra "plots". Real rows are blue in all of them, and generated or carried rows
orange.
"""

from skflow.inspection._bandwidth_search import BandwidthSearchDisplay
from skflow.inspection._convergence import ConvergenceDisplay
from skflow.inspection._correlations import CorrelationsDisplay
from skflow.inspection._evolution import EvolutionDisplay
from skflow.inspection._marginals import MarginalsDisplay
from skflow.inspection._nearest_distance import NearestDistanceDisplay
from skflow.inspection._velocity_field import VelocityFieldDisplay

__all__ = [
    "BandwidthSearchDisplay",
    "ConvergenceDisplay",
    "CorrelationsDisplay",
    "EvolutionDisplay",
    "MarginalsDisplay",
    "NearestDistanceDisplay",
    "VelocityFieldDisplay",
]
