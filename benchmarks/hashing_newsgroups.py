"""Semantic hashing of 20 newsgroups: documents of the same group among those with the nearest binary codes.

    python benchmarks/hashing_newsgroups.py FOLDER [choose] [report] [--csv FOLDER] [--quick]

The folder has `train.feat` and `test.feat`, one document a line as "1 word:count word:count ...", words numbered from
one: 11 259 and 7 488 documents of the version that is split by date, with 1995 words. The lines do not name the group.
They are sorted by it, and the sizes of the groups in the whole collection are known; a few documents without any of
the words are left out. A group ends where the likelihood of the words, multinomial in each group, is largest.

Each test document is a query, for which the training documents are ranked. The precision at 100 is the mean share of
those in the first 100 that are of the query's group. Words are weighted by TF-IDF, of logarithmic counts, with the
training documents' frequencies. They are ranked by the cosine of these weights, of their singular vectors (LSA), and
by the Hamming distance of the codes of autoencoders.

choose    settings of the autoencoders, on a fifth of the training documents that are held out as queries
report    what was chosen, on the test documents, with the whole curve of precision by the number of retrieved documents
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from autoencoder_quality import say
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from ebm import Autoencoder, HammingIndex

N_WORDS, NEAREST = 1995, 100
# Documents of each group in the whole collection, in the order of the groups' names.
# fmt: off
SIZES = {
    "train": (480, 584, 591, 590, 578, 593, 585, 594, 598, 597, 600, 595, 591, 594, 593, 599, 546, 564, 465, 377),
    "test": (319, 389, 394, 392, 385, 395, 390, 396, 398, 397, 399, 396, 393, 396, 394, 398, 364, 376, 310, 251),
}
# fmt: on
# How far the end of a group can be from where the sizes put it.
SHIFT = 80
CHOSEN: dict[str, Any] = {"hidden": (500,), "code_noise": 2.0, "max_iter": 30}
RETRIEVED = (1, 3, 10, 30, 100, 300, 1000, 3000)


class Documents(NamedTuple):
    """Counts of words (documents, words), CSR, and the numbers of the groups."""

    counts: Any
    group: np.ndarray


def read(path: Path) -> Any:
    """Counts of words."""
    indptr, indices, counts = [0], [], []
    for line in path.read_text().splitlines():
        pairs = [word.split(":") for word in line.split()[1:]]
        indices += [int(word) - 1 for word, _ in pairs]
        counts += [float(count) for _, count in pairs]
        indptr.append(len(indices))
    return sparse.csr_array((counts, indices, indptr), shape=(len(indptr) - 1, N_WORDS))


def group_ends(counts: Any, sizes: tuple[int, ...]) -> np.ndarray:
    """Where each group ends, by the likelihood of the words of the documents around."""
    n = counts.shape[0]
    expected = np.round(np.cumsum((0, *sizes)) * n / sum(sizes)).astype(int)
    ends = expected.copy()
    for _ in range(20):
        totals = [counts[a:b].sum(axis=0) + 0.5 for a, b in pairwise(ends)]
        logs = np.log([x / x.sum() for x in totals])
        sums = np.vstack([np.zeros(len(sizes)), np.cumsum(counts @ logs.T, axis=0)])
        before = ends.copy()
        for k in range(1, len(sizes)):
            places = np.arange(max(expected[k] - SHIFT, 1), min(expected[k] + SHIFT, n))
            ends[k] = places[np.argmax(sums[places, k - 1] - sums[places, k])]
        if (ends == before).all():
            break
    return ends


def documents(folder: Path, part: str) -> Documents:
    """Training or test documents."""
    counts = read(folder / f"{part}.feat")
    ends = group_ends(counts, SIZES[part])
    return Documents(counts, np.repeat(np.arange(len(ends) - 1), np.diff(ends)))


class Task(NamedTuple):
    """Weighted words (documents, words), CSR, of the documents that are ranked and of the queries, and their groups."""

    base: Any
    queries: Any
    group: np.ndarray
    wanted: np.ndarray


def task(base: Documents, queries: Documents, **settings: Any) -> Task:
    """Words weighted by TF-IDF."""
    weights = TfidfTransformer(**settings).fit(base.counts)
    rows = (
        sparse.csr_array(weights.transform(x.counts)).astype(np.float32) for x in (base, queries)
    )
    return Task(*rows, base.group, queries.group)


def cosine_order(base: Any, queries: Any, n: int) -> Iterator[np.ndarray]:
    """Documents by the cosine with each query, block by block."""
    base, queries = normalize(base), normalize(queries)
    for start in range(0, queries.shape[0], 500):
        likeness = queries[start : start + 500] @ base.T
        likeness = likeness.toarray() if sparse.issparse(likeness) else likeness
        yield np.argsort(-likeness, axis=1, kind="stable")[:, :n]


def hamming_order(base: np.ndarray, queries: np.ndarray, n: int) -> Iterator[np.ndarray]:
    """Documents by the Hamming distance from each query, block by block."""
    index = HammingIndex(base, packed=True)
    for start in range(0, len(queries), 500):
        yield index.kneighbors(queries[start : start + 500], n)[1]


def precision(asked: Task, order: Iterator[np.ndarray], at: tuple[int, ...]) -> list[float]:
    """Mean share of documents of the query's group among the first ones."""
    hits = np.zeros(max(at))
    start = 0
    for rows in order:
        wanted = asked.wanted[start : start + len(rows), np.newaxis]
        hits += (asked.group[rows] == wanted).sum(axis=0)
        start += len(rows)
    return [float(hits[:n].sum() / n / start) for n in at]


