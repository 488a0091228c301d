"""Figures of fitted models, as Display classes in scikit-learn's style; the only room that imports matplotlib.

A display holds what it draws: ``from_estimator`` collects it and draws it, ``plot`` draws it again, elsewhere or
otherwise.
"""

from ebm.displays.couplings import CouplingsDisplay
from ebm.displays.filters import FiltersDisplay
from ebm.displays.patterns import PatternsDisplay
from ebm.displays.samples import SamplesDisplay
from ebm.displays.training_curve import TrainingCurveDisplay

__all__ = [
    "CouplingsDisplay",
    "FiltersDisplay",
    "PatternsDisplay",
    "SamplesDisplay",
    "TrainingCurveDisplay",
]
