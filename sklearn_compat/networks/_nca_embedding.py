"""The embedding by nonlinear neighborhood components: a network that brings rows of one class together."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from ebm._checks import Array, resolve
from ebm.networks.autoencoder import codes, columns_of
from ebm.networks.autoencoder import constant_loss as loss_of_means
from ebm.networks.given import given_layers
from ebm.networks.losses import LOSSES, Loss
from ebm.networks.neighborhoods import (
    NeighborhoodComponents,
    constant_loss,
    length_of_embedding,
    mean_score,
    numbered,
)
from ebm.networks.network import Network, Parameters
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._labels import read_labels
from ebm.sklearn_compat._shared._settings import RECORD, Number, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import check_rows
from ebm.sklearn_compat.networks import _autoencoder_settings, _nca_settings
from ebm.sklearn_compat.networks import _fitting as fitting
from ebm.sklearn_compat.networks._fitting import learn, rows_with_targets
from ebm.sklearn_compat.networks._given import keep_given
from ebm.sklearn_compat.networks._labelled import Labelled
from ebm.sklearn_compat.networks._mlp import BaseMLP, Targets, by_batches, has_epochs
from ebm.sklearn_compat.networks._mlp_settings import OF_PERCEPTRONS

SETTINGS = {
    name: kinds
    for name, kinds in BaseMLP._parameter_constraints.items()
    if name not in OF_PERCEPTRONS
}
RECORDS = {name: made for name, made in BaseMLP._resolvers.items() if name != "growth"}
# Outputs where nobody says how many: of fewer columns, as many as these.
MOST_COMPONENTS = 10


@complete_docstring
class NCAEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseMLP):
    """Embedding by nonlinear neighborhood components: a network that brings rows of one class together.

    Row i picks row j as its neighbor with a probability p_ij that falls with the squared distance d_ij of the outputs,

        p_ij = exp(-d_ij) / sum_(k != i) exp(-d_ik),

    and training maximizes the mean probability that the neighbor is of the same class [1]_ [2]_, over the rows of each
    batch. Nearest neighbors of the outputs are then rows that mean the same. Without hidden layers this is
    :class:`sklearn.neighbors.NeighborhoodComponentsAnalysis`.

    With `supervision` below one, a decoder reconstructs the rows from their outputs, and training minimizes

        supervision * (probability of a neighbor of another class) + (1 - supervision) * (loss of the reconstruction)

    summed over the rows of the batch, of which unlabelled rows have the second part only [2]_.

    Read more in the :ref:`User Guide <nca_embedding>`.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of shape (n_hidden_layers,) or "auto", default="auto"
        Units of each hidden layer; an empty list makes a linear embedding. "auto" takes the layers of the pre-training,
        or (100,) without pre-training.

    n_components : int or None, default=None
        Number of outputs. None is the number of columns, at most 10.

    supervision : float in (0, 1], default=1.0
        Weight of the neighborhoods. Below one, the rest is the weight of the reconstruction by a decoder that mirrors
        the embedding, and rows without labels take part.

    loss : {"auto", "binary_cross_entropy", "cross_entropy", "squared_error", "huber", "poisson"} or record, \
            default="auto"
        Loss of the reconstruction of a row, the sum over its columns, as in :class:`Autoencoder`. With
        ``supervision=1`` there is no reconstruction.

    batch_size : int or "auto", default="auto"
        Rows per update, among which neighbors are; "auto" is ``min(200, n_samples)``.

    See Also
    --------
    Autoencoder : A code without labels.
    sklearn.neighbors.KNeighborsClassifier : Classes of the nearest neighbors.

    Notes
    -----
    Rows with y = -1 are unlabelled, as in :class:`MLPClassifier`: `pretraining` uses them, and the reconstruction where
    `supervision` is below one.

    A row of weight w counts as w equal rows, in `sample_weight` as in repeated rows. Equal rows are neighbors of each
    other at no distance, so large weights say that a row is safe, and not that it is important.

    `solver` "lbfgs" compares all rows with each other in each iteration: time and memory grow with the square of their
    number.

    References
    ----------
    .. [1] Goldberger, J., Roweis, S., Hinton, G. & Salakhutdinov, R. "Neighbourhood components analysis." Advances in
       Neural Information Processing Systems 17 (2005).
    .. [2] Salakhutdinov, R. & Hinton, G. "Learning a nonlinear embedding by preserving class neighbourhood structure."
       AISTATS (2007).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from ebm import NCAEmbedding
    >>> X, y = load_digits(return_X_y=True)
    >>> embedding = NCAEmbedding(max_iter=30, n_iter_no_change=float("inf"), random_state=0)
    >>> model = make_pipeline(embedding, KNeighborsClassifier(5)).fit(X[:900] / 16, y[:900])
    >>> bool(model.score(X[900:] / 16, y[900:]) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SETTINGS,
        "n_components": [Number(Integral, 1, None, closed="left"), None],
        "supervision": [Number(Real, 0, 1, closed="right")],
        "loss": [StrOptions({"auto", *LOSSES}), RECORD],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **RECORDS,
        "loss": partial(resolve, known=LOSSES, base=Loss, argument="loss"),  # type: ignore[type-abstract]
    }

    resume = available_if(has_epochs)(learning.resume)
    _resume = fitting.resume_learning

    @stores_arguments
    def __init__(
        self,
        hidden_layer_sizes: Any = "auto",
        n_components: Any = None,
        activation: Any = "auto",
        *,
        supervision: float = 1.0,
        loss: Any = "auto",
        pretraining: Any = None,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: int = 0,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        init: Any = "glorot",
        dropout: Any = 0.0,
        batch_norm: bool = False,
        regularization: Any = None,
        callbacks: Any = None,
    ) -> None: ...

    @classmethod
    def from_parameters(
        cls, coefs: Any, intercepts: Any = None, *, layer_params: Any = None, **settings: Any
    ) -> Any:
        """An embedding with the given weights and biases, without data; it has all methods of a fitted one.

        Parameters
        ----------
        coefs : list of array-like of shape (n_in, n_out)
            Weights of each dense layer, from the inputs to the outputs. float32 stays float32.
        intercepts : list of array-like of shape (n_out,), default=None
            Biases of each dense layer; zero if None.
        layer_params : list of tuple, default=None
            The fitted attribute `layer_params_`; required if the activation is "prelu" or with `batch_norm`.
        **settings : object
            Parameters of the constructor. The arrays set `hidden_layer_sizes` and `n_components`, and replace
            `pretraining`. They have no decoder, so that `supervision` is one.

        Returns
        -------
        embedding : NCAEmbedding
            The network, in the same state as after ``fit`` with ``max_iter=0``, with copies of the arrays.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or if `pretraining` or another `supervision` is
            given.

        Examples
        --------
        >>> from ebm import NCAEmbedding
        >>> NCAEmbedding.from_parameters([[[1.0], [-1.0]]]).transform([[3.0, 1.0]])
        array([[2.]])
        """
        layers = given_layers(coefs, intercepts)
        embedding = cls(**{**settings, "n_components": len(layers[-1].bias)})
        if embedding.supervision != 1:
            raise ValueError(
                f"supervision={embedding.supervision!r} needs a decoder, which the given weights lack. Leave it 1."
            )
        keep_given(embedding, layers, layer_params)
        return embedding

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @learns
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Pre-train the network if `pretraining` is given, then bring labelled rows of one class together.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. `X` is not modified.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out.

        Returns
        -------
        self : object
            The fitted network.

        Raises
        ------
        ValueError
            If all rows are unlabelled, or the labels mix strings and numbers. If the loss is not finite with the
            initial weights. If `pretraining` has another number of features, or does not agree with a setting.

        Warns
        -----
        ConvergenceWarning
            If the loss still fell in the last epoch, or training was interrupted or diverged. After a divergence the
            weights are those from before that epoch.
        """
        return learn(self, X, y, sample_weight, False)

    @available_if(by_batches)
    @learns
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Train for one epoch on these rows, with the initial learning rate or "invscaling".

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Classes. They are compared within the call, and may be others in the next one.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The network after the epoch.
        """
        return learn(self, X, y, sample_weight, True)

    # Targets and scores

    def _loss(self) -> Loss:
        return NeighborhoodComponents()

    def _lay_out(
        self, X: Any, weights: Array | None, n_outputs: int
    ) -> tuple[Any, Network, Parameters]:
        """The fitted pre-training or None, the network, and its parameters."""
        where = fitting if self.supervision == 1 else _nca_settings
        return where.lay_out(self, X, weights, n_outputs)

    def _targets(self, X: Any, y: Any, first: bool, classes: Any, whole: bool) -> Targets:
        """The numbers of the classes, one column for each output, and the mask of the rows that take part.

        These are all rows where there is a decoder; unlabelled ones then have NaN.
        """
        decodes = self.supervision < 1 if first else self.network_.n_labels > 0
        useful = decodes or self.pretraining is not None
        labels = read_labels(self, X, y, useful=useful, several=False)
        n = self.n_components if first else self._n_features_out
        n = min(MOST_COMPONENTS, X.shape[1]) if n is None else n
        numbers = numbered(labels.y, n)
        if not decodes:
            return numbers, labels.labelled
        if not first:
            _autoencoder_settings.check_reach(self.network_.loss, X)
        targets = np.full((len(labels.labelled), n), np.nan)
        targets[labels.labelled] = numbers
        return targets, np.ones(len(targets), bool)

    def _stratify(self, targets: Array) -> Any:
        """The classes; unlabelled rows are one more."""
        return np.nan_to_num(targets[:, 0], nan=-1.0)

    def _held_out_score(self, params: Any, rows: Labelled) -> float:
        """The mean probability of neighbors of the same class among held-out rows."""
        return mean_score(self._embedded(params, rows.X), rows.targets, rows.weights)

    def _loss_of_constant(self, rows: Labelled) -> float:
        """The loss where all rows have the same outputs."""
        X, targets, weights = rows
        assert targets is not None, "rows are labelled"
        w = np.ones(len(targets)) if weights is None else weights
        known = ~np.isnan(targets[:, 0])
        share = w[known].sum() / w.sum()
        apart = share * constant_loss(targets[known, 0], w[known])
        if not self.network_.n_labels:
            return apart
        means = loss_of_means(self.network_, X, columns_of(X, weights), weights)
        return self.supervision * apart + means

    # Embeddings

    @property
    def _n_features_out(self) -> int:
        return self.network_.widths[length_of_embedding(self.network_)]

    def _embedded(self, params: Parameters, X: Any) -> Array:
        """Outputs of the embedding for checked rows."""
        network, n = self.network_, length_of_embedding(self.network_)
        return self._of_blocks(params, X, lambda params, x: codes(network, n, params, x))

    def transform(self, X: Any) -> Array:
        """Outputs for the rows of `X`, in which rows of one class are near each other.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        embedding : ndarray of shape (n_samples, n_components)
            Outputs, in the dtype of the model.
        """
        params = self._params()
        return self._embedded(params, check_rows(self, X, reset=False))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean probability that a random neighbor of a row of `X` is of the same class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, which are compared with each other.
        y : array-like of shape (n_samples,)
            Classes; unlabelled rows are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows.

        Returns
        -------
        score : float
            Between 0 and 1; larger is better.
        """
        params = self._params()
        rows = rows_with_targets(self, X, y, sample_weight)
        return mean_score(self._embedded(params, rows.X), rows.targets, rows.weights)
