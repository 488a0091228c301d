"""
======================================
Letters recalled from halves and noise
======================================

A Hopfield network stores patterns in the couplings between its units and finds them again from a part: from half a
letter, or from one in which pixels are flipped. The rule by which the couplings are made decides how well. Letters
resemble each other, and Hebb's rule, which is made for random patterns, runs them together; the pseudo-inverse takes
out what they have in common. With it every letter is found from its right half and nearly every one under noise. Of the
other halves some are the same in two letters, or nearly, and no rule can tell these apart.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

from ebm import HopfieldNetwork

# %%
# Ten letters of 5 x 7 pixels, each pixel drawn twice in both directions: 140 units.

FONT = {
    "A": ".###. #...# #...# ##### #...# #...# #...#",
    "B": "####. #...# #...# ####. #...# #...# ####.",
    "E": "##### #.... #.... ####. #.... #.... #####",
    "H": "#...# #...# #...# ##### #...# #...# #...#",
    "K": "#...# #..#. #.#.. ##... #.#.. #..#. #...#",
    "M": "#...# ##.## #.#.# #.#.# #...# #...# #...#",
    "O": ".###. #...# #...# #...# #...# #...# .###.",
    "S": ".#### #.... #.... .###. ....# ....# ####.",
    "T": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "X": "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
}


def bitmap(drawing):
    """The drawing as a matrix of 0 and 1, twice as large."""
    small = np.array([[pixel == "#" for pixel in row] for row in drawing.split()], float)
    return np.kron(small, np.ones((2, 2)))


letters = np.array([bitmap(drawing).ravel() for drawing in FONT.values()])
SHAPE = (14, 10)
likeness = np.corrcoef(letters)[~np.eye(len(letters), dtype=bool)]
print(f"{len(letters)} letters, {letters.shape[1]} units; mean correlation {likeness.mean():.2f}")

# %%
# Probes: one half of each letter, the other unknown (NaN); and each letter ten times with 15 % of its pixels flipped.

images = letters.reshape(-1, *SHAPE)
UNKNOWN = {
    "right": np.s_[:, :, :5],
    "left": np.s_[:, :, 5:],
    "upper": np.s_[:, 7:, :],
    "lower": np.s_[:, :7, :],
}


def half(name):
    """That half of each letter, as probes."""
    probes = images.copy()
    probes[UNKNOWN[name]] = np.nan
    return probes.reshape(len(letters), -1)


def share_right(network, probes, truth):
    """Fraction of probes that are recalled to the last pixel."""
    return np.all(network.predict(probes) == truth, axis=1).mean()


rng = np.random.default_rng(0)
truth = np.repeat(letters, 10, axis=0)
noisy = np.where(rng.random(truth.shape) < 0.15, 1 - truth, truth)

warnings.filterwarnings("ignore", "Rule Hebb cannot store")  # Hebb's rule says so by itself
found = {}
print(f"{'letters right, from':20}" + "".join(f"{name:>8}" for name in [*UNKNOWN, "noise"]))
for rule in ("hebb", "pseudo_inverse"):
    network = HopfieldNetwork(rule, random_state=0).fit(letters)
    found[rule] = {name: share_right(network, half(name), letters) for name in UNKNOWN}
    found[rule]["noise"] = share_right(network, noisy, truth)
    print(f"{rule:20}" + "".join(f"{share:8.0%}" for share in found[rule].values()))

assert found["pseudo_inverse"]["right"] == 1 and found["pseudo_inverse"]["noise"] > 0.95
assert all(share < 0.5 for share in found["hebb"].values())

# %%
# What the network is shown, above, and what it makes of it, below. Grey is unknown.

shown = np.vstack([half("right")[[0, 2, 4, 6]], noisy[[15, 35, 75, 95]]])
recalled = network.predict(shown)
fig, axes = plt.subplots(2, len(shown), figsize=(9, 3), layout="constrained")
for column, pair in enumerate(zip(shown, recalled, strict=True)):
    for row, image in enumerate(pair):
        axes[row, column].imshow(
            np.nan_to_num(image, nan=0.5).reshape(SHAPE), cmap="gray_r", vmin=0, vmax=1
        )
        axes[row, column].set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("shown")
axes[1, 0].set_ylabel("recalled")
plt.show()

# %%
# The way there
# -------------
# Visited one after the other, all units are where they belong after a sweep or two. It is more of a show with Glauber's
# dynamics, which picks units at random, so that some have to wait; the energy falls with every flip all the same. From
# 30 % of flipped pixels, one picture for every 140 visits:

probe = np.where(rng.random(140) < 0.3, 1 - letters[2], letters[2])
network.set_params(update="glauber")
way = network.recall(probe[np.newaxis], trajectory=True)
assert np.array_equal(way.states[0], letters[2])
energies = way.trajectory_energies[:, 0]
print("energies along the way:", energies.round(2))
assert np.all(np.diff(energies) < 0)

fig, ax = plt.subplots(figsize=(2, 2.8))
image = ax.imshow(way.trajectory[0, 0].reshape(SHAPE), cmap="gray_r", vmin=0, vmax=1)
ax.set(xticks=[], yticks=[])


def draw(sweep):
    """The state after that many sweeps."""
    image.set_data(way.trajectory[sweep, 0].reshape(SHAPE))
    ax.set_title(f"sweep {sweep}, E = {energies[sweep]:.1f}", fontsize=8)
    return (image,)


animation = FuncAnimation(fig, draw, frames=len(energies), interval=700)
fig.canvas.draw()
plt.show()
