"""
=======================================================
Images that are alike: by pixels, by codes, and by bits
=======================================================

Which of a thousand images are most like a new one? The distance between their pixels is an answer, and on small
centered images a good one: the very nearest image is best found by it. The code of an autoencoder answers nearly as
well with an eighth of the numbers, and a code of bits with sixteen bytes for an image. A code that was learned from
labels finds more images of the same digit than all of these, from the fifth image on.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from ebm import Autoencoder, HammingIndex, NCAEmbedding

# %%
# The autoencoders know no labels. The first has a code of eight numbers. The second has noise on the inputs of its
# code, which makes 128 bits of it. The third code is an embedding by neighborhood components, which are learned from
# the labels of the known images.

X, y = load_digits(return_X_y=True)
known, new, y_known, y_new = train_test_split(X / 16, y, test_size=0.4, random_state=0)

endless = {"n_iter_no_change": np.inf, "random_state": 0}
coder = Autoencoder((100, 8), early_stopping=False, max_iter=80, **endless).fit(known)
hashing = Autoencoder((100, 128), ["relu", "logistic"], code_noise=2.0, max_iter=80, **endless)
hashing.fit(known)
embedding = NCAEmbedding((100,), 8, max_iter=60, **endless).fit(known, y_known)


def by(transform):
    """A search by the distances of what `transform` makes of images."""
    search = NearestNeighbors().fit(transform(known))
    return lambda images, n: search.kneighbors(transform(images), n)[1]


index = HammingIndex(hashing.bits(known))
searches = {
    "64 pixels": by(np.asarray),
    "8 numbers": by(coder.transform),
    "128 bits": lambda images, n: index.kneighbors(hashing.bits(images), n)[1],
    "8 numbers, from labels": by(embedding.transform),
}

# %%
# How many of the nearest images show the same digit?

counts = np.array([1, 2, 5, 10, 20, 50, 100])
curves = {}
for name, search in searches.items():
    hits = y_known[search(new, counts[-1])] == y_new[:, np.newaxis]
    curves[name] = np.array([hits[:, :n].mean() for n in counts])
    found = (f"{n}: {x:.1%}" for n, x in zip(counts, curves[name], strict=True))
    print(f"{name:24}", *found, sep="  ")

# %%
# The curves, and the six nearest images of five new ones, whose neighbors by pixels are often of another digit. Images
# of another digit have a red frame.

doubtful = np.argsort((y_known[searches["64 pixels"](new, 6)] == y_new[:, np.newaxis]).sum(axis=1))
shown = doubtful[::20][:5]

figure, (left, *panels) = plt.subplots(
    1, 5, figsize=(14, 3.2), width_ratios=(1.2, 1, 1, 1, 1), layout="constrained"
)
for name, curve in curves.items():
    left.plot(counts, 100 * curve, "o-", label=name)
left.set(
    xscale="log",
    xticks=[1, 10, 100],
    xticklabels=[1, 10, 100],
    xlabel="nearest images",
    ylabel="of the same digit, in percent",
)
left.legend(loc="lower left")
for axis, (name, search) in zip(panels, searches.items(), strict=True):
    rows = search(new[shown], 6)
    lines = [
        np.hstack([np.pad(x.reshape(8, 8), 1) for x in (image, *known[row])])
        for image, row in zip(new[shown], rows, strict=True)
    ]
    axis.imshow(np.vstack(lines), cmap="gray_r")
    axis.axvline(9.5, color="tab:blue")
    for k, row in enumerate(rows):
        for place in np.flatnonzero(y_known[row] != y_new[shown[k]]):
            corner = 10 * (place + 1) - 0.5, 10 * k - 0.5
            axis.add_patch(plt.Rectangle(corner, 10, 10, fill=False, color="tab:red"))
    axis.set_title(f"new | nearest by\n{name}", fontsize=10)
    axis.set(xticks=[], yticks=[])
plt.show()
