"""
===========================
Your table, start to finish
===========================

A table with columns of several kinds and with empty cells goes through one machine. :class:`~ebm.TableRBM` makes
features for a classifier, its settings are searched, and it fills the gaps and finds the odd rows. Each result stands
beside that of a simpler method.

The table is that of 442 diabetes patients (Efron et al. 2004). The column of sex holds words here, and 15 % of the
cells are empty.
"""

from io import StringIO
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import IsolationForest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ebm import FreeEnergyOutlierDetector, TableRBM

# %%
# A file with gaps
# ----------------
# The true cells are kept aside, to compare with later.

truth, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
truth["sex"] = truth["sex"].map({1.0: "A", 2.0: "B"})
rng = np.random.default_rng(0)
erased = rng.random(truth.shape) < 0.15
file = StringIO(truth.mask(erased).to_csv(index=False))

table = pd.read_csv(file)
print(table.head(4).to_string())

machine = TableRBM(random_state=0).fit(table)
print("\nkinds:", machine.kinds_)

# %%
# With and without the machine
# ----------------------------
# The classes are rows with a progression above and below the median. The pipeline without the machine needs an imputer
# and an encoder; the machine takes the frame as it is. For prediction alone it gains nothing here: the classes are
# nearly linear in the columns, and few rows are not enough for many features.

y = (progression > progression.median()).to_numpy()
numbers = make_pipeline(SimpleImputer(), StandardScaler())
words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(drop="if_binary"))
columns = make_column_transformer(
    (numbers, make_column_selector(dtype_include="number")),
    (words, make_column_selector(dtype_exclude="number")),
)
linear = LogisticRegression(max_iter=1000)
alone = make_pipeline(columns, linear)
features = make_pipeline(TableRBM(random_state=0), StandardScaler(), linear)
for name, pipeline in {"without": alone, "with": features}.items():
    accuracy = cross_val_score(pipeline, table, y, cv=3).mean()
    print(f"accuracy {name:7} the machine: {accuracy:.3f}")

# %%
# A search over settings
# ----------------------
# Settings of the machine and of the classifier are searched together. With `memory`, a machine is fitted once for all
# settings of the classifier.

grid = {"tablerbm__n_components": [16, 64], "logisticregression__C": [0.01, 0.1, 1.0]}
with TemporaryDirectory() as folder:
    features.set_params(memory=folder)
    search = GridSearchCV(features, grid, cv=3).fit(table, y)
print("best:", search.best_params_)
print(f"accuracy of the search: {search.best_score_:.3f}")

# %%
# Filling the gaps
# ----------------
# The error of numbers is in units of their standard deviations, over the erased cells.

real = truth.select_dtypes("number").columns
scale = table[real].std()
filled = {
    "mean": table[real].fillna(table[real].mean()),
    "5 nearest neighbors": pd.DataFrame(
        KNNImputer().fit_transform(table[real] / scale) * scale.to_numpy(), columns=real
    ),
    "TableRBM": machine.impute(table)[real],
}
gaps = pd.DataFrame(erased, columns=truth.columns)[real].to_numpy()
z_true = (truth[real] / scale).to_numpy()[gaps]
for name, frame in filled.items():
    error = np.sqrt(np.mean(((frame / scale).to_numpy()[gaps] - z_true) ** 2))
    print(f"root of the mean squared error, {name:20} {error:.3f}")
sex = machine.impute(table)["sex"][erased[:, truth.columns.get_loc("sex")]]
print(f"accuracy of sex: {(sex == truth['sex'][sex.index]).mean():.2f}", end=", ")
print(f"by the most frequent: {(truth['sex'][sex.index] == table['sex'].mode()[0]).mean():.2f}")

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharex=True, sharey=True, layout="constrained")
middle = (table[real].mean() / scale).to_numpy()
for ax, (name, frame) in zip(axes, filled.items(), strict=True):
    cells = ((frame / scale).to_numpy() - middle)[gaps]
    ax.plot(z_true - np.broadcast_to(middle, gaps.shape)[gaps], cells, ".", ms=3, alpha=0.5)
    ax.plot([-3, 3], [-3, 3], color="0.6", lw=1)
    ax.set(title=name, xlabel="true cell", xlim=(-3, 4), ylim=(-3, 4))
axes[0].set_ylabel("filled cell (standard deviations)")

# %%
# Rows that are unlike the others
# -------------------------------
# Three quarters of the rows train a detector. Of the others, copies with two columns from other rows are odd: each cell
# is ordinary, their combination is not.

train, test = train_test_split(truth, random_state=0)
odd = test.copy()
for name in ("s2", "s4"):
    odd[name] = odd[name].to_numpy()[rng.permutation(len(odd))]
both = pd.concat([test, odd])
is_odd = np.repeat([0, 1], len(test))

detector = FreeEnergyOutlierDetector(random_state=0).fit(train)
forest = make_pipeline(columns, IsolationForest(random_state=0)).fit(train)
scores = {
    "free energy": detector.score_samples(both),
    "isolation forest": forest.score_samples(both),
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, (name, score) in zip(axes, scores.items(), strict=True):
    area = roc_auc_score(is_odd, -score)
    print(f"area under the ROC curve, {name:17} {area:.3f}")
    bins = np.linspace(*np.quantile(score, [0.01, 1]), 30)
    for value, label in enumerate(("rows as they are", "two columns exchanged")):
        ax.hist(score[is_odd == value], bins, alpha=0.6, label=label)
    ax.set(title=f"{name}: area {area:.2f}", xlabel="score (low is odd)", ylabel="rows")
axes[0].legend()
plt.show()
