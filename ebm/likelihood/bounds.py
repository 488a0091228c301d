"""Lower bounds of a deep belief network's log-likelihood (Salakhutdinov & Murray 2008, section 4).

With the recognition distribution Q of :mod:`ebm.energies.belief_network` and the hidden layers h = (x_1, ..., x_{L-1}),
Jensen's inequality gives

    log p(v) = log E_Q[w],        w = p(v, h) / Q(h | v),
             >= E_Q[log w] = E_Q[sum_k log p(x_k | x_{k+1}) - F(x_{L-1}) - log Q(h | v)] - log Z,

the *variational bound*. It falls short of log p(v) by KL(Q || p(h | v)). The gap is zero where recognition is exact: in
a tied stack whose upper machine is the lower one transposed, and so has the same distribution. Here log Z is that of
the top alone (:func:`ebm.likelihood.partition.log_partition`), and its error is shared by all rows.

The average of `n_samples` draws of h estimates the bound without bias. The logarithm of the average of their w (Burda,
Grosse & Salakhutdinov 2016) is in expectation a bound that is never lower. It approaches log p(v) from below as the
number of draws grows. An estimate of either bound may exceed log p(v) by chance.
"""

from collections.abc import Iterator

import numpy as np

from ebm._checks import Array, check_integer
from ebm._flat import dtype_of
from ebm._random import Key, fold
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters
from ebm.energies.states import state_blocks
from ebm.likelihood.ais import log_mean
from ebm.samplers.by_content import sample_by_content

METHODS = ("elbo", "importance", "exact", "auto")
# Rows at a time: the draws of a row do not depend on it.
BLOCK_ROWS = 1000
# Hidden units below the topmost layer of which all states are visited.
MAX_ENUMERATED = 20
MAX_UNASKED = 8  # as many where nobody asked for it


