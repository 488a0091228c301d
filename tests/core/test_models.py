"""ebm.energies.base: the contract, held by every model; a new one joins by itself, or is asked for an example."""

import numpy as np
import pytest

import ebm.gradients
import ebm.likelihood
import ebm.samplers  # noqa: F401 - whoever derives a model is known
from ebm import _flat
from ebm._random import stream
from ebm.energies.base import DataSummary, Model
from ebm.energies.belief_network import BeliefNetwork, from_rbms
from ebm.energies.bipartite import Bipartite, may_lack_a_law
from ebm.energies.columns import ColumnModel
from ebm.energies.deep import DeepModel
from ebm.energies.edges import Edge
from ebm.energies.factored import FactoredModel
from ebm.energies.label_memory import LabelMemory
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel
from ebm.energies.pairwise import Pairwise
from ebm.energies.trees import Pathway, TreeModel
from ebm.gradients import GRADIENTS, TAP
from ebm.gradients.back_propagation import BackPropagation
from ebm.gradients.base import BoundGradient
from ebm.gradients.label_memory import LabelCompletion
from ebm.gradients.wake_sleep import UpDown
from ebm.networks.activations import Tanh
from ebm.networks.dense import Dense
from ebm.networks.losses import SquaredError
from ebm.networks.network import Network
from ebm.optimizers import SGD, Constant
from ebm.training import Plan, resume, single_update
from ebm.units import UNITS, Bernoulli, Gaussian, Spin

KEY = stream(0, "init")
N_VISIBLE, N_HIDDEN = 4, 3
LAYERED = LayeredModel(
    [
        Layer("bits", Bernoulli(), 1, visible=True),
        Layer("reals", Gaussian(), 3, visible=True),
        Layer("h", Bernoulli(), N_HIDDEN),
    ],
    [Edge("bits", "h"), Edge("reals", "h")],
)
# For each class, models of 4 visible and 3 hidden units.
EXAMPLES = {
    Bipartite: [
        Bipartite(v(), h())
        for v in UNITS.values()
        for h in UNITS.values()
        if not may_lack_a_law(v(), h())
    ],
    Pairwise: [Pairwise(Bernoulli(), N_HIDDEN), Pairwise(Spin(), N_HIDDEN)],
    LayeredModel: [LAYERED],
    ColumnModel: [ColumnModel([(Spin(), 1), (Gaussian(), 3)], Bernoulli(), N_HIDDEN)],
    FactoredModel: [FactoredModel([(Spin(), 1), (Gaussian(), 3)], Bernoulli(), N_HIDDEN - 1, 1)],
    DeepModel: [DeepModel([(Bernoulli(), N_VISIBLE)], [(Bernoulli(), 2), (Spin(), 1)])],
    TreeModel: [
        TreeModel(
            [Pathway([(Bernoulli(), 3)], [(Bernoulli(), 1)]), Pathway([(Spin(), 1)], [])],
            (Bernoulli(), 2),
        )
    ],
    LabelMemory: [LabelMemory(n_labels=2, degree=3, rectified=True, scale=1.0)],
    Network: [Network(N_VISIBLE, (Dense(N_HIDDEN), Tanh(), Dense(2)), SquaredError())],
    BeliefNetwork: [
        BeliefNetwork((visible, Bernoulli()), Bipartite(Bernoulli(), Bernoulli()))
        for visible in (Bernoulli(), Gaussian())
    ],
}
MODELS = [model for examples in EXAMPLES.values() for model in examples]
DTYPES = [np.float32, np.float64]


def data(dtype=np.float64):
    return DataSummary(np.full(N_VISIBLE, 0.25, dtype), np.full(N_VISIBLE, 0.5, dtype), 8.0)


def started(model, dtype=np.float64):
    """Parameters of the model, as it begins."""
    if not isinstance(model, BeliefNetwork):
        params = model.initial(data(dtype), N_HIDDEN, KEY)
        rows = np.random.default_rng(0).normal(size=(8, N_VISIBLE)).astype(dtype)
        return model.with_examples(params, rows) if model.starts_at_rows else params
    lower = Bipartite(model.units[0], Bernoulli())
    upper = Bipartite(Bernoulli(), Bernoulli())
    half = DataSummary(np.full(N_HIDDEN, 0.5, dtype), np.ones(N_HIDDEN, dtype), 8.0)
    pairs = [(lower, started(lower, dtype)), (upper, upper.initial(half, 2, KEY))]
    return from_rbms(pairs)[1]


