"""
==============================================
What pre-training is worth when labels are few
==============================================

A stack of restricted Boltzmann machines needs no labels to learn what digits look like. A classifier that starts from
it, and is trained on with the few labels there are, gets more of the digits right than a network that starts at random:
many more while labels are few, and hardly any more when there are plenty. How many more depends on what there is to be
learned from rows without a label. Here every tenth pixel is wrong, and which pixels go together tells the digit from
the noise. On the clean images pre-training gains about two points with a hundred labels or more, and with ten labels
less than the draws of labels differ: that is the second panel.

These are scikit-learn's small digits and three hundred labels at most; for MNIST and 10 to 10 000 labels the script
``benchmarks/deep_quality.py`` measures the same (:doc:`/results/deep_quality`).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from ebm import DBN, BernoulliRBM, MLPClassifier, PersistentContrastiveDivergence

# %%
# The data
# --------
# Black and white digits of 64 pixels. A third is held out; of every digit there are five copies on either side, and in
# each of them every pixel is flipped with the probability 0.1.

rng = np.random.default_rng(0)
COPIES = 5


def noisy(X, y, probability):
    """Copies of the rows with pixels flipped at random, and their classes."""
    X = np.repeat(X, COPIES, axis=0)
    flipped = rng.random(X.shape) < probability
    return np.abs(X - flipped).astype(np.float32), np.repeat(y, COPIES)


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    (X > 7).astype(np.float32), y, test_size=1 / 3, stratify=y, random_state=0
)
noise = [*noisy(X_train, y_train, 0.1), *noisy(X_test, y_test, 0.1)]
clean = [X_train, y_train, X_test, y_test]

# %%
# The networks
# ------------
# Two hidden layers of 200 logistic units, once from a random start and once from the stack; and from a random start one
# layer of rectifiers, which is what one would otherwise take. Rates of learning and the number of layers were chosen on
# a part of the noisy training rows, for each network its own; the test rows are for the figure only.
#
# The stack is fitted once, on all training rows, and frozen: each draw of labels then takes it as it is. Given to the
# network as it stands, and with ``y = -1`` for the rows without a label, it would be fitted together with it.

layer = BernoulliRBM(
    200,
    learning_rate=0.1,
    n_iter=30,
    schedule="linear",
    gradient=PersistentContrastiveDivergence(centered=False),  # units that are mostly off
)
steps = {"batch_size": 10, "max_iter": 30, "n_iter_no_change": np.inf}


def networks(X):
    """The three networks, the stack having learned from `X`."""
    stack = FrozenEstimator(DBN([layer, layer], random_state=0).fit(X))
    return {
        "pre-trained": MLPClassifier(pretraining=stack, learning_rate_init=0.001, **steps),
        "random start": MLPClassifier((200, 200), "logistic", learning_rate_init=0.003, **steps),
        "random start, relu": MLPClassifier(200, "relu", learning_rate_init=0.003, **steps),
    }


# %%
# Label draws
# -----------
# Every class has as many labels. Four draws, the same ones for each network.

N_DRAWS = 4


def accuracies(data, counts):
    """Held-out accuracies (draws, counts) of each network."""
    X, y, X_test, y_test = data
    fresh = networks(X)
    found = {name: np.empty((N_DRAWS, len(counts))) for name in fresh}
    for draw in range(N_DRAWS):
        rng = np.random.default_rng(draw)
        order = [rng.permutation(np.flatnonzero(y == c)) for c in range(10)]
        for k, count in enumerate(counts):
            rows = np.concatenate([each[: count // 10] for each in order])
            for name, mlp in fresh.items():
                mlp.set_params(random_state=draw).fit(X[rows], y[rows])
                found[name][draw, k] = mlp.score(X_test, y_test)
    return found


def gain(found):
    """By how much pre-training beats the better of the two others, draw by draw."""
    return found["pre-trained"] - found["random start, relu"]


def table(title, counts, found):
    """Means and standard deviations over the draws, in percent."""
    print(f"{title:32}" + "".join(f"{count:13d}" for count in counts))
    for name, scores in (found | {"gain over relu": gain(found)}).items():
        cells = [f"{100 * s.mean():.1f} +- {100 * s.std():.1f}" for s in scores.T]
        print(f"    {name:28}" + "".join(f"{cell:>13}" for cell in cells))


# %%

panels = {
    "every tenth pixel wrong": (noise, [10, 30, 100, 300]),
    "clean images": (clean, [10, 100, 300]),
}
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
results = {}
for ax, (title, (data, counts)) in zip(axes, panels.items(), strict=True):
    results[title] = found = accuracies(data, counts)
    table(f"{title}, labels", counts, found)
    for name, scores in found.items():
        ax.errorbar(
            counts, scores.mean(axis=0), scores.std(axis=0), fmt="o-", capsize=3, label=name
        )
    ax.set(xscale="log", xlabel="labels", title=title)
axes[0].set(ylabel="held-out accuracy")
axes[0].legend()
plt.show()

# %%
# Error bars are the standard deviations over the draws of labels. With noise the pre-trained network does with a given
# number of labels about what the others do with three times as many. The two logistic layers by themselves are slow to
# learn from a few labels, for their derivatives shrink on the way back
# (:ref:`sphx_glr_auto_examples_plot_vanishing_gradient.py`).

with_noise, without = (gain(found).mean(axis=0) for found in results.values())
assert (with_noise[:3] > 0.08).all() and (with_noise > 0.01).all()
assert (with_noise[[0, 2, 3]] > without).all() and ((without[1:] > 0) & (without[1:] < 0.04)).all()
