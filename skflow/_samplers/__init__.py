"""The samplers: one flow each, told apart by their velocity.

What they share is in ``base``: a flow is run once, recorded, and followed by other rows.
"""

from skflow._samplers.diffusion import DiffusionSampler
from skflow._samplers.mmd import MMDFlowSampler
from skflow._samplers.score_difference import SDFlowSampler
from skflow._samplers.svgd import SVGDSampler

__all__ = ["DiffusionSampler", "MMDFlowSampler", "SDFlowSampler", "SVGDSampler"]
