"""The autoencoder: a network that learns to reproduce its inputs through a code."""

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array

from ebm._checks import Array, as_rows, check_flag, check_integer, resolve
from ebm._sparse import as_dtype, dense
from ebm._values import ROUNDING
from ebm.likelihood import mean_ranked
from ebm.networks.autoencoder import (
    bits,
    codes,
    columns_of,
    completed,
    constant_loss,
    decoded,
    decoder_layers,
    encoder_layers,
    reconstruction_losses,
)
from ebm.networks.corruption import CORRUPTIONS, corruption_record
from ebm.networks.given import given_layers
from ebm.networks.initializations import (
    INITIALIZATIONS,
    Initialization,
    initialization_record,
)
from ebm.networks.losses import LOSSES, Loss
from ebm.networks.network import Network
from ebm.networks.sparse_activity import SparseActivity
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import RECORD, Number, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import FLOATS, check_rows, warn_user
from ebm.sklearn_compat.networks import _autoencoder_settings as settings_
from ebm.sklearn_compat.networks import _fitting as fitting
from ebm.sklearn_compat.networks._fitting import learn
from ebm.sklearn_compat.networks._given import keep_coder
from ebm.sklearn_compat.networks._labelled import Labelled
from ebm.sklearn_compat.networks._mlp import BaseMLP, Targets, by_batches, has_epochs
from ebm.sklearn_compat.networks._mlp_settings import OF_PERCEPTRONS

SETTINGS = {
    name: kinds
    for name, kinds in BaseMLP._parameter_constraints.items()
    if name not in OF_PERCEPTRONS
}
RECORDS = {name: made for name, made in BaseMLP._resolvers.items() if name != "growth"}


def _sparsity(value: object) -> SparseActivity:
    """The cost that a record stands for, or the default one."""
    return SparseActivity() if value is None else value  # type: ignore[return-value]


def _initialization(value: object) -> Initialization:
    """The distribution that a name or a record stands for; of a start at components, that of the other units."""
    return initialization_record("glorot" if value in settings_.PRINCIPAL else value)


