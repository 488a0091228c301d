"""
===================================================
Codes of an autoencoder beside principal components
===================================================

An autoencoder with a code of two numbers, and two principal components: both reconstruct images of digits from two
numbers each. The components are a plane; the decoder bends its surface through the data, and loses less.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from ebm import Autoencoder

# %%
# The rows that are compared are none of those learned from.

X, y = load_digits(return_X_y=True)
train, test, y_train, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=0)

coder = Autoencoder((100, 50, 2), max_iter=60, n_iter_no_change=np.inf, random_state=0).fit(train)
pca = PCA(2).fit(train)

codes = {"principal components": pca.transform, "autoencoder": coder.transform}
backs = {"principal components": pca.inverse_transform, "autoencoder": coder.inverse_transform}

# %%
# Squared errors per image, and how well the five nearest neighbors in the plane tell the digit.

print(f"{'':22}{'squared error':>14}{'5-NN accuracy':>15}")
for name, transform in codes.items():
    rows = backs[name](transform(test))
    error = np.square(rows - test).sum(axis=1).mean()
    neighbors = KNeighborsClassifier(5).fit(transform(train), y_train)
    print(f"{name:22}{error:14.2f}{neighbors.score(transform(test), y_test):15.1%}")

# %%
# The codes, colored by digits that neither has seen, and reconstructions of ten images: the originals above, those of
# the components in the middle, those of the autoencoder below.

figure, axes = plt.subplots(1, 3, figsize=(12, 4), width_ratios=(1, 1, 1.6))
for axis, (name, transform) in zip(axes, codes.items(), strict=False):
    axis.scatter(*transform(test).T, c=y_test, cmap="tab10", s=6)
    axis.set(title=name, xticks=[], yticks=[])

some = np.array([np.flatnonzero(y_test == digit)[0] for digit in range(10)])
images = [test[some], *(back(codes[name](test[some])) for name, back in backs.items())]
axes[2].imshow(
    np.vstack([np.hstack([row.reshape(8, 8) for row in rows]) for rows in images]), cmap="gray_r"
)
axes[2].set(title="images, components, autoencoder", xticks=[], yticks=[])
figure.tight_layout()
plt.show()
