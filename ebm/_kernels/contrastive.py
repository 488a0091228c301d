"""The contrastive step of a bipartite model: both phases and the centred gradient, with nothing allocated per step.

The rows of the stacked buffers V and H are the batch, then the chains, then two rows that centre:

    V = [s(v_data); s(v_model);     -mu;    -dv]        omega = [w; -u]
    H = [omega E[s(h) | v]    ;      dh; lambda]        dv = sum omega s(v), dh = sum omega E[s(h) | v]

so that one matrix product V'H is the centred gradient of the weights (Melchior, Fischer & Wiskott 2016, eq. 17 ff.),

    <(s(v) - mu)(s(h) - lambda)'>_data - <(s(v) - mu)(s(h) - lambda)'>_model = Delta<s(v) s(h)'> - mu dh' - dv lambda'.

The data weights w sum to one and so do the chains' u: each phase is divided by its own count, whatever the two are.
"""

import numpy as np

from ebm._jit import jit
from ebm._kernels import ascent, sparse, units
from ebm._kernels.counter import fold

TINY = 1e-30


@jit
def _weighted_sum(x, weights, total):
    total[:] = 0
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            total[c] += weights[r] * x[r, c]


@jit
def _weigh(x, weights, total):
    total[:] = 0
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            x[r, c] *= weights[r]
            total[c] += x[r, c]


@jit
def _copy(source, factor, out):
    # Assigning array slices compiles the message of a broadcasting error, which takes a second.
    for i in range(source.size):
        out[i] = factor * source[i]


@jit
def _slide(offset, mean, rate):
    # The mean of a unit that is never on decays towards zero, through the subnormal numbers, which are slow.
    tiny = type(rate)(TINY)
    for i in range(offset.size):
        moved = offset[i] + rate * (mean[i] - offset[i])
        offset[i] = moved if abs(moved) > tiny else type(rate)(0)


@jit
def _couplings(W, dW, mu, lam, dv, dh, by_visible, by_hidden):
    """Sums of W_ij Delta<s(v_i) s(h_j)> over j and over i; the products are the centred ones, uncentred again."""
    by_visible[:] = 0
    by_hidden[:] = 0
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            term = W[i, j] * (dW[i, j] + mu[i] * dh[j] + dv[i] * lam[j])
            by_visible[i] += term
            by_hidden[j] += term


@jit
def run_chain(params, h, V, H, first, until, n_steps, renew, key, weighted_gradient):
    """Block Gibbs sampling from the hidden states `h` (overwritten).

    Leaves the statistics of the last visible samples in `V` and the hidden means given them in `H`. With `renew`, `h`
    becomes the last hidden samples; without, that draw is saved. Of `n_steps` in all, those from `first` up to `until`
    are made: a long run takes several calls, between which the user can interrupt. `weighted_gradient` is a pair: the
    weights of the chains, and the gradient by the hidden units' parameters, to which the last step adds.
    """
    W, visible, hidden = params
    weights, dhidden = weighted_gradient
    for step in range(first, until):
        units.to_statistic(hidden, h)
        np.dot(h, W.T, V)
        k0, k1 = fold(key[0], key[1], 2 * step + 1, 0)
        units.sample(visible, V, 1.0, k0, k1, 0)
        units.to_statistic(visible, V)
        np.dot(V, W, H)
        if step == n_steps - 1:
            units.expected_parameter_gradient(hidden, H, weights, dhidden, False)
        if step < n_steps - 1 or renew:
            k0, k1 = fold(key[0], key[1], 2 * step + 2, 0)
            units.mean_and_sample(hidden, H, h, 1.0, k0, k1, 0)
        else:
            units.mean(hidden, H, 1.0)


@jit
def contrastive_gradient(
    params, walkers, chains, stacked, n_rows, persistent, n_steps, slide, key, gradient
):
    """One contrastive-divergence step (chains from the data) or persistent one (chains from their last states).

    Parameters
    ----------
    params, gradient : tuple (W, visible, hidden)
        The parameters, and the arrays to which the gradient of the mean log-likelihood is written.
    walkers : tuple (W, visible, hidden)
        The parameters of the distribution that the chains follow: the same, or near.
    chains : tuple (h, mu, lam)
        Hidden samples of the chains, or room for the data's own when not `persistent`; offsets, which are moved by
        the rate `slide` towards the batch means.
    stacked : tuple (V, H, omega)
        The buffers; the batch stands in ``V[:n_rows]``, its weights in ``omega[:n_rows]``.

    Returns
    -------
    bool
        Whether the gradient is finite.
    """
    total = begin(params, chains, stacked, n_rows, persistent, key, gradient)
    h, (V, H, omega) = chains[0][: total - n_rows], stacked
    v, means, weighted_gradient = (
        V[n_rows:total],
        H[n_rows:total],
        (omega[n_rows:total], gradient[2]),
    )
    run_chain(walkers, h, v, means, 0, n_steps, n_steps, persistent, key, weighted_gradient)
    return end(params, chains, stacked, n_rows, total, slide, gradient)


