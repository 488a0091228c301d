"""The old name of :mod:`ebm.samplers.simulated_annealing`, for one more release."""

from ebm._checks import renamed

__getattr__ = renamed(
    __name__,
    "ebm.samplers.simulated_annealing",
    {"cool": "simulated_annealing", "Cooled": "Annealed"},
)
