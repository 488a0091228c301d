"""
============================================================
Reconstructions, row by row: how many numbers make an image?
============================================================

An image of 64 pixels goes through a code of few numbers and back. Principal components do that by a plane through the
data, an autoencoder by a curved surface. Row by row the codes become wider: both lose less and less, and the
autoencoder needs about half as many numbers for the same error, or fewer.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from ebm import Autoencoder

# %%
# Squared errors of images that neither was trained on. The squared error is also the loss here, so that the aim of both
# is the same.

X, y = load_digits(return_X_y=True)
train, test, _, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=0)

sizes = (2, 4, 8, 16)
coders = {
    "PCA": {n: PCA(n).fit(train) for n in sizes},
    "autoencoder": {
        n: Autoencoder((100, 50, n), loss="squared_error", random_state=0).fit(train) for n in sizes
    },
}


def reconstructed(model, images):
    """There and back."""
    return model.inverse_transform(model.transform(images))


errors = {
    name: [np.square(reconstructed(models[n], test) - test).sum(axis=1).mean() for n in sizes]
    for name, models in coders.items()
}
for name, row in errors.items():
    print(
        f"{name:12}", *(f"{n} numbers: {x:5.2f}" for n, x in zip(sizes, row, strict=True)), sep="  "
    )

# %%
# The first image of each digit in the test set, above, and its reconstructions.

some = test[[np.flatnonzero(y_test == digit)[0] for digit in range(10)]]
rows = {"image": some}
for n in sizes:
    for name, models in coders.items():
        rows[f"{name}, {n}"] = np.clip(reconstructed(models[n], some), 0, 1)

figure, axis = plt.subplots(figsize=(7.5, 6.6), layout="constrained")
lines = [
    np.hstack([np.pad(x.reshape(8, 8), ((0, 1), (0, 1))) for x in row]) for row in rows.values()
]
axis.imshow(np.vstack(lines), cmap="gray_r", vmin=0, vmax=1)
axis.set(xticks=[], yticks=9 * np.arange(len(rows)) + 4, yticklabels=list(rows))
axis.tick_params(length=0)
plt.show()
