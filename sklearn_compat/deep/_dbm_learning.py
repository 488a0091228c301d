"""How a deep Boltzmann machine learns: its parts one on top of the other, and then all layers together.

The argument `self` is the estimator; acts of learning return what did not come to its end.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from ebm import training
from ebm._arrays import has_gaps
from ebm._batches import Rows
from ebm._checks import Array
from ebm._flat import dtype_of
from ebm._gaps import rows_of
from ebm._sparse import as_dtype, dense
from ebm.energies.base import Model
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.trees import TreeModel
from ebm.likelihood import reconstruction_error
from ebm.monitors import Scorer
from ebm.pretraining import (
    Branch,
    Labels,
    Layer,
    Machine,
    Propagation,
    begins_as,
    composed,
    copied_part,
    part,
    pretrain_tree,
    turns_over,
    twice,
)
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._course import Lesson, Watch
from ebm.sklearn_compat._shared._settings import learns
from ebm.sklearn_compat._shared._validation import (
    check_repetitions,
    check_rows,
    check_weights,
    check_whole_groups,
    column_names,
    draw_seed,
    warn_outside,
)
from ebm.sklearn_compat.deep._tree import Tree
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._layer import entitle, learner
from ebm.training import INTERRUPTED

S = TypeVar("S", bound=Any)
# Rows and their weights -> their labels.
Read = Callable[[Any, Array | None], Labels]
# Fewer rows with a mean field that has converged are told of.
LEAST_CONVERGED = 0.9


class Begun(NamedTuple):
    """The parameters with which joint learning begins.

    Attributes
    ----------
    change : callable
        The model and its initial parameters -> these parameters.
    histories : dict of dict of ndarray
        The histories of the parts that have learned, by their names.
    stopped : list of str
        Why parts did not come to their ends.
    interrupted : bool
    """

    change: Callable[[Any, Any], Any]
    histories: dict[str, dict[str, Array]]
    stopped: list[str]
    interrupted: bool


# Settings -> machines


def tree_for(self: Any, seed: int) -> Tree:
    """Unfitted machines for all layers, and how their learning is shown."""
    tree: Tree = self._tree(seed)
    columns, order = column_names(self), self._order()
    if columns is not None and order is not None:
        columns = columns[order]
    for path, some in zip(tree.paths, tree.columns, strict=True):
        for k, (name, machine) in enumerate(zip(path.names, path.machines, strict=True)):
            seen = None if k or columns is None else columns[some]
            entitle(machine, f"{type(self).__name__} {name}", seen)
    alone = columns if len(tree.machines) == 1 else None
    entitle(tree.top, f"{type(self).__name__} {tree.top_name}", alone)
    for machine in tree.machines:
        machine.verbose = max(machine.verbose, self.verbose)
    return tree


# Acts of learning


def fit_deep(self: Any, X: Any, sample_weight: Any, read: Read | None = None) -> str:
    """Train the parts one by one if asked, and then all layers together; or go on with the latter."""
    go_on = self.warm_start and self._is_fitted()
    X, weights = rows_to_learn(self, X, sample_weight, go_on, read)
    check_repetitions(weights)
    if go_on:
        learned = self._course.fit_rows(lesson_of(self, True), X, weights)
        return _with_reasons(learning.keep(self, learned), unconverged(self))
    seed = draw_seed(self.random_state)
    lesson = lesson_of(self, False)._replace(random_state=seed)
    check_joint(self, lesson, X, weights, seed)
    begun = begin(self, X, weights, seed, scheme_of(self, seed))
    n_epochs = 0 if begun.interrupted else lesson.n_epochs
    lesson = lesson._replace(change=begun.change, n_epochs=n_epochs)
    learned = self._course.fit_rows(lesson, X, weights)
    stopped = [*begun.stopped, learning.keep(self, learned)]
    self._parts = begun.histories
    return _with_reasons(*stopped, unconverged(self))


def scheme_of(self: Any, seed: int) -> str | None:
    """How the parts learn first; "auto": greedily unless columns are reals, which then gives better features."""
    if len(self._tree(seed).machines) == 1:
        return None
    if self.pretraining != "auto":
        return cast("str | None", self.pretraining)
    return None if tree_for(self, seed).model().has_scale else "greedy"


def _with_reasons(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def unconverged(self: Any) -> str:
    """Why the mean field of many rows had not converged in the last epoch of joint training, or ''."""
    shares = self.history_.get("mean_field_converged", ())
    if not len(shares) or shares[-1] >= LEAST_CONVERGED:
        return ""
    return (
        f"the mean field of {1 - shares[-1]:.0%} of the rows had not converged after n_sweeps={self.n_sweeps} sweeps "
        "in the last epoch, so that the gradient is not that of the bound. Increase n_sweeps, or keep the weights "
        "small by weight_decay, a smaller learning_rate or fewer epochs"
    )


def resume_deep(
    self: Any, file: Any, X: Any, y: Any, sample_weight: Any, read: Read | None = None
) -> str:
    """Go on with the learning of all layers together from a file."""
    X, weights = rows_to_learn(self, X, sample_weight, False, read)
    learned = self._course.resume_rows(lesson_of(self, False), file, X, weights)
    self._parts = {}
    return _with_reasons(learning.keep(self, learned), unconverged(self))


def update_deep(self: Any, X: Any, sample_weight: Any, read: Read | None = None) -> str:
    """One update of all layers with the rows `X` as the batch."""
    go_on = self._is_fitted()
    X, weights = rows_to_learn(self, X, sample_weight, go_on, read)
    shares, lesson = learning.as_shares(weights), lesson_of(self, go_on)
    if not go_on:
        seed = draw_seed(self.random_state)
        begun = begin(self, X, shares, seed, None)
        lesson = lesson._replace(random_state=seed, change=begun.change)
        self._parts = {}
    return learning.keep(self, self._course.update_rows(lesson, X, shares))


@learns
def partial_fit(self: S, X: Any, y: Any = None, sample_weight: Any = None) -> str:
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


def rows_to_learn(
    self: Any, X: Any, sample_weight: Any, go_on: bool, read: Read | None = None
) -> tuple[Any, Array | None]:
    """Training rows, in the dtype of the fitted model if there is one, and their weights.

    `read` maps these to the labels that stand beside the rows, NaN where they are unknown.
    """
    X = check_rows(self, X, reset=not go_on, order="C", allow_nan=self._learns_from_gaps)
    order = self._order()
    X = X if order is None else X[:, order]
    if read is not None:
        labels = read(X, check_weights(sample_weight, X))
        X = np.hstack([dense(X), labels.columns])
    model = tree_for(self, 0).model()
    unit = model.visible
    if has_gaps(X):
        check_whole_groups(unit, X)
    warn_outside(unit, X)
    if go_on:
        check_layers(self, model)
        X = as_dtype(X, dtype_of(self._params()))
    return X, check_weights(sample_weight, X)


def check_layers(self: Any, wanted: TreeModel) -> None:
    """ValueError if the settings name other layers than the fitted model has."""
    sizes = [n for _, n in self._model().hidden]
    asked = [n for _, n in wanted.hidden]
    if sizes != asked:
        raise ValueError(
            f"{' and '.join(self._lists)} have {asked} hidden units, but those of the fitted model have {sizes}. "
            "Fit anew (warm_start=False) to change it."
        )


# The course of learning


def lesson_of(self: Any, go_on: bool) -> Lesson:
    """How all layers learn together."""
    title = type(self).__name__
    tree = tree_for(self, 0)
    model = tree.model(FixedPoint(self.n_sweeps, damping=self.damping))
    columns, order = column_names(self), self._order()
    return Lesson(
        plan=lambda seed: learning.ascent(self, seed),
        model=lambda rows, plan: model,
        n_hidden=sum(tree.sizes),
        n_epochs=self.n_iter if isinstance(self.n_iter, str) else int(self.n_iter),
        random_state=self.random_state,
        watch=Watch(title, self.callbacks, self.verbose, shown_errors),
        columns=columns if columns is None or order is None else columns[order],
        standing=learning.standing(self) if go_on else None,
    )


def check_joint(self: Any, lesson: Lesson, X: Any, weights: Array | None, seed: int) -> None:
    """Refuse settings of joint learning before any part has learned."""
    plan, rows = lesson.plan(seed), rows_of(X, weights, lesson.columns)
    state = training.start(lesson.model(rows, plan), rows, lesson.n_hidden, plan)
    training.Learner(state, plan, 1)


def begin(self: Any, X: Any, weights: Array | None, seed: int, scheme: str | None) -> Begun:
    """Parameters to begin with: of parts that have learned, or of parts that only know some rows."""
    tree = tree_for(self, seed)
    model, greedy, copies = tree.model(), scheme is not None, scheme == "two_copies"
    learners = [
        _part(machine, name, model, k, scheme)
        for k, (name, machine) in enumerate(zip(tree.names, tree.machines, strict=True))
    ]
    *lower, top = learners
    branches = []
    for path, columns in zip(tree.paths, tree.columns, strict=True):
        branches.append(Branch(columns, lower[: len(path.machines)]))
        lower = lower[len(path.machines) :]
    way = Propagation(self.propagate == "sample", seed)
    rows, over = (twice(X), turns_over(model)) if copies else (X, False)
    layers, interrupted = pretrain_tree(branches, top, rows, weights, way, over)
    found = zip(learners, layers, strict=True)
    reasons = [f"{x.name}: {layer.message}" for x, layer in found if layer.message and greedy]
    if interrupted and not reasons:
        reasons.append(f"{tree.names[-1]}: {INTERRUPTED}")
    steps = [layer.step for layer in layers]
    change = partial(_composed, model=model, steps=steps)
    histories = {name: history_of(x) for name, x in zip(tree.names, layers, strict=True)}
    return Begun(change, histories if greedy else {}, reasons, interrupted)


def _composed(_: Any, params: Any, *, model: TreeModel, steps: Any) -> Any:
    return composed(model, steps)


def _part(machine: BaseRBM, name: str, model: TreeModel, k: int, scheme: str | None) -> Machine:
    """The machine as the core trains it to be part `k`."""
    made, greedy = learner(machine, name, False), scheme is not None
    title = f"{name} of a deep Boltzmann machine"
    watch = Watch(title, machine.callbacks if greedy else None, machine.verbose, shown_errors)
    n_epochs = made.n_epochs if greedy else 0
    made = replace(made, n_epochs=n_epochs, watched=watch.watched)
    if scheme == "two_copies":
        return replace(made, model=copied_part(model, k), begins_as=begins_as(model, k))
    return replace(made, model=part(model, k))


def shown_errors(X: Any, model: Model) -> list[Scorer]:
    """The number that a verbose fit shows: the reconstruction error of some rows."""
    rows = X if isinstance(X, Rows) else Rows(X)  # what stands in gaps changes from epoch to epoch
    index = rows.counted[:: -(-len(rows.counted) // learning.SHOWN_ROWS)]

    def error(params: Any) -> float:
        return reconstruction_error(model, params, rows.at(index))

    return [Scorer("reconstruction_error", error)]


def history_of(layer: Layer) -> dict[str, Array]:
    """The history of a part."""
    return {name: np.asarray(x) for name, x in layer.state.history.items()}
