"""
=================================
A walk from one digit to another
=================================

Half-way between the pixels of two images lie both images at once, in gray. Half-way between their codes lies an image
that looks like a digit, because the decoder has learned to make images that are like those it was trained on. So a
straight line in the space of codes is a walk along the data.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from ebm import Autoencoder

# %%
# A code of eight numbers for 64 pixels.

X, y = load_digits(return_X_y=True)
X = X / 16
coder = Autoencoder((100, 50, 8), max_iter=100, n_iter_no_change=np.inf, random_state=0).fit(X)

# %%
# Walks between pairs of digits, in nine steps: along the line between the pixels, and along that between the codes.

shares = np.linspace(0, 1, 9)[:, np.newaxis]


def walks(first, last):
    """The images on both ways."""
    codes = coder.transform(np.stack([first, last]))
    pixels = (1 - shares) * first + shares * last
    return pixels, coder.inverse_transform((1 - shares) * codes[0] + shares * codes[1])


pairs = [(1, 7), (3, 8), (0, 6)]
figure, axes = plt.subplots(3, 1, figsize=(8, 7), layout="constrained")
for axis, digits in zip(axes, pairs, strict=True):
    ends = (X[np.flatnonzero(y == digit)[0]] for digit in digits)
    lines = [np.hstack([np.pad(row.reshape(8, 8), 1) for row in images]) for images in walks(*ends)]
    axis.imshow(np.vstack(lines), cmap="gray_r", vmin=0, vmax=1)
    axis.axhline(9.5, color="tab:blue")
    axis.set(title=f"from {digits[0]} to {digits[1]}", xticks=[], yticks=[4.5, 14.5])
    axis.set_yticklabels(["by pixels", "by codes"])

# %%
# Is the middle like an image of the data? The squared distance to the nearest of all images says so, on the average of
# 300 pairs of different digits.

rng = np.random.default_rng(0)
search = NearestNeighbors(n_neighbors=1).fit(X)
chosen = [pair for pair in rng.integers(len(X), size=(400, 2)) if y[pair[0]] != y[pair[1]]][:300]
middles = np.array([[images[4] for images in walks(*X[pair])] for pair in chosen])
for name, images in zip(("pixels", "codes"), np.swapaxes(middles, 0, 1), strict=True):
    print(f"{name}: {np.square(search.kneighbors(images)[0]).mean():.2f}")
plt.show()