@jit
def begin(params, chains, stacked, n_rows, persistent, key, gradient):
    """The part of a step before the chains advance; the number of rows of the data and the chains."""
    W, visible, hidden = params
    V, H, omega = stacked
    n_chains = chains[0].shape[0] if persistent else n_rows
    total = n_rows + n_chains
    h = chains[0][:n_chains]
    units.to_statistic(visible, V[:n_rows])
    np.dot(V[:n_rows], W, H[:n_rows])
    units.expected_parameter_gradient(hidden, H[:n_rows], omega[:n_rows], gradient[2], True)
    if persistent:
        units.mean(hidden, H[:n_rows], 1.0)
        omega[n_rows:total] = -1.0 / n_chains
    else:
        k0, k1 = fold(key[0], key[1], 0, 0)
        units.mean_and_sample(hidden, H[:n_rows], h, 1.0, k0, k1, 0)
        _copy(omega[:n_rows], -1, omega[n_rows:total])
    return total


@jit
def end(params, chains, stacked, n_rows, total, slide, gradient):
    """The part of a step after the chains advanced: the gradient; whether it is finite."""
    units.to_statistic(params[2], stacked[1][:total])
    return phase_difference(params, chains[1], chains[2], stacked, n_rows, total, slide, gradient)


@jit
def phase_difference(params, mu, lam, stacked, n_rows, total, slide, gradient):
    """The centred gradient from the filled buffers: rows [0, n_rows) are the data's, [n_rows, total) the model's.

    The hidden units' own derivatives are there already: they are expectations given the inputs, which the buffers do
    not hold any more.
    """
    visible, (dW, dvisible, _) = params[1], gradient
    V, H, omega = stacked
    units.parameter_gradient(visible, V[:total], omega, dvisible)
    minus_mu, dv, dh, lam_row = V[total], V[total + 1], H[total], H[total + 1]
    _weighted_sum(V[:n_rows], omega[:n_rows], minus_mu)
    _weighted_sum(V[n_rows:total], omega[n_rows:total], dv)
    if not _centre(mu, lam, (minus_mu, dv, dh, lam_row), H, omega, n_rows, total, slide):
        return False
    _copy(dv, -1, dv)  # the row that stands in the product
    np.dot(V[: total + 2].T, H[: total + 2], dW)
    _copy(dv, -1, dv)
    return _finish(params, mu, lam, dv, dh, gradient)


@jit
def _centre(mu, lam, rows, H, omega, n_rows, total, slide):
    """Weigh the rows of H, move the offsets, and fill the rows that centre; whether their sums are finite.

    `rows` = (mean of the data, that of the model with weights -u, room for dh, room for lambda).
    """
    minus_mu, dv, dh, lam_row = rows
    _weigh(H[:n_rows], omega[:n_rows], lam_row)
    _weigh(H[n_rows:total], omega[n_rows:total], dh)
    for i in range(mu.size):
        dv[i] += minus_mu[i]
    for j in range(lam.size):
        dh[j] += lam_row[j]
    if not np.isfinite(np.sum(dv) + np.sum(dh) + np.sum(minus_mu) + np.sum(lam_row)):
        return False
    _slide(mu, minus_mu, slide)
    _slide(lam, lam_row, slide)
    _copy(mu, -1, minus_mu)
    _copy(lam, 1, lam_row)
    return True


@jit
def _finish(params, mu, lam, dv, dh, gradient):
    """The gradient by all parameters but the weights, from that by the weights; whether it is finite."""
    W, visible, hidden = params
    dW, dvisible, dhidden = gradient
    if units.couples(visible) or units.couples(hidden):
        by_visible, by_hidden = np.empty_like(mu), np.empty_like(lam)
        _couplings(W, dW, mu, lam, dv, dh, by_visible, by_hidden)
        units.couple(visible, by_visible, dvisible)
        units.couple(hidden, by_hidden, dhidden)
    # The biases of the centred energy, expressed in the biases of the plain one: db = dv - dW lambda.
    np.dot(dW, lam, dvisible.bias)
    np.dot(dW.T, mu, dhidden.bias)
    sizes = 0.0  # not finite as soon as one entry is not: the biases' gradients pass over all of dW
    for i in range(mu.size):
        dvisible.bias[i] = dv[i] - dvisible.bias[i]
        sizes += abs(dvisible.bias[i])
    for j in range(lam.size):
        dhidden.bias[j] = dh[j] - dhidden.bias[j]
        sizes += abs(dhidden.bias[j])
    return np.isfinite(sizes)