def variational_bound(
    model: BeliefNetwork,
    params: BeliefParameters,
    v: Array,
    log_z: float,
    key: Key,
    n_samples: int = 10,
    method: str = "elbo",
    identities: Array | None = None,
) -> tuple[Array, Array]:
    """A lower bound of log p(v) for each row, and the standard error of its estimate.

    Parameters
    ----------
    model, params : BeliefNetwork, BeliefParameters
    v : ndarray of shape (rows, n_0) or (rows, n_0 + n_labels)
        Data, or data and labels; without these they are summed out.
    log_z : float
        Log Z of the top, summed over the labels as well.
    key : Key
        Draw number s of row r depends on these two numbers alone, or on s and the row's identity.
    n_samples : int
        Draws of the hidden layers per row.
    method : {"elbo", "importance", "exact", "auto"}
        "elbo": the variational bound, E_Q[log w], by averaging draws. "importance": the logarithm of the mean w, in
        expectation no lower. "exact": the variational bound by enumerating all states of the layers 1, ..., L - 1.
        "auto": "exact" where these layers have at most 8 units, of two states each; else "elbo".
    identities : ndarray of shape (rows,), optional
        64-bit numbers that stand for the rows, :func:`~ebm._batches.row_fingerprints` for example: estimates for a row
        then do not depend on where it stands, nor on which rows there are besides.

    Returns
    -------
    values : ndarray of shape (rows,)
        In double precision; of densities where data units are Gaussian.
    standard_errors : ndarray of shape (rows,)
        Of the draws alone, not of `log_z`; NaN for one draw, zero where there is nothing to draw.

    Raises
    ------
    ValueError
        If `method` is unknown, `n_samples` is not a positive integer, or there are too many states to visit.

    References
    ----------
    .. [1] Salakhutdinov, R. and Murray, I. (2008). On the quantitative analysis of deep belief networks. International
       Conference on Machine Learning, section 4.
    .. [2] Burda, Y., Grosse, R. and Salakhutdinov, R. (2016). Importance weighted autoencoders. International
       Conference on Learning Representations, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.bipartite import Bipartite
    >>> from ebm.energies.belief_network import from_rbms
    >>> from ebm.likelihood import log_partition
    >>> from ebm.likelihood.bounds import exact_log_likelihood, variational_bound
    >>> from ebm.units import Bernoulli
    >>> rbm, v = Bipartite(Bernoulli(), Bernoulli()), np.eye(4)
    >>> data = DataSummary(v.mean(axis=0), v.var(axis=0), 4)
    >>> first = rbm.initial(data, 3, stream(0, "init"))
    >>> model, params = from_rbms([(rbm, first), (rbm, rbm.swapped(first)[1])])
    >>> log_z = log_partition(model.top_model, params.top).value
    >>> bound, _ = variational_bound(
    ...     model, params, v, log_z, stream(0, "evaluation"), method="exact"
    ... )
    >>> bool(np.allclose(bound, exact_log_likelihood(model, params, v, log_z)))
    True
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}. Got {method!r} instead.")
    n_samples = check_integer(n_samples, "n_samples")
    x, labels = _parts(model, params, v)
    if method == "exact" or (method == "auto" and _can_be_exact(model, params)):
        return _exact_bound(model, params, x, labels) - log_z, np.zeros(len(x))
    values, errors = np.empty(len(x)), np.empty(len(x))
    step = BLOCK_ROWS if identities is None else max(1, BLOCK_ROWS // n_samples)
    for first in range(0, len(x), step):
        rows = slice(first, first + step)
        part = None if labels is None else labels[rows]
        if identities is None:
            log_w = log_weights(
                model, params, x[rows], key, n_samples, labels=part, first_row=first
            )
        else:
            same = identities[rows]
            log_w = log_weights_by_content(
                model, params, x[rows], key, n_samples, same, labels=part
            )
        values[rows], errors[rows] = _summary(log_w, method)
    return values - log_z, errors if params.down else np.zeros(len(x))


def log_weights(
    model: BeliefNetwork,
    params: BeliefParameters,
    x: Array,
    key: Key,
    n_samples: int,
    *,
    labels: Array | None = None,
    first_row: int = 0,
) -> Array:
    """Log w + log Z of draws from Q: (rows, n_samples), for data `x` (rows, n_0) and labels.

    Draw s takes the numbers of ``fold(key, s)``, row r of `x` those of row ``first_row + r``.
    """
    log_w = np.empty((len(x), n_samples))
    for s in range(n_samples):
        states = [x, *model.sample_up(params, x, fold(key, s), first_row)]
        log_w[:, s] = model.log_joint(params, states, labels)
        log_w[:, s] -= model.log_recognition(params, states)
    return log_w


def log_weights_by_content(
    model: BeliefNetwork,
    params: BeliefParameters,
    x: Array,
    key: Key,
    n_samples: int,
    identities: Array,
    *,
    labels: Array | None = None,
) -> Array:
    """:func:`log_weights` of draws that depend on the rows' identities (:func:`~ebm.samplers.sample_by_content`)."""
    states = [np.repeat(x, n_samples, axis=0)]
    for k, (layer, unit) in enumerate(zip(params.up, model.units[1:], strict=True)):
        inputs = states[-1] @ layer.W
        once = fold(key, k)
        states.append(sample_by_content(unit, layer.params, inputs, identities, once, n_samples))
    labels = None if labels is None else np.repeat(labels, n_samples, axis=0)
    log_w: Array = model.log_joint(params, states, labels) - model.log_recognition(params, states)
    return log_w.reshape(len(x), n_samples)


def exact_log_likelihood(
    model: BeliefNetwork, params: BeliefParameters, v: Array, log_z: float
) -> Array:
    """Log p(v) per row, by visiting all states of the layers 1, ..., L - 1; arguments as for the bound.

    ValueError if these have more than 20 units, or units that are not of two states.
    """
    x, labels = _parts(model, params, v)
    total = np.full(len(x), -np.inf)
    for rows, states, row_labels in _explanations(model, params, x, labels):
        log_p = model.log_joint(params, states, row_labels)
        total[rows] = np.logaddexp(total[rows], np.logaddexp.reduce(log_p))
    return total - log_z


