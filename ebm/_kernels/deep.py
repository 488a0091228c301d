"""The contrastive step of a chain of layers, with nothing allocated per step: mean field, chains, centered gradient.

Layer 0 is that of the data, layers 1, ..., L are hidden ones of one type, and layer l is connected to layer l + 1 by
the edge number l. Even layers have one color, odd ones the other (:mod:`ebm.energies.layers`). Each layer has a buffer
whose rows are the batch, then the chains, then two rows that center:

    even layers: [s_data; s_model; -mu; -d]        omega = [w; -u]
    odd layers:  [omega s             ;  d; mu]    d = sum omega s of the layer, mu its offset

so that one matrix product for each pair of neighbors is the centered gradient of their weights, as in
:mod:`ebm._kernels.contrastive`. Rows of the batch whose means have converged are put behind the others. So further
sweeps cost nothing for them. The order of the rows of a batch has no meaning.

Whatever the number of layers, the compiled code is the same: parameters and buffers are flat vectors, of which the
functions take their views. The arguments are tuples of the same form everywhere:

- `law` = (theta, visible, hidden, table, counts). `theta` are the flat parameters, `visible` the visible units' own
  ones. Of the layer `hidden` only the type and the constants count. `counts` (L, 2) say how often the lower and the
  upper layer of each edge count what they receive. The columns of the `table` (L + 1, 5) are :data:`SIZE`,
  :data:`BEFORE` (units of the layers below) and :data:`START` (the first column among the layers of the same color).
  The last two, :data:`WEIGHTS` and :data:`BIAS`, are where the weights to the layer above and the biases begin in
  theta.
- `rooms` = (states, inputs, more, fixed, omega, moved). `states` are the buffers of all layers, of ``omega.size`` rows
  each. `inputs` and `more` are further ones of ``moved.size`` rows. `fixed` is for the input of layer 1 from the data,
  `omega` for the weights of all rows, and `moved` for a count of each row.
- `fixed_point` = (n_sweeps, tol, damping): see :class:`ebm.energies.fixed_point.FixedPoint`.
"""

import numpy as np

from ebm._jit import jit
from ebm._kernels import units
from ebm._kernels.contrastive import _copy, _couplings, _slide, _weigh, _weighted_sum
from ebm._kernels.counter import fold

SIZE, BEFORE, START, WEIGHTS, BIAS = range(5)
# The keys of the draws of layers (:class:`ebm._random.Reserved`), as their upper word.
LAYER_DRAWS = 1 << 8


@jit
def _view(flat, n_rows, table, layer, first, last):
    """The rows of a layer in buffers of all layers with `n_rows` rows each."""
    size = table[layer, SIZE]
    start = n_rows * table[layer, BEFORE]
    return flat[start + first * size : start + last * size].reshape(last - first, size)


@jit
def _states(law, rooms, layer, first, last):
    return _view(rooms[0], rooms[4].size, law[3], layer, first, last)


@jit
def _edge(theta, table, layer):
    """The weights between a layer and the one above, or the gradient by them."""
    n, m, start = table[layer, SIZE], table[layer + 1, SIZE], table[layer, WEIGHTS]
    return theta[start : start + n * m].reshape(n, m)


@jit
def _bias(theta, table, layer):
    start = table[layer, BIAS]
    return theta[start : start + table[layer, SIZE]]


@jit
def _hidden(law, layer):
    """The own parameters of a hidden layer."""
    return units.with_bias(law[2], _bias(law[0], law[3], layer))


@jit
def _scale(x, factor):
    if factor != 1:
        flat, factor = x.reshape(-1), x.dtype.type(factor)
        for i in range(flat.size):
            flat[i] *= factor


@jit
def _add(x, out):
    flat, into = x.reshape(-1), out.reshape(-1)
    for i in range(flat.size):
        into[i] += flat[i]


