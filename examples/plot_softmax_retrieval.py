"""
========================================
Digits from halves and noise, by softmax
========================================

A modern Hopfield network stores real-valued patterns, here 100 handwritten digits of 8 x 8 grey pixels. A part of an
image, or an image under noise, is enough to get all of it back: the state moves to a softmax-weighted mean of the
stored patterns, and where one stored image is nearer than the others, this is the one. One or two such updates do.

How much nearer it has to be, the inverse temperature says. When it is low, all images are near, and the state comes to
rest at their mean; between, it is a mean of the images that look alike, mostly of one digit.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ebm import ModernHopfieldNetwork

# Of a low inverse temperature a fit says that the patterns are not held: the point of the last figure.
warnings.filterwarnings("ignore", message=".*patterns are not held at beta")

images, digit = load_digits(return_X_y=True)
images, digit = images[:100], digit[:100]
side, beta = 8, 100.0
rng = np.random.default_rng(0)

# %%
# Inner products compare patterns of one length, around one centre: the mean image is subtracted, and each image is
# divided by its norm. Then all entries of a pattern vary by one over the root of the number of pixels.

mean_image = images.mean(axis=0)
patterns = images - mean_image
patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
network = ModernHopfieldNetwork(beta=beta).fit(patterns)
pixel = 1 / side

# %%
# Three kinds of damage: the lower half unknown, the left half unknown, and noise half as large as the signal. Unknown
# pixels are at zero, the mean image: they have no part in the first inner products.

lower, left = patterns.copy(), patterns.copy()
lower.reshape(-1, side, side)[:, side // 2 :] = 0
left.reshape(-1, side, side)[:, :, : side // 2] = 0
noisy = patterns + 0.5 * pixel * rng.normal(size=patterns.shape)
probes = {"upper half": lower, "right half": left, "noise": noisy}

print(f"{len(patterns)} digits stored, inverse temperature {beta:g}")
retrieved = {}
for name, damaged in probes.items():
    found = network.recall(damaged)
    shares = network.attention(found.states)
    right = shares.argmax(axis=1) == np.arange(len(patterns))
    retrieved[name] = found
    print(
        f"    {name:12} {100 * right.mean():5.1f} % come to rest at the right one, after "
        f"{np.median(found.n_steps):.0f} updates in the median"
    )
    assert right.mean() > 0.85
    assert np.diff(found.trajectory_energies, axis=0).max() < 1e-5

# %%
# What is shown: the damage, the state after one update, and where it comes to rest.

fig, axes = plt.subplots(6, 10, figsize=(9, 6), layout="constrained")
for row, index in zip(axes, range(6), strict=True):
    shown = [("stored", patterns[index])]
    for name, found in retrieved.items():
        shown += [(name, probes[name][index]), ("one update", found.trajectory[1, index])]
        shown += [("at rest", found.states[index])]
    for ax, (title, state) in zip(row, shown, strict=True):
        limit = 2.5 * pixel
        ax.imshow(state.reshape(side, side), cmap="gray", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
        if ax in axes[0]:
            ax.set_title(title, fontsize=8)

# %%
# From the mean of all to one
# ---------------------------
# The same probes at other temperatures: how many stored images share in the state at rest (the exponential of the
# entropy of the shares), and how much of the weight is on images of the right digit. Sparsemax leaves
# distant patterns out altogether, and stands at one pattern at a finite temperature.

betas = np.geomspace(1, 1000, 10)
fig, (count_ax, digit_ax) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
some = slice(None, None, 4)
same = digit[some, np.newaxis] == digit
n_sharing, on_digit = {}, {}
for variant in ("softmax", "sparsemax"):
    n_sharing[variant], on_digit[variant] = [], []
    for b in betas:
        net = ModernHopfieldNetwork(b, variant=variant).fit(patterns)
        p = net.attention(net.recall(lower[some], trajectory=False).states).astype(float)
        entropy = -np.sum(p * np.log(p, where=p > 0, out=np.zeros_like(p)), axis=1)
        n_sharing[variant].append(np.median(np.exp(entropy)))
        on_digit[variant].append(np.mean(np.sum(p * same, axis=1)))
    count_ax.loglog(betas, n_sharing[variant], "o-", label=variant)
    digit_ax.semilogx(betas, on_digit[variant], "o-", label=variant)
    assert n_sharing[variant][-1] < 1.01 and on_digit[variant][-1] > 0.9
assert n_sharing["softmax"][0] > 0.99 * len(patterns) > 10 * n_sharing["sparsemax"][0]
assert abs(on_digit["softmax"][0] - same.mean()) < 0.01
count_ax.set(xlabel="inverse temperature", ylabel="images that share in the state")
digit_ax.set(xlabel="inverse temperature", ylabel="weight on the right digit", ylim=(0, 1.05))
digit_ax.axhline(same.mean(), color="gray", linestyle=":", label="by chance")
count_ax.legend()
digit_ax.legend()
plt.show()
