"""The deep belief network."""

from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions

from ebm._checks import Array
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import learns, stores_arguments
from ebm.sklearn_compat.deep import _belief as belief
from ebm.sklearn_compat.deep._fine_tuning import fit_stack, update_stack
from ebm.sklearn_compat.deep._given_stack import given_machines, take_machines
from ebm.sklearn_compat.deep._layers import check_joints
from ebm.sklearn_compat.deep._stack import BaseStack
from ebm.units import Unit


@complete_docstring
class DBN(BaseStack):
    """Deep belief network: a stack of restricted Boltzmann machines, each trained on the hidden units below.

    With the data v and the hidden layers h_1, ..., h_L,

        p(v, h_1, ..., h_L) = p(v | h_1) p(h_1 | h_2) ... p(h_{L-2} | h_{L-1}) p(h_{L-1}, h_L).

    The two topmost layers are a restricted Boltzmann machine; each layer below is generated from the layer above it.
    Training is greedy [1]_: the lowest machine is trained on the data, the next one on the hidden units of the first,
    and so on. Optional fine-tuning then trains all layers together.

    Read more in the :ref:`User Guide <dbn>`.

    Parameters
    ----------
    layers : list or tuple of RBM estimators or int, default=(256, 64)
        The machines, from the data up. They are cloned, not modified. An integer n stands for ``BernoulliRBM(n)``.
        Layers have the names ``layer1``, ``layer2`` and so on, as the steps of a Pipeline:
        ``set_params(layer2=BernoulliRBM(32), layer1__learning_rate=0.01)``. The hidden units of a layer must have the
        type of the visible units of the next layer.

    start : {"random", "transposed"}, default="random"
        Initial weights of each layer above the first: small random numbers, or the transposed weights of the layer
        below. With transposed weights the lower bound on the likelihood starts at the bound of the layers below, and
        training raises it [1]_. Each layer then needs as many hidden units as the layer below has visible units, of the
        same type. Use a small learning rate, because large updates soon destroy the initial weights.

    See Also
    --------
    BernoulliRBM : One layer of binary hidden units.
    GaussianRBM : Lowest layer for real-valued data.
    FineTuning : Settings of the joint training of all layers.

    Notes
    -----
    `score` is a lower bound on the mean log-likelihood [2]_. Its estimate has no bias, apart from the error of log Z of
    the topmost machine. So `score` can compare networks with each other and with other densities.

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
    _learns_from_gaps = True

    @stores_arguments
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
    ) -> None: ...

    sample = belief.sample
    log_partition = belief.log_partition
    lower_bound = belief.lower_bound
    score_samples = belief.score_samples
    score = belief.score

    @classmethod
    def from_parameters(cls, rbms: Any, **settings: Any) -> Any:
        """A network of the given machines, without data; it has all methods of a network without fine-tuning.

        Parameters
        ----------
        rbms : list of fitted RBM estimators
            The machines, from the data up: the fitted attribute `rbms_`, or results of ``from_parameters``.
        **settings : object
            Parameters of the constructor. The machines set `layers`.

        Returns
        -------
        network : DBN
            The network, with copies of the machines. `rbms` does not contain the results of fine-tuning.

        Raises
        ------
        ValueError
            If there is no machine, or the units of adjacent machines do not agree.
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
        """Train the layers on `X`, from the lowest up, and then all layers together if `fine_tuning` is set.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. `X` is not modified. NaN marks missing entries: the lowest layer learns as
            :meth:`BernoulliRBM.fit` does, the layers above from rows that are completed by draws.
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
            rows, or infinite entries, or a column without any known entry. If weights are negative or all zero.

        Warns
        -----
        ConvergenceWarning
            If a layer or fine-tuning was interrupted, or diverged. The parameters learned so far can be used. After an
            interrupt the layers above are missing; `fit` with `warm_start` appends them.
        """
        return fit_stack(self, X, sample_weight)

    @learns
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> str:
        """Make one update of each layer, from the lowest up, with `X` as the batch; once fine-tuned, one joint update.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data with any number of rows. The first batch also sets the initial biases.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the averages over the batch.

        Returns
        -------
        self : object
            The model after the update.
        """
        return update_stack(self, X, sample_weight)

    def _n_labels(self) -> int:
        return 0

    def _recognition(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The units of each hidden layer, and the weights and biases of recognition from the layer below."""
        return [(model.hidden, model.recognition(params)) for model, params in self._steps_up()]