@jit
def receive(law, rooms, layer, first, last, out, below, above):
    """Write the inputs of a layer from the statistics of its neighbors in the rows `first` up to `last`.

    `below` and `above` say which of the two count; one of them does.
    """
    theta, _, _, table, counts = law
    if below:
        np.dot(_states(law, rooms, layer - 1, first, last), _edge(theta, table, layer - 1), out)
        _scale(out, counts[layer - 1, 1])
    if above:
        into = out
        if below:
            into = _view(rooms[2], rooms[5].size, table, layer, 0, last - first)
        np.dot(_states(law, rooms, layer + 1, first, last), _edge(theta, table, layer).T, into)
        _scale(into, counts[layer, 0])
        if below:
            _add(into, out)


# Mean field


@jit(reorder=True)
def _settle_row(new, old, tol, share):
    T = type(tol)
    count = T(0)
    for c in range(new.size):
        step = new[c] - old[c]
        count += T(0) if abs(step) <= tol else T(1)
        old[c] = new[c] if share == T(1) else old[c] + share * step
    return count


@jit
def settle(new, old, tol, damping, moved):
    """Move the means `old` to the `new` ones, less the share `damping`; count those that differ by more than `tol`."""
    T = new.dtype.type
    for r in range(new.shape[0]):
        moved[r] += _settle_row(new[r], old[r], T(tol), T(1) - T(damping))


@jit
def _swap(x, r, s):
    for c in range(x.shape[1]):
        x[r, c], x[s, c] = x[s, c], x[r, c]


@jit
def _retire(law, rooms, fixed, active):
    """Put rows of the first `active` ones that have not `moved` behind the others; how many others there are."""
    omega, moved = rooms[4:]
    row = 0
    while row < active:
        if moved[row] != 0:
            row += 1
            continue
        active -= 1
        if row == active:
            break
        for layer in range(len(law[3])):
            _swap(_states(law, rooms, layer, 0, active + 1), row, active)
        _swap(fixed, row, active)
        omega[row], omega[active] = omega[active], omega[row]
        moved[row] = moved[active]
    return active


@jit
def mean_field(law, rooms, n_rows, fixed_point):
    """The means of the hidden layers given the first rows of layer 0; sweeps made, and rows that have not converged.

    The start is upward: each layer receives from the one below, and twice as much if there is one above. A sweep
    updates the odd and then the even layers.
    """
    n_sweeps, tol, damping = fixed_point
    inputs, fixed, moved, table = rooms[1], rooms[3], rooms[5], law[3]
    top, active, made = len(table) - 1, n_rows, 0
    # Number 0 is the way upward; with one hidden layer that is all.
    while active and made < (1 + n_sweeps if top > 1 else 1):
        moved[:active] = 0
        for k in range(top):
            # Upward 1, 2, 3, ...; in sweeps 1, 3, ..., 2, 4, ...
            n_odd = (top + 1) // 2
            layer = k + 1 if made == 0 else (2 * k + 1 if k < n_odd else 2 * (k - n_odd) + 2)
            is_first, is_last = layer == 1, layer == top
            old = _states(law, rooms, layer, 0, active)
            new = _view(inputs, moved.size, table, layer, 0, active)
            receive(
                law,
                rooms,
                layer,
                0,
                active,
                new,
                not is_first or made == 0,
                not is_last and made > 0,
            )
            if is_first and made == 0:
                _copy(new.reshape(-1), 1, fixed[:active].reshape(-1))
            elif is_first:
                _add(fixed[:active], new)
            if made == 0 and not is_last:
                _scale(new, 2)
            own = _hidden(law, layer)
            units.mean(own, new, 1.0)
            units.to_statistic(own, new)
            settle(new, old, tol, damping if made else 0.0, moved)
        if made:
            active = _retire(law, rooms, fixed, active)
        made += 1
    return (made - 1, active) if top > 1 else (1, 0)


# Chains


@jit
def _layer_key(key0, key1, number):
    """The key of layer `number` of a color, see :func:`ebm.energies.side_by_side.layer_key`."""
    if number == 0:
        return key0, key1
    return fold(key0, key1, number, LAYER_DRAWS)