@jit
def sparse_contrastive_gradient(
    params, walkers, chains, rows, stacked, persistent, n_steps, slide, key, gradient
):
    """:func:`contrastive_gradient` of a batch of CSR `rows`: its share takes time in proportion to their entries.

    For visible units whose statistic is the state itself, and whose only learned parameter is the bias. The batch has
    no rows in V, which are the chains and the two that centre: so the product of the data is taken by itself,

        <(s(v) - mu)(s(h) - lambda)'>_data - <...>_model = v' (w E[s(h) | v]) + V'H over the other rows.

    Parameters
    ----------
    rows : tuple (indptr, indices, data)
        The batch.
    stacked : tuple (V, H, omega)
        Buffers of chains + 2 rows, and of as many and those of the batch; ``omega[:n_rows]`` holds its weights.
    """
    total = sparse_begin(params, chains, rows, stacked, persistent, key, gradient)
    V, H, omega = stacked
    n_rows = rows[0].size - 1
    h, v, weighted_gradient = (
        chains[0][: total - n_rows],
        V[: total - n_rows],
        (omega[n_rows:total], gradient[2]),
    )
    run_chain(
        walkers, h, v, H[n_rows:total], 0, n_steps, n_steps, persistent, key, weighted_gradient
    )
    return sparse_end(params, chains, rows, stacked, total, slide, gradient)


@jit
def sparse_begin(params, chains, rows, stacked, persistent, key, gradient):
    """:func:`begin` of a batch of CSR `rows`."""
    W, _, hidden = params
    _, H, omega = stacked
    n_rows = rows[0].size - 1
    n_chains = chains[0].shape[0] if persistent else n_rows
    total, h = n_rows + n_chains, chains[0][:n_chains]
    sparse.times(rows, W, H[:n_rows])
    units.expected_parameter_gradient(hidden, H[:n_rows], omega[:n_rows], gradient[2], True)
    if persistent:
        units.mean(hidden, H[:n_rows], 1.0)
        omega[n_rows:total] = -1.0 / n_chains
    else:
        k0, k1 = fold(key[0], key[1], 0, 0)
        units.mean_and_sample(hidden, H[:n_rows], h, 1.0, k0, k1, 0)
        _copy(omega[:n_rows], -1, omega[n_rows:total])
    return total


@jit
def sparse_end(params, chains, rows, stacked, total, slide, gradient):
    """:func:`end` of a batch of CSR `rows`."""
    hidden = params[2]
    V, H, omega = stacked
    n_rows = rows[0].size - 1
    n_chains, mu, lam = total - n_rows, chains[1], chains[2]
    units.to_statistic(hidden, H[:total])
    minus_mu, dv, dh, lam_row = V[n_chains], V[n_chains + 1], H[total], H[total + 1]
    sparse.weighted_sum(rows, omega[:n_rows], minus_mu)
    _weighted_sum(V[:n_chains], omega[n_rows:total], dv)
    if not _centre(mu, lam, (minus_mu, dv, dh, lam_row), H, omega, n_rows, total, slide):
        return False
    _copy(dv, -1, dv)  # the row that stands in the product
    np.dot(V[: n_chains + 2].T, H[n_rows : total + 2], gradient[0])
    _copy(dv, -1, dv)
    sparse.add_transposed_times(rows, H[:n_rows], gradient[0])
    return _finish(params, mu, lam, dv, dh, gradient)


@jit
def contrastive_ascent(model, chains, stacked, data, settings, key, first_step, rates, optimizer):
    """Several contrastive steps, each followed by its update: what the training loop does, without leaving this code.

    Small models spend less time in arithmetic than in calling it. Up to rounding the same as one
    :func:`contrastive_gradient` and one update per batch.

    Parameters
    ----------
    model : tuple (params, gradient, theta, flat gradient)
        Views and the vectors they are views of.
    data : tuple (v, weights, batch_size)
        Rows of consecutive batches, of which the last may be short; no weights (size 0) are equal ones.
    settings : tuple (persistent, n_steps, slide)
        As for :func:`contrastive_gradient`.
    key, first_step : tuple, int
        The step number `first_step` + t draws from that fold of the key.
    rates : ndarray of shape (n_batches,)
        Learning rate of each step.
    optimizer : tuple (settings, memory, limits)
        As for :func:`ebm._kernels.ascent.step`.

    Returns
    -------
    int
        Updates made: fewer than `rates` when a gradient was not finite.
    """
    params, gradient, theta, flat_gradient = model
    persistent, n_steps, slide = settings
    rule, memory, limits = optimizer
    for step in range(rates.size):
        n_rows = take_batch(data, step, stacked)
        step_key = fold(key[0], key[1], first_step + step, 0)
        if not contrastive_gradient(
            params, params, chains, stacked, n_rows, persistent, n_steps, slide, step_key, gradient
        ):
            return step
        if not ascent.step(rule, theta, flat_gradient, memory, rates[step], limits):
            return step
    return rates.size


@jit
def take_batch(data, step, stacked):
    """Put batch number `step` of the rows, and its weights, where a step wants them; how many rows it has."""
    v, weights, batch_size = data
    rows = v[step * batch_size : (step + 1) * batch_size]
    n_rows = rows.shape[0]
    _copy(rows.reshape(-1), 1, stacked[0][:n_rows].reshape(-1))
    if weights.size:
        w = weights[step * batch_size : step * batch_size + n_rows]
        _copy(w, 1 / np.sum(w), stacked[2])
    else:
        stacked[2][:n_rows] = 1.0 / n_rows
    return n_rows