@complete_docstring
class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseMLP):
    """Autoencoder: a network that reproduces its inputs through a code.

    The encoder f and the decoder g minimize the loss of the reconstruction,

        loss(g(f(x)), x),

    over the rows x. A code that is narrower than the data is a nonlinear counterpart of principal components [1]_. A
    wide code is useful with corrupted inputs [2]_, sparse activity, or contraction [3]_.

    Read more in the :ref:`User Guide <autoencoder>`.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of shape (n_layers,) or "auto", default="auto"
        Units of each layer of the encoder; the last one is the code. "auto" takes the layers of the pre-training.
        Without pre-training it is 100 units, and a code of half the number of columns, between 1 and 32.

    decoder_layer_sizes : int, array-like or None, default=None
        Units of each hidden layer of the decoder. None mirrors the encoder.

    activation : {"auto", "identity", "logistic", "tanh", "relu", "leaky_relu", "prelu", "softplus", "elu", \
            "maxout"}, record or list of these, default="auto"
        Activation of the layers of the encoder, the code included, or a list with one for each. "auto" is "relu" with a
        linear code, or with `sparsity` or `code_noise` a logistic one; with pre-training it is that of its layers. A
        mirrored decoder has them in reverse order; another one has the first of them, or "relu" with "auto".

    loss : {"auto", "binary_cross_entropy", "cross_entropy", "squared_error", "huber", "poisson"} or record, \
            default="auto"
        Loss of a row, the sum over its columns, which also sets the function of the outputs: logistic, softmax, the
        identity twice, exp. "auto" follows the rows of the first fit: bits, and values in [0, 1] that vary at least 0.4
        times as much as bits of the same means, have "binary_cross_entropy", other numbers "squared_error". With
        pre-training it follows the visible units. Counts may have "poisson". :class:`ColumnLosses` has a loss for each
        part of the columns.

    tied : bool, default=False
        Whether the decoder has the weights of the encoder, transposed.

    corruption : {"masking", "gaussian", "salt_and_pepper"}, record or None, default=None
        Noise on the inputs in training, as in ``MaskingNoise(rate=0.5)``. The reconstruction is compared with the
        inputs without noise.

    sparsity : SparseActivity or None, default=None
        Cost of a code whose mean activity is not the target, as in ``SparseActivity(target=0.05, strength=0.1)``. The
        code must be logistic.

    contraction : float, default=0.0
        Factor on the squared Frobenius norm of the derivatives of each layer of the encoder by its inputs.

    code_noise : float, default=0.0
        Standard deviation of normal noise on the inputs of the code units in training. Noise of about 4 drives a
        logistic code to zeros and ones, which :meth:`bits` returns: semantic hashing [4]_.

    init : {"auto", "pca", "glorot", "glorot_normal", "he", "he_normal", "lecun", "lecun_normal", "orthogonal"} \
            or record, default="auto"
        Initial weights. "pca" begins at the principal components of the first rows: the code is theirs, and with the
        squared error so is the reconstruction. The hidden layers must be rectifiers or linear, with twice as many units
        as the code, or the first components are taken; the code must be linear. "auto" is "pca" where that is possible,
        or else "glorot". The other names are distributions of random weights.

    early_stopping : bool or "auto", default="auto"
        Whether to hold out validation rows, stop when their score no longer improves, and restore the best weights. The
        initial weights are among the candidates. "auto" does so in `fit` of 5 rows or more, and holds out 2 at least.
        With ``solver="lbfgs"`` the score is taken after each iteration.

    n_iter_no_change : int or inf, default=20
        Training ends after more than this number of epochs in a row without improvement. With ``numpy.inf`` it ends
        after `max_iter` epochs, without a ConvergenceWarning.

    batch_size : int or "auto", default="auto"
        Rows per update. "auto" is a sixteenth of the rows, between 8 and 100, so that small tables get enough updates.

    See Also
    --------
    DBN : Pre-training by a stack of restricted Boltzmann machines.
    sklearn.decomposition.PCA : The best linear code.

    Notes
    -----
    Missing entries (NaN) have no loss. In the input, the mean of the column stands for them.

    Columns are taken as they are: bring them to one scale first, for example with
    :class:`~sklearn.preprocessing.StandardScaler`. Columns with the loss "poisson" are divided by their standard
    deviations before the first layer, where these are above one.

    References
    ----------
    .. [1] Hinton, G. E. & Salakhutdinov, R. R. "Reducing the dimensionality of data with neural networks." Science 313
       (2006).
    .. [2] Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y. & Manzagol, P.-A. "Stacked denoising autoencoders." JMLR
       11 (2010).
    .. [3] Rifai, S., Vincent, P., Muller, X., Glorot, X. & Bengio, Y. "Contractive auto-encoders: explicit invariance
       during feature extraction." ICML (2011).
    .. [4] Salakhutdinov, R. & Hinton, G. "Semantic hashing." SIGIR workshop on information retrieval and applications
       of graphical models (2007).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import Autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> coder = Autoencoder(hidden_layer_sizes=(64, 8), max_iter=5, n_iter_no_change=float("inf"))
    >>> coder.fit(X / 16).transform(X / 16).shape
    (1797, 8)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SETTINGS,
        "decoder_layer_sizes": ["array-like", *SETTINGS["max_fun"], None],
        "loss": [StrOptions({"auto", *LOSSES}), RECORD],
        "tied": ["boolean"],
        "corruption": [StrOptions(set(CORRUPTIONS)), RECORD, None],
        "sparsity": [SparseActivity, None],
        "contraction": [Number(Real, 0, None, closed="left")],
        "code_noise": [Number(Real, 0, None, closed="left")],
        "init": [StrOptions({*settings_.PRINCIPAL, *INITIALIZATIONS}), RECORD],
        "early_stopping": ["boolean", StrOptions({"auto"})],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **RECORDS,
        "loss": partial(resolve, known=LOSSES, base=Loss, argument="loss"),  # type: ignore[type-abstract]
        "corruption": corruption_record,
        "sparsity": _sparsity,
        "init": _initialization,
    }
    _learns_from_gaps = True
    _reconstructs = True
    _fills_in = "impute(X)"
    _n_code: int

    resume = available_if(has_epochs)(learning.resume)
    _resume = fitting.resume_learning
    _lay_out = settings_.lay_out

    @stores_arguments
    def __init__(
        self,
        hidden_layer_sizes: Any = "auto",
        activation: Any = "auto",
        *,
        decoder_layer_sizes: Any = None,
        loss: Any = "auto",
        tied: bool = False,
        corruption: Any = None,
        sparsity: Any = None,
        contraction: float = 0.0,
        code_noise: float = 0.0,
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
        early_stopping: Any = "auto",
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 20,
        max_fun: int = 15000,
        init: Any = "auto",
        dropout: Any = 0.0,
        batch_norm: bool = False,
        regularization: Any = None,
        callbacks: Any = None,
    ) -> None: ...

    @classmethod
    def from_parameters(
        cls, coefs: Any, intercepts: Any = None, *, layer_params: Any = None, **settings: Any
    ) -> Any:
        """An autoencoder with the given weights and biases, without data; it has all methods of a fitted one.

        Parameters
        ----------
        coefs : list of array-like of shape (n_in, n_out)
            Weights of each dense layer, from the inputs to the outputs. float32 stays float32.
        intercepts : list of array-like of shape (n_out,), default=None
            Biases of each dense layer; zero if None.
        layer_params : list of tuple, default=None
            The fitted attribute `layer_params_`. None fills in zero for missing inputs, and does not scale columns;
            required if the activation is "prelu" or with `batch_norm`.
        **settings : object
            Parameters of the constructor. The first half of the layers is the encoder, unless `hidden_layer_sizes` says
            which layers are. The loss "auto" is "squared_error" here. The arrays replace `pretraining`.

        Returns
        -------
        coder : Autoencoder
            The network, in the same state as after ``fit`` with ``max_iter=0``, with copies of the arrays.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, if `pretraining` is given, or if weights are to
            be tied and differ.

        Examples
        --------
        >>> from ebm import Autoencoder
        >>> coder = Autoencoder.from_parameters([[[1.0], [1.0]], [[0.5, 0.5]]])
        >>> coder.reconstruct([[1.0, 3.0]])
        array([[2., 2.]])
        """
        coder = cls(**settings)
        keep_coder(coder, given_layers(coefs, intercepts), layer_params)
        return coder

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # Fitting

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Pre-train the network if `pretraining` is given, then minimize the loss of the reconstructions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with NaN where an entry is missing. `X` is not modified.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out.

        Returns
        -------
        self : object
            The fitted network.

        Raises
        ------
        ValueError
            If the loss is not defined for the values of `X`, or settings do not go together. If the loss is not finite
            with the initial weights. If `pretraining` has another number of features, or does not agree with a setting.

        Warns
        -----
        UserWarning
            If the code is wider than the data, and nothing keeps the network from copying its inputs.
        ConvergenceWarning
            If the loss still fell in the last epoch, or training was interrupted or diverged. After a divergence the
            weights are those from before that epoch.
        """
        return learn(self, X, y, sample_weight, False)

    @available_if(by_batches)
    @learns
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Train for one epoch on these rows, with the initial learning rate or "invscaling".

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with NaN where an entry is missing. The first call lays out the network, and "auto" settings follow
            its rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The network after the epoch.
        """
        return learn(self, X, y, sample_weight, True)

    def _targets(self, X: Any, y: Any, first: bool, classes: Any, whole: bool) -> Targets:
        """No targets but the rows, all of which count; a fitted network refuses values that it cannot predict."""
        if not first:
            settings_.check_reach(self.network_.loss, X)
        return None, np.ones(X.shape[0], bool)

    def _loss_of_constant(self, rows: Labelled) -> float:
        """The loss if the mean of each column is predicted for every row."""
        columns = columns_of(rows.X, rows.weights)
        return constant_loss(self.network_, rows.X, columns, rows.weights)

    def _held_out_score(self, params: Any, rows: Labelled) -> float:
        """Minus the mean loss of the rows; NaN where it is not finite."""
        losses = self._of_blocks(params, rows.X, partial(reconstruction_losses, self.network_))
        mean = float(np.average(losses, weights=rows.weights))
        return -mean if np.isfinite(mean) else float("nan")

    # Codes and reconstructions

    @property
    def _n_features_out(self) -> int:
        return self.network_.widths[self._n_code]

    def _of_rows(self, X: Any, function: Callable[[Network, Any, Any], Array]) -> Array:
        """`function` of the network, its parameters and the rows `X`, block by block."""
        params = self._params()
        rows = check_rows(self, X, reset=False, allow_nan=True)
        return self._of_blocks(params, rows, partial(function, self.network_))

    def _encoder_layers(self) -> list[tuple[Any, tuple[Array, Array]]]:
        """Activations of the layers of the encoder, and their weights with biases: a start of other networks."""
        return encoder_layers(self.network_, self._n_code, self._params())

    def _decoder_layers(self) -> list[tuple[Array, Array]]:
        """Weights and biases of the dense layers of the decoder, that of the outputs first."""
        return decoder_layers(self.network_, self._n_code, self._params())

    def transform(self, X: Any) -> Array:
        """Codes of the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with NaN where an entry is missing.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_features_out)
            Outputs of the last layer of the encoder, in the dtype of the model.
        """
        n_code = self._n_code
        return self._of_rows(X, lambda network, params, x: codes(network, n_code, params, x))

    def bits(self, X: Any, *, packed: bool = False) -> Array:
        """Binary codes of the rows of `X`: whether logistic code units are above 0.5, and others above 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with NaN where an entry is missing.
        packed : bool, default=False
            Whether to pack eight bits into a byte, as :func:`numpy.packbits`.

        Returns
        -------
        bits : ndarray of uint8, of shape (n_samples, n_features_out) or (n_samples, n_bytes)
            Zeros and ones, or bytes. Train with `code_noise`, or the bits tell little of the code.
        """
        n_code = self._n_code
        found = self._of_rows(X, lambda network, params, x: bits(network, n_code, params, x))
        return np.packbits(found, axis=1) if check_flag(packed, "packed") else found

    def inverse_transform(self, X: Any) -> Array:
        """Reconstructions from codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Codes.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            Predictions of the decoder: probabilities, means of counts, or numbers, as the loss says.
        """
        params, n_code = self._params(), self._n_code
        rows = check_array(as_rows(X, self._n_features_out, "X"), input_name="X", dtype=FLOATS)
        return decoded(self.network_, n_code, params, as_dtype(rows, self._dtype()))

    def reconstruct(self, X: Any) -> Array:
        """Reconstructions of the rows of `X`: one pass through the encoder and the decoder.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with NaN where an entry is missing.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            Reconstructions, of known and of missing entries.
        """
        return self._of_rows(X, lambda network, params, x: network.predict(params, x))

    def impute(self, X: Any, *, n_steps: int = 10) -> Array:
        """Fill in the missing entries of `X` by their reconstructions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows with NaN where an entry is missing.
        n_steps : int, default=10
            Passes through the network. The first one sees the means of the columns in the place of missing entries, and
            each further one the reconstructions of the one before.

        Returns
        -------
        X_complete : ndarray of shape (n_samples, n_features)
            `X` with NaN replaced; known entries are the same bit for bit.

        Raises
        ------
        ValueError
            If `n_steps` is not a positive integer, or `X` holds infinite values.
        """
        n_steps = check_integer(n_steps, "n_steps")
        return self._of_rows(
            X, lambda network, params, x: completed(network, params, dense(x), n_steps)
        )

    def score_samples(self, X: Any) -> Array:
        """Minus the reconstruction loss of each row of `X`; unusual rows have low scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with NaN where an entry is missing; only known entries count.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the losses, in double precision. With the cross-entropy, zeros and ones have their log-probabilities
            given the codes, and other values minus the divergence from the prediction: zero is perfect.

        Warns
        -----
        UserWarning
            If values of `X` are not those that the loss is for, such as cross-entropy for values in [0, 1].
        """
        losses = self._of_rows(X, reconstruction_losses)
        if (losses < -ROUNDING * (1 + np.abs(losses))).any():
            warn_user(
                "score_samples: rows of X have values that the loss of this model is not for: a prediction can be "
                "better than perfect, and these scores mean nothing. Scale X as in fit and clip it, for example with "
                "sklearn.preprocessing.MinMaxScaler(clip=True), or fit with loss='squared_error'.",
                UserWarning,
            )
        return -losses

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the mean reconstruction loss of the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Larger is better; zero is a perfect reconstruction.
        """
        return mean_ranked(self.score_samples(X))
