"""The deep belief network of features and labels."""

from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils._param_validation import StrOptions

from ebm._checks import Array, check_integer
from ebm._random import fold
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters
from ebm.samplers.ancestral import sample_rows
from ebm.sklearn_compat._shared import _labels as labels_
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._labels import (
    announced,
    check_several,
    sorted_classes,
)
from ebm.sklearn_compat._shared._settings import all_or_nothing, learns, stores_arguments
from ebm.sklearn_compat.deep import _belief as belief
from ebm.sklearn_compat.deep import _label_layer as label_layer
from ebm.sklearn_compat.deep._fine_tuning import fit_stack, update_stack
from ebm.sklearn_compat.deep._given_stack import (
    as_layer,
    check_joint_machine,
    given_machines,
    take_machines,
)
from ebm.sklearn_compat.deep._stack import BaseStack

# Keys of one call of `sample`.
START, WALK = range(2)


@complete_docstring
class DBNClassifier(ClassifierMixin, BaseStack):
    """Deep belief network of features and labels.

    A stack of restricted Boltzmann machines, each trained on the hidden units of the machine below. The topmost machine
    has label units y as further visible units, of which exactly one is on. It models the joint distribution [1]_

        p(x, y) = sum_h exp(-E(x, y, h)) / Z,    so that    p(y | x) = exp(-F(x, y)) / sum_y' exp(-F(x, y')).

    Here x are the features from the layer below, and F is the free energy. p(y | x) is exact, because Z cancels. The
    joint distribution also generates samples of a class (:meth:`sample`).

    Read more in the :ref:`User Guide <dbn_classifier>`.

    Parameters
    ----------
    layers : list or tuple of RBM estimators or int, default=(100, 100)
        Numbers of hidden units, or machines with settings, from the data up; a number n stands for ``BernoulliRBM(n)``.
        The last entry is the joint machine, with binary visible units and a gradient that uses chains (neither
        "pseudo_likelihood" nor "tap" of higher order). A single layer is a joint machine on the data. Entries have the
        names ``layer1``, ``layer2__learning_rate`` and so on.

    features : {"top", "all"}, int or list of int, default="top"
        Layers whose means `transform` returns, side by side: the topmost layer, all layers, or the given numbers, which
        start at 1. The means of the topmost layer are averaged over the classes, with the weights p(y | x).

    label_weights : {"conditional", "joint"}, default="conditional"
        How `fit` learns the weights between the labels and the topmost layer, if there is no `fine_tuning`. "joint":
        together with all others, by the likelihood p(x, y). "conditional": then once more by p(y | x), while the others
        stay. This predicts better, above all on tables, and log p(x, y) falls. `regularization` of the joint machine is
        for joint learning alone, and `partial_fit` and `fine_tuning` learn jointly.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    rbms_ : list of RBM estimators
        The fitted machines. The last ``n_classes`` visible units of the last machine are the label units.

    See Also
    --------
    DBN : Deep belief network without labels.
    MLPClassifier : Classifier by a network, with optional pre-training by a stack.

    Notes
    -----
    Rows with y = -1 are unlabelled, as elsewhere in scikit-learn. They train the layers below the top; the joint
    machine and `score` leave them out. Fine-tuning clamps the known labels and samples the others. However, -1 is a
    normal class if there are fewer than two other classes, or if the `classes` of `partial_fit` contain it. NaN (or
    None among strings) also marks unlabelled rows; if `y` has such marks, -1 is a normal class.

    :meth:`predict_proba` is exact given the features of the layer below the top, which are the means of one upward
    pass.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. & Teh, Y. W. "A fast learning algorithm for deep belief nets." Neural Computation
       18(7), 1527-1554 (2006).
    .. [2] Larochelle, H. & Bengio, Y. "Classification using discriminative restricted Boltzmann machines." ICML (2008).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import BernoulliRBM, DBNClassifier, PersistentContrastiveDivergence
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> several = PersistentContrastiveDivergence(n_steps=5)
    >>> settings = {"batch_size": 50, "n_iter": 30, "optimizer": "momentum", "schedule": "linear"}
    >>> joint = BernoulliRBM(100, gradient=several, **settings)
    >>> dbn = DBNClassifier([joint], random_state=0).fit(X[:1200], y[:1200])
    >>> dbn.score(X[1200:], y[1200:]) > 0.85
    True
    >>> dbn.sample(5, label=3, n_steps=100).shape
    (5, 64)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseStack._parameter_constraints,
        "label_weights": [StrOptions({"conditional", "joint"})],
    }

    score = labels_.score
    log_partition = belief.log_partition

    @stores_arguments
    def __init__(
        self,
        layers: Any = (100, 100),
        *,
        propagate: str = "sample",
        features: Any = "top",
        label_weights: str = "conditional",
        fine_tuning: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        warm_start: bool = False,
    ) -> None: ...

    # Learning

    @classmethod
    def from_parameters(cls, rbms: Any, classes: Any, **settings: Any) -> Any:
        """A network of the given machines, without data; it has all methods of a network without fine-tuning.

        Parameters
        ----------
        rbms : list of fitted RBM estimators
            The machines, from the data up: the fitted attribute `rbms_`, or results of ``from_parameters``. The last
            visible units of the topmost machine are the label units:
            ``visible=[("bernoulli", n), (Categorical((n_classes,)), n_classes)]``.
        classes : array-like of shape (n_classes,)
            The classes, sorted, in the order of the label units.
        **settings : object
            Parameters of the constructor. `layers` is for a later `fit`; the default has the sizes of the machines.

        Returns
        -------
        network : DBNClassifier
            The network, with copies of the machines. `rbms` does not contain the results of fine-tuning.

        Raises
        ------
        ValueError
            If there is no machine, the units of adjacent machines do not agree, or the topmost machine has no label
            units.
        NotFittedError
            If a machine has no parameters.

        Examples
        --------
        >>> from ebm import RBM, Categorical, DBNClassifier
        >>> columns = [("bernoulli", 1), (Categorical((2,)), 2)]
        >>> joint = RBM.from_parameters([[3.0, -1.0, 1.0], [-3.0, 1.0, -1.0]], visible=columns)
        >>> DBNClassifier.from_parameters([joint], ["no", "yes"]).predict([[1], [0]])
        array(['yes', 'no'], dtype='<U3')
        """
        stack = cls(**settings)
        known = sorted_classes(stack, classes)
        check_several(known)
        stack.classes_, machines = known, given_machines(rbms)
        check_joint_machine(machines, len(known))
        take_machines(stack, machines, len(known))
        if "layers" not in settings:
            stack.layers = [*(clone(rbm) for rbm in machines[:-1]), as_layer(machines[-1])]
        stack._validate_params()
        return stack

    @learns
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Train the layers from the lowest up, the topmost one with labels, then fine-tune if `fine_tuning` is set.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. `X` is not modified.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If no row has a label and a weight, if there is a single class, or if `y` mixes strings and numbers. If
            `layers` is empty, has entries that are no machines, or machines whose units do not agree. With
            `warm_start`, if classes or layers have changed; the network then stays unchanged.

        Warns
        -----
        UserWarning
            If the meaning of -1 in `y` is ambiguous, or a class has no weight.
        ConvergenceWarning
            If a layer or fine-tuning was interrupted, or diverged. The parameters learned so far can be used. After an
            interrupt the layers above are missing; `fit` with `warm_start` appends them.
        """
        known = self.classes_ if self.warm_start and hasattr(self, "rbms_") else None
        read = partial(label_layer.indicators, self, y, known, whole=True)
        return fit_stack(self, X, sample_weight, read)

    @learns
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> str:
        """Make one update of each layer, from the lowest up, with `X` as the batch; once fine-tuned, one joint update.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data with any number of rows. The first batch also sets the initial biases.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows if it is not among the `classes`. At least one row of the first batch must
            have a label.
        classes : array-like of shape (n_classes,), default=None
            All classes that later batches may contain; required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the averages over the batch.

        Returns
        -------
        self : object
            The model after the update.

        Raises
        ------
        ValueError
            If `classes` is missing in the first call or differs from the first call, or if `y` has another class.
            The layers stay unchanged.
        """
        first = not hasattr(self, "rbms_")
        if not first:
            self._network()
        known = announced(self, classes, first)
        read = partial(label_layer.indicators, self, y, known, whole=False)
        return update_stack(self, X, sample_weight, read)

    def _n_labels(self) -> int:
        return len(self.classes_)

    def _check_joint(self) -> None:
        if not self._network()[0].n_labels:
            raise ValueError(
                "The joint machine of features and labels has not learned yet, for fit was interrupted before. Go on "
                "by set_params(warm_start=True).fit(X, y)."
            )

    # Labels

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        """p(y | x) and its logarithm: both (n_samples, n_classes)."""
        self._check_joint()
        p, log_p = self._by_blocks(X, posterior)
        return p, log_p

    predict_proba = label_layer.predict_proba
    predict_log_proba = label_layer.predict_log_proba
    predict = label_layer.predict

    # Samples

    @all_or_nothing
    def sample(
        self,
        n_samples: int = 1,
        label: Any = None,
        *,
        n_steps: int = 1000,
        given: Any = None,
        return_labels: bool = False,
        random_state: Any = None,
    ) -> Any:
        """Draw samples from the model: Gibbs sampling in the joint machine, then one downward pass.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples, each from its own chain.
        label : class or array-like of shape (n_samples,), default=None
            Class of all samples, or of each sample. With None the model samples the classes, too.
        n_steps : int, default=1000
            Gibbs steps per chain. A given label is clamped.
        given : array-like of shape (n_features,) or (n_samples, n_features), default=None
            Known features, which stay fixed, and NaN for features to sample. The chains then contain all layers.
            Recognition proposes states of the hidden layers. A Metropolis-Hastings step accepts them such that the
            conditional distribution is invariant.
        return_labels : bool, default=False
            Whether to return the classes of the samples, too.
        random_state : int, RandomState instance or None, default=None
            Seed. None continues the random stream of the model, so that repeated calls differ.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Samples, in the dtype of the model.
        y : ndarray of shape (n_samples,)
            Classes of the samples; only with `return_labels`.

        Raises
        ------
        ValueError
            If `n_samples` or `n_steps` is not a positive integer. If `label` is neither one class nor one per sample.
            If `given` has the wrong shape, or values that the visible units cannot have.
        """
        n_samples = check_integer(n_samples, "n_samples")
        n_steps = check_integer(n_steps, "n_steps")
        self._check_joint()
        density = self._density()
        model, params = density.model, density.params
        known = self._clamped(label, density.clamped(given, n_samples), n_samples, density.dtype)
        key = self._next_key(random_state)
        rows = density.first_states(n_samples, fold(key, START))
        rows = sample_rows(model, params, rows, fold(key, WALK), n_steps, given=known)
        x, labels = model.split(rows)
        x = np.ascontiguousarray(x)
        if labels is None or not return_labels:
            return x
        return x, self.classes_[np.argmax(labels, axis=-1)]

    def _clamped(self, label: Any, rows: Array | None, n_samples: int, dtype: Any) -> Array | None:
        """Known features in `rows` (or NaN), followed by indicators of the label; None if nothing is known."""
        if label is None:
            return rows
        chosen = label_layer.indicators_of(self, label, n_samples)
        n_classes = len(self.classes_)
        if rows is None:
            rows = np.full((n_samples, self.n_features_in_ + n_classes), np.nan, dtype)
        rows[:, -n_classes:] = chosen
        return rows

    # Likelihood

    @all_or_nothing
    def log_likelihood(
        self,
        X: Any,
        y: Any = None,
        method: Any = "auto",
        *,
        n_samples: int = 10,
        return_std: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> Any:
        """Log-likelihood log p(x, y) of each row and its label, or log p(x) of the row alone.

        The result is exact for a single layer, and if the hidden layers below the topmost one have at most 8 two-state
        units. Otherwise it is the variational lower bound, see :meth:`DBN.lower_bound`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,), default=None
            Classes of the rows. With None the classes are summed out.
        method : {"auto", "exact", "ais"} or AIS, default="auto"
            Method for log Z, see :meth:`log_partition`.
        n_samples : int, default=10
            Samples of the hidden states per row, for the bound.
        return_std : bool, default=False
            Whether to return standard errors, too.
        n_jobs : int, default=None
            Number of threads, as in joblib. The result does not depend on it.
        random_state : int, RandomState instance or None, default=None
            Seed of the samples. None takes the seed of the model, so that repeated calls agree.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Values in nats; log-densities for real-valued data. An overflow gives -inf, never NaN or +inf.
        standard_error : ndarray of shape (n_samples,)
            Only with `return_std`: the error of sampling (NaN for one sample) and of log Z, which all rows share.

        Raises
        ------
        ValueError
            If `y` has not one class for each row, or one that is not among `classes_`; if `method` is unknown.
        """
        self._check_joint()
        labels = label_layer.known_labels(self, X, y)
        return belief.bounded(
            self, X, labels, method, n_samples, return_std, n_jobs, random_state, exact=True
        )

    def score_samples(self, X: Any) -> Array:
        """Log-likelihood log p(x) of each row (or its lower bound), with the class summed out: :meth:`log_likelihood`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        log_p : ndarray of shape (n_samples,)
            Values in nats. The same call gives the same result.
        """
        log_p: Array = self.log_likelihood(X)
        return log_p


def posterior(model: BeliefNetwork, params: BeliefParameters, x: Any) -> tuple[Array, Array]:
    """p(y | x) and its logarithm of some rows."""
    table = model.labels_above(params, x)
    return table.p, table.log_p
