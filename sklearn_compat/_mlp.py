"""How multi-layer perceptrons learn: settings, pre-training, `fit` and `partial_fit`."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from ebm import training
from ebm._batches import Rows
from ebm._checks import Array
from ebm._random import stream
from ebm.gradients.back_propagation import BackPropagation, mean_cost
from ebm.monitors import Callback, Plateau, Scorer
from ebm.networks import feed_forward
from ebm.networks.growth import Growth, Outcome, grow_while_it_helps, growth_record
from ebm.networks.initializations import INITIALIZATIONS, initialization_record
from ebm.networks.losses import Loss
from ebm.networks.network import Network, Parameters
from ebm.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    Constant,
    InverseScaling,
    Momentum,
    Nesterov,
    Optimizer,
    Regularization,
    Schedule,
    optimizer_record,
    regularization_record,
    schedule_record,
)
from ebm.optimizers.lbfgs import Progress, lbfgs
from ebm.sklearn_compat._pretraining import Start, activations_after, pretrained, sizes_after
from ebm.sklearn_compat._settings import RECORD
from ebm.sklearn_compat._shaping import Labelled, Shaping, size_of
from ebm.sklearn_compat._validation import (
    check_repetitions,
    check_rows,
    check_weights,
    draw_seed,
    warn_user,
)

# Learning rate of "adaptive", each time that learning comes to a halt: as in scikit-learn.
ADAPTIVE = 0.2


def by_batches(estimator: Any) -> bool:
    """Whether there are updates that can be made one by one; else AttributeError."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit goes batch by batch, which solver='lbfgs' does not.")
    if estimator.early_stopping:
        raise AttributeError("partial_fit has no rows to stop by: use early_stopping=False.")
    return True


@dataclass
class Search:
    """Where minimisation of all rows' loss stands."""

    network: Network
    params: Parameters
    n_iter: int = 0
    cost: float = np.inf