def likelihood_or_bound(
    model: BeliefNetwork,
    params: BeliefParameters,
    v: Array,
    log_z: float,
    key: Key,
    n_samples: int = 10,
    method: str = "auto",
    identities: Array | None = None,
) -> tuple[Array, Array]:
    """Log p(v) per row where the layers 1, ..., L - 1 have at most 8 units, of two states each; else its lower bound.

    Arguments and results are those of :func:`variational_bound`; errors are zero where nothing is drawn.
    """
    if _can_be_exact(model, params):
        return exact_log_likelihood(model, params, v, log_z), np.zeros(len(v))
    return variational_bound(model, params, v, log_z, key, n_samples, method, identities)


def _exact_bound(
    model: BeliefNetwork, params: BeliefParameters, x: Array, labels: Array | None
) -> Array:
    total = np.zeros(len(x))
    for row, states, row_labels in _explanations(model, params, x, labels):
        log_q = model.log_recognition(params, states)
        total[row] += np.exp(log_q) @ (model.log_joint(params, states, row_labels) - log_q)
    return total


def _explanations(
    model: BeliefNetwork, params: BeliefParameters, x: Array, labels: Array | None
) -> Iterator[tuple[int, list[Array], Array | None]]:
    """For each row, by its number, all states of the layers 1, ..., L - 1 in blocks, beside copies of the row."""
    sizes = model.shape(params)[1:-1]
    kinds = [unit.states for unit in model.units[1:] if unit.states is not None]
    if not _can_be_exact(model, params, MAX_ENUMERATED):
        raise ValueError(
            f"Hidden layers of {sizes} units below the topmost one: only {MAX_ENUMERATED} units of two states can be "
            "enumerated. Use method='elbo'."
        )
    ends = np.cumsum(sizes, dtype=int)[:-1]
    for block in state_blocks((0.0, 1.0), sum(sizes)):
        bits = np.split(block.astype(x.dtype), ends, axis=1) if sizes else []
        hidden = [low + (high - low) * b for b, (low, high) in zip(bits, kinds, strict=True)]
        for row in range(len(x)):
            same = np.full(len(block), row)
            yield row, [x[same], *hidden], None if labels is None else labels[same]


def _can_be_exact(model: BeliefNetwork, params: BeliefParameters, most: int = MAX_UNASKED) -> bool:
    """Whether the layers 1, ..., L - 1 have at most so many units, all of two states."""
    kinds = [unit.states for unit in model.units[1:]]
    return sum(model.shape(params)[1:-1]) <= most and all(
        states is not None and len(states) == 2 for states in kinds
    )


def _parts(model: BeliefNetwork, params: BeliefParameters, v: Array) -> tuple[Array, Array | None]:
    """Data and labels in the rows `v`, the latter None where they are not given."""
    n = model.shape(params)[0]
    if v.shape[1] not in (n, n + model.n_labels):
        raise ValueError(
            f"v must have {n} columns, or {model.n_labels} more with the labels. Got {v.shape[1]}."
        )
    x = np.ascontiguousarray(v[:, :n], dtype_of(params))
    return x, v[:, n:] if model.n_labels and v.shape[1] > n else None


def _summary(log_w: Array, method: str) -> tuple[Array, Array]:
    """The estimate per row, and its standard error: NaN of one draw."""
    n = log_w.shape[1]
    if n == 1:
        return log_w[:, 0], np.full(len(log_w), np.nan)
    if method == "importance":
        value, error, _ = log_mean(log_w)
        return value, error
    return log_w.mean(axis=1), log_w.std(axis=1, ddof=1) / np.sqrt(n)
