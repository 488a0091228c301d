"""What all restricted Boltzmann machines share."""

from numbers import Integral
from typing import Any, ClassVar

from ebm._checks import Array
from ebm.energies.bipartite import BipartiteParameters
from ebm.energies.given import given_parameters
from ebm.sklearn_compat._shared._learning import Learning
from ebm.sklearn_compat._shared._settings import Number
from ebm.sklearn_compat.rbm._distribution import BipartiteDistribution
from ebm.units import Unit


class BaseRBM(BipartiteDistribution, Learning):
    """Restricted Boltzmann machines of any two unit types (abstract)."""

    _chain_names: ClassVar[tuple[str, str, str]] = (
        "h_samples_",
        "offset_visible_",
        "offset_hidden_",
    )
    _hidden_name: ClassVar[str] = "n_components"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Number(Integral, 1, None, closed="left")],
        **Learning._parameter_constraints,
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @classmethod
    def from_parameters(
        cls,
        components: Any,
        intercept_hidden: Any = None,
        intercept_visible: Any = None,
        **others: Any,
    ) -> "BaseRBM":
        """The machine that has given weights and biases, without data: whatever a fitted one can do, it can.

        Parameters
        ----------
        components : array-like of shape (n_components, n_features)
            Weights. float32 is kept.
        intercept_hidden : array-like of shape (n_components,), default=None
            Biases of the hidden units; zero if None.
        intercept_visible : array-like of shape (n_features,), default=None
            Biases of the visible units; zero if None.
        **others : object
            Parameters that only some units have, by the names of their attributes: ``log_variance_visible`` or, instead
            of it, ``variances`` of Gaussian visible units, ``log_variance_hidden`` of hidden ones. And settings of the
            constructor.

        Returns
        -------
        machine : object
            The model. The arrays are copied.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or the units have no such parameter.

        Notes
        -----
        Without training data, chains start from independent units driven by the hidden biases, and annealing from
        the means of short chains of the model.

        Examples
        --------
        >>> from ebm import BernoulliRBM
        >>> rbm = BernoulliRBM.from_parameters([[2.0, 2.0, 0.0]], [-1.0], random_state=0)
        >>> rbm.transform([[1, 0, 1]]).round(3)
        array([[0.731]])
        """
        settings = {name: others.pop(name) for name in cls._get_param_names() if name in others}
        machine = cls(**settings)
        values = {
            "intercept_hidden": intercept_hidden,
            "intercept_visible": intercept_visible,
            **others,
        }
        params = given_parameters(machine._model(), components, values)
        machine.set_params(n_components=params.W.shape[1])
        machine.n_features_in_ = params.W.shape[0]
        machine._keep_params(params)
        machine._set_optional(machine._own_parameters(params))
        return machine

    def _recognition(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The hidden units, and the weights and biases that make their inputs of the visible states."""
        model = self._model()
        return [(model.hidden, model.recognition(self._params()))]

    def _is_fitted(self) -> bool:
        return hasattr(self, "components_")

    def _keep_params(self, params: BipartiteParameters) -> None:
        """Turn parameters into fitted attributes."""
        self.components_ = params.W.T
        self._n_features_out = params.W.shape[1]
        self.intercept_visible_ = params.visible.bias
        self.intercept_hidden_ = params.hidden.bias

    def _own_parameters(self, params: BipartiteParameters) -> dict[str, Array]:
        """Parameters that not every type of unit has, by the names of their attributes."""
        layers = (("visible", params.visible), ("hidden", params.hidden))
        return {
            f"{field}_{layer}_": getattr(own, field)
            for layer, own in layers
            for field in own._fields[1:]
        }
