"""The old name of :mod:`ebm.energies.label_memory`, for one more release."""

from ebm._checks import renamed

__getattr__ = renamed(
    __name__,
    "ebm.energies.label_memory",
    {"Completion": "LabelMemory", "with_labels": "with_labels"},
)
