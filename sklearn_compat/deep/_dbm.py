"""The deep Boltzmann machine."""

from collections.abc import Callable
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted

from ebm._arrays import check_exponents, check_squares, finite_numbers
from ebm._checks import Array, as_rows, check_integer, check_real, sequence, shown
from ebm._flat import dtype_of
from ebm._random import Key
from ebm._sparse import as_dtype
from ebm.energies.deep import DeepArrays, DeepModel
from ebm.energies.layers import LayeredParameters
from ebm.inference.deep_means import SWEEPS, DeepMeans, deep_means, visible_means
from ebm.pretraining import halved
from ebm.samplers.layered_gibbs import chains_at, independent_chains
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared import _likelihoods as likelihoods
from ebm.sklearn_compat._shared._attributes import fitted_array, fitted_list
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import NamedList, learns
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, FLOATS, warn_outside
from ebm.sklearn_compat.deep import _dbm_density as deep_density
from ebm.sklearn_compat.deep._dbm_learning import (
    deep_model,
    fit_deep,
    machines_of,
    resume_deep,
    update_deep,
)
from ebm.sklearn_compat.deep._given_stack import given_machines
from ebm.sklearn_compat.deep._layers import block_of, chosen_layers, layer_name, sized
from ebm.sklearn_compat.deep._stack import BaseStack
from ebm.sklearn_compat.rbm._layer import as_pair
from ebm.units import Unit


