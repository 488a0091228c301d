"""Pruning of fitted networks, with a rollback of harmful rounds. The argument `self` is the estimator."""

from typing import Any, NamedTuple

from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, check_integer, check_real, shown
from ebm.networks.pruning import (
    count_weights,
    input_shares,
    prune_while_harmless,
    pruned,
    saliencies,
    second_derivatives,
)
from ebm.sklearn_compat._shared._settings import learns
from ebm.sklearn_compat._shared._validation import calls_it
from ebm.sklearn_compat.networks._fitting import descend, rows_with_targets, take
from ebm.sklearn_compat.networks._labelled import Labelled


class Snapshot(NamedTuple):
    """All attributes of an estimator, and the message of the training that led to them."""

    attributes: dict[str, Any]
    message: str


@learns
def prune(
    self: Any,
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
    """Remove the least important weights (optimal brain damage [1]_).

    Removing a weight w increases the loss by about its saliency: w^2 / 2 times the second derivative of the loss with
    respect to w. Removed weights stay zero in all later training (`partial_fit`, or `fit` with `warm_start`).

    Parameters
    ----------
    fraction : float in [0, 1]
        Share of the remaining weights to remove. 0 only measures `feature_importances_`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows on which the second derivatives are computed, usually the training rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets of the rows; unlabelled rows are left out.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.
    max_rounds : int, default=None
        Maximum number of rounds. Each round removes the fraction and trains the network on these rows, as `fit` with
        `warm_start`. The first harmful round is undone and ends pruning. None removes once, without training.
    tol : float, default=0.01
        Largest accepted decrease of the score (accuracy or R^2) over all rounds.
    validation : tuple (X, y), default=None
        Rows to compute the score on. None takes the given `X` and `y`.
    per_layer : bool, default=False
        Whether to remove the fraction from each layer instead of from all weights together.
    levenberg_marquardt : bool, default=True
        Whether to neglect second derivatives of the activations. Then no second derivative of the loss is negative.

    Returns
    -------
    self : object
        The pruned network. The saliency of an input is the sum over its outgoing weights; the attribute
        `feature_importances_` (n_features,) has the saliencies of the inputs, scaled to the sum 1.

    Raises
    ------
    ValueError
        If an argument is out of range, or the saliencies are not finite.

    Warns
    -----
    ConvergenceWarning
        If the last training did not converge, was interrupted, or diverged.

    References
    ----------
    .. [1] LeCun, Y., Denker, J. S. & Solla, S. A. "Optimal brain damage." Advances in Neural Information Processing
       Systems 2 (1990).
    """
    check_is_fitted(self)
    fraction = check_real(fraction, "fraction", 0.0, 1.0)
    rows = rows_with_targets(self, X, y, sample_weight)
    options = {"per_layer": per_layer, "levenberg_marquardt": levenberg_marquardt}
    message = ""
    if max_rounds is None:
        remove(self, fraction, rows, **options)
    else:
        max_rounds = check_integer(max_rounds, "max_rounds")
        held_out = rows if validation is None else held_out_rows(self, validation)
        message = prune_in_rounds(self, fraction, rows, held_out, (max_rounds, tol), options)
    self.feature_importances_ = input_shares(saliencies_of(self, rows, levenberg_marquardt))
    return message


def held_out_rows(self: Any, validation: Any) -> Labelled:
    """The validation rows."""
    X, y = _pair(validation)
    with calls_it(X="validation[0]", y="validation[1]"):
        return rows_with_targets(self, X, y, None)


def saliencies_of(self: Any, rows: Labelled, levenberg_marquardt: bool) -> list[Array]:
    """The saliencies of all weights on these rows."""
    network, params = self.network_, self._params()
    X, targets, weights = rows
    assert targets is not None, "networks that are pruned have targets"
    second = second_derivatives(
        network, params, X, targets, weights, levenberg_marquardt=levenberg_marquardt
    )
    return saliencies(network, params, second)


def remove(
    self: Any, fraction: float, rows: Labelled, *, per_layer: bool, levenberg_marquardt: bool
) -> bool:
    """Remove the fraction. Returns whether any weight was removed."""
    saliency, params = saliencies_of(self, rows, levenberg_marquardt), self._params()
    before = count_weights(self.network_, params)
    take(self, *pruned(self.network_, params, saliency, fraction, per_layer=per_layer))
    return count_weights(self.network_, params) < before


def prune_in_rounds(
    self: Any,
    fraction: float,
    rows: Labelled,
    held_out: Labelled,
    limits: tuple[int, float],
    options: dict[str, bool],
) -> str:
    """Prune and train until a round is harmful, which is undone. Returns the message of the last training."""

    def without(stage: Snapshot) -> Snapshot | None:
        put(self, stage)
        return snapshot(self) if remove(self, fraction, rows, **options) else None

    def learn(stage: Snapshot) -> Snapshot:
        put(self, stage)
        return snapshot(self, descend(self, rows, None))

    def error(stage: Snapshot) -> float:
        put(self, stage)
        output = self._of_blocks(self._params(), held_out.X, self.network_.predict)
        return -self._validation_score(held_out.targets, output, held_out.weights)

    max_rounds, tol = limits
    last = prune_while_harmless(
        snapshot(self), without, learn, error, tol=tol, max_rounds=max_rounds
    )
    put(self, last)
    return last.message


def snapshot(self: Any, message: str = "") -> Snapshot:
    """The present attributes. Arrays are not copied, because training makes new arrays."""
    return Snapshot(dict(vars(self)), message)


def put(self: Any, stage: Snapshot) -> None:
    """Restore all attributes from a snapshot."""
    self.__dict__.clear()
    self.__dict__.update(stage.attributes)


def _pair(validation: Any) -> tuple[Any, Any]:
    try:
        X, y = validation
    except (TypeError, ValueError):
        raise ValueError(
            f"validation must be a pair (X, y) or None. Got {shown(validation)} instead."
        ) from None
    return X, y