class BaseMLP(Shaping):
    """Multi-layer perceptrons (abstract)."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Shaping._parameter_constraints,
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "activation": [StrOptions({"auto", *feed_forward.FUNCTIONS}), RECORD, list, tuple],
        "pretraining": [HasMethods(["fit", "get_params"]), None],
        "solver": [StrOptions({"lbfgs", *OPTIMIZERS}), RECORD],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", *SCHEDULES}), RECORD],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions(set(INITIALIZATIONS)), RECORD],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "batch_norm": ["boolean"],
        "regularization": [RECORD, None],
        "callbacks": [list, tuple, callable, None],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **Shaping._resolvers,
        "solver": optimizer_record,
        "learning_rate": schedule_record,
        "regularization": regularization_record,
        "init": initialization_record,
    }
    hidden_layer_sizes: Any
    activation: Any
    pretraining: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    shuffle: bool
    tol: float
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    init: Any
    dropout: Any
    batch_norm: bool
    regularization: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What is learned, by whom

    def _targets(self, X: Any, y: Any, first: bool, classes: Any) -> tuple[Array, Array]:
        """Targets (rows, outputs) of the labelled rows, and which rows these are (rows,)."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _validation_score(self, targets: Array, output: Array, weights: Array | None) -> float:
        raise NotImplementedError

    def _stratify(self, targets: Array) -> Any:
        """By what a split into training and validation rows is balanced."""
        return None

    # Fitting

    def _learn(
        self, X: Any, y: Any, sample_weight: Any, incremental: bool, classes: Any = None
    ) -> str:
        """`fit`, or with `incremental` one more epoch; what went wrong, or ''."""
        first = not self._is_fitted() or not (incremental or self.warm_start)
        X, targets, labelled, weights = self._checked(X, y, sample_weight, first, classes)
        if first or not hasattr(self, "_seed"):
            self._seed = draw_seed(self.random_state)
        if first:
            self._begin(X, weights, targets.shape[1])
        rows = _labelled(X, targets, labelled, weights)
        growth = None if incremental or self.growth is None else growth_record(self.growth)
        return self._descend(rows, growth, first, incremental)

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, first: bool, classes: Any = None
    ) -> tuple[Any, Array, Array, Array | None]:
        """Rows, the targets of those that are labelled, which these are, and the rows' weights."""
        X = check_rows(self, X, reset=first, order="C")
        if not first:
            X = X.astype(self._dtype(), copy=False)
        targets, labelled = self._targets(X, y, first, classes)
        weights = check_weights(sample_weight, X)
        check_repetitions(weights)
        return X, targets, labelled, weights

    def _labelled(self, X: Any, y: Any, sample_weight: Any) -> Labelled:
        return _labelled(*self._checked(X, y, sample_weight, False))

    def _begin(self, X: Any, weights: Array | None, n_outputs: int) -> None:
        """Lay out the network, and start it where the pre-training, on all rows, has come to."""
        start = pretrained(self.pretraining, X, weights, self._seed)
        network = self._network(start, X.shape[1], n_outputs)
        params = feed_forward.start(network, stream(self._seed, "init"), X.dtype, start.layers)
        self.pretraining_ = start.fitted
        self.network_ = network
        self.n_outputs_, self.out_activation_ = n_outputs, network.loss.out_activation
        self._keep_params(params)
        self.n_layers_ = len(self.coefs_) + 1
        self.history_, self._n_steps, self._memory = {}, 0, ()
        self.__dict__.pop("feature_importances_", None)
        self.t_ = 0

    def _network(self, start: Start, n_in: int, n_outputs: int) -> Any:
        sizes = sizes_after(start, self.hidden_layer_sizes)
        activations = activations_after(start, self.activation, len(sizes))
        hidden = feed_forward.Architecture(
            sizes, activations, self._dropouts(len(sizes)), self.batch_norm, self.init
        )
        return feed_forward.perceptron(n_in, hidden, n_outputs, self._loss())

    def _dropouts(self, n_layers: int) -> tuple[float, ...]:
        """Of the inputs and of each hidden layer; one number is for the hidden layers."""
        if isinstance(self.dropout, Real):
            return (0.0, *[float(self.dropout)] * n_layers)
        shares = tuple(float(p) for p in self.dropout)
        if len(shares) != n_layers + 1:
            raise ValueError(
                f"dropout has {len(shares)} entries: give one number, or {n_layers + 1}, for the inputs and each of "
                f"{n_layers} hidden layers."
            )
        return shares

    def _descend(
        self,
        labelled: Labelled,
        growth: Growth | None,
        first: bool = False,
        incremental: bool = False,
    ) -> str:
        """Back-propagation, by batches or of all rows."""
        if self.solver == "lbfgs":
            return self._descend_all(labelled, growth)
        held_out = None
        if self.early_stopping and not incremental:
            labelled, held_out = self._split(labelled)
        X, targets, weights = labelled
        rows = Rows(X, weights, targets, self.shuffle)
        plan = self._plan(self._seed, len(rows))
        state = self._state(plan) if first else self._resumed(plan)
        if not incremental:  # optimisers of another fit begin anew
            state.memory = plan.optimizer.start(state.theta)
            state.kept.clear()
        plateau = self._plateau()
        watching: list[Callback] = [] if held_out is None else [self._scorer(*held_out)]
        watching += [] if incremental else [plateau]
        watching += [] if growth is None else [size_of]

        def run(state: training.State, n_epochs: int) -> str:
            return self._run(state, rows, plan, X, n_epochs, watching)

        if growth is None:
            stopped = run(state, 1 if incremental else self.max_iter)
        else:
            state, stopped = self._grow(growth, state, plateau, run)
        n_done = len(state.history.get("loss", ())) - len(self.history_.get("loss", ()))
        if self.early_stopping and "best_theta" in state.kept:
            state.theta[:] = state.kept["best_theta"]
        self._keep(state, plan)
        self._tell_course(n_done, len(rows))
        return stopped or self._unfinished(n_done, incremental)

    def _unfinished(self, n_done: int, incremental: bool) -> str:
        if (
            incremental
            or n_done < self.max_iter
            or not self.max_iter
            or np.isinf(self.n_iter_no_change)
        ):
            return ""
        return f"not converged in max_iter={self.max_iter} epochs; with n_iter_no_change=np.inf that is as it should be"

    def _tell_course(self, n_done: int, n_rows: int) -> None:
        """Attributes that say how training went, by scikit-learn's names."""
        losses = self.history_.get("loss", np.empty(0)).tolist()
        self.n_iter_, self.t_ = n_done, self.t_ + n_done * n_rows
        self.loss_curve_, self.loss_ = losses, losses[-1] if losses else np.inf
        self.validation_scores_ = self.best_validation_score_ = self.best_loss_ = None
        if self.early_stopping:
            self.validation_scores_ = self.history_.get("validation_score", np.empty(0)).tolist()
            self.best_validation_score_ = max(self.validation_scores_, default=None)
        else:
            self.best_loss_ = min(losses, default=np.inf)

    def _split(self, rows: Labelled) -> tuple[Labelled, Labelled]:
        """Rows to train on, and rows to stop by."""
        X, targets, weights = rows
        w = np.ones(len(targets)) if weights is None else weights
        X, X_val, t, t_val, w, w_val = train_test_split(
            X,
            targets,
            w,
            random_state=self._seed,
            test_size=self.validation_fraction,
            stratify=self._stratify(targets),
        )
        if len(t_val) < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves {len(t_val)} rows to stop by. Increase it, or "
                "train on more rows."
            )
        if weights is None:
            return Labelled(X, t, None), Labelled(X_val, t_val, None)
        return Labelled(X, t, w), Labelled(X_val, t_val, w_val)

    def _scorer(self, X: Any, targets: Array, weights: Array | None) -> Scorer:
        def score(params: Any) -> float:
            output = self._of_blocks(params, X, self.network_.predict)
            return self._validation_score(targets, output, weights)

        return Scorer("validation_score", score)

    def _plateau(self) -> Plateau:
        return Plateau(
            "validation_score" if self.early_stopping else "loss",
            rises=self.early_stopping,
            tol=self.tol,
            patience=self.n_iter_no_change,
            slowdown=ADAPTIVE if self._is_plain and self.learning_rate == "adaptive" else None,
        )

    def _descend_all(self, rows: Labelled, growth: Growth | None) -> str:
        """L-BFGS on the mean loss of all rows."""
        if any(self._dropouts(len(self.coefs_) - 1)) or self.batch_norm:
            raise ValueError(
                "solver='lbfgs' minimises one function of all rows; dropout and batch_norm change it from batch to "
                "batch. Use another solver."
            )
        search, message = self._search(growth, rows, Search(self.network_, self._params()))
        self._take(search.network, search.params)
        self.n_iter_, self.loss_ = search.n_iter, search.cost
        self.best_loss_, self.loss_curve_ = self.loss_, [self.loss_]
        self.t_ = self.n_iter_ * len(rows.targets)
        return message

    def _search(self, growth: Growth | None, rows: Labelled, search: Search) -> tuple[Search, str]:
        """L-BFGS, in stages if the network is to grow."""

        def learn(search: Search) -> Outcome:
            network = search.network
            theta = network.pack(search.params)
            found = lbfgs(
                mean_cost(network, *rows, self.alpha),
                theta,
                max_iter=self.max_iter - search.n_iter,
                max_fun=self.max_fun,
                tol=self.tol,
                tell=self._tell_progress,
            )
            search.params = network.unpack(found.theta.astype(theta.dtype))
            search.n_iter += found.progress.n_iter
            search.cost = found.progress.cost
            return Outcome(search.cost, not found.message, found.message)

        def widen(search: Search) -> Search | None:
            if growth is None or search.n_iter >= self.max_iter:
                return None
            wider = self._wider(growth, search.network, search.params)
            return None if wider is None else Search(*wider, search.n_iter)

        if growth is not None:
            growth.additions(search.network)  # refuses what cannot grow before it trains
        return grow_while_it_helps(search, widen, learn, 0.0 if growth is None else growth.tol)

    def _tell_progress(self, progress: Progress) -> None:
        if self.verbose:
            print(
                f"[{type(self).__name__}] Iteration {progress.n_iter}, loss = {progress.cost:.6g}"
            )

    # Settings in the core's terms

    @property
    def _is_plain(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "sgd"

    def _optimizer(self) -> Optimizer:
        if self.solver == "adam":
            return Adam(self.beta_1, self.beta_2, self.epsilon, epsilon_hat=True)
        if not self._is_plain:
            return optimizer_record(self.solver)
        if not self.momentum:
            return SGD()
        return Nesterov(self.momentum) if self.nesterovs_momentum else Momentum(self.momentum)

    def _schedule(self, n_rows: int) -> Schedule:
        if self.learning_rate in ("constant", "invscaling", "adaptive"):
            scaling = self._is_plain and self.learning_rate == "invscaling"
            return InverseScaling(n_rows, self.power_t) if scaling else Constant()
        return schedule_record(self.learning_rate)

    def _regularization(self) -> Regularization:
        held = regularization_record(self.regularization)
        if held.dropout or held.sparsity_target is not None:
            raise ValueError(
                "regularization: dropout and sparsity_target are for Boltzmann machines. A network has the parameter "
                f"dropout. Got {held!r}."
            )
        return held

    def _plan(self, seed: int, n_rows: int = 1) -> training.Plan:
        return training.Plan(
            BackPropagation(self.alpha),
            self._optimizer(),
            self._schedule(n_rows),
            self.learning_rate_init,
            0.0,
            self._batch_size(n_rows),
            seed,
            self._regularization(),
        )

    def _batch_size(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_rows)
        if self.batch_size > n_rows:
            warn_user(
                f"batch_size={self.batch_size} is larger than the number of rows, {n_rows}, which is taken instead.",
                UserWarning,
            )
        return min(int(self.batch_size), n_rows)


def _labelled(X: Any, targets: Array, labelled: Array, weights: Array | None) -> Labelled:
    """The rows that have targets, and these in the precision of the rows."""
    if not labelled.all():
        X, weights = X[labelled], None if weights is None else weights[labelled]
    return Labelled(X, targets.astype(X.dtype), weights)
