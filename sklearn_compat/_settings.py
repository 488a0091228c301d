"""Nested parameter names that reach into a record given by its name: ``rule__kappa`` where ``rule="perceptron"``."""

from collections.abc import Callable
from typing import Any, ClassVar

from sklearn.utils._param_validation import HasMethods

# What a parameter must be that holds a record of settings.
RECORD = HasMethods(["get_params", "set_params"])


class NestedSettings:
    """Names in place of records, resolved where a setting of theirs is set (abstract; in front of BaseEstimator)."""

    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {}

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name; ``name__setting`` reaches into a record, also one given by its string.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
            The estimator.
        """
        for name in {name.split("__")[0] for name in params if "__" in name}:
            value = params.get(name, getattr(self, name, None))
            if (value is None or isinstance(value, str)) and name in self._resolvers:
                params = {**params, name: self._resolvers[name](value)}
        return super().set_params(**params)  # type: ignore[misc]
