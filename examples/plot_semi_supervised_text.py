"""
=======================================================
Twenty labelled texts, and two thousand without a label
=======================================================

Most of what there is to know about a text classification problem is in texts that nobody has labelled: which words go
together. A restricted Boltzmann machine learns that from all of them, and a classifier that starts from it recognises
words that are in none of the labelled texts. In scikit-learn's convention ``y = -1`` marks the texts without a label;
they train the machine, in the middle of a pipeline, and are passed over after that.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from ebm import BernoulliRBM, MLPClassifier

# %%
# The texts
# ---------
# Short messages to four groups, generated, so that nothing has to be fetched: twelve words that everybody uses, and a
# few of the group's own, a fifth of which come from any group.

GROUPS = {
    "space": """
        orbit launch rocket satellite shuttle moon lunar mars planet telescope astronaut probe gravity crew
        mission payload comet solar station thruster capsule galaxy crater booster
    """,
    "medicine": """
        doctor patient disease symptom treatment drug dose vaccine infection clinical surgery diagnosis
        therapy blood virus hospital nurse tumour allergy fever insulin pulse antibody lesion
    """,
    "hockey": """
        puck goalie ice skate rink penalty playoff coach team season league score defenceman winger overtime
        stick referee period assist draft shutout faceoff arena captain
    """,
    "cars": """
        engine clutch brake gear tyre wheel dealer mileage fuel piston bumper exhaust gearbox driver torque
        sedan oil ignition axle diesel radiator steering odometer chassis
    """,
}
EVERYBODY = """
    the of and to in that it is was for on with as they at be this from have or by one had not but what all were
    when we there can an your which their said if do will each about how up out them then she many some so these
    would other into has more her two him see time could no make than first been its who now people my made over
    did down only way
"""
names = list(GROUPS)
vocabulary = [words.split() for words in GROUPS.values()]
everybody = EVERYBODY.split()
rng = np.random.default_rng(0)


def message(group):
    """One text."""
    words = list(rng.choice(everybody, 12))
    for _ in range(1 + rng.poisson(4)):
        source = group if rng.random() < 0.8 else rng.integers(len(names))
        words.append(rng.choice(vocabulary[source]))
    return " ".join(rng.permutation(words))


groups = rng.integers(0, 4, 3000)
texts = [message(group) for group in groups]
train, test, y_train, y_test = texts[:2000], texts[2000:], groups[:2000], groups[2000:]
print(f"{names[y_train[0]]}: {train[0]}")

# %%
# One pipeline
# ------------
# Words that occur or not are what binary units are for. ``pretraining`` is a parameter like any other, and its own
# parameters are reached through it.

pipeline = Pipeline(
    [
        ("words", CountVectorizer(binary=True, dtype=np.float32)),
        (
            "classifier",
            MLPClassifier(
                pretraining=BernoulliRBM(learning_rate=0.05, n_iter=20),
                learning_rate_init=0.003,
                batch_size=10,
                max_iter=60,
                n_iter_no_change=np.inf,
                random_state=0,
            ),
        ),
    ]
)


def some_labels(count, seed=0):
    """The classes of the training texts, -1 for all but `count` of them, as many of each group."""
    rng = np.random.default_rng(seed)
    known = np.concatenate(
        [rng.permutation(np.flatnonzero(y_train == c))[: count // 4] for c in range(4)]
    )
    y = np.full(len(y_train), -1)
    y[known] = y_train[known]
    return y


# %%
# A grid search over the size of the machine must not be scored by texts without a label: -1 is no class to be
# predicted. So the folds are those of the labelled texts, and the others are in the training part of each.

y = some_labels(40)
labelled, others = np.flatnonzero(y != -1), np.flatnonzero(y == -1)
folds = [
    (np.concatenate([labelled[train], others]), labelled[test])
    for train, test in StratifiedKFold(4, shuffle=True, random_state=0).split(labelled, y[labelled])
]
sizes = [5, 20, 40]
search = GridSearchCV(pipeline, {"classifier__pretraining__n_components": sizes}, cv=folds)
search.fit(train, y)
for size, score in zip(sizes, search.cv_results_["mean_test_score"], strict=True):
    print(f"{size:4d} hidden units: accuracy on labelled texts left out {score:.2f}")
best = search.best_estimator_
print(f"held-out accuracy with 40 labels and {search.best_params_}: {best.score(test, y_test):.3f}")

# %%
# What the machine has found, without a label: the words that go with each hidden unit.

words = best["words"].get_feature_names_out()
for weights in best["classifier"].pretraining_.components_[:10]:
    print("    " + ", ".join(words[np.argsort(-weights)[:7]]))

# %%
# More labels, fewer labels
# -------------------------
# The same words and labels for all three: logistic regression and a network, which see the labelled texts only, and the
# network that starts from what was found in all texts. Four draws of the labels.

alone = MLPClassifier(
    50, learning_rate_init=0.003, batch_size=10, max_iter=60, n_iter_no_change=np.inf
)
readers = {
    "pre-trained on all texts": best,
    "network, labelled texts only": Pipeline([best.steps[0], ("classifier", alone)]),
    "logistic regression, labelled texts only": Pipeline(
        [best.steps[0], ("classifier", LogisticRegression())]
    ),
}
counts, n_draws = [12, 40, 400], 4
scores = {name: np.empty((n_draws, len(counts))) for name in readers}
for draw in range(n_draws):
    for k, count in enumerate(counts):
        y = some_labels(count, seed=1 + draw)
        known = np.flatnonzero(y != -1)
        for name, reader in readers.items():
            if reader is best:
                reader.set_params(classifier__random_state=draw).fit(train, y)
            else:
                reader.fit([train[i] for i in known], y[known])
            scores[name][draw, k] = reader.score(test, y_test)

print(f"{'held-out accuracy, labels':42}" + "".join(f"{count:14d}" for count in counts))
for name, found in scores.items():
    print(f"{name:42}" + "".join(f"{s.mean():8.3f} +-{s.std():.2f}" for s in found.T))

# %%

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for name, found in scores.items():
    ax.errorbar(counts, found.mean(axis=0), found.std(axis=0), fmt="o-", capsize=3, label=name)
ax.axhline(0.25, color="gray", lw=0.8)
ax.set(xscale="log", xlabel="labelled texts", ylabel="held-out accuracy", ylim=(0.2, 1))
ax.set_xticks(counts, counts)
ax.minorticks_off()
ax.legend()
plt.show()

means = {name: found.mean(axis=0) for name, found in scores.items()}
assert (
    means["pre-trained on all texts"][:2] > 0.1 + means["network, labelled texts only"][:2]
).all()
