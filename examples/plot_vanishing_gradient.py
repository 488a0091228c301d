"""
=====================================================
A deep logistic network that starts where it can move
=====================================================

The slope of the logistic function is a quarter at most, so that a derivative shrinks at every layer on its way back. In
a network of five hidden layers with random weights next to nothing of it arrives at the first: such a network does not
learn, or not for a long time. This is what unsupervised pre-training was found to cure in 2006. Its layers pass on what
the data differ in, and the derivatives find a way back through them.

Rectifiers, of slope one, and weights of the right scale were found later, and do without. They are shown beside it.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ebm import DBN, BernoulliRBM, MLPClassifier

# The deep network of logistic units is meant to guess.
warnings.filterwarnings("ignore", ".*no better than a constant")

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)

# %%
# The networks
# ------------
# Five hidden layers of a hundred units. The stack of machines is trained without labels, each layer on *states* drawn
# from the one below: it would be no use here to pass on means, whose spread shrinks from layer to layer, until a deep
# machine has nothing left to learn from.

N_LAYERS, N_UNITS = 5, 100
machine = BernoulliRBM(N_UNITS, learning_rate=0.05, n_iter=30)
sizes = (N_UNITS,) * N_LAYERS
networks = {
    "logistic, random start": MLPClassifier(sizes, "logistic"),
    "logistic, pre-trained": MLPClassifier(pretraining=DBN([machine] * N_LAYERS)),
    "relu, random start": MLPClassifier(sizes, "relu", init="he"),
}
settings = {
    "solver": "sgd",
    "learning_rate_init": 0.02,
    "batch_size": 20,
    "n_iter_no_change": np.inf,
}
for mlp in networks.values():
    mlp.set_params(**settings, random_state=0)


# %%
# The gradient at the start
# -------------------------
# ``max_iter=0`` leaves a network as it starts. Its layers, loss and parameters are there to be worked with: here for
# the norm of the gradient by the weights of each layer, of the mean loss of all training rows.


def gradient_norms(mlp):
    """Norms of the derivatives by the weights of each layer."""
    network, params = mlp.network_, mlp.layer_params_
    gradient = network.unpack(np.zeros_like(network.pack(params)))
    network.back_propagate(params, X_train, np.eye(10)[y_train], gradient)
    return np.array([np.linalg.norm(W) for W in network.weights(gradient)])


at_start = {
    name: gradient_norms(mlp.set_params(max_iter=0).fit(X_train, y_train))
    for name, mlp in networks.items()
}
print("norm of the gradient, by layer  " + "".join(f"{k + 1:10d}" for k in range(N_LAYERS + 1)))
for name, norms in at_start.items():
    print(f"    {name:26}  " + "".join(f"{norm:10.1e}" for norm in norms))

# %%
# Training
# --------
# The same for all: plain stochastic gradient descent with momentum.

print(
    "\nloss after epochs                        1         5        10        50   held-out accuracy"
)
curves, accuracy = {}, {}
for name, mlp in networks.items():
    mlp.set_params(max_iter=50).fit(X_train, y_train)
    curves[name], accuracy[name] = mlp.loss_curve_, mlp.score(X_test, y_test)
    shown = "".join(f"{curves[name][k]:10.3f}" for k in (0, 4, 9, 49))
    print(f"    {name:26}  {shown}   {accuracy[name]:.3f}")

# %%

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for name, norms in at_start.items():
    left.semilogy(np.arange(1, N_LAYERS + 2), norms, "o-", label=name)
    right.plot(np.arange(1, 51), curves[name], label=name)
left.set(xlabel="layer of weights (6: the outputs)", ylabel="norm of the gradient at the start")
right.axhline(np.log(10), color="gray", linestyle=":", label="guessing")
right.set(xlabel="epochs", ylabel="training loss (nats)")
right.legend()
plt.show()

# %%
# The random network's gradient loses a factor of eight or so at each layer. After fifty epochs its loss is still that
# of guessing, log 10: what the first layers could tell apart never reaches the outputs. The pre-trained one, of the
# same units and with the same steps, has learned.

random, started = at_start["logistic, random start"], at_start["logistic, pre-trained"]
assert random[0] < 1e-4 * random[-1] and started[0] > 100 * random[0]
assert accuracy["logistic, random start"] < 0.2 < 0.9 < accuracy["logistic, pre-trained"]
