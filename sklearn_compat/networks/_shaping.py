"""How fitted networks change their shape: weights are pruned, hidden layers grow, and what hurts is undone."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, cast

from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, check_integer, check_real
from ebm.monitors import Report
from ebm.networks.growth import (
    Growth,
    growth_record,
    hidden_sizes,
)
from ebm.networks.network import Network, Parameters
from ebm.networks.pruning import (
    count_weights,
    input_shares,
    prune_while_harmless,
    pruned,
    saliencies,
    second_derivatives,
)
from ebm.sklearn_compat._shared._learning import keep_attributes
from ebm.sklearn_compat._shared._settings import RECORD, learns
from ebm.sklearn_compat._shared._validation import calls_it
from ebm.sklearn_compat.networks._network import BaseNetwork

# Number of the family of keys that new units' weights are drawn with: beyond those of layers.
NEW_UNITS = 1 << 32


class Labelled(NamedTuple):
    """Rows with targets (rows, outputs), and their weights (rows,) or None."""

    X: Any
    targets: Array
    weights: Array | None


class Snapshot(NamedTuple):
    """All attributes of an estimator, and what there is to tell of how they came about."""

    attributes: dict[str, Any]
    message: str


class Shaping(BaseNetwork):
    """Networks that can be pruned and grow (abstract)."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"growth": [RECORD, None]}
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {"growth": growth_record}
    growth: Any
    feature_importances_: Array

    def _labelled(self, X: Any, y: Any, sample_weight: Any) -> Labelled:
        """Rows that have targets, for a fitted network."""
        raise NotImplementedError

    def _descend(self, rows: Labelled, growth: Growth | None) -> str:
        """Train from where training has come to; what went wrong, or ''."""
        raise NotImplementedError

    def _validation_score(self, targets: Array, output: Array, weights: Array | None) -> float:
        raise NotImplementedError

    # Pruning

    @learns
    def prune(
        self,
        fraction: float,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        max_rounds: int | None = None,
        tol: float = 0.01,
        validation: Any = None,
        per_layer: bool = False,
        levenberg_marquardt: bool = True,
    ) -> str:
        """Remove the weights that matter least: optimal brain damage [1]_.

        What removing a weight w costs is about its saliency, w^2 / 2 times the second derivative of the loss by it.
        Removed weights are zero, and stay so in all later training (`partial_fit`, or `fit` with `warm_start`).

        Parameters
        ----------
        fraction : float in [0, 1]
            Share of the weights that there still are. 0 only measures `feature_importances_`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as a rule those trained on, on which the second derivatives are taken.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets; unlabelled rows are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        max_rounds : int, default=None
            If given, there are so many rounds at most, in each of which the fraction is removed and the network is
            trained again as `fit` does with `warm_start`, on these rows. A round that hurts is undone and the last.
            None: one removal, and no training.
        tol : float, default=0.01
            By how much the score (accuracy or R^2) may fall in all rounds together.
        validation : tuple (X, y), default=None
            Rows whose score that is. None: those given.
        per_layer : bool, default=False
            Whether the fraction is removed from each layer, not from all weights taken together.
        levenberg_marquardt : bool, default=True
            Whether second derivatives of the activations count as zero. Then none of the loss is negative.

        Returns
        -------
        self : object
            The network without the weights. Its attribute `feature_importances_` (n_features,) has the saliencies of
            the inputs, those of the weights that leave each, as shares of their sum.

        Raises
        ------
        ValueError
            If an argument is out of range, or the saliencies are not finite.

        Warns
        -----
        ConvergenceWarning
            If the last training of the rounds did not come to its end.

        References
        ----------
        .. [1] LeCun, Y., Denker, J. S. & Solla, S. A. "Optimal brain damage." Advances in Neural Information Processing
           Systems 2 (1990).
        """
        check_is_fitted(self)
        fraction = check_real(fraction, "fraction", 0.0, 1.0)
        rows = self._labelled(X, y, sample_weight)
        options = {"per_layer": per_layer, "levenberg_marquardt": levenberg_marquardt}
        message = ""
        if max_rounds is None:
            self._remove(fraction, rows, **options)
        else:
            max_rounds = check_integer(max_rounds, "max_rounds")
            held_out = rows if validation is None else self._held_out(validation)
            message = self._prune_in_rounds(fraction, rows, held_out, (max_rounds, tol), options)
        self.feature_importances_ = input_shares(self._saliencies(rows, levenberg_marquardt))
        return message

    def _held_out(self, validation: Any) -> Labelled:
        X, y = _pair(validation)
        with calls_it(X="validation[0]", y="validation[1]"):
            return self._labelled(X, y, None)

    def _saliencies(self, rows: Labelled, levenberg_marquardt: bool) -> list[Array]:
        network, params = self.network_, self._params()
        second = second_derivatives(network, params, *rows, levenberg_marquardt=levenberg_marquardt)
        return saliencies(network, params, second)

    def _remove(
        self, fraction: float, rows: Labelled, *, per_layer: bool, levenberg_marquardt: bool
    ) -> bool:
        """Remove the fraction; whether that was any weight at all."""
        saliency, params = self._saliencies(rows, levenberg_marquardt), self._params()
        before = count_weights(self.network_, params)
        self._take(*pruned(self.network_, params, saliency, fraction, per_layer=per_layer))
        return count_weights(self.network_, params) < before

    def _prune_in_rounds(
        self,
        fraction: float,
        rows: Labelled,
        held_out: Labelled,
        limits: tuple[int, float],
        options: dict[str, bool],
    ) -> str:
        """Remove and train again as long as that is harmless; what there is to tell of the training that is kept."""

        def remove(stage: Snapshot) -> Snapshot | None:
            self._put(stage)
            return self._snapshot() if self._remove(fraction, rows, **options) else None

        def learn(stage: Snapshot) -> Snapshot:
            self._put(stage)
            return self._snapshot(self._descend(rows, None))

        def error(stage: Snapshot) -> float:
            self._put(stage)
            output = self._of_blocks(self._params(), held_out.X, self.network_.predict)
            return -self._validation_score(held_out.targets, output, held_out.weights)

        max_rounds, tol = limits
        kept = prune_while_harmless(
            self._snapshot(), remove, learn, error, tol=tol, max_rounds=max_rounds
        )
        self._put(kept)
        return kept.message

    def _snapshot(self, message: str = "") -> Snapshot:
        # Arrays are not copied, for training makes new ones.
        return Snapshot(dict(vars(self)), message)

    def _put(self, stage: Snapshot) -> None:
        self.__dict__.clear()
        self.__dict__.update(stage.attributes)

    def _take(self, network: Network, params: Parameters) -> None:
        """Another network for the one there is."""
        self.network_ = network
        keep_attributes(self, self._named(params))


def _pair(validation: Any) -> tuple[Any, Any]:
    try:
        X, y = validation
    except (TypeError, ValueError):
        raise ValueError(
            f"validation must be a pair (X, y) or None. Got {validation!r} instead."
        ) from None
    return X, y


def size_of(report: Report) -> dict[str, float]:
    """Callback that records the number of hidden units."""
    return {"hidden_units": float(sum(hidden_sizes(cast(Network, report.model))))}
