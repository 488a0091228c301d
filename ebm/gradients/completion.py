"""The old name of :mod:`ebm.gradients.label_memory`, for one more release."""

from ebm._checks import renamed

NAMES = ("LabelCompletion", "completion_error", "completion_gradient")
__getattr__ = renamed(__name__, "ebm.gradients.label_memory", {name: name for name in NAMES})
