"""
===========================================
Ask a network for a seven, and it draws one
===========================================

When the label is one more group of units in the topmost machine of a deep belief network, the network learns the joint
density of image and label. Read in one direction that is a classifier, ``predict_proba``; read in the other, a clamped
label and Gibbs sampling draw images of the class. Are they what they are said to be? Another network, which has learned
to read real digits and has no part in this, is asked what it sees.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ebm import (
    BernoulliRBM,
    DBNClassifier,
    MLPClassifier,
    PersistentContrastiveDivergence,
    SamplesDisplay,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    (X > 7).astype(np.float32), y, test_size=1 / 3, stratify=y, random_state=0
)

# %%
# A layer of a hundred units, and on top of it the joint machine of 200, which also has the ten label units. The labels
# are few units among many: with one step per update they would hardly move while chains of features do, so there are
# five.

layer = BernoulliRBM(
    learning_rate=0.1,
    batch_size=100,
    optimizer="momentum",
    schedule="linear",
    gradient=PersistentContrastiveDivergence(n_steps=5),
)
dbn = DBNClassifier([layer, layer], random_state=0)
dbn.set_params(layer1__n_components=100, layer1__n_iter=60)
dbn.set_params(layer2__n_components=200, layer2__n_iter=120)
dbn.fit(X_train, y_train)
print(f"held-out digits read right by the joint density: {dbn.score(X_test, y_test):.1%}")

# %%
# Fifty samples of each class, each the end of a chain of its own, in which the label is clamped; and as many without,
# of which the model draws the label as well.

asked = np.repeat(np.arange(10), 50)
drawn = dbn.sample(len(asked), label=asked, n_steps=200, random_state=0)
free, chosen = dbn.sample(len(asked), n_steps=500, return_labels=True, random_state=1)

reader = MLPClassifier(100, max_iter=40, n_iter_no_change=np.inf, random_state=0)
reader.fit(X_train, y_train)
real = reader.score(X_test, y_test)
agreed, agreed_free = reader.score(drawn, asked), reader.score(free, chosen)
print(
    f"another network reads as labelled: held-out digits {real:.1%}, samples with the label given {agreed:.1%}"
)
print(
    f"                                   samples with a label of the model's own {agreed_free:.1%}"
)

# %%
# Ten digits of each class from the training data, and the first ten samples of each.

data = np.concatenate([X_train[y_train == c][:10] for c in range(10)])
samples = np.concatenate([drawn[asked == c][:10] for c in range(10)])
fig, ax = plt.subplots(figsize=(8.5, 4.6), layout="constrained")
SamplesDisplay(samples=samples, data=data).plot(ax, n_columns=10)
plt.show()

# %%
# What the other network sees in them. A model that mixed up classes would show here, off the diagonal.

seen = reader.predict(drawn)
counts = np.array([[np.mean(seen[asked == c] == d) for d in range(10)] for c in range(10)])
fig, ax = plt.subplots(figsize=(4.8, 4), layout="constrained")
image = ax.imshow(counts, cmap="Blues", vmin=0, vmax=1)
ax.set(xlabel="read as", ylabel="label given", xticks=range(10), yticks=range(10))
fig.colorbar(image, ax=ax, label="share of samples")
plt.show()

assert dbn.score(X_test, y_test) > 0.9 and agreed > 0.75
