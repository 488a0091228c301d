"""
===========================================================
Hidden units learn what no pair of visible units gives away
===========================================================

A row of eight random pixels, the same row again, shifted by one to the left, by one to the right or not at all, and
three units that say which: the shifter of Ackley, Hinton and Sejnowski (1985). Of the shift no two units know
anything, for each pixel is as often lit under every label; it shows in three units at a time, one pixel of either row
and a label. So the best machine without hidden units, whose couplings match all correlations of pairs, can only guess.
Hidden units make the difference, here in the size of the original: 19 visible units and 24 hidden ones, learned by
persistent chains. Likelihoods are exact, since hidden units that are not connected to each other are summed out.
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from ebm import BoltzmannMachine, MaximumLikelihood, PersistentContrastiveDivergence

# %%
# All 768 possible rows, of which a quarter is held out. Their distribution, which is uniform, sets the limit of the
# log-likelihood. Rows that are all lit or all dark look the same under every shift, and stripes under two of them,
# which sets the limit of telling the labels from the pixels.

N = 8
LABELS = np.eye(3)
first = np.array(list(product([0.0, 1.0], repeat=N)))
X = np.concatenate(
    [
        np.hstack([first, np.roll(first, shift, axis=1), np.tile(label, (len(first), 1))])
        for shift, label in zip((-1, 0, 1), LABELS, strict=True)
    ]
)
held_out = np.random.default_rng(0).random(len(X)) < 0.25
train, test = X[~held_out], X[held_out]
ceiling = -np.log(len(X))
decidable = len(np.unique(X[:, : 2 * N], axis=0)) / len(X)

with_labels = np.cov(X.T)[2 * N :, : 2 * N]
print(f"largest covariance of a label with a pixel   {abs(with_labels).max():.1e}")
print(f"log-likelihood, at most                      {ceiling:.2f} nats")
print(f"largest possible accuracy of the labels      {decidable:.3f}")

# %%
# A machine without hidden units is solved exactly. One label is always on, which would need infinite couplings; a small
# l2 keeps them finite. With hidden units, visible ones may be connected to any unit, but hidden ones not to each other.


def joined(n_hidden):
    """Mask of the pairs that are coupled: all, but for two hidden units."""
    hidden = np.arange(X.shape[1] + n_hidden) >= X.shape[1]
    mask = ~np.logical_and.outer(hidden, hidden)
    np.fill_diagonal(mask, False)
    return mask


def learned(n_hidden):
    """The machine with that many hidden units, fitted to the training rows."""
    if not n_hidden:
        return BoltzmannMachine(gradient=MaximumLikelihood(l2=1e-3)).fit(train)
    return BoltzmannMachine(
        n_hidden,
        mask=joined(n_hidden),
        gradient=PersistentContrastiveDivergence(n_steps=5, n_chains=500),
        optimizer="adam",
        learning_rate=0.03,
        schedule="linear",
        batch_size=50,
        n_iter=150,
        random_state=0,
    ).fit(train)


def told_right(machine, rows):
    """Share of rows of which the most probable label, given the pixels, is the true one."""
    pixels = rows[:, : 2 * N]
    free_energies = [
        machine.free_energy(np.hstack([pixels, np.tile(label, (len(rows), 1))])) for label in LABELS
    ]
    return np.mean(np.argmin(free_energies, axis=0) == rows[:, 2 * N :].argmax(axis=1))


counts = [0, 6, 12, 24]
machines = {n_hidden: learned(n_hidden) for n_hidden in counts}
likelihood = {n: machine.log_likelihood(test).mean() for n, machine in machines.items()}
accuracy = {n: told_right(machine, test) for n, machine in machines.items()}
print("\nhidden units   held-out log-likelihood (exact)   accuracy of the labels")
for n_hidden in counts:
    print(f"{n_hidden:12}   {likelihood[n_hidden]:22.2f} nats   {accuracy[n_hidden]:22.3f}")
chance = 1 / 3 + 3 * np.sqrt(2 / 9 / len(test))
assert accuracy[0] < chance and accuracy[24] > 0.97
assert likelihood[0] + 1 < likelihood[24] < ceiling

# %%
# A Boltzmann machine has no inputs and outputs. The same one, with the first row and a label clamped, draws the second
# row. Its distribution is broader than that of the data, as the likelihood says. At half the temperature the samples
# are closer to its most probable states.

machine = machines[24]
given = test.copy()
given[:, N : 2 * N] = np.nan
print("\npixels of the second row drawn right")
for beta in (1.0, 2.0):
    drawn = machine.sample(len(test), n_steps=200, given=given, beta=beta, random_state=0)
    right = np.mean((drawn == test)[:, N : 2 * N])
    print(f"    beta = {beta:.0f}   {right:.3f}")
assert right > 0.9

# %%
# All hidden units together say how much evidence it is for a label that pixel i of the first row and pixel j of the
# second are equal. On pictures of pure noise, this is the correlation between the log-odds of the label and the
# agreement of the two pixels. The three diagonals are the three shifts.

noise = np.random.default_rng(1).integers(0, 2, (20000, 2 * N)).astype(float)
log_p = [-machine.free_energy(np.hstack([noise, np.tile(label, (20000, 1))])) for label in LABELS]
log_odds = np.array(log_p) - np.mean(log_p, axis=0)
signs = 2 * noise - 1
alike = signs[:, :N, np.newaxis] * signs[:, np.newaxis, N:]
evidence = np.tensordot(log_odds, alike, axes=1) / len(noise)

SHIFTS, pixel = (-1, 0, 1), np.arange(N)
lines = [[np.mean(found[pixel, (pixel + k) % N]) for k in SHIFTS] for found in evidence]
print(
    "\nevidence for each label (rows), averaged over the pairs that each shift makes (columns), in nats"
)
print(np.round(lines, 2))
assert (np.array(lines) * (2 * np.eye(3) - 1) > 0).all() and np.diag(lines).min() > 0.2

# %%

fig = plt.figure(figsize=(10, 3.6), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 2])
top, bottom = left.subplots(2, 1, sharex=True)
top.axhline(ceiling, color="black", linestyle=":", label="the distribution of the data")
top.plot(counts, [likelihood[n] for n in counts], marker="o")
top.set(ylabel="log-likelihood")
top.legend(loc="lower right", fontsize=8)
bottom.axhline(1 / 3, color="black", linestyle=":", label="chance")
bottom.plot(counts, [accuracy[n] for n in counts], marker="o")
bottom.set(xlabel="hidden units", ylabel="accuracy", xticks=counts, ylim=(0.25, 1.05))
bottom.legend(loc="lower right", fontsize=8)

limit = abs(evidence).max()
axes = right.subplots(1, 3)
for ax, name, image in zip(
    axes, ("shifted to the left", "not shifted", "shifted to the right"), evidence, strict=True
):
    drawn = ax.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=name, xlabel="pixel of row 2", xticks=[], yticks=[])
axes[0].set_ylabel("pixel of row 1")
right.colorbar(drawn, ax=axes, label="evidence that pixels are equal (nats)", shrink=0.7)
plt.show()
