"""
=========================
What each layer looks for
=========================

A deep belief network is a stack of restricted Boltzmann machines, each of which learns what the hidden units of the one
below do. The first layer adds up pixels, so its weights are images: strokes, and places where no ink should be. A unit
of the second layer adds up units of the first, and so on; and what it answers to is a whole figure rather than a part.
No label is used. Still the units of each layer have more to do with the ten classes than those of the layer below.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ebm import DBN, BernoulliRBM, FiltersDisplay

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# Three layers of a hundred units, each trained on states that are drawn from the one below.

dbn = DBN([BernoulliRBM(100)] * 3, random_state=0).fit(X)

# %%
# Two views
# ---------
# *Combined weights*: weights of the layers multiplied with each other show what a unit would add up in the pixels if
# the layers between were linear, which they are not: the higher the layer, the rougher the picture. *Favourites*: the
# mean of the twenty images on which a unit is the most active, which is what it has seen of the data, whatever lies
# between. Shown are the units of each layer whose activity varies the most.

means = dbn.layer_means(X)
fig, axes = plt.subplots(2, 3, figsize=(8.5, 5.8), layout="constrained")
fig.get_layout_engine().set(wspace=0.06, hspace=0.04)
combined = np.eye(X.shape[1])
for number, (rbm, H) in enumerate(zip(dbn.rbms_, means, strict=True)):
    combined = rbm.components_ @ combined
    shown = np.argsort(-H.var(axis=0))[:25]
    filters = combined[shown] / np.linalg.norm(combined[shown], axis=1, keepdims=True)
    favourites = [X[np.argsort(-H[:, unit])[:20]].mean(axis=0) for unit in shown]
    FiltersDisplay(weights=filters).plot(axes[0, number], colorbar=False)
    FiltersDisplay(weights=favourites).plot(
        axes[1, number], colorbar=False, cmap="gray_r", vmin=0, vmax=1
    )
    axes[0, number].set_title(f"layer {number + 1}")
axes[0, 0].set_ylabel("combined weights, scaled")
axes[1, 0].set_ylabel("mean of 20 favourites")
plt.show()

# %%
# How much of it is about classes
# -------------------------------
# The variance of a unit's activity over all images is that between the classes' means plus that within classes. The
# share between classes is 0 for a unit that is as active for any digit, and 1 for one that knows nothing but the digit.


def share_between_classes(H):
    """Of the variance of each column."""
    between = [np.mean(y == c) * (H[y == c].mean(axis=0) - H.mean(axis=0)) ** 2 for c in range(10)]
    varies = H.var(axis=0) > 0
    return (np.sum(between, axis=0)[varies]) / H.var(axis=0)[varies]


shares = {"pixels": share_between_classes(X)}
shares |= {f"layer {k + 1}": share_between_classes(H) for k, H in enumerate(means)}
print("share of variance between classes: lower quartile, median, upper quartile of the units")
for name, share in shares.items():
    print(f"    {name:8}" + "".join(f"{q:8.2f}" for q in np.quantile(share, [0.25, 0.5, 0.75])))

fig, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
ax.boxplot(list(shares.values()), tick_labels=list(shares))
ax.set(ylabel="share of variance between classes", ylim=(0, 1))
plt.show()

medians = [np.median(share) for share in shares.values()]
assert (np.diff(medians) > 0.02).all()