@complete_docstring
class DBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
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

    pretraining : {"greedy"} or None, default=None
        Whether the layers are trained one by one first, for machines of many units on many rows. None begins joint
        training with hidden units that tell rows of the data apart. A single layer is not pre-trained.

    propagate : {"sample", "mean"}, default="sample"
        Training data of a layer in pre-training: samples of the hidden units below given the data, new in every epoch,
        or their means.

    features : {"top", "all"} or int or list of int, default="all"
        Layers whose means `transform` returns, side by side: the topmost layer, all layers, or the given numbers, which
        start at 1.

    learning_rate : float or "auto", default="auto"
        Step size of the joint updates, at the start of `schedule`. "auto" depends on the number of hidden units and on
        their types, as for :class:`BernoulliRBM`. For rows of bits or spins it is up to three times as large.

    batch_size : int, default=10
        Rows per joint update, and number of persistent chains.

    n_iter : int or "auto", default="auto"
        Passes of joint training over the data. "auto" makes at least 10 passes and at least 2000 updates.

    verbose : int, default=0
        Whether to show progress and the reconstruction error after each epoch.

    random_state : int, RandomState instance or None, default=None
        Seed. A layer without a seed gets one that is derived from this seed and the number of the layer. An int makes
        every result reproducible. See :term:`Glossary <random_state>`.

    gradient : {"pcd", "cd", "tempering", "exact"} or record, default="pcd"
        Estimator of the log-likelihood gradient in joint training, by name or with its own settings, such as
        ``PersistentContrastiveDivergence(n_steps=5, n_chains=100)``. "exact" is for small models. All are centered by
        default.

    n_sweeps : int, default=100
        Sweeps of the mean field for each batch of joint training at most. Rows whose means have converged get no more.

    damping : float, default=0.0
        Share of the old means that each update of the mean field in joint training keeps, in [0, 1).

    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or record, \
            default="sgd"
        Rule of the joint updates, for example ``Nesterov(momentum=0.95)``.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="linear"
        How the learning rate changes over the epochs of joint training: "linear" lets it fall to zero.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared weights in joint training.

    regularization : Regularization or None, default=None
        Further penalties and limits in joint training: absolute weights, norms, gradient clipping. Sparse activity and
        dropout are for machines of two layers.

    warm_start : bool, default=False
        Whether `fit` continues joint training from the last solution (parameters, chains, velocity).

    callbacks : callable, list of callables or None, default=None
        Called after each epoch of joint training with a :class:`ebm.monitors.Report`. A callback may return a dict of
        numbers for `history_`, or True to end training. Examples are :class:`ebm.EarlyStopping` and
        :class:`ebm.Checkpoint`.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_units_below, n_units_above)
        Weights of each hidden layer from the layer below.

    intercepts_ : list of ndarray of shape (n_units,)
        Biases of the visible units and of each hidden layer.

    layer_params_ : list of dict of ndarray
        For the visible units and each hidden layer, the parameters that the units have besides biases, such as
        ``{"log_variance": ...}`` of Gaussian units. Columns of other types have none.

    h_samples_ : ndarray of shape (n_chains, n_units)
        States of the first, third, ... hidden layers in the persistent chains, side by side.

    offset_even_ : ndarray of shape (n_units,)
        Offsets in the centered gradient of the visible units and of the second, fourth, ... hidden layers.

    offset_odd_ : ndarray of shape (n_units,)
        Offsets of the first, third, ... hidden layers.

    history_ : dict of ndarray
        One entry per epoch of joint training: "epoch", "learning_rate", "time" in seconds, "mean_field_sweeps" and
        "mean_field_converged" (means over the batches), and the numbers of the callbacks.

    histories_ : dict of dict of ndarray
        Histories by stage: "layer1", "layer2", ..., and "joint".

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

    coefs_: list[Any]
    intercepts_: list[Any]
    layer_params_: list[Any]
    _parts: list[Any]
    _learns_from_gaps = True
    _chain_names: ClassVar[tuple[str, ...]] = ("h_samples_", "offset_even_", "offset_odd_")
    _lists: ClassVar[dict[str, NamedList]] = {"layers": NamedList("layer", sized)}
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = learning.ASCENT_RECORDS
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **learning.ASCENT_SETTINGS,
        "layers": BaseStack._parameter_constraints["layers"],
        "features": BaseStack._parameter_constraints["features"],
        "propagate": BaseStack._parameter_constraints["propagate"],
        "pretraining": [StrOptions({"greedy"}), None],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "damping": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        layers: Any = (256, 64),
        *,
        pretraining: Any = None,
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
    ) -> None:
        self.layers = layers
        self.pretraining = pretraining
        self.propagate = propagate
        self.features = features
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.gradient = gradient
        self.n_sweeps = n_sweeps
        self.damping = damping
        self.optimizer = optimizer
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.regularization = regularization
        self.warm_start = warm_start
        self.callbacks = callbacks

    resume = learning.resume
    _resume = resume_deep
    sample = density.sample
    impute = density.impute
    free_energy = likelihoods.free_energy
    log_partition = likelihoods.log_partition
    log_likelihood = deep_density.log_likelihood
    lower_bound = deep_density.lower_bound
    score_samples = deep_density.score_samples
    score = deep_density.score

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags

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

    @learns
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Make one update of all layers together, with `X` as the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data with any number of rows. The first batch also sets the initial parameters; there is
            no pre-training. Missing entries (NaN) get 20 Gibbs steps given the known entries in each call; `fit` keeps
            their chains from pass to pass, which is better.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the averages over the batch.

        Returns
        -------
        self : object
            The model after the update.
        """
        return update_deep(self, X, sample_weight)

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
        weights = [
            finite_numbers(W, "coefs") for W in sequence(coefs, "coefs", "arrays of weights")
        ]
        if not weights or any(W.ndim != 2 or not W.size for W in weights):
            raise ValueError(
                "coefs must be a list of arrays of shape (n_units_below, n_units_above), at least one. "
                f"Got {shown(coefs)}."
            )
        settings.setdefault("layers", [W.shape[1] for W in weights])
        machine = cls(**settings)
        machine.n_features_in_ = weights[0].shape[0]
        sizes = [machine.n_features_in_, *(W.shape[1] for W in weights)]
        if intercepts is None:
            intercepts = [np.zeros(n) for n in sizes]
        machine.coefs_ = [np.array(W, weights[0].dtype, order="C") for W in weights]
        machine.intercepts_ = [
            np.array(finite_numbers(b, "intercepts"), weights[0].dtype)
            for b in sequence(intercepts, "intercepts", "arrays of biases")
        ]
        others: Any = [{} for _ in sizes]
        if layer_params is not None:
            others = sequence(layer_params, "layer_params", "dict")
        if len(others) != len(sizes) or not all(isinstance(named, dict) for named in others):
            raise ValueError(
                f"layer_params must be a list of {len(sizes)} dict, one for each layer. Got {shown(layer_params)}."
            )
        machine.layer_params_ = list(others)
        params = machine._params()
        machine._parts = []
        learning.keep_attributes(machine, machine._named(params))
        machine._validate_params()
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
        model = deep_model(machines_of(machine, 0), shapes[0][0], [n for _, n in shapes])
        machine._parts = []
        learning.keep_attributes(machine, _named(model, halved(model, steps)))
        return machine

    @property
    def histories_(self) -> dict[str, dict[str, Array]]:
        """Histories by stage: "layer1", "layer2", ..., and "joint"."""
        check_is_fitted(self, "coefs_")
        found = {layer_name(k): history for k, history in enumerate(self._parts)}
        return found | ({"joint": self.history_} if hasattr(self, "history_") else {})

    # Inference

    def mean_field(self, X: Any, *, n_sweeps: int = SWEEPS, tol: float = 1e-4) -> DeepMeans:
        """Means of all hidden layers given `X` in mean field, and whether the means have converged.

        Each sweep updates the odd and then the even hidden layers, given the means of their neighbors. No update lowers
        the bound on the log-likelihood, so that the means always converge, though slowly if weights are large.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states; NaN where unknown. Unknown entries are units of the mean field like the hidden ones.
        n_sweeps : int, default=300
            Largest number of sweeps.
        tol : float, default=1e-4
            A row has converged when a sweep changes no mean by more than this.

        Returns
        -------
        means : DeepMeans
            `layers`, a list of arrays of shape (n_samples, n_units), `converged` of shape (n_samples,), and the number
            of sweeps that were made, `n_sweeps`.

        Warns
        -----
        ConvergenceWarning
            If the means of some rows have not converged.
        """
        n_sweeps = check_integer(n_sweeps, "n_sweeps")
        tol = check_real(tol, "tol")
        law = self._density()
        law.check_squares()
        found = deep_means(law.model, law.params, law.seen(self, X, allow_nan=True), n_sweeps, tol)
        deep_density.warn_of_means(self, found.converged)
        return found

    def transform(self, X: Any) -> Array:
        """Means of the hidden units given `X` in mean field, for the layers of the setting `features`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states; NaN where unknown.

        Returns
        -------
        H : ndarray of shape (n_samples, n_features_out)
            Features, in the dtype of the model; several layers are side by side.

        Warns
        -----
        ConvergenceWarning
            If the means of some rows have not converged.
        """
        chosen = self._chosen()
        layers = self.mean_field(X).layers
        return np.hstack([layers[k] for k in chosen])

    def inverse_transform(self, X: Any) -> Array:
        """Means of the visible units given features, the other layers following in mean field.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Features as from :meth:`transform`, states or means.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Means of the visible units.
        """
        chosen = self._chosen()
        law = self._density()
        law.check_squares()
        rows = check_array(as_rows(X, self._n_features_out, "X"), input_name="X", dtype=FLOATS)
        rows, known, at = as_dtype(rows, law.dtype), {}, 0
        for k in chosen:
            number = law.model.hidden_layers[k]
            unit, n_units = law.model.hidden[k]
            states = np.ascontiguousarray(rows[:, at : at + n_units])
            warn_outside(unit, states, slack=EXTRAPOLATION)
            known[number], at = states, at + n_units
        return visible_means(law.model, law.params, known)

    def reconstruct(self, X: Any) -> Array:
        """Means of the visible units given the mean-field means of the lowest hidden layer given `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states; NaN where unknown.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Reconstructions.
        """
        law = self._density()
        first = law.model.hidden_layers[0]
        return visible_means(law.model, law.params, {first: self.mean_field(X).layers[0]})

    def energy(self, X: Any, H: Any) -> Array:
        """Energy E(v, h_1, ..., h_L) of states of all layers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.
        H : array-like of shape (n_samples, n_hidden)
            States of all hidden layers, side by side, from the lowest up.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Energies in nats.
        """
        law = self._density()
        law.check_squares()
        model, v = law.model, law.dense(self, X)
        sizes = [n for _, n in model.hidden]
        h = law.hidden_states(H, sum(sizes), model.hidden_side, len(v))
        energies: Array = model.energy(law.params, *model.colors(law.params, v, h))
        return energies

    # From the fitted attributes to the core, and back

    def _chosen(self) -> list[int]:
        """Indices of the layers that `features` names."""
        check_is_fitted(self, "coefs_")
        return chosen_layers(self.features, len(self.coefs_))

    @property
    def _n_features_out(self) -> int:
        return sum(len(self.intercepts_[k + 1]) for k in self._chosen())

    def _is_fitted(self) -> bool:
        return hasattr(self, "coefs_")

    def _model(self) -> DeepModel:
        """The fitted model: units from the settings, sizes from the fitted attributes."""
        machines = machines_of(self, 0)
        coefs = fitted_list(self.coefs_, "coefs_")
        if len(coefs) != len(machines):
            raise ValueError(
                f"layers holds {len(machines)} layers, but the fitted model has {len(coefs)}. Fit anew "
                "(warm_start=False) to change it."
            )
        sizes = [
            fitted_array(W, f"coefs_[{k}]", (None, None)).shape[1] for k, W in enumerate(coefs)
        ]
        return deep_model(machines, self.n_features_in_, sizes)

    def _params(self) -> LayeredParameters:
        """The parameters that the fitted attributes hold, whoever set them."""
        check_is_fitted(self, "coefs_")
        model = self._model()
        sizes = [self.n_features_in_, *(n for _, n in model.hidden)]
        coefs = [
            fitted_array(W, f"coefs_[{k}]", (sizes[k], sizes[k + 1]))
            for k, W in enumerate(self.coefs_)
        ]
        dtype = coefs[0].dtype if coefs[0].dtype in FLOATS else np.dtype(np.float64)
        given = fitted_list(self.intercepts_, "intercepts_", len(sizes))
        biases = [fitted_array(b, f"intercepts_[{k}]", (sizes[k],)) for k, b in enumerate(given)]
        others = []
        for k, named in enumerate(fitted_list(self.layer_params_, "layer_params_", len(sizes))):
            if not isinstance(named, dict):
                raise ValueError(
                    f"layer_params_ must be a list of dict, one for each layer. Got {shown(named)} in it."
                )
            found = {x: fitted_array(named[x], f"layer_params_[{k}]", (None,)) for x in named}
            for name in (x for x in found if x.startswith("log_")):
                check_exponents(found[name], f"layer_params_[{k}]")
            others.append({x: np.ascontiguousarray(a, dtype) for x, a in found.items()})
        for k, b in enumerate(biases):
            check_squares(b, f"intercepts_[{k}]")
        arrays = DeepArrays(
            [np.ascontiguousarray(W, dtype) for W in coefs],
            [np.ascontiguousarray(b, dtype) for b in biases],
            others,
        )
        return model.of_arrays(arrays)

    def _recognition(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The units of each hidden layer, and the weights and biases with which a network begins."""
        return self._model().recognition(self._params())

    def _generation(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The units below each hidden layer, and the weights and biases with which a decoder begins."""
        return self._model().generation(self._params())

    def _named(self, params: LayeredParameters) -> dict[str, Any]:
        """Parameters by the names of their attributes."""
        sizes = [len(x.bias) for x in params.layers[-len(self.layers) :]]
        return _named(deep_model(machines_of(self, 0), self.n_features_in_, sizes), params)

    def _density(self) -> density.Density:
        params = self._params()
        model = self._model()

        def first_states(n_rows: int, key: Key) -> Array:
            return independent_chains(model, params, n_rows, key)

        def states_at(v: Array, key: Key, beta: float) -> Array:
            return chains_at(model, params, v, key, beta)

        return density.Density(
            model,
            params,
            dtype_of(params),
            first_states,
            states_at,
            n_beside=model.n_hidden_walked,
            marginals=self._course.marginals,
        )


def _named(model: DeepModel, params: LayeredParameters) -> dict[str, Any]:
    """Parameters by the names of the fitted attributes."""
    arrays = model.arrays(params)
    return {
        "coefs_": arrays.weights,
        "intercepts_": arrays.biases,
        "layer_params_": arrays.others,
    }
