"""
=====================================================
Similarity that is learned from labels, and from none
=====================================================

Which images are alike? By their pixels, an image of a digit has neighbors of the same digit most of the time. An
embedding in the plane is easier to look at, and loses a part of that. How large the part is, depends on what the
embedding was learned from: the two principal components and the code of an autoencoder know no labels, and
neighborhood components, linear and nonlinear, are learned from them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from ebm import Autoencoder, NCAEmbedding

X, y = load_digits(return_X_y=True)
train, test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)

ENDLESS = {"n_iter_no_change": np.inf, "random_state": 0}
embeddings = {
    "principal components": PCA(2),
    "autoencoder": Autoencoder((100, 50, 2), max_iter=60, **ENDLESS),
    "linear NCA": NCAEmbedding([], 2, max_iter=200, learning_rate_init=0.01, **ENDLESS),
    "nonlinear NCA": NCAEmbedding((100,), 2, max_iter=100, learning_rate_init=0.01, **ENDLESS),
}

# %%
# Half of the images teach the embeddings, and the other half are shown: each with the share of images whose digit is
# that of most of their five nearest neighbors among the first half.

figure, axes = plt.subplots(1, 4, figsize=(13, 3.5))
for axis, (name, embedding) in zip(axes, embeddings.items(), strict=True):
    points = embedding.fit(train, y_train).transform(train)
    others = embedding.transform(test)
    accuracy = KNeighborsClassifier(5).fit(points, y_train).score(others, y_test)
    axis.scatter(*others.T, c=y_test, cmap="tab10", s=6)
    axis.set(title=f"{name}: {accuracy:.0%}", xticks=[], yticks=[])
    print(f"{name:22}{accuracy:6.1%}")
pixels = KNeighborsClassifier(5).fit(train, y_train).score(test, y_test)
print(f"{'all pixels':22}{pixels:6.1%}")
figure.tight_layout()
plt.show()
