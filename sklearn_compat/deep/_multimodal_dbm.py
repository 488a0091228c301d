"""The deep Boltzmann machine of several modalities."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import Number, learns, stores_arguments
from ebm.sklearn_compat.deep import _dbm_density as deep_density
from ebm.sklearn_compat.deep._base_dbm import BaseDBM, set_arrays, weights_of
from ebm.sklearn_compat.deep._dbm_learning import fit_deep, partial_fit, resume_deep
from ebm.sklearn_compat.deep._layers import block_of, chosen_layers
from ebm.sklearn_compat.deep._modalities import (
    NamedModalities,
    NamedTop,
    check_modalities,
    columns_of,
    tree_of,
)
from ebm.sklearn_compat.deep._stack import BaseStack
from ebm.sklearn_compat.deep._tree import Tree


@complete_docstring
class MultimodalDBM(BaseDBM):
    """Deep Boltzmann machine of several modalities: pathways of layers that share their topmost layer.

    A modality is a part of the columns of `X`, such as the pixels of an image or the words that go with it. Each has
    its own visible units and its own hidden layers, one above the other. One topmost layer t is connected to the last
    hidden layer of every modality [1]_:

        p(v, h, t) = exp(-E) / Z,    E = sum_m E_m(v_m, h_m1, ..., h_mL) + U(t) - sum_m s(h_mL)' W_m s(t).

    E_m is the energy of the deep machine of modality m by itself, see :class:`DBM`. The modalities are independent of
    each other given the topmost layer. A modality that a row lacks (NaN in all of its columns) follows from the others,
    through the topmost layer: features of such rows, :meth:`impute` and ``sample(given=...)``.

    Training is that of :class:`DBM`. With ``pretraining="greedy"`` the machines of each modality are first trained one
    by one on its columns, and then the topmost machine on the features of all modalities. Joint training fits all
    layers together: mean field for the statistics of the data, persistent chains for those of the model, centered.

    Read more in the :ref:`User Guide <multimodal_dbm>`.

    Parameters
    ----------
    modalities : list of tuple (name, layers, columns) or None, default=None
        The modalities. `layers` are RBM estimators or numbers of hidden units, from the data up, at least one. Their
        meaning is that of `layers` of :class:`DBM`: the first machine gives the units of the columns. `columns` are a
        slice, a list of integers, a mask, or names of columns of a data frame. Each column belongs to one modality.
        Layers have names such as ``image_layer1``: ``set_params(image_layer1__n_iter=20)``. None stands for a single
        modality of all columns, ``("all", [64], slice(None))``.

    top : RBM estimator or int, default=64
        The topmost layer, which all modalities share: a number of units, or a machine as in `layers`. Its visible units
        must have the type of the last hidden units of each modality.

    pretraining : {"auto", "greedy", "two_copies"} or None, default="greedy"
        Whether the layers are trained one by one first, and how, see :class:`DBM`. "two_copies" is for bits and
        binomial counts, with a hidden layer for each modality. None begins joint training with hidden units that tell
        rows of the data apart. Joint training then seldom finds how the modalities belong together: the topmost layer
        begins without knowing it, and each pathway alone explains its columns. "auto" is "greedy" unless columns are
        reals.

    features : {"top", "all"}, int or str or list of these, default="top"
        Layers whose means `transform` returns, side by side: the topmost layer, all layers, or the given ones, by names
        such as ``["image_layer2", "top"]`` or by numbers from 1 in the order of `histories_`.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_units_below, n_units_above)
        Weights of all hidden layers from the layer below, modality by modality from the data up. Those to the topmost
        layer follow the ones of each modality. For layers (v, h1, h2) of one modality these are v-h1, h1-h2 and h2-top.

    intercepts_ : list of ndarray of shape (n_units,)
        Biases of the visible units and of each hidden layer, modality by modality, and of the topmost layer.

    layer_params_ : list of dict of ndarray
        In the order of `intercepts_`, the parameters that the units have besides biases, such as ``{"log_variance":
        ...}`` of Gaussian units. Columns of other types have none.

    See Also
    --------
    DBM : The machine of one modality.
    RBM : Columns of several types on one hidden layer.

    Notes
    -----
    `score` is a lower bound on the mean log-likelihood, see :class:`DBM`. Pathways may have different depths. Every
    second layer is summed out or drawn at once, whichever pathway it is in.

    References
    ----------
    .. [1] Srivastava, N. & Salakhutdinov, R. "Multimodal learning with deep Boltzmann machines." Advances in Neural
       Information Processing Systems 25 (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import MultimodalDBM
    >>> rng = np.random.RandomState(0)
    >>> kind = rng.randint(2, size=(200, 1))
    >>> X = (rng.rand(200, 10) < 0.1 + 0.8 * kind).astype(float)
    >>> modalities = [("image", [6, 4], slice(0, 6)), ("words", [4], slice(6, 10))]
    >>> dbm = MultimodalDBM(modalities, top=3, n_iter=40, random_state=0).fit(X)
    >>> words = np.full((2, 10), np.nan)
    >>> words[:, 6:] = [[0], [1]]
    >>> dbm.impute(words)[:, :6].mean(axis=1).round(1)
    array([0.1, 0.9])
    >>> dbm.transform(words).shape
    (2, 3)
    """

    _layers_name = "modalities"
    _lists: ClassVar[dict[str, Any]] = {"modalities": NamedModalities(), "top": NamedTop()}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDBM._parameter_constraints,
        "modalities": [list, tuple, None],
        "top": [Number(Integral, 1, None, closed="left"), HasMethods(["fit", "transform"])],
        "features": [str, *BaseStack._parameter_constraints["features"][1:]],
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
        modalities: Any = None,
        top: Any = 64,
        *,
        pretraining: Any = "greedy",
        propagate: str = "sample",
        features: Any = "top",
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
        named = NamedModalities().named(self.modalities) | {"top": self.top}
        return block_of(list(named.values()), list(named))

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Train all layers together, after the machines of each modality and the top if `pretraining` says so.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Missing entries are NaN, or None among objects: single ones, or whole modalities of a row.
            `X` is not modified.
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
            If `modalities` overlap, leave columns out, name columns that `X` has not, or have no layers. If layers are
            no machines, or machines whose units do not agree. If `X` has no rows, infinite entries, a column without a
            known entry, or a group of categories that is known in part. If weights are negative or all zero.

        Warns
        -----
        ConvergenceWarning
            If training was interrupted or diverged. The parameters learned so far can be used. After an interrupt in
            the first stage the layers above have their initial weights; `fit` with `warm_start` trains all together.
            If the mean field of more than a tenth of the rows did not converge in the last epoch.

        Notes
        -----
        Missing entries are latent, see :meth:`DBM.fit`. A modality that a row lacks is latent as a whole. The machines
        of this modality are pre-trained on the other rows; the topmost machine learns the missing features of the
        pathway as it learns from gaps.
        """
        return fit_deep(self, X, sample_weight)

    @classmethod
    def from_parameters(
        cls,
        coefs: Any,
        intercepts: Any = None,
        layer_params: Any = None,
        *,
        modalities: Any,
        **settings: Any,
    ) -> "MultimodalDBM":
        """The machine that has given weights and biases, without data.

        Parameters
        ----------
        coefs : list of array-like of shape (n_units_below, n_units_above)
            Weights in the order of the fitted attribute `coefs_`. float32 is kept.
        intercepts : list of array-like of shape (n_units,), default=None
            Biases in the order of the fitted attribute `intercepts_`; zero if None.
        layer_params : list of dict, default=None
            Further parameters of the units, as the fitted attribute `layer_params_`.
        modalities : list of tuple (name, layers, columns)
            As in the constructor. The sizes of layers are those of the weights.
        **settings : object
            Parameters of the constructor.

        Returns
        -------
        machine : MultimodalDBM
            The model. The arrays are copied.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or the units have no such parameter.

        Examples
        --------
        >>> from ebm import MultimodalDBM
        >>> modalities = [("left", [1], [0]), ("right", [1], [1])]
        >>> weights = [[[2.0]], [[1.0]], [[2.0]], [[1.0]]]
        >>> dbm = MultimodalDBM.from_parameters(weights, modalities=modalities)
        >>> round(dbm.log_partition().value, 4)
        6.5836
        """
        weights = weights_of(coefs)
        depths = [len(layers) for _, layers, _ in check_modalities(modalities)]
        if len(weights) != sum(depths) + len(depths):
            raise ValueError(
                f"coefs must hold {sum(depths) + len(depths)} arrays for modalities of {depths} layers: one for each "
                f"hidden layer of a modality, and one from its last layer to the top. Got {len(weights)}."
            )
        first = np.cumsum([0, *(depth + 1 for depth in depths)])[:-1]
        settings.setdefault("top", weights[-1].shape[1])
        machine = cls(modalities, **settings)
        machine.n_features_in_ = sum(weights[k].shape[0] for k in first)
        set_arrays(machine, weights, intercepts, layer_params)
        return machine

    # The layers

    def _tree(self, seed: int) -> Tree:
        return tree_of(self, seed)

    def _order(self) -> Array | None:
        order = np.concatenate(list(columns_of(self).values()))
        return None if (order == np.arange(len(order))).all() else order

    def _chosen(self) -> list[int]:
        """Indices of the layers that `features` names."""
        check_is_fitted(self, "coefs_")
        names = self._tree(0).names
        given = self.features
        if isinstance(given, str):
            if given in ("top", "all"):
                return chosen_layers(given, len(names))
            given = [given]
        if not isinstance(given, list | tuple):
            return chosen_layers(given, len(names))
        chosen = [names.index(x) + 1 if isinstance(x, str) and x in names else x for x in given]
        if any(isinstance(x, str) for x in chosen):
            raise ValueError(
                f"features must be 'top', 'all', or name layers among {names}. Got {self.features!r}."
            )
        return chosen_layers(chosen, len(names))