@jit
def _columns(x, start, h, back):
    """Copy the columns of `h` from `start` on to `x`; `back`: from there to `h`."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            if back:
                h[r, start + c] = x[r, c]
            else:
                x[r, c] = h[r, start + c]


@jit
def _draw_odd(law, rooms, h, first, last, key0, key1):
    """Draw the states `h` of the odd layers given the even ones in these rows; means are left in the first room."""
    inputs, more, moved, table = rooms[1], rooms[2], rooms[5], law[3]
    n, top = last - first, len(table) - 1
    for layer in range(1, top + 1, 2):
        means = _view(inputs, moved.size, table, layer, 0, n)
        drawn = _view(more, moved.size, table, layer, 0, n)
        k0, k1 = _layer_key(key0, key1, layer // 2)
        receive(law, rooms, layer, first, last, means, True, layer < top)
        units.mean_and_sample(_hidden(law, layer), means, drawn, 1.0, k0, k1, 0)
        _columns(drawn, table[layer, START], h, True)


@jit
def run_chains(law, rooms, h, first, n_steps, key):
    """Block Gibbs sampling from the states `h` of the odd layers, which become the last ones.

    Leaves the statistics of the last states of the even layers, and the means of those of the odd layers given them,
    in the rows from `first` on.
    """
    inputs, moved, visible, table = rooms[1], rooms[5], law[1], law[3]
    last, top = first + h.shape[0], len(table) - 1
    for step in range(n_steps):
        for layer in range(1, top + 1, 2):
            x = _states(law, rooms, layer, first, last)
            _columns(x, table[layer, START], h, False)
            units.to_statistic(_hidden(law, layer), x)
        k0, k1 = fold(key[0], key[1], 2 * step + 1, 0)
        v = _states(law, rooms, 0, first, last)
        receive(law, rooms, 0, first, last, v, False, True)
        units.sample(visible, v, 1.0, k0, k1, 0)
        units.to_statistic(visible, v)
        for layer in range(2, top + 1, 2):
            x, own = _states(law, rooms, layer, first, last), _hidden(law, layer)
            own_key = _layer_key(k0, k1, layer // 2)
            receive(law, rooms, layer, first, last, x, True, layer < top)
            units.sample(own, x, 1.0, own_key[0], own_key[1], 0)
            units.to_statistic(own, x)
        k0, k1 = fold(key[0], key[1], 2 * step + 2, 0)
        _draw_odd(law, rooms, h, first, last, k0, k1)
    for layer in range(1, top + 1, 2):
        x = _states(law, rooms, layer, first, last)
        _copy(
            _view(inputs, moved.size, table, layer, 0, last - first).reshape(-1), 1, x.reshape(-1)
        )
        units.to_statistic(_hidden(law, layer), x)


# The gradient


@jit
def _center(x, omega, n_rows, total, offset, slide, odd):
    """Fill the two rows of a layer that center, and weigh those of an odd one; whether their sums are finite."""
    d, mean = (x[total], x[total + 1]) if odd else (x[total + 1], x[total])
    if odd:
        _weigh(x[:n_rows], omega[:n_rows], mean)
        _weigh(x[n_rows:total], omega[n_rows:total], d)
    else:
        _weighted_sum(x[:n_rows], omega[:n_rows], mean)
        _weighted_sum(x[n_rows:total], omega[n_rows:total], d)
    for i in range(d.size):
        d[i] += mean[i]
    if not np.isfinite(np.sum(d) + np.sum(mean)):
        return False
    _slide(offset, mean, slide)
    _copy(offset, 1 if odd else -1, mean)
    return True


@jit
def _offset(law, chains, layer):
    """The offset of a layer, a view of that of its color."""
    start, size = law[3][layer, START], law[3][layer, SIZE]
    return chains[2][start : start + size] if layer % 2 else chains[1][start : start + size]


@jit
def phase_difference(law, rooms, chains, n_rows, total, slide, gradient):
    """The centered gradient from the filled buffers, see the module docstring; whether it is finite."""
    _, visible, _, table, counts = law
    flat, dvisible = gradient
    omega, top = rooms[4], len(table) - 1
    units.parameter_gradient(visible, _states(law, rooms, 0, 0, total), omega, dvisible)
    for layer in range(top + 1):
        x = _states(law, rooms, layer, 0, total + 2)
        if not _center(x, omega, n_rows, total, _offset(law, chains, layer), slide, layer % 2):
            return False
    for layer in range(top):
        lower, upper = (
            _states(law, rooms, layer, 0, total + 2),
            _states(law, rooms, layer + 1, 0, total + 2),
        )
        d = upper[total + 1] if layer % 2 else lower[total + 1]
        _copy(d, -1, d)  # the row of the even layer that stands in the product
        np.dot(lower.T, upper, _edge(flat, table, layer))
        _copy(d, -1, d)
    if units.couples(visible):
        _couple(law, rooms, chains, total, gradient)
    for layer in range(top):
        _scale(_edge(flat, table, layer), min(counts[layer, 0], counts[layer, 1]))
    return _biases(law, rooms, chains, total, flat)


@jit
def _couple(law, rooms, chains, total, gradient):
    """The part of the statistic of visible units that has a parameter."""
    theta, visible, _, table, counts = law
    mu, lam = _offset(law, chains, 0), _offset(law, chains, 1)
    d_visible = _states(law, rooms, 0, total + 1, total + 2).reshape(-1)
    d_hidden = _states(law, rooms, 1, total, total + 1).reshape(-1)
    by_visible, by_hidden = np.empty_like(mu), np.empty_like(lam)
    W, dW = _edge(theta, table, 0), _edge(gradient[0], table, 0)
    _couplings(W, dW, mu, lam, d_visible, d_hidden, by_visible, by_hidden)
    _scale(by_visible, counts[0, 0])
    units.couple(visible, by_visible, gradient[1])


@jit
def _biases(law, rooms, chains, total, flat):
    """Gradients of the biases from those of the weights; whether all are finite."""
    table, counts, top = law[3], law[4], len(law[3]) - 1
    sizes = 0.0  # not finite as soon as one entry is not: the biases' gradients pass over all of the weights'
    for layer in range(top + 1):
        bias, at = _bias(flat, table, layer), total + 1 - layer % 2
        _copy(_states(law, rooms, layer, at, at + 1).reshape(-1), 1, bias)
        pulled = _view(rooms[2], rooms[5].size, table, layer, 0, 1).reshape(-1)
        if layer < top:
            np.dot(_edge(flat, table, layer), _offset(law, chains, layer + 1), pulled)
            _scale(pulled, -counts[layer, 0])
            _add(pulled, bias)
        if layer > 0:
            np.dot(_edge(flat, table, layer - 1).T, _offset(law, chains, layer - 1), pulled)
            _scale(pulled, -counts[layer - 1, 1])
            _add(pulled, bias)
        for i in range(bias.size):
            sizes += abs(bias[i])
    return np.isfinite(sizes)


@jit
def contrastive_gradient(law, rooms, chains, n_rows, settings, key, gradient):
    """One contrastive step: chains from their last states, or from the data.

    Parameters
    ----------
    law, rooms : tuple
        See the module docstring; the batch stands in the first rows of layer 0, its weights in those of `omega`.
    chains : tuple (h, mu, lam)
        States of the odd layers in the chains, or room for those of the data. Offsets of the even and of the odd
        layers. The offsets are moved by the rate `slide` towards the means of the batch.
    settings : tuple (persistent, n_steps, slide, fixed_point)
    gradient : tuple (flat, visible)
        Where the gradient of the mean log-likelihood, or of its bound, is written: like `theta`, and a view of it.

    Returns
    -------
    tuple (finite, sweeps, left)
        Whether the gradient is finite, sweeps of the mean field, and rows for which it has not converged.
    """
    persistent, n_steps, slide, fixed_point = settings
    omega = rooms[4]
    h = chains[0] if persistent else chains[0][:n_rows]
    total = n_rows + h.shape[0]
    units.to_statistic(law[1], _states(law, rooms, 0, 0, n_rows))
    made, left = mean_field(law, rooms, n_rows, fixed_point)
    if persistent:
        omega[n_rows:total] = -1.0 / h.shape[0]
    else:
        k0, k1 = fold(key[0], key[1], 0, 0)
        _draw_odd(law, rooms, h, 0, n_rows, k0, k1)
        _copy(omega[:n_rows], -1, omega[n_rows:total])
    run_chains(law, rooms, h, n_rows, n_steps, key)
    finite = phase_difference(law, rooms, chains, n_rows, total, slide, gradient)
    return finite, made, left
