"""
===========================================
The higher the degree, the more is recalled
===========================================

A Hopfield network of N units holds about 0.14 N random patterns. Its energy adds up the squares of the overlaps with
all of them, and many small squares drown a large one. A dense associative memory raises the overlaps to the power n
instead, beside which small ones vanish: it holds about as many patterns as N to the power n - 1, and with an
exponential, exponentially many.

Random patterns are recalled here from probes with every tenth bit wrong; then handwritten digits, which are not random,
by memories of every degree.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ebm import DenseAssociativeMemory

rng = np.random.default_rng(0)
# The point of this page.
warnings.filterwarnings("ignore", message=".*patterns are (more than|not held)")

# %%
# Random patterns
# ---------------
# A hundred units. Of all patterns, forty are looked for, and one counts as recalled when no bit of it is wrong. The
# vertical lines are `capacity_`, where theory has one bit in two hundred disturbed before recall begins.

N_UNITS, N_PROBES = 100, 40
KINDS = {
    "degree 2": {"degree": 2},
    "degree 3": {"degree": 3},
    "degree 4": {"degree": 4},
    "exponential": {"interaction": "exponential"},
}
counts = np.unique(np.geomspace(3, 20_000, 18).astype(int))


def flipped(patterns, share):
    """Copies with that share of the bits of each wrong."""
    wrong = rng.permuted(
        np.arange(patterns.shape[1]) < share * patterns.shape[1] + 0 * patterns, axis=1
    )
    return np.where(wrong, 1 - patterns, patterns)


recalled = {name: [] for name in KINDS}
for count in counts:
    patterns = rng.integers(0, 2, (count, N_UNITS))
    wanted = patterns[:N_PROBES]
    probes = flipped(wanted, 0.1)
    for name, choice in KINDS.items():
        memory = DenseAssociativeMemory(**choice, random_state=0).fit(patterns)
        recalled[name].append(np.mean((memory.predict(probes) == wanted).all(axis=1)))

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
half = {}
for name, choice in KINDS.items():
    (line,) = ax.semilogx(counts, recalled[name], "o-", markersize=4, label=name)
    capacity = DenseAssociativeMemory(**choice).fit(np.eye(N_UNITS)[:1]).capacity_
    if capacity < counts[-1]:
        ax.axvline(capacity, color=line.get_color(), linestyle=":")
    half[name] = counts[np.array(recalled[name]) >= 0.5].max()
    print(
        f"{name:12} recalls at least half of the probes up to {half[name]:6d} patterns, capacity {capacity:.3g}"
    )
ax.set(xlabel="stored patterns", ylabel="share of probes recalled without an error")
ax.legend()

assert half["degree 2"] < half["degree 3"] / 5 < half["degree 4"] / 25
assert min(recalled["exponential"]) == 1

# %%
# Digits
# ------
# Handwritten digits are much alike, which random patterns are not: their overlaps with each other are large, and it
# takes a high power to tell them apart. A hundred binary images are stored; probes have six of 64 pixels wrong.

digits, names = load_digits(return_X_y=True)
stored = np.unique((digits[:100] > 7).astype(int), axis=0)
stored = stored[rng.permutation(len(stored))]
probes = flipped(stored, 0.1)
shown = range(8)
fig, axes = plt.subplots(6, len(shown), figsize=(6, 5), layout="constrained")
rows = {"stored": stored, "probes": probes}
shares = []
for degree in (2, 5, 10, 20):
    memory = DenseAssociativeMemory(degree, interaction="rectified", random_state=0).fit(stored)
    rows[f"degree {degree}"] = memory.predict(probes)
    shares.append(np.mean((rows[f"degree {degree}"] == stored).all(axis=1)))
    print(
        f"degree {degree:2d}: {100 * shares[-1]:5.1f} % of {len(stored)} digits recalled without an error"
    )
for line, (name, images) in zip(axes, rows.items(), strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, image in zip(line, images[shown], strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])

assert (np.diff(shares) >= 0).all() and shares[0] < 0.1 and shares[-1] > 0.8
plt.show()