def concrete(kind):
    for derived in kind.__subclasses__():
        if derived.__module__.startswith("ebm."):
            yield derived
        yield from concrete(derived)


def test_every_model_has_an_example():
    assert set(concrete(Model)) == set(EXAMPLES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_layout_describes_the_parameters(model, dtype):
    params = started(model, dtype)
    layout = model.layout(*model.shape(params))
    arrays, extents = [*_flat.leaves(params)], [*_flat.leaves(layout)]
    assert [x.shape for x in arrays] == [extent.shape for extent in extents]
    assert all(x.dtype == dtype for x in arrays)
    assert type(layout) is type(params)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_vector_begins_with_the_weights_and_is_taken_apart_again(model):
    params = started(model)
    shape, theta = model.shape(params), np.arange(len(model.pack(params)), dtype=np.float64)
    views = model.unpack(theta, *shape)
    extents = [*_flat.leaves(model.layout(*shape))]
    weights = [
        x.ravel() for extent, x in zip(extents, _flat.leaves(views), strict=True) if extent.weight
    ]
    np.testing.assert_array_equal(np.concatenate(weights), theta[: model.n_weights(params)])
    assert all(np.shares_memory(x, theta) for x in _flat.leaves(views) if x.size)
    np.testing.assert_array_equal(model.pack(views), theta)
    assert model.shape(views) == shape


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_layers_matrices_and_fixed_parts_are_views(model):
    params = started(model)
    params = model.unpack(model.pack(params), *model.shape(params))
    arrays = [x for _, own in model.unit_layers(params).values() for x in own]
    for x in [*arrays, *model.max_norm_matrices(params), *model.fixed(params)]:
        assert any(np.shares_memory(x, y) for y in _flat.leaves(params)) or not x.size
    assert model.bounds(params).keys() == model.unit_layers(params).keys()


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_parameters_where_learning_starts_are_within_their_bounds(model):
    params = started(model)
    before = model.pack(params)
    assert model.project(params, model.bounds(params)) is True
    np.testing.assert_array_equal(model.pack(params), before)
    assert 0 <= model.size(params, data().variance) < 100


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_chains_have_the_widths_that_the_model_says(model):
    if isinstance(model, Network):  # of no visible units
        pytest.skip("a network has no chains")
    params = started(model)
    chains = model.start_chains(params, data().mean, 5, True, KEY)
    width = model.chain_width(params)
    assert chains.h.shape == ((5, width) if width else (0, 0))
    offsets = len(chains.visible_offset), len(chains.hidden_offset)
    assert offsets == model.offset_widths(params)
    assert not model.chain_unit.invalid(chains.h) if width else True


RECORDS = [
    *(record() for record in GRADIENTS.values()),
    UpDown(),
    BackPropagation(),
    LabelCompletion(),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_a_gradient_is_refused_with_a_reason_or_bound(record, model):
    params = started(model)
    reason = record.supports(model)
    if reason:
        assert reason.startswith(type(record).__name__ + " is for ") and repr(model) in reason
        with pytest.raises(ValueError, match=f"^{type(record).__name__} is for "):
            record.check_supports(model)
        return
    try:
        bound = record.bind(model, params, 5, 0)
    except ValueError:  # for its units or its size: not because something is missing
        return
    assert isinstance(bound, BoundGradient)


def test_training_refuses_a_gradient_that_is_not_for_the_model():
    plan = Plan(TAP(), SGD(), Constant(), 0.1, 0.0, batch_size=5, seed=0)
    model = Pairwise(Bernoulli())
    state = resume(model, model.initial(data(), 0, KEY), plan)
    with pytest.raises(ValueError, match="TAP is for restricted Boltzmann machines"):
        single_update(state, np.eye(N_VISIBLE), None, plan)
