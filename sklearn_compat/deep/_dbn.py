"""The deep belief network."""

from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions

from ebm._checks import Array
from ebm.sklearn_compat._shared._settings import learns
from ebm.sklearn_compat.deep import _belief as belief
from ebm.sklearn_compat.deep._fine_tuning import fit_stack, update_stack
from ebm.sklearn_compat.deep._given_stack import given_machines, take_machines
from ebm.sklearn_compat.deep._layers import check_joints
from ebm.sklearn_compat.deep._stack import BaseStack
from ebm.units import Unit


class DBN(BaseStack):
    """Deep belief network: restricted Boltzmann machines one on top of the other, each trained on the one below.

    With the data v and the hidden layers h_1, ..., h_L,

        p(v, h_1, ..., h_L) = p(v | h_1) p(h_1 | h_2) ... p(h_{L-2} | h_{L-1}) p(h_{L-1}, h_L),

    where the two topmost layers are a restricted Boltzmann machine, and each layer below is predicted from the one
    above it. Layers are learned greedily [1]_: the lowest machine learns the data, the next one what the first makes of
    them, and so on; the whole may then be fine-tuned.

    Read more in the :ref:`User Guide <dbn>`.

    Parameters
    ----------
    layers : list or tuple of RBM estimators or int, default=(256, 64)
        The machines, from the data up; they are cloned and stay as they are. An integer n stands for
        ``BernoulliRBM(n)``. Parameters of layers are reached as in a Pipeline, by the names ``layer1``, ``layer2`` and
        so on: ``set_params(layer2=BernoulliRBM(32), layer1__learning_rate=0.01)``, where an integer becomes its
        machine. The hidden units of a layer must be of the type of the visible units of the next.

    propagate : {"sample", "mean"}, default="sample"
        What a layer learns from: states drawn from the law of the hidden units below given the data, anew for every
        epoch; or their means. It is for the states that a layer more raises the bound, and the spread of the means
        shrinks from layer to layer.

    start : {"random", "transposed"}, default="random"
        Where `fit` starts a layer above the first: at small random weights, or at the layer below turned over, of which
        its first hidden units are the visible ones. The bound then starts at that of the layers below, and what the
        layer learns raises it [1]_; each layer needs as many hidden units as the one below has visible ones, of their
        type. Such a layer wants small learning rates: what it starts with is soon lost.

    features : {"top", "all"} or int or list of int, default="top"
        Layers whose means are the features that `transform` returns, side by side: the topmost one, all, or those of
        the given numbers, from 1.

    fine_tuning : {"up_down"} or FineTuning or UpDown or None, default=None
        Training of all layers together after the last one has learned, by the up-down algorithm [1]_; with settings,
        ``FineTuning(n_iter=50, learning_rate=0.01)``, which are reached by ``fine_tuning__n_iter`` and so on. It unties
        the way up (recognition) from the way down (generation).

    verbose : int, default=0
        Whether to show the progress of every layer, as an RBM does; layers may also have their own `verbose`.

    random_state : int, RandomState instance or None, default=None
        Seed of everything random. A layer whose own `random_state` is None gets a seed derived from it and from the
        layer's number, which the fitted layer then shows. An int makes every result reproducible.
        See :term:`Glossary <random_state>`.

    warm_start : bool, default=False
        Whether `fit` goes on from the last solution: every layer goes on learning, or, where layers were appended to
        `layers`, the others stay as they are and those learn. A fine-tuned network goes on with fine-tuning alone.

    Attributes
    ----------
    rbms_ : list of RBM estimators
        The fitted machines, from the data up. Fine-tuning changes the topmost one; those below stay as they were before
        it. After an interrupt the list ends with the layer that it came in.

    recognition_components_ : list of ndarray of shape (n_units_above, n_units_below)
        Weights of the way up, layer by layer. Weights here and below multiply the states of units themselves; before
        fine-tuning they are those of `rbms_`. The topmost ones have no direction and end both lists.

    recognition_intercepts_ : list of ndarray of shape (n_units_above,)
        Biases of the hidden units on the way up.

    generative_components_ : list of ndarray of shape (n_units_above, n_units_below)
        Weights of the way down.

    generative_intercepts_ : list of ndarray of shape (n_units_below,)
        Biases of the units below, on the way down.

    history_ : dict of ndarray
        What was recorded while fine-tuning, one entry per epoch. Defined only after it.

    histories_ : dict of dict of ndarray
        What was recorded, by stage: "layer1", "layer2", ..., and "fine_tuning".

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.

    See Also
    --------
    BernoulliRBM : One layer of binary hidden units.
    GaussianRBM : For the lowest layer, where data are real-valued.
    FineTuning : Settings of the training of the whole.

    Notes
    -----
    `score` is a lower bound on the mean log-likelihood [2]_, estimated without bias up to the error of log Z of the
    topmost machine, so that networks can be compared by it, also with other densities.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. & Teh, Y. W. "A fast learning algorithm for deep belief nets." Neural Computation
       18, 1527-1554 (2006).
    .. [2] Salakhutdinov, R. & Murray, I. "On the quantitative analysis of deep belief networks." ICML (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import DBN, BernoulliRBM
    >>> X = np.random.RandomState(0).randint(2, size=(50, 6))
    >>> dbn = DBN([BernoulliRBM(5, learning_rate=0.05), 3], random_state=0).fit(X)
    >>> dbn.transform(X).shape
    (50, 3)
    >>> dbn.sample(2, n_steps=100).shape
    (2, 6)
    >>> dbn.set_params(layer2__n_iter=20).layers
    [BernoulliRBM(learning_rate=0.05, n_components=5), BernoulliRBM(n_components=3, n_iter=20)]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseStack._parameter_constraints,
        "start": [StrOptions({"random", "transposed"})],
    }

    def __init__(
        self,
        layers: Any = (256, 64),
        *,
        propagate: str = "sample",
        start: str = "random",
        features: Any = "top",
        fine_tuning: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.layers = layers
        self.propagate = propagate
        self.start = start
        self.features = features
        self.fine_tuning = fine_tuning
        self.verbose = verbose
        self.random_state = random_state
        self.warm_start = warm_start

    sample = belief.sample
    log_partition = belief.log_partition
    lower_bound = belief.lower_bound
    score_samples = belief.score_samples
    score = belief.score

    @classmethod
    def from_parameters(cls, rbms: Any, **settings: Any) -> Any:
        """The network of given machines, without data: whatever one fitted without fine-tuning can do, it can.

        Parameters
        ----------
        rbms : list of fitted RBM estimators
            The fitted attribute `rbms_`, from the data up; or machines of ``from_parameters``. They are copied.
        **settings : object
            Parameters of the constructor. The machines set `layers`.

        Returns
        -------
        network : DBN
            The network. Its ways up and down are those of the machines: what fine-tuning made of them is not in `rbms`.

        Raises
        ------
        ValueError
            If there is no machine, or the units of one are not those of the next.
        NotFittedError
            If a machine has no parameters.

        Examples
        --------
        >>> from ebm import DBN, BernoulliRBM
        >>> lower = BernoulliRBM.from_parameters([[2.0, 2.0, 0.0], [0.0, -1.0, 1.0]])
        >>> upper = BernoulliRBM.from_parameters([[1.0, -1.0]])
        >>> DBN.from_parameters([lower, upper]).transform([[1, 1, 0]]).shape
        (1, 1)
        """
        stack = cls(**settings)
        machines = given_machines(rbms)
        check_joints(machines)
        take_machines(stack, machines, 0)
        stack.layers = [clone(rbm) for rbm in machines]
        stack._validate_params()
        return stack

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Fit the layers to `X`, from the lowest up, and then, where asked, the whole.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, never modified.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; zero leaves it out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If `layers` is empty, holds what is no machine, or machines whose units do not fit; if `X` has no rows, or
            NaN or infinite entries (see `impute`), or weights that are negative or all zero.

        Warns
        -----
        ConvergenceWarning
            If a layer, or fine-tuning, stopped because of an interrupt, or because numbers grew beyond all bounds. What
            was learned is kept and can be used; an interrupt ends `fit`, and layers above the one in which it came are
            missing, until `fit` with `warm_start` appends them.
        """
        return fit_stack(self, X, sample_weight)

    @learns
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Make one update of every layer, from the lowest up, or, once fine-tuned, of the whole; `X` is the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data; any number of rows. The first one also sets the initial biases.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the batch's averages.

        Returns
        -------
        self : object
            The model after the update.
        """
        return update_stack(self, X, sample_weight)

    def _n_labels(self) -> int:
        return 0

    def _recognition(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The units of each hidden layer, and the weights and biases that make their inputs of the layer below."""
        return [(model.hidden, model.recognition(params)) for model, params in self._steps_up()]
