"""log Z and log-likelihoods, by whatever method is asked for: the exact ones where they can be had."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._arrays import has_gaps
from ebm._checks import Array, shown
from ebm._random import Key, stream
from ebm._sparse import dense
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.path import Path, path_to
from ebm.energies.states import enumerable_side
from ebm.likelihood.ais import AIS, RAISE, ais_log_partition, raise_log_likelihood
from ebm.likelihood.base import LogPartition
from ebm.likelihood.bases import better_path
from ebm.likelihood.exact import check_law, exact_log_partition
from ebm.likelihood.free_energy import estimated_free_energy
from ebm.likelihood.incomplete import estimated_incomplete_free_energy
from ebm.likelihood.modes import lower_bound
from ebm.likelihood.pseudo_likelihood import pseudo_log_likelihood
from ebm.likelihood.routes import has_routes, two_routes

# Up to this many units in the smaller layer are enumerated unasked: seconds at most.
MAX_UNASKED = 20
PARTITIONS = ["ais", "auto", "exact"]
LIKELIHOODS = [*PARTITIONS, "pseudo", "raise"]


class Evaluation(NamedTuple):
    """Settings of an estimate: how the model is annealed, with which random numbers, on how many threads.

    Attributes
    ----------
    base : tuple or ndarray or None
        The own parameters of the distribution to anneal from (:mod:`ebm.energies.path`), whether or not it is near the
        model.
    marginals : tuple or ndarray or None
        The own parameters of the distribution with the marginals of the training data
        (:func:`ebm.energies.path.base_of`). Without a `base` it is annealed from this distribution or from that of
        short chains of the model, whichever is nearer.
    samples : ndarray of shape (rows, units) or None
        States of the model from which the reverse estimate may start.
    key : Key
    n_jobs : int or None
        Threads, in joblib's sense; no result depends on it.
    tell : callable or None
        Is called with a line of text after every attempt at log Z.
    """

    base: Any = None
    marginals: Any = None
    samples: Array | None = None
    key: Key = stream(0, "evaluation")
    n_jobs: int | None = None
    tell: Callable[[str], object] | None = None


DEFAULT = Evaluation()


def log_partition(
    model: Model,
    params: Any,
    method: Any = "auto",
    *,
    beta: float = 1.0,
    evaluation: Evaluation = DEFAULT,
) -> LogPartition:
    """Log Z(beta).

    Parameters
    ----------
    model, params : Bipartite or Pairwise, and its parameters
    method : {"auto", "exact", "ais"} or AIS
        "exact": by enumeration (of at most 25 units, in two layers the smaller one), or in closed form for two Gaussian
        layers. "ais": the two estimates of :mod:`ebm.likelihood.routes`. A record of settings: annealed importance
        sampling from one base. "auto": exact up to 20 units.
    beta : float
        Inverse temperature.
    evaluation : Evaluation

    Returns
    -------
    LogPartition

    Raises
    ------
    ValueError
        When `method` is unknown, when no layer is small enough to be enumerated, or when Z does not exist.
    """
    _check_method(method, PARTITIONS, AIS)
    apart = without_couplings(model, params)
    if apart is not None:
        alone = Evaluation(key=evaluation.key, n_jobs=evaluation.n_jobs, tell=evaluation.tell)
        found = log_partition(apart.model, apart.params, method, beta=beta, evaluation=alone)
        return found.plus(beta * apart.constant)
    if method == "auto":
        method = "exact" if can_be_exact(model, params) else "ais"
    with np.errstate(all="ignore"):  # the result says what is not finite
        if method == "exact":
            return exact_log_partition(model, params, beta=beta, n_jobs=evaluation.n_jobs)
        params = params if beta == 1 else model.tempered(params, beta)
        if method == "ais" and has_routes(model) and evaluation.base is None:
            return two_routes(
                model,
                params,
                evaluation.key,
                marginals=evaluation.marginals,
                n_jobs=evaluation.n_jobs,
                tell=evaluation.tell,
            )
        return _annealed(model, params, AIS() if method == "ais" else method, beta, evaluation)


def _annealed(
    model: Model, params: Any, choice: AIS, beta: float, evaluation: Evaluation
) -> LogPartition:
    """By annealed importance sampling from one product distribution, and not below what the modes say."""
    path, base = annealing_path(model, params, evaluation)
    turned = choice.summed_out == "even"
    found = ais_log_partition(
        path.turned() if turned else path,
        choice,
        evaluation.key,
        samples=evaluation.samples if beta == 1 and not turned else None,
        n_jobs=evaluation.n_jobs,
        tell=evaluation.tell,
    )
    routes, many = has_routes(model), "Use method='ais', which starts from many modes"
    found = found._replace(base=base, doubt=choice.doubt(found, f"{many}, or g" if routes else "G"))
    missed = f"{many}." if routes else "Give AIS more n_runs."
    return found.at_least(lower_bound(model, params), missed)


@singledispatch
def without_couplings(model: Model, params: Any) -> Any:
    """A model, parameters and a constant: log Z is that of the model plus the constant; None for most models.

    Layers of normal units that are connected to each other are taken apart (:mod:`ebm.energies.principal_axes`).
    """
    return None


@singledispatch
def can_be_exact(model: Model, params: Any) -> bool:
    """Whether log Z is exact in a moment."""
    return False


@can_be_exact.register
def _(model: Bipartite, params: BipartiteParameters) -> bool:
    if model.is_normal:
        return True
    try:
        enumerable_side(model, params, MAX_UNASKED)
    except ValueError:
        return False
    return True


def exact_log_z(model: Model, params: Any, beta: float) -> float | None:
    """Log Z(beta) of a model with connected normal layers, where it is exact in a moment; or None."""
    apart = without_couplings(model, params)
    if apart is None or not can_be_exact(apart.model, apart.params):
        return None
    return log_partition(model, params, "exact", beta=beta).value


def annealing_path(model: Model, params: Any, evaluation: Evaluation) -> tuple[Path, str]:
    """The path from the base to the model, and which base it is."""
    check_law(model, params)
    if evaluation.base is not None:
        return path_to(model, params, evaluation.base), "the given base"
    return better_path(model, params, evaluation.marginals, evaluation.key)


def _check_method(method: Any, names: list[str], *records: type) -> None:
    """ValueError for anything but one of the `names` or a record of one of the types."""
    if isinstance(method, records) or (isinstance(method, str) and method in names):
        return
    kinds = " or ".join(record.__name__ for record in records)
    raise ValueError(
        f"The 'method' parameter must be one of {names} or an instance of {kinds}. Got {shown(method)} instead."
    )


def log_likelihood(
    model: Model,
    params: Any,
    v: Any,
    method: Any = "auto",
    evaluation: Evaluation = DEFAULT,
) -> tuple[Array, Array, LogPartition | None]:
    """Log p(v) of each row of `v` (rows, n_visible), its standard error, and the log Z behind it if there is one.

    Parameters
    ----------
    model, params : Bipartite or Pairwise, and its parameters
    v : ndarray of shape (rows, n_visible), or CSR rows for two layers
        NaN where unknown: the probability is that of the known entries, the others summed out, exactly or by an
        estimate.
    method : {"auto", "exact", "ais", "raise", "pseudo"} or AIS or RAISE
        The first three, and AIS: -F(v) - log Z with log Z of :func:`log_partition`, whose error all rows share. F(v) is
        an estimate, too, where hidden units cannot be summed out. "raise": the conservative estimate of
        :mod:`ebm.likelihood.ais`. "pseudo": the pseudo-log-likelihood.
    evaluation : Evaluation
    """
    _check_method(method, LIKELIHOODS, AIS, RAISE)
    incomplete = has_gaps(v)
    if incomplete and (method in ("pseudo", "raise") or isinstance(method, RAISE)):
        raise ValueError(
            f"method={method!r} takes complete rows, and X holds NaN. method='auto' sums out what is unknown."
        )
    if method == "pseudo":
        return pseudo_log_likelihood(model, params, v), np.zeros(v.shape[0]), None
    if method == "raise" or isinstance(method, RAISE):
        choice = RAISE() if isinstance(method, str) else method
        if model.n_hidden_walked:
            raise ValueError(
                "method='raise' anneals back from complete states; the rows say nothing of the hidden units of this "
                "machine. Use method='ais'."
            )
        path, _ = annealing_path(model, params, evaluation)
        rows = dense(v)
        return *raise_log_likelihood(path, choice, rows, evaluation.key, evaluation.n_jobs), None
    z = log_partition(model, params, method, evaluation=evaluation)
    if incomplete:
        free, errors = _incomplete(model, params, v, method, evaluation)
    else:
        free, errors = estimated_free_energy(model, params, v, evaluation.key, evaluation.n_jobs)
    return -free - z.value, np.hypot(errors, z.standard_error), _doubted(z, errors)


def _doubted(z: LogPartition, errors: Array) -> LogPartition:
    """`z`, in doubt also where the free energies of some rows are: their `errors` are infinite then."""
    n_rows = int(np.isinf(errors).sum())
    if not n_rows:
        return z
    doubt = (
        f"The free energies of {n_rows} rows are in doubt: annealing may have missed modes of the units that are "
        "summed out. Their standard errors are infinite (return_std=True)."
    )
    return z._replace(doubt=f"{z.doubt} {doubt}".lstrip())


def _incomplete(
    model: Model, params: Any, v: Any, method: Any, evaluation: Evaluation
) -> tuple[Array, Array]:
    """Free energies of rows with unknown entries, and their errors; where these are no exact sums, by `method`."""
    choice = "auto" if method == "exact" else method

    def log_z(rest: Any, rest_params: Any, key: Key) -> LogPartition:
        alone = Evaluation(key=key, n_jobs=evaluation.n_jobs)  # nothing else fits a smaller machine
        return log_partition(rest, rest_params, choice, evaluation=alone)

    return estimated_incomplete_free_energy(model, params, v, evaluation.key, log_z)