def coder_for(n_bits: int, hidden: tuple[int, ...], **settings: Any) -> Any:
    """An autoencoder of words: the prediction is a distribution over the words."""
    return Autoencoder(
        (*hidden, n_bits),
        [*["relu"] * len(hidden), "logistic"],
        loss="cross_entropy",
        early_stopping=False,
        n_iter_no_change=np.inf,
        random_state=0,
        **settings,
    )


def hashed(asked: Task, coder: Any, at: tuple[int, ...]) -> list[float]:
    """Precision of the bits of an autoencoder."""
    coder.fit(asked.base)
    codes = (coder.bits(rows, packed=True) for rows in (asked.base, asked.queries))
    return precision(asked, hamming_order(*codes, max(at)), at)


def choose(train: Documents) -> None:
    """Precision at 100 of held-out training documents with different settings."""
    parts = train_test_split(
        np.arange(len(train.group)), test_size=0.2, random_state=0, stratify=train.group
    )
    base, queries = (Documents(train.counts[k], train.group[k]) for k in parts)
    asked = task(base, queries, sublinear_tf=True)
    for sublinear in (False, True):
        plain = task(base, queries, sublinear_tf=sublinear)
        found = precision(plain, cosine_order(plain.base, plain.queries, NEAREST), (NEAREST,))
        say(f"TF-IDF, sublinear_tf={sublinear}: {found[0]:.3f}")
    tried: list[dict[str, Any]] = [{}, {"code_noise": 1.0}, {"code_noise": 4.0}, {"hidden": ()}]
    for n_bits in (32, 128):
        for changed in tried:
            begun = time.process_time()
            coder = coder_for(n_bits, **{**CHOSEN, **changed})
            found = hashed(asked, coder, (NEAREST,))
            seconds = time.process_time() - begun
            say(f"{n_bits} bits, {changed or CHOSEN}: {found[0]:.3f} ({seconds:.0f} s)")


def report(train: Documents, test: Documents, csv: str | None, quick: bool) -> None:
    """Precision of test documents."""
    asked = task(train, test, sublinear_tf=True)
    curves = {
        "TF-IDF": precision(
            asked, cosine_order(asked.base, asked.queries, RETRIEVED[-1]), RETRIEVED
        )
    }
    for n in (32, 128):
        vectors = TruncatedSVD(n, random_state=0).fit(asked.base)
        rows = (vectors.transform(x) for x in (asked.base, asked.queries))
        curves[f"LSA, {n} numbers"] = precision(
            asked, cosine_order(*rows, RETRIEVED[-1]), RETRIEVED
        )
    settings = {**CHOSEN, **({"max_iter": 2} if quick else {})}
    for n in (32, 128):
        begun = time.process_time()
        curves[f"{n} bits"] = hashed(asked, coder_for(n, **settings), RETRIEVED)
        say(f"{n} bits: {time.process_time() - begun:.0f} s of processor time")
    table = pd.DataFrame(curves, index=pd.Index(RETRIEVED, name="retrieved")).round(3)
    say(table.to_string())
    if csv:
        table.to_csv(Path(csv) / "hashing_newsgroups.csv")


def main() -> None:
    """The tasks that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("tasks", nargs="*", default=["report"])
    parser.add_argument("--csv", help="folder for the table of the documentation")
    parser.add_argument("--quick", action="store_true", help="two epochs, which say nothing")
    asked = parser.parse_args()
    if set(asked.tasks) - {"choose", "report"}:
        parser.error(f"tasks are choose and report, not {asked.tasks}")
    warnings.simplefilter("ignore")
    train = documents(asked.folder, "train")
    if "choose" in asked.tasks:
        choose(train)
    if "report" in asked.tasks:
        report(train, documents(asked.folder, "test"), asked.csv, asked.quick)


if __name__ == "__main__":
    main()
