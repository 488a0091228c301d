"""The deep Boltzmann machine."""

from itertools import pairwise
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, shown
from ebm.energies.deep import DeepModel
from ebm.pretraining import halved
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import NamedList, learns, stores_arguments
from ebm.sklearn_compat.deep import _dbm_density as deep_density
from ebm.sklearn_compat.deep._base_dbm import BaseDBM, named, set_arrays, weights_of
from ebm.sklearn_compat.deep._dbm_learning import fit_deep, partial_fit, resume_deep
from ebm.sklearn_compat.deep._given_stack import given_machines
from ebm.sklearn_compat.deep._layers import (
    block_of,
    chosen_layers,
    layer_name,
    new_machines,
    sized,
    with_length,
)
from ebm.sklearn_compat.deep._stack import BaseStack
from ebm.sklearn_compat.deep._tree import Path, Tree
from ebm.sklearn_compat.rbm._layer import as_pair, model_of
from ebm.units import Unit


@complete_docstring
class DBM(BaseDBM):
    """Deep Boltzmann machine: layers of units, each connected to the layer below and to the layer above.

    With the data v and the hidden layers h_1, ..., h_L,

        p(v, h_1, ..., h_L) = exp(-E) / Z,    E = U(v) + sum_l U(h_l) - s(v)' W_1 s(h_1) - sum_l s(h_{l-1})' W_l s(h_l).

    All connections have no direction, unlike those of :class:`DBN`. So a hidden layer is inferred from both neighbors,
    in mean field: each layer gets the means of its neighbors, until the means do not change any more.

    Training fits all layers together. The mean field gives the statistics of the data, and persistent Markov chains
    give those of the model. The gradient is centered, layer by layer [2]_. With ``pretraining="greedy"`` the layers are
    first trained one by one [1]_. In this stage each layer counts its input twice where it will have a second neighbor
    later.

    Read more in the :ref:`User Guide <dbm>`.

    Parameters
    ----------
    layers : list or tuple of RBM estimators or int, default=(256, 64)
        The hidden layers, from the data up. A machine gives the size and the units of its hidden layer, and the
        settings with which this layer is pre-trained. It is cloned, not modified. An integer n stands for
        ``BernoulliRBM(n)`` with the `n_iter` and the `batch_size` of the deep machine. The first machine also gives the
        units of the data, which may be columns of several types. Layers have the names ``layer1``, ``layer2`` and so
        on: ``set_params(layer2=BernoulliRBM(32), layer1__n_iter=20)``. The hidden units of a layer must have the type
        of the visible units of the next layer.

    pretraining : {"auto", "greedy", "two_copies"} or None, default="auto"
        Whether the layers are trained one by one first, and how. In "greedy" a layer counts its input twice where it
        will have a second neighbor [1]_. In "two_copies" the data, and the topmost layer, are there twice instead [3]_.
        All parts then have a likelihood, which the topmost part hands on to the whole machine. This is for bits and
        binomial counts. None begins joint training with hidden units that tell rows of the data apart. It takes less
        time, but many hidden units over few columns may then hold each other in one state, which `fit` says. "auto" is
        "greedy" unless columns are reals. A single layer is not pre-trained.

    features : {"top", "all"} or int or list of int, default="all"
        Layers whose means `transform` returns, side by side: the topmost layer, all layers, or the given numbers, which
        start at 1.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_units_below, n_units_above)
        Weights of each hidden layer from the layer below.

    intercepts_ : list of ndarray of shape (n_units,)
        Biases of the visible units and of each hidden layer.

    layer_params_ : list of dict of ndarray
        For the visible units and each hidden layer, the parameters that the units have besides biases, such as
        ``{"log_variance": ...}`` of Gaussian units. Columns of other types have none.

    See Also
    --------
    DBN : The stack of machines whose lower layers are directed.
    BernoulliRBM : The machine of one hidden layer.

    Notes
    -----
    `score` is a lower bound on the mean log-likelihood, so that it compares machines with each other and with other
    densities. A machine that is larger than about 20 units in every second layer has an estimate of log Z in it.

    A machine of one hidden layer is a restricted Boltzmann machine, and learns as one. Take :class:`BernoulliRBM` or
    :class:`RBM` instead, which have more options.

    Rows may have missing entries (NaN), to learn from and later. They are latent in learning, see `fit`. Elsewhere they
    are further units of the mean field, beside the hidden units. So features and `reconstruct` follow from the known
    entries, and `score` is a lower bound on the log-likelihood of these. `impute` fills missing entries in.

    References
    ----------
    .. [1] Salakhutdinov, R. & Hinton, G. "Deep Boltzmann machines." AISTATS (2009).
    .. [2] Montavon, G. & Mueller, K.-R. "Deep Boltzmann machines and the centering trick." In Neural Networks: Tricks
       of the Trade, 2nd edition (2012).
    .. [3] Hinton, G. & Salakhutdinov, R. "A better way to pretrain deep Boltzmann machines." Advances in Neural
       Information Processing Systems 25 (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import DBM
    >>> X = np.random.RandomState(0).randint(2, size=(50, 6))
    >>> dbm = DBM([4, 3], n_iter=5, random_state=0).fit(X)
    >>> dbm.transform(X).shape
    (50, 7)
    >>> dbm.sample(2, n_steps=100).shape
    (2, 6)
    """

    _layers_name = "layers"
    _lists: ClassVar[dict[str, NamedList]] = {"layers": NamedList("layer", sized)}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDBM._parameter_constraints,
        "layers": BaseStack._parameter_constraints["layers"],
        "features": BaseStack._parameter_constraints["features"],
    }

    partial_fit = partial_fit
    _resume = resume_deep
    sample = density.sample
    energy = deep_density.energy
    log_likelihood = deep_density.log_likelihood
    lower_bound = deep_density.lower_bound
    score_samples = deep_density.score_samples
    score = deep_density.score

    @stores_arguments
    def __init__(
        self,
        layers: Any = (256, 64),
        *,
        pretraining: Any = "auto",
        propagate: str = "sample",
        features: Any = "all",
        learning_rate: Any = "auto",
        batch_size: int = 10,
        n_iter: Any = "auto",
        verbose: int = 0,
        random_state: Any = None,
        gradient: Any = "pcd",
        n_sweeps: int = 100,
        damping: float = 0.0,
        optimizer: Any = "sgd",
        schedule: Any = "linear",
        weight_decay: float = 0.0,
        regularization: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None: ...

    def _sk_visual_block_(self) -> Any:
        return block_of(self.layers)

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Train all layers together, after each of them by itself if `pretraining` says so.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Missing entries are NaN, or None among objects. `X` is not modified.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If `layers` is empty, has entries that are no machines, or machines whose units do not agree. If `X` has no
            rows, infinite entries, a column without a known entry, or a group of categories that is known in part. If
            weights are negative or all zero.

        Warns
        -----
        ConvergenceWarning
            If training was interrupted or diverged. The parameters learned so far can be used. After an interrupt in
            the first stage the layers above have their initial weights; `fit` with `warm_start` trains all together.
            If the mean field of more than a tenth of the rows did not converge in the last epoch.

        Notes
        -----
        Missing entries are latent: the positive phase averages over them, given the known entries and the hidden
        layers. Those of each row are a Markov chain, together with every second hidden layer, that is kept from one
        pass to the next. In each pass it moves by one Gibbs step, and the mean field sees the completed row. The chains
        take the memory of one number for each missing entry, and for each unit of these layers in rows with gaps. In
        pre-training the lowest machine learns from gaps, and those above see each row completed by a draw.
        ``gradient="exact"`` sums missing entries out. Rows without a known entry carry no information, and are left
        out.
        """
        return fit_deep(self, X, sample_weight)

    @classmethod
    def from_parameters(
        cls, coefs: Any, intercepts: Any = None, layer_params: Any = None, **settings: Any
    ) -> "DBM":
        """The machine that has given weights and biases, without data.

        Parameters
        ----------
        coefs : list of array-like of shape (n_units_below, n_units_above)
            Weights of each hidden layer, from the data up. float32 is kept.
        intercepts : list of array-like of shape (n_units,), default=None
            Biases of the visible units and of each hidden layer; zero if None.
        layer_params : list of dict, default=None
            Further parameters of the units, as the fitted attribute `layer_params_`.
        **settings : object
            Parameters of the constructor. `layers` are needed if the units are not binary.

        Returns
        -------
        machine : DBM
            The model. The arrays are copied.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or the units have no such parameter.

        Examples
        --------
        >>> from ebm import DBM
        >>> dbm = DBM.from_parameters([[[2.0], [0.0]], [[1.0]]])
        >>> round(dbm.log_partition().value, 4)
        4.254
        """
        weights = weights_of(coefs)
        settings.setdefault("layers", [W.shape[1] for W in weights])
        machine = cls(**settings)
        machine.n_features_in_ = weights[0].shape[0]
        set_arrays(machine, weights, intercepts, layer_params)
        return machine

    @classmethod
    def from_dbn(cls, dbn: Any, **settings: Any) -> "DBM":
        """The machine that begins with the weights of a deep belief network; joint training goes on from there.

        The weights of a network are too large for a machine whose layers receive input from two sides. So they are
        halved, and the biases of a layer in two machines are averaged. The lowest and topmost layers then receive half
        of their input. ``set_params(warm_start=True).fit(X)`` trains all layers together.

        Parameters
        ----------
        dbn : DBN or list of fitted RBM estimators
            The network, or the machines from the data up. Fine-tuning is not taken over.
        **settings : object
            Parameters of the constructor. The machines set `layers`.

        Returns
        -------
        machine : DBM
            The model. The arrays are copied.

        Raises
        ------
        ValueError
            If there is no machine, or the units of adjacent machines do not agree.
        NotFittedError
            If the network or a machine has no parameters.
        """
        if hasattr(dbn, "layers"):
            check_is_fitted(dbn, "rbms_")
        machines = given_machines(getattr(dbn, "rbms_", dbn), "dbn")
        machine = cls(layers=[clone(rbm) for rbm in machines], **settings)
        machine._validate_params()
        steps = [as_pair(rbm) for rbm in machines]
        shapes = [model.shape(params) for model, params in steps]
        for k, ((_, above), (below, _)) in enumerate(pairwise(shapes), 1):
            if above != below:
                raise ValueError(
                    f"dbn: {layer_name(k)} has {below} visible units, but the layer below makes {above}."
                )
        machine.n_features_in_ = shapes[0][0]
        model = machine._tree(0).model(sizes=[n for _, n in shapes])
        machine._parts = {}
        learning.keep_attributes(machine, named(model, halved(model, steps)))
        return machine

    # The layers

    def _tree(self, seed: int) -> Tree:
        return chain_of(self, seed)

    def _order(self) -> Array | None:
        return None

    def _chosen(self) -> list[int]:
        """Indices of the layers that `features` names."""
        check_is_fitted(self, "coefs_")
        return chosen_layers(self.features, len(self.coefs_))

    def _chain(self) -> DeepModel:
        """The fitted model as a chain of layers."""
        model = self._model()
        return DeepModel(model.groups, model.hidden)

    def _recognition(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The units of each hidden layer, and the weights and biases with which a network begins."""
        return self._chain().recognition(self._params())

    def _augmented_recognition(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The same for a network that also takes in means of the second hidden layer."""
        return self._chain().augmented_recognition(self._params())

    def _generation(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The units below each hidden layer, and the weights and biases with which a decoder begins."""
        return self._chain().generation(self._params())


def chain_of(self: Any, seed: int) -> Tree:
    """Unfitted machines for all layers; numbers stand for machines with settings of the estimator."""
    if not isinstance(self.layers, list | tuple):
        raise ValueError(
            "layers must be a list or tuple of RBM estimators or numbers of hidden units. "
            f"Got {shown(self.layers)}."
        )
    layers = [with_length(self, layer) for layer in self.layers]
    machines = new_machines(layers, seed, self.n_features_in_, columns=True)
    names = [layer_name(k) for k in range(len(machines))]
    visible = model_of(machines[0]).visible
    path = Path(names[:-1], machines[:-1], visible, self.n_features_in_)
    return Tree([path], names[-1], machines[-1])
