"""
================================================
Digits and words about them: one from the other
================================================

A deep Boltzmann machine of two modalities has a pathway of layers for images and one for words, which share their
topmost layer. It learns from pairs. Then it says words about new images, and draws images for words. Settings were
chosen on a part of the training rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from ebm import BernoulliRBM, MultimodalDBM

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
KINDS = {"even": {0, 2, 4, 6, 8}, "round": {0, 3, 6, 8, 9}, "prime": {2, 3, 5, 7}}
WORDS = np.array([*NAMES, *KINDS])

X, y = load_digits(return_X_y=True)
images = (X > 7).astype(np.float32)
true = np.hstack(
    [np.eye(10)[y], *(np.isin(y, list(kind))[:, np.newaxis] for kind in KINDS.values())]
)
rng = np.random.default_rng(0)
words = np.where(rng.random(true.shape) < 0.05, 1 - true, true).astype(np.float32)  # some are wrong
rows = np.hstack([images, words])
train, test, true_train, true_test = train_test_split(rows, true, test_size=0.3, random_state=0)

# %%
# Each modality has columns of its own. The machines of each are trained one by one first, then the topmost one, and at
# last all layers together.

part = {"n_iter": 40, "batch_size": 25, "learning_rate": 0.05}
modalities = [
    ("image", [BernoulliRBM(80, **part), BernoulliRBM(40, **part)], slice(0, 64)),
    ("words", [BernoulliRBM(30, **part)], slice(64, None)),
]
dbm = MultimodalDBM(
    modalities,
    top=BernoulliRBM(40, **part),
    n_iter=30,
    batch_size=25,
    learning_rate=0.02,
    n_sweeps=30,
    random_state=0,
).fit(train)

# %%
# Words from images: the means of the words in mean field, given the pixels alone. The first words, as many as are true,
# are compared with the true ones. Beside them, a logistic regression of each word on the pixels.

seen = test.copy()
seen[:, 64:] = np.nan
scores = dbm.reconstruct(seen)[:, 64:]
linear = np.stack(
    [
        LogisticRegression(max_iter=1000).fit(train[:, :64], w).predict_proba(test[:, :64])[:, 1]
        for w in train[:, 64:].T
    ],
    axis=1,
)


def precision(scores):
    """Share of true words among the first ones, as many as there are."""
    first = np.argsort(-scores, axis=1)
    counts = true_test.sum(axis=1).astype(int)
    found = [t[f[:n]].mean() for t, f, n in zip(true_test, first, counts, strict=True)]
    return np.mean(found)


print(
    f"true words among the first: machine {precision(scores):.3f}, regressions {precision(linear):.3f}"
)

fig, axes = plt.subplots(2, 6, figsize=(9, 4), layout="constrained")
for ax, image, score, n in zip(axes.ravel(), test, scores, true_test.sum(axis=1), strict=False):
    ax.imshow(image[:64].reshape(8, 8), cmap="gray_r")
    ax.set_title("\n".join(WORDS[np.argsort(-score)[: int(n)]]), fontsize=9)
    ax.axis("off")
plt.show()

# %%
# Images from words: every row is a chain of images whose words are clamped. Means of the pixels given the last states.
#
# Many of the images show another digit, often one that shares a word, as two and four are even. This machine is small,
# and knows words of images better than images of words.

asked = ["zero", "one", "four", "seven"]
given = np.full((8 * len(asked), rows.shape[1]), np.nan, np.float32)
for k, name in enumerate(asked):
    given[8 * k : 8 * k + 8, 64:] = np.r_[
        np.eye(10)[NAMES.index(name)], [NAMES.index(name) in kind for kind in KINDS.values()]
    ]
drawn = dbm.sample(len(given), n_steps=500, given=given, random_state=0)
means = dbm.reconstruct(drawn)[:, :64]

fig, axes = plt.subplots(len(asked), 8, figsize=(7, 4), layout="constrained")
for ax, image in zip(axes.ravel(), means, strict=True):
    ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
for row, name in zip(axes, asked, strict=True):
    row[0].set_ylabel(name)
plt.show()
