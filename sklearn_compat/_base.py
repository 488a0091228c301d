"""What all restricted Boltzmann machines share."""

from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from ebm._checks import Array
from ebm.energies.bipartite import BipartiteParameters
from ebm.sklearn_compat._distribution import BipartiteDistribution
from ebm.sklearn_compat._learning import Learning
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
        "n_components": [Interval(Integral, 1, None, closed="left")],
        **Learning._parameter_constraints,
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

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
