"""
=====================================================
A Hopfield network cleans up noise in front of a tree
=====================================================

An associative memory is a transformer: noisy rows in, clean rows out. In front of a classifier that was trained on
clean data it takes away noise that the classifier has never seen. Whether that helps depends on the classifier. A
decision tree looks at a few features, is lost when these are wrong, and profits. Logistic regression sums over all of
them and averages the noise out by itself: it is as good without the memory as with it, and better from 20 % of flipped
bits on. It also beats the tree with the memory's help: where such a classifier will do, it is the better choice.

The data are twenty code words of 64 bits, sent over a channel that flips bits. Each of four stations has five words of
its own, which have nothing in common; the classifier is to tell who has sent.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from ebm import HopfieldNetwork

# %%
# The classifiers learn from the clean words. What comes over the channel has every bit flipped with some probability.

rng = np.random.default_rng(0)
words = rng.integers(0, 2, (20, 64)).astype(float)
station = np.arange(20) % 4


def sent(probability, copies=50):
    """Words as they arrive, and the stations they come from."""
    rows = np.repeat(words, copies, axis=0)
    return np.abs(rows - (rng.random(rows.shape) < probability)), np.repeat(station, copies)


memory = HopfieldNetwork("pseudo_inverse", random_state=0)
classifiers = {
    "tree": DecisionTreeClassifier(random_state=0),
    "logistic regression": LogisticRegression(),
}
readers = classifiers | {
    f"memory, {name}": make_pipeline(memory, classifier) for name, classifier in classifiers.items()
}
for reader in readers.values():
    reader.fit(words, station)

# %%
# Accuracy against noise.

flips = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
scores = {name: [] for name in readers}
print(f"{'bits flipped':28}" + "".join(f"{p:7.0%}" for p in flips))
received = [sent(p) for p in flips]
for name, reader in readers.items():
    scores[name] = np.array([reader.score(X, y) for X, y in received])
    print(f"{name:28}" + "".join(f"{score:7.1%}" for score in scores[name]))

at = list(flips).index(0.15)
assert scores["memory, tree"][at] > scores["tree"][at] + 0.15
assert np.all(scores["logistic regression"] > scores["memory, logistic regression"] - 0.01)
assert np.all(scores["logistic regression"] > scores["memory, tree"] - 0.01)

# %%

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for name, values in scores.items():
    color = "C0" if "tree" in name else "C1"
    ax.plot(flips, values, "o-" if "memory" in name else "o--", color=color, label=name)
ax.axhline(0.25, color="gray", lw=0.8, label="chance")
ax.set(xlabel="share of bits flipped", ylabel="accuracy", ylim=(0.2, 1.02))
ax.set_title("Telling four stations by noisy code words")
ax.legend()
plt.show()
