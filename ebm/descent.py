"""How networks learn: batch by batch in the training loop, or from all rows at once by L-BFGS.

Either way the network may grow (:mod:`ebm.networks.growth`): training then goes in stages, with more hidden units in
each, as long as an addition lowers the loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np

from ebm import training
from ebm._batches import Rows
from ebm._checks import Array
from ebm._random import Reserved, fold, stream
from ebm.gradients.back_propagation import MeanCost
from ebm.monitors import Callback, Plateau
from ebm.networks.growth import (
    Growth,
    Outcome,
    grow_while_it_helps,
    grown,
    hidden_sizes,
    padded,
)
from ebm.networks.network import Network, Parameters
from ebm.optimizers.lbfgs import Progress, lbfgs


class Stages(NamedTuple):
    """How a network grows: by which rule, when a stage is over, and the seed of new weights."""

    growth: Growth
    plateau: Plateau
    seed: int


def fit_network(
    state: training.State,
    rows: Rows,
    plan: training.Plan,
    n_epochs: int,
    callbacks: Sequence[Callback] = (),
    stages: Stages | None = None,
) -> tuple[training.State, str]:
    """Train a network by batches.

    Parameters
    ----------
    state : State
        Of a network, from :func:`ebm.training.begin`; it is changed.
    rows : Rows
        With targets, or with none where the gradient of the `plan` reconstructs the rows.
    plan : Plan
        With the gradient :class:`~ebm.gradients.back_propagation.BackPropagation`.
    n_epochs : int
        Largest number of epochs, of all stages together.
    callbacks : sequence of callable
    stages : Stages, optional
        The network grows by them; their plateau is one of the callbacks.

    Returns
    -------
    state : State
        The state that training has come to: that given, or one of a larger network.
    message : str
        Why training did not end as asked, or ''.

    Raises
    ------
    ValueError
        If the network cannot grow.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import training
    >>> from ebm._batches import Rows
    >>> from ebm._random import stream
    >>> from ebm.descent import fit_network
    >>> from ebm.gradients.back_propagation import BackPropagation
    >>> from ebm.gradients.base import no_chains
    >>> from ebm.networks.dense import Dense
    >>> from ebm.networks.losses import SquaredError
    >>> from ebm.networks.network import Network
    >>> from ebm.optimizers import SGD, Constant
    >>> network = Network(2, (Dense(1),), SquaredError())
    >>> plan = training.Plan(BackPropagation(), SGD(), Constant(), 0.1, 0.0, 4, 0)
    >>> first = network.drawn(stream(0, "init"), np.float64)
    >>> state = training.begin(network, first, plan, no_chains(np.float64))
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> state, message = fit_network(state, Rows(X, targets=X[:, :1]), plan, 500)
    >>> network.predict(state.params, X).round(1).ravel()
    array([0., 0., 1., 1.])
    """
    if stages is None:
        return state, training.train(state, rows, plan, n_epochs, callbacks)
    growth, plateau, seed = stages
    growth.additions(network_of(state))  # refuses a network that cannot grow before it trains
    limit = _n_done(state) + n_epochs

    def learn(stage: training.State) -> Outcome:
        message = training.train(stage, rows, plan, limit - _n_done(stage), callbacks)
        return Outcome(plateau.best(stage.saved), plateau.stuck(stage.saved), message)

    def widen(stage: training.State) -> training.State | None:
        network, theta = network_of(stage), stage.saved.get("best_theta", stage.theta)
        left = limit - _n_done(stage)
        wider = _wider(growth, network, network.unpack(theta), seed) if left else None
        if wider is None:
            return None
        memory = tuple(padded(network, wider[0], x) for x in stage.memory)
        return training.continued(stage, *wider, memory)

    return grow_while_it_helps(state, widen, learn, growth.tol)


def network_of(state: training.State) -> Network:
    """The model of a state of the training of a network."""
    return cast(Network, state.model)


def _n_done(state: training.State) -> int:
    return len(state.history.get("loss", ()))


def _wider(
    growth: Growth, network: Network, params: Parameters, seed: int
) -> tuple[Network, Parameters] | None:
    """The network with more units, or None where there is no room for any."""
    more = growth.additions(network)
    if not any(more):
        return None
    family = fold(stream(seed, "init"), Reserved.NEW_UNITS.number)
    return grown(network, params, more, fold(family, sum(hidden_sizes(network))))


class Limits(NamedTuple):
    """Penalties beside the loss, and when a search ends.

    Attributes
    ----------
    alpha : float
        Of the penalty ``alpha / (2 rows) sum W^2``.
    l1 : float
        Of the penalty on absolute weights.
    max_iter, max_fun : int
        Largest numbers of iterations, of all stages together, and of evaluations in a stage.
    tol, patience : float
        See :func:`ebm.optimizers.lbfgs.lbfgs`.
    """

    alpha: float = 0.0
    l1: float = 0.0
    max_iter: int = 500
    max_fun: int | None = None
    tol: float = 1e-6
    patience: float = 0


@dataclass
class Search:
    """Where the minimisation of all rows' loss stands: the network, and iterations and cost so far."""

    network: Network
    params: Parameters
    n_iter: int = 0
    cost: float = np.inf


