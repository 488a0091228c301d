"""ebm.networks.network: the flat vector, the way forward, the way back by differences, and what is kept of it."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from scipy import stats

from ebm._random import Key
from ebm.networks import activations
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.dense import Dense
from ebm.networks.dropout import Dropout
from ebm.networks.feed_forward import Architecture, perceptron
from ebm.networks.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    Poisson,
    SquaredError,
)
from ebm.networks.maxout import Maxout
from ebm.networks.network import Network
from tests.checks.back_propagation import assert_network_slopes, small_problem
from tests.oracles import perceptron as oracle

KEY = Key(3, 4)
N_IN, N_OUT = 4, 3
# Together they have every type of layer, each above and below others.
STACKS = {
    "none": (Dense(N_OUT),),
    "smooth": (
        Dense(5),
        activations.Logistic(),
        Dense(4),
        activations.Tanh(),
        Dense(3),
        activations.Softplus(),
        Dense(N_OUT),
    ),
    "rectified": (
        Dense(5),
        activations.ReLU(),
        Dense(5),
        activations.LeakyReLU(0.2),
        Dense(4),
        activations.PReLU(),
        Dense(4),
        activations.ELU(0.7),
        Dense(N_OUT),
    ),
    "pieces": (Dense(6), Maxout(3), Dense(4), activations.Identity(), Dense(N_OUT)),
    "normalised": (
        BatchNorm(),
        Dense(5),
        BatchNorm(),
        activations.PReLU(),
        Dense(4),
        BatchNorm(epsilon=1e-2),
        activations.Tanh(),
        Dense(N_OUT),
    ),
    "dropped": (
        Dropout(0.2),
        Dense(3),
        activations.ReLU(),
        Dropout(0.4),
        Dense(3),
        BatchNorm(),
        activations.Logistic(),
        Dense(4),
        Maxout(2),
        Dropout(0.3),
        Dense(N_OUT),
    ),
    "activations in a row": (
        Dense(4),
        activations.Tanh(),
        activations.Identity(),
        activations.Softplus(),
        activations.PReLU(0.5),
        Dense(N_OUT),
        activations.Tanh(),
    ),
}
LOSSES = [CrossEntropy(), BinaryCrossEntropy(), SquaredError(), Huber(0.4), Poisson()]
every_stack = pytest.mark.parametrize("stack", STACKS)


def network_of(stack, loss=None):
    return Network(N_IN, STACKS[stack], SquaredError() if loss is None else loss)


def theta_for(network, dtype=np.float64):
    """Parameters away from all zeros and ties; variances are positive."""
    theta = network.pack(network.drawn(KEY, dtype))
    theta += 0.3 * np.random.default_rng(1).uniform(-1, 1, len(theta)).astype(dtype)
    return theta


def rows_for(network, n_rows=6):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n_rows, N_IN))
    if isinstance(network.loss, Poisson):
        return x, rng.poisson(1.5, (n_rows, N_OUT)).astype(float)
    if isinstance(network.loss, CrossEntropy | BinaryCrossEntropy):
        return x, np.eye(N_OUT)[rng.integers(0, N_OUT, n_rows)]
    return x, rng.normal(size=(n_rows, N_OUT))


# The flat vector -----------------------------------------------------------------------------


@every_stack
def test_the_weights_are_the_first_of_the_flat_vector(stack):
    network = network_of(stack)
    params = network.drawn(KEY, np.float64)
    dense = [
        own for layer, own in zip(network.layers, params, strict=True) if isinstance(layer, Dense)
    ]
    theta, n_weights = network.pack(params), network.n_weights(params)
    np.testing.assert_array_equal(theta[:n_weights], np.concatenate([x.W.ravel() for x in dense]))
    rest = [
        part
        for layer, own in zip(network.layers, params, strict=True)
        for name, part in own._asdict().items()
        if name not in layer.weights
    ]
    np.testing.assert_array_equal(theta[n_weights:], np.concatenate([x.ravel() for x in rest]))


@every_stack
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_are_views_of_the_flat_vector(stack, dtype):
    network = network_of(stack)
    theta = theta_for(network, dtype)
    params = network.unpack(theta, N_IN, N_OUT)
    back = network.pack(params)
    np.testing.assert_array_equal(back, theta)
    assert back.dtype == theta.dtype == dtype and not np.shares_memory(back, theta)
    arrays = [part for own in params for part in own]
    for part in arrays:
        assert np.shares_memory(part, theta) and part.flags.c_contiguous
        part += 1
    np.testing.assert_allclose(theta, back + 1, rtol=1e-6)
    assert sum(part.size for part in arrays) == len(theta)
    assert [type(own) for own in params] == [layer.parameters for layer in network.layers]


def test_what_training_asks_of_a_network():
    network = network_of("dropped")
    params = network.unpack(theta_for(network))
    assert network.widths == (4, 4, 3, 3, 3, 3, 3, 3, 4, 2, 2, 3)
    assert network.shape(params) == (N_IN, N_OUT)
    columns = network.max_norm_matrices(params)
    assert [W.shape for W in columns] == [(4, 3), (3, 3), (3, 4), (2, 3)]
    own = [part.W for part in params if hasattr(part, "W")]
    assert all(W is mine for W, mine in zip(columns, own, strict=True))
    assert network.project(params, network.bounds(params))


def test_first_parameters_follow_the_key_and_differ_between_layers():
    network = Network(4, (Dense(4), activations.Tanh(), Dense(4)), SquaredError())
    first, again, other = (network.drawn(key, np.float32) for key in (KEY, KEY, Key(3, 5)))
    np.testing.assert_array_equal(network.pack(first), network.pack(again))
    assert (first[0].W != other[0].W).all()
    assert (first[0].W != first[2].W).all()
    assert {part.dtype for own in first for part in own} == {np.dtype(np.float32)}


# Forward -------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", sorted(oracle.HIDDEN))
def test_values_of_all_layers_are_those_of_the_textbook(activation):
    X, _, coefs, intercepts = small_problem()
    layers = Architecture((3, 2), (activation,) * 2, (0.0,) * 3)
    network = perceptron(4, layers, 3, CrossEntropy())
    params = with_values(network, coefs, intercepts)
    values = oracle.layers_of(coefs, intercepts, X, activation)
    outputs = list(network.outputs(params, X))
    assert [y.shape[1] for y in outputs] == list(network.widths[1:])
    np.testing.assert_allclose(outputs[1], values[1], atol=1e-14)
    np.testing.assert_allclose(outputs[3], values[2], atol=1e-14)
    np.testing.assert_allclose(network.linear(params, X), values[3], atol=1e-14)
    np.testing.assert_allclose(network.predict(params, X), oracle.softmax(values[3]), atol=1e-14)


def with_values(network, coefs, intercepts):
    pairs = iter(zip(coefs, intercepts, strict=True))
    params = network.drawn(KEY, np.float64)
    return tuple(
        type(own)(*next(pairs)) if isinstance(layer, Dense) else own
        for layer, own in zip(network.layers, params, strict=True)
    )


@every_stack
def test_looking_leaves_inputs_and_parameters_alone(stack):
    network = network_of(stack)
    theta = theta_for(network)
    params, (x, _) = network.unpack(theta), rows_for(network)
    before = theta.copy(), x.copy()
    x.flags.writeable = False
    final = list(network.outputs(params, x))[-1]
    np.testing.assert_allclose(network.linear(params, x), final, atol=1e-15)
    np.testing.assert_allclose(network.predict(params, x), final, atol=1e-15)
    np.testing.assert_array_equal(theta, before[0])
    np.testing.assert_array_equal(x, before[1])


@every_stack
def test_outputs_are_arrays_of_their_own_values(stack):
    """What a later layer does must not show in what an earlier one gave."""
    network = network_of(stack)
    params, (x, _) = network.unpack(theta_for(network)), rows_for(network)
    one_by_one, seen = [], []
    for y in network.outputs(params, x):
        one_by_one.append(y.copy())
        seen.append(y)
    for early, late in zip(one_by_one, seen, strict=True):
        np.testing.assert_array_equal(early, late)


def test_probabilities_of_two_classes_are_those_of_the_second_and_the_rest():
    network = Network(2, (Dense(1),), BinaryCrossEntropy())
    params = with_values(network, [np.array([[1.0], [0.0]])], [np.zeros(1)])
    x = np.array([[0.3, 5], [-40, 5], [800, 5], [-800, 5]])
    p, log_p = network.probabilities(params, x), network.log_probabilities(params, x)
    np.testing.assert_allclose(p[0], [1 / (1 + np.exp(0.3)), 1 / (1 + np.exp(-0.3))], rtol=1e-14)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(p[1], [1, np.exp(-40)], rtol=1e-12)
    np.testing.assert_allclose(log_p[0], np.log(p[0]), rtol=1e-13)
    np.testing.assert_allclose(log_p[2:], [[-800, 0], [0, -800]], atol=1e-300)
    assert (p >= 0).all() and (p <= 1).all()


def test_logarithms_of_probabilities_do_not_end_where_probabilities_do():
    x = np.array([[0.1, -0.2, 0.3], [1000, 0, -1000]])
    for loss in (CrossEntropy(), BinaryCrossEntropy()):
        network = Network(3, (Dense(3),), loss)
        params = with_values(network, [np.eye(3)], [np.zeros(3)])
        log_p = network.log_probabilities(params, x.copy())
        p = network.probabilities(params, x.copy())
        np.testing.assert_allclose(log_p[0], np.log(p[0]), rtol=1e-13)
        np.testing.assert_allclose(p, network.predict(params, x.copy()), rtol=1e-15)
        far = [0, -1000, -2000] if isinstance(loss, CrossEntropy) else [0, np.log(0.5), -1000]
        np.testing.assert_allclose(log_p[1], far, atol=1e-12)


# Back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stack", "loss"),
    [
        *((stack, CrossEntropy()) for stack in STACKS),
        *((stack, loss) for stack in ("none", "rectified") for loss in LOSSES[1:]),
    ],
)
def test_slopes_by_all_parameters(stack, loss):
    network = network_of(stack, loss)
    theta, (x, targets) = theta_for(network), rows_for(network)
    weights = np.array([0.3, 0.1, 0.0, 0.25, 0.05, 0.3])
    assert_network_slopes(network, theta, x, targets, weights=weights, key=KEY)


@pytest.mark.parametrize("stack", ["normalised", "dropped", "activations in a row"])
def test_slopes_as_the_network_is_after_training(stack):
    network = network_of(stack, CrossEntropy())
    theta, (x, targets) = theta_for(network), rows_for(network)
    assert_network_slopes(network, theta, x, targets)
    np.testing.assert_allclose(
        network.back_propagate(
            network.unpack(theta), x, targets, network.unpack(np.empty_like(theta))
        ).loss,
        network.mean_loss(network.unpack(theta), x, targets),
        rtol=1e-14,
    )


@pytest.mark.parametrize("stack", ["rectified", "dropped"])
def test_single_precision_stays_and_is_right(stack):
    network = network_of(stack, CrossEntropy())
    gradients = {}
    for dtype in (np.float32, np.float64):
        theta = theta_for(network, np.float32).astype(dtype)
        x, targets = (part.astype(np.float32).astype(dtype) for part in rows_for(network))
        gradients[dtype] = np.empty_like(theta)
        step = network.back_propagate(
            network.unpack(theta), x, targets, network.unpack(gradients[dtype]), key=KEY
        )
        assert not step.where
    scale = np.abs(gradients[np.float64]).max()
    np.testing.assert_allclose(gradients[np.float32], gradients[np.float64], atol=1e-5 * scale)


def test_random_numbers_follow_the_key_of_the_step():
    network = network_of("dropped")
    theta, (x, targets) = theta_for(network), rows_for(network)

    def gradient(key):
        out = np.empty_like(theta)
        network.back_propagate(
            network.unpack(theta.copy()), x, targets, network.unpack(out), key=key
        )
        return out

    np.testing.assert_array_equal(gradient(KEY), gradient(KEY))
    assert (gradient(KEY) != gradient(Key(3, 5))).any()
    assert (gradient(KEY) != gradient(None)).any()


def test_equal_layers_drop_different_units():
    seen = []

    class Seen(Dense):
        def forward(self, own, x, context):
            seen.append(x.copy())
            return super().forward(own, x, context)

    network = Network(50, (Dropout(0.5), Dropout(0.5), Seen(1)), SquaredError())
    params, gradient = (network.unpack(np.ones(51)) for _ in range(2))
    network.back_propagate(params, np.ones((200, 50)), np.zeros((200, 1)), gradient, key=KEY)
    stayed = seen[0] > 0
    np.testing.assert_allclose(seen[0][stayed], 4, rtol=1e-8)
    # Of 10 000 units a quarter stays, not the half that it were if both masks were the same.
    assert stats.binomtest(int(stayed.sum()), stayed.size, 0.25).pvalue > 1e-6


# What is not finite --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (0, np.nan, "layer 1 (Dense 3-5)"),
        (1, np.nan, "layer 2 (Dense 5-4)"),
        (2, -np.inf, "layer 3 (Dense 4-2)"),
    ],
)
def test_the_layer_whose_outputs_ceased_to_be_finite_is_named(place, value, named):
    _, step, _ = stepped_with(place, value)
    assert not np.isfinite(step.loss)
    assert step.where == f"the outputs of {named}"


def test_infinite_inputs_that_an_activation_has_brought_back_are_found_in_the_derivatives():
    network, step, gradient = stepped_with(0, np.inf)
    assert np.isfinite(step.loss) and not step.where
    where = network.infinite_derivatives(gradient)
    assert where == "the derivatives by the parameters of layer 2 (Dense 5-4)"
    network, _, gradient = stepped_with(1, np.inf)  # tanh has no slope there
    assert network.infinite_derivatives(gradient) == ""


def stepped_with(place, value):
    """The network, a step of it with one bias that is not finite, and the gradient."""
    layers = (Dense(5), activations.ReLU(), Dense(4), activations.Tanh(), Dense(2))
    network = Network(3, layers, SquaredError())
    params = network.unpack(theta_for(network))
    params[2 * place].bias[0] = value
    gradient = network.unpack(np.empty_like(theta_for(network)))
    with np.errstate(all="ignore"):
        step = network.back_propagate(params, np.ones((2, 3)), np.zeros((2, 2)), gradient, key=KEY)
    return network, step, gradient


def test_a_loss_beyond_all_bounds_of_finite_outputs_is_named():
    network = Network(1, (Dense(1),), SquaredError())
    params = with_values(network, [np.array([[1e200]])], [np.zeros(1)])
    gradient = network.unpack(np.empty(2))
    with np.errstate(over="ignore"):
        step = network.back_propagate(params, np.ones((1, 1)), np.zeros((1, 1)), gradient)
    assert step.where == "the loss"


def test_derivatives_beyond_all_bounds_are_named():
    layers = (Dense(1), activations.Identity(), Dense(1))
    network = Network(1, layers, SquaredError())
    params = with_values(
        network, [np.array([[1e-300]]), np.array([[1e300]])], [np.zeros(1), np.zeros(1)]
    )
    gradient = network.unpack(np.empty(4))
    with np.errstate(over="ignore"):
        step = network.back_propagate(params, np.ones((1, 1)), np.full((1, 1), 1e20), gradient)
    assert step.where == "the derivatives by the parameters of layer 1 (Dense 1-1)"


# What is kept --------------------------------------------------------------------------------


class Watched(Dense):
    """A dense layer that notes which inputs of its kind are still alive when it goes back, and forward."""

    inputs: list = []
    alive: list = []

    def forward(self, own, x, context):
        y, saved = super().forward(own, x, context)
        if context.training:
            Watched.inputs.append(weakref.ref(x))
        else:
            Watched.alive.append(sum(ref() is not None for ref in Watched.inputs))
            Watched.inputs.append(weakref.ref(y))
        return y, saved

    def backward(self, own, saved, delta, gradient, below):
        Watched.alive.append(sum(ref() is not None for ref in Watched.inputs))
        return super().backward(own, saved, delta, gradient, below)


@pytest.fixture
def watched():
    Watched.inputs, Watched.alive = [], []
    gc.disable()  # it is the counts of references that have to see to it
    yield Watched
    gc.enable()


def deep(n_layers, activation):
    layers = [part for _ in range(n_layers) for part in (Watched(4), activation)]
    return Network(4, (*layers, Watched(1)), SquaredError())


@pytest.mark.parametrize(
    "activation", [activations.Tanh(), activations.PReLU(), BatchNorm(), Maxout(1)]
)
def test_the_way_back_lets_go_of_each_layer_in_turn(watched, activation):
    network = deep(4, activation)
    theta = theta_for(network)
    x, gradient = np.ones((3, 4)), np.empty_like(theta)
    network.back_propagate(
        network.unpack(theta), x, np.zeros((3, 1)), network.unpack(gradient), key=KEY
    )
    assert watched.alive == [5, 4, 3, 2, 1]
    assert [ref() is not None for ref in watched.inputs] == [True] + [False] * 4


def test_predictions_keep_two_layers_at_most(watched):
    network = deep(5, activations.Tanh())
    params = network.unpack(theta_for(network))
    network.predict(params, np.ones((3, 4)))
    # When a layer has made its output, only its input is there beside it.
    assert watched.alive == [0, 1, 1, 1, 1, 1]
    assert not any(ref() is not None for ref in watched.inputs)


# Put together --------------------------------------------------------------------------------


def test_a_perceptron_has_its_layers_in_order():
    hidden = Architecture((6, 5), ("maxout", "tanh"), (0.1, 0.0, 0.5), batch_norm=True, init="he")
    network = perceptron(4, hidden, 2, CrossEntropy())
    assert [type(layer).__name__ for layer in network.layers] == [
        "Dropout",
        "Dense",
        "BatchNorm",
        "Maxout",
        "Dense",
        "BatchNorm",
        "Tanh",
        "Dropout",
        "Dense",
    ]
    assert network.widths == (4, 4, 12, 12, 6, 5, 5, 5, 5, 2)
    assert network.layers[0].rate == 0.1 and network.layers[7].rate == 0.5
    assert {layer.init for layer in network.layers if isinstance(layer, Dense)} == {"he"}


def test_no_hidden_layers_is_a_linear_model():
    network = perceptron(4, Architecture((), (), (0.0,)), 2, SquaredError())
    assert repr(network.layers) == "(Dense(n_out=2),)"


@pytest.mark.parametrize("stack", ["smooth", "dropped"])
def test_names_count_the_layers_with_weights(stack):
    network = network_of(stack)
    named = [
        network.name_of(k) for k, layer in enumerate(network.layers) if isinstance(layer, Dense)
    ]
    assert [name.split()[1] for name in named] == [str(k + 1) for k in range(len(named))]
    assert named[0] == f"layer 1 (Dense 4-{network.layers[stack == 'dropped'].n_out})"
