"""
==========================================
A tenth of the weights does almost as well
==========================================

Which weights of a trained network can be taken away? *Optimal brain damage* asks how much the loss would rise, by the
second derivatives, and removes those for which that is the least. The obvious rule is to remove the smallest; it knows
nothing of how large the inputs are, or of whether anything depends on the output. Here both take away a quarter of what
is left, again and again, and train on for ten epochs in between.
"""

import copy
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ebm import MLPClassifier
from ebm.networks.pruning import pruned

# With hardly any weights left, a network guesses.
warnings.filterwarnings("ignore", ".*no better than a constant")

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)

# %%
# One hidden layer of 60 rectifiers, which is 4440 weights, and five seeds.

N_SEEDS = 5


def trained(seed):
    """The network with all its weights; it goes on from where it is when it is fitted again."""
    mlp = MLPClassifier(
        60,
        learning_rate_init=0.003,
        batch_size=50,
        max_iter=40,
        n_iter_no_change=np.inf,
        warm_start=True,
        random_state=seed,
    )
    return mlp.fit(X_train, y_train)


start = [trained(seed) for seed in range(N_SEEDS)]
full = np.array([mlp.score(X_test, y_test) for mlp in start])
n_weights = sum(w.size for w in start[0].coefs_)
print(f"{n_weights} weights, held-out accuracy {full.mean():.3f} +- {full.std():.3f}")


# %%
# Three orders in which weights go. The method ``prune`` takes the saliencies; the function behind it takes any.


def remove(mlp, fraction, by, rng):
    """Take away that share of the weights there are, in place."""
    if by == "saliency":
        mlp.prune(fraction, X_train, y_train)
        return
    order = [np.abs(w) if by == "magnitude" else rng.random(w.shape) for w in mlp.coefs_]
    mlp.network_, params = pruned(mlp.network_, mlp.layer_params_, order, fraction)
    mlp.coefs_ = mlp.network_.weights(params)


WAYS = ("saliency", "magnitude", "random")

# %%
# At once, and without training
# -----------------------------

shares = np.array([0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
at_once = {}
for way in WAYS:
    at_once[way] = np.empty((N_SEEDS, len(shares)))
    for seed, mlp in enumerate(start):
        for k, share in enumerate(shares):
            cut = copy.deepcopy(mlp)
            remove(cut, share, way, np.random.default_rng(seed))
            at_once[way][seed, k] = cut.score(X_test, y_test)

print("\nweights left, removed at once" + "".join(f"{1 - share:9.0%}" for share in shares))
for way, scores in at_once.items():
    print(f"    {way:25}" + "".join(f"{score:9.3f}" for score in scores.mean(axis=0)))

# %%
# In rounds
# ---------
# A quarter of what is left goes in each round. The network is looked at right after that, and after ten epochs more.

N_ROUNDS = 14
left = 0.75 ** np.arange(1, N_ROUNDS + 1)
cut_scores, trained_scores = ({way: np.empty((N_SEEDS, N_ROUNDS)) for way in WAYS} for _ in "12")
for way in WAYS:
    for seed, mlp in enumerate(start):
        rng, mlp = np.random.default_rng(seed), copy.deepcopy(mlp).set_params(max_iter=10)
        for number in range(N_ROUNDS):
            remove(mlp, 0.25, way, rng)
            cut_scores[way][seed, number] = mlp.score(X_test, y_test)
            mlp.fit(X_train, y_train)
            trained_scores[way][seed, number] = mlp.score(X_test, y_test)

looks = [3, 6, 7, 8, 9, 10, 11, 13]
print("\nweights left, removed in rounds" + "".join(f"{left[k]:9.1%}" for k in looks))
for way in WAYS:
    for name, scores in {"before": cut_scores[way], "trained on": trained_scores[way]}.items():
        print(f"    {way:12}{name:15}" + "".join(f"{s:9.3f}" for s in scores.mean(axis=0)[looks]))

# %%

fig, (one, many) = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained", sharey=True)
for number, way in enumerate(WAYS):
    color = f"C{number}"
    one.errorbar(
        1 - shares,
        at_once[way].mean(axis=0),
        at_once[way].std(axis=0),
        fmt="o-",
        capsize=3,
        label=way,
    )
    many.errorbar(
        left,
        trained_scores[way].mean(axis=0),
        trained_scores[way].std(axis=0),
        fmt="o-",
        color=color,
        capsize=3,
        label=way,
    )
    many.plot(left, cut_scores[way].mean(axis=0), ":", color=color)
for ax in (one, many):
    ax.axhline(full.mean(), color="gray", linewidth=0.8)
    ax.invert_xaxis()
one.set(xlabel="share of weights left", ylabel="held-out accuracy", title="at once, no training")
many.set(xscale="log", xlabel="share of weights left", title="in rounds, trained in between")
many.set_xticks([0.5, 0.2, 0.1, 0.05, 0.02], ["50 %", "20 %", "10 %", "5 %", "2 %"])
many.minorticks_off()
one.legend()
many.text(0.03, 0.03, "dotted: before training on", transform=many.transAxes)
plt.show()

# %%
# At once, half of the weights go unnoticed, and beyond seven tenths neither order is of much use: saliencies say what
# *small* changes cost. In small steps, with training in between, they are worth more the fewer weights there are. They
# also disturb the network less: the dotted lines are before the ten epochs.

means = {way: scores.mean(axis=0) for way, scores in trained_scores.items()}
assert full.mean() - at_once["saliency"].mean(axis=0)[2] < 0.01
assert full.mean() - means["saliency"][7] < 0.02  # with a tenth of the weights
assert (means["saliency"][8:12] > means["magnitude"][8:12] + 0.02).all()
assert (means["magnitude"][6:12] > means["random"][6:12]).all()
