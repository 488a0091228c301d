"""
=====================================================================
Filters of wide codes: without noise, with noise, sparse, contractive
=====================================================================

A code as wide as the image can be a copy of it, and then its units tell nothing about the data. Three ways to prevent
the copy are noise on the inputs, a cost of units that are often active, and a cost of codes that change when the image
does. They show in the filters, the weights from the pixels into each unit.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from ebm import Autoencoder, FiltersDisplay, MaskingNoise, SparseActivity

# %%
# Four autoencoders with 64 logistic units for 64 pixels. All of them are trained on the same images for the same number
# of epochs, and the decoder has the weights of the encoder.

X, y = load_digits(return_X_y=True)
train, test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)

settings = {
    "without noise": {},
    "masking noise": {"corruption": MaskingNoise(rate=0.4)},
    "sparse": {"sparsity": SparseActivity(target=0.05, strength=0.3)},
    "contractive": {"contraction": 0.3},
}
coders = {
    name: Autoencoder(
        64,
        "logistic",
        tied=True,
        init="glorot",
        early_stopping=False,
        learning_rate_init=0.005,
        max_iter=150,
        n_iter_no_change=np.inf,
        random_state=0,
        **kwargs,
    ).fit(train)
    for name, kwargs in settings.items()
}

# %%
# The table has the squared error of a new image, the share of units whose output is above a half, and how far the code
# moves when an image does: the norm of the change over that of a small random step. The last column is the accuracy of
# logistic regression on the codes.

rng = np.random.default_rng(0)
step = 0.05 * rng.normal(size=test.shape)
print(f"{'':15}{'error':>7}{'active':>9}{'moves':>8}{'accuracy':>10}")
for name, coder in coders.items():
    codes, moved = coder.transform(test), coder.transform(test + step)
    error = np.square(coder.reconstruct(test) - test).sum(axis=1).mean()
    gain = np.linalg.norm(moved - codes) / np.linalg.norm(step)
    classifier = LogisticRegression(max_iter=2000).fit(coder.transform(train), y_train)
    print(
        f"{name:15}{error:7.2f}{(codes > 0.5).mean():9.0%}{gain:8.2f}"
        f"{classifier.score(codes, y_test):10.1%}"
    )

# %%
# Sixteen filters of each, those with the largest norms. Each panel has a color scale of its own; white is no weight.
# Units that must guess masked pixels from the others look at patches of neighboring ones. Without noise the weights are
# as good as random: that is enough to copy. The contractive code has small weights but for a few pixels each.

figure, axes = plt.subplots(1, 4, figsize=(13, 3.6))
figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.9, wspace=0.08)
for axis, (name, coder) in zip(axes, coders.items(), strict=True):
    filters = coder.coefs_[0].T
    largest = np.argsort(-np.linalg.norm(filters, axis=1))[:16]
    display = FiltersDisplay(weights=filters[largest], image_shape=(8, 8))
    display.plot(ax=axis, n_columns=4, colorbar=False)
    axis.set_title(name)
plt.show()
