"""Greedy pre-training with two copies of the outer layers: what a second layer learns then improves a bound.

The parts of :mod:`ebm.pretraining.doubled` have no energy, and so no likelihood. Here a layer whose input counts twice
is there twice: two copies with the same weights and biases, independent of each other given the layer between
(Hinton & Salakhutdinov 2012). Then all parts are machines with an energy. For two hidden layers, with the data v,
weights W and V, and sums over the states of one layer,

    the lowest part:    two copies of v and h_1,      P(h_1) ~ exp(c'h_1) g(h_1)^2,
    the topmost part:   h_1 and two copies of h_2,    R(h_1) ~ exp(a'h_1) f(h_1)^2,

    g(h_1) = sum_v exp(b'v + v'W h_1),      f(h_1) = sum_h2 exp(d'h_2 + h_1'V h_2).

In learning both copies of v are held at the row, so that h_1 receives 2 W'v. Its states given the rows, with the
distribution Q(h_1 | v) of independent units, are the data of the topmost part.

*Composition.* The deep machine has one copy of each layer, the weights W and V, and the biases (a + c) / 2 of h_1. So

    p(v, h_1) = p(v | h_1) p(h_1),      p(h_1) ~ exp((a + c)'h_1 / 2) g(h_1) f(h_1) ~ sqrt(P(h_1) R(h_1)):

half of the prior of the lowest part is replaced by half of that of the topmost one, and p(v | h_1) stays. The bounds
log p(v) >= E_Q[log p(v | h_1) + log p(h_1)] + S(Q) of the lowest part and of the deep machine differ by

    E_Q[log p(h_1) - log P(h_1)] = E_Q[log R(h_1) - log P(h_1)] / 2 - log sum sqrt(P R),

and the last term is not negative (Cauchy & Schwarz). So over all rows together the bound does not fall if the topmost
part knows its data as well as the prior of the lowest part does: E_Q log R >= E_Q log P. A topmost part with at least
as many units as there are columns begins with R = P, as the lowest part turned over, and ascends E_Q log R from there.

With more hidden layers the parts between are those of :mod:`ebm.pretraining.doubled`, and there is no such bound.

*Two copies* of a unit with the states 0 and 1 are a binomial unit of two trials: their sum x has the weights of each,
and (2 choose x) states of the copies have this sum. Rows are multiplied by two. Binomial units become such of twice the
trials. Copies of other units would need more than their sum.
"""

from typing import Any

from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.trees import TreeModel
from ebm.pretraining.doubled import multiplicities
from ebm.units import Bernoulli, Binomial, Unit

# Copies of a layer.
TWICE = 2


def both(unit: Unit) -> Unit:
    """The sum of two copies of a unit; ValueError for units whose sum is none of the library."""
    match unit:
        case Bernoulli():
            return Binomial(TWICE)
        case Binomial(n):
            return Binomial(TWICE * n)
    raise ValueError(
        "Two copies of a layer are for bits and binomial counts, in the data and in the topmost hidden layer. Got "
        f"{unit!r}. Use pretraining='greedy'."
    )


def copied_part(model: TreeModel, k: int) -> Bipartite | ColumnModel:
    """The machine that is trained to be part `k` (from 0) of the deep machine, on rows that are doubled.

    It joins hidden layer `k` to all layers below it. ValueError for units that cannot be there twice, and for visible
    columns without a hidden layer of their own, such as labels.
    """
    hidden, n_hidden = model.hidden[k]
    number = model.hidden_layers[k]
    is_top = number == model.hidden_layers[-1]
    below = [j for i in model.children(number) for j in model.levels[i]]
    if is_top and any(j in model.shown for j in below):
        raise ValueError(
            "Two copies of a layer are for columns with a hidden layer below the topmost one. Use pretraining='greedy'."
        )
    groups = [(model.layers[j].unit, model.layers[j].size) for j in below]
    if is_top:
        hidden = both(hidden)
    groups = [
        (both(x) if j in model.shown else x, n) for j, (x, n) in zip(below, groups, strict=True)
    ]
    if len(groups) == 1:
        return Bipartite(groups[0][0], hidden)
    return ColumnModel(groups, hidden, n_hidden)


def twice(X: Any) -> Any:
    """Rows of the sums of two copies that are held at the rows `X`, dense or CSR."""
    return X * X.dtype.type(TWICE)


def begins_as(model: TreeModel, k: int) -> ColumnModel | None:
    """The machine with whose start the topmost part begins; None for the others, which have a start of their own.

    It has bits in the place of two copies, and its visible units count twice what they receive.
    """
    number = model.hidden_layers[k]
    if number != model.hidden_layers[-1]:
        return None
    below = [j for i in model.children(number) for j in model.levels[i]]
    groups = [(model.layers[j].unit, model.layers[j].size) for j in below]
    return ColumnModel(groups, *model.hidden[k], multiplicities(model, k))


def turns_over(model: TreeModel) -> bool:
    """Whether the topmost part can begin as the lowest one turned over: see the module docstring."""
    sizes = model.level_sizes
    return len(model.shown) == 1 and len(model.hidden) == 2 and sizes[-1] >= sizes[0]