class HeldOut:
    """Rows that a search does not see: it ends where their score no longer rises, and the best parameters are kept.

    Parameters
    ----------
    search : Search
        Where the search begins; its network does not grow.
    score : callable
        From parameters to the score of the rows.
    tol : float
        A score is better if it exceeds the best one by more.
    patience : float
        Iterations in a row without a better score, more than which end the search.

    Attributes
    ----------
    scores : list of float
        The score after each iteration.
    best : float
        The best of them, and of the score where the search began; NaN where none is finite.
    theta : ndarray of shape (parameters,)
        The parameters that have it, as a flat vector; those of the beginning where none is finite.
    """

    def __init__(
        self,
        search: Search,
        score: Callable[[Parameters], float],
        tol: float,
        patience: float,
    ) -> None:
        self._network, self._score, self._tol, self._patience = search.network, score, tol, patience
        self.theta = search.network.pack(search.params)
        self.best, self.scores = score(search.params), list[float]()
        self._misses = 0

    def stops(self, theta: Array) -> bool:
        """Look at the parameters of an iteration; whether the search is to end."""
        score = self._score(self._network.unpack(theta.astype(self.theta.dtype)))
        self.scores.append(score)
        best, first = self.best, bool(np.isnan(self.best))
        if first or score > best:
            self.best, self.theta = score, theta.astype(self.theta.dtype)
        self._misses = 0 if first or score >= best + self._tol else self._misses + 1
        return self._misses > self._patience


def minimize_network(
    network: Network,
    params: Parameters,
    rows: tuple[Any, Array | None, Array | None],
    limits: Limits,
    *,
    growth: Growth | None = None,
    seed: int = 0,
    tell: Callable[[Progress], object] | None = None,
    held_out: HeldOut | None = None,
) -> tuple[Search, str]:
    """Minimise the mean loss of all rows, and what layers cost, by L-BFGS.

    Parameters
    ----------
    network, params : Network, tuple of NamedTuple
        Where to begin.
    rows : tuple
        Inputs (rows, n_in), dense or CSR; targets (rows, outputs), None for the inputs themselves; weights (rows,) or
        None.
    limits : Limits
    growth : Growth, optional
    seed : int
        Of the weights of new units.
    tell : callable, optional
        Is called after every iteration.
    held_out : HeldOut, optional
        Ends the search where held-out rows no longer profit, and has the best parameters for them, which are taken.

    Returns
    -------
    search : Search
        With new parameters.
    message : str
        Why the search did not come to its end, or ''.

    Raises
    ------
    ValueError
        If the network cannot grow.
    """

    def learn(search: Search) -> Outcome:
        left = limits.max_iter - search.n_iter
        message = _minimized(search, rows, limits._replace(max_iter=left), tell, held_out)
        message = message.replace(f"max_iter={left} ", f"max_iter={limits.max_iter} ")
        return Outcome(search.cost, not message, message)

    def widen(search: Search) -> Search | None:
        if growth is None or search.n_iter >= limits.max_iter:
            return None
        wider = _wider(growth, search.network, search.params, seed)
        return None if wider is None else Search(*wider, search.n_iter)

    if growth is not None:
        growth.additions(network)  # refuses a network that cannot grow before it trains
    tol = 0.0 if growth is None else growth.tol
    return grow_while_it_helps(Search(network, params), widen, learn, tol)


def _minimized(
    search: Search,
    rows: Any,
    limits: Limits,
    tell: Callable[[Progress], object] | None,
    held_out: HeldOut | None,
) -> str:
    """One stage of a search, which is changed; why it did not come to its end, or ''."""
    network, theta = search.network, search.network.pack(search.params)
    X, targets, weights = rows
    cost, l1 = MeanCost(network, X, targets, weights, limits.alpha), limits.l1
    found = lbfgs(
        cost,
        theta,
        l1=np.full(network.n_weights(search.params), l1) if l1 else None,
        max_iter=limits.max_iter,
        max_fun=limits.max_fun,
        tol=limits.tol,
        patience=limits.patience,
        tell=tell,
        kinks=True,  # those of rectifiers
        stop=None if held_out is None else held_out.stops,
    )
    best = found.theta if held_out is None else held_out.theta
    search.params = network.unpack(best.astype(theta.dtype))
    search.n_iter += found.progress.n_iter
    search.cost = found.progress.cost
    diverged = cost.where and not np.isfinite(search.cost)  # not so before the first evaluation
    return cost.diverged if diverged else found.message
