"""Images of digits with words: a deep Boltzmann machine of two modalities beside classifiers of each word.

    python benchmarks/multimodal.py [--rows 10000] [--test 2000] [--smoke] [--validate]

Each row is an image of MNIST in black and white (pixels above one half) and a bag of 200 words. 16 words are true
ones: the name of the digit, its parity, and "round", "straight", "loop" and "prime" where they hold. Each true word is
left out with probability 0.1, and then one of its misspellings stands there instead. Each of the 184 misspellings also
appears by chance, with probability 0.01. Seeds are fixed.

- *Words from images*: the words of test images are ranked by the mean field given the pixels alone. Precision is the
  share of true words of the image among the first ones, as many as it has true words. Beside it a logistic regression
  for each word, on the pixels.
- *Images from words*: samples of pixels given the words of test rows. A network trained on real training images
  classifies them, and its error is counted.
- *Half of the training rows lack a modality*, one quarter the words and one quarter the image. The machine learns from
  all rows, the regressions from the rows that have both.

``--sizes`` are those of two layers of the image, of which the second may be zero, of the words and of the topmost one.
``--validate`` takes training rows that are not used otherwise in the place of test rows: settings were chosen by it.
MNIST comes through scikit-learn's ``fetch_openml`` (``SCIKIT_LEARN_DATA`` names its cache). ``--smoke`` takes the
digits of scikit-learn in the place of MNIST.
"""

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np
from deep_quality import Digits, mnist
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_info

from ebm import BernoulliRBM, MultimodalDBM, PersistentContrastiveDivergence

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
KINDS = {
    "even": {0, 2, 4, 6, 8},
    "odd": {1, 3, 5, 7, 9},
    "round": {0, 3, 6, 8, 9},
    "straight": {1, 4, 7},
    "loop": {0, 6, 8, 9},
    "prime": {2, 3, 5, 7},
}
N_WORDS, SWAPPED, NOISE = 200, 0.1, 0.01
N_TRUE = len(NAMES) + len(KINDS)


class Data(NamedTuple):
    """Bits of images, words, which words are true, and the digits."""

    images: np.ndarray
    words: np.ndarray
    true: np.ndarray
    y: np.ndarray


def true_words(y: np.ndarray) -> np.ndarray:
    """Which of the true words hold for each digit: (rows, 16)."""
    holds = [np.eye(10)[y], *(np.isin(y, list(kind))[:, np.newaxis] for kind in KINDS.values())]
    return np.hstack(holds).astype(bool)


def words_of(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bags of words (rows, 200): the true ones first, then their misspellings in turn."""
    true = true_words(y)
    words = rng.random((len(y), N_WORDS)) < NOISE
    swapped = true & (rng.random(true.shape) < SWAPPED)
    words[:, :N_TRUE] = true & ~swapped
    rows, which = np.nonzero(swapped)
    n_spellings = (N_WORDS - N_TRUE - 1 - which) // N_TRUE + 1
    spelling = (rng.random(len(rows)) * n_spellings).astype(int)
    words[rows, N_TRUE + which + N_TRUE * spelling] = True
    return words.astype(np.float32)


def data(digits: Digits, n_rows: int, n_test: int, validate: bool) -> tuple[Data, Data]:
    """Training and test rows."""
    if validate:
        some = slice(n_rows, n_rows + n_test)
        digits = Digits(digits.X, digits.y, digits.X[some], digits.y[some])
    pairs = [
        (digits.X[:n_rows], digits.y[:n_rows]),
        (digits.X_test[:n_test], digits.y_test[:n_test]),
    ]
    made = []
    for seed, (X, y) in enumerate(pairs):
        images, y = (X > 0.5).astype(np.float32), y.astype(int)
        words = words_of(y, np.random.default_rng(seed))
        made.append(Data(images, words, true_words(y), y))
    return made[0], made[1]


def precision(scores: np.ndarray, true: np.ndarray) -> float:
    """The mean share of true words among the first ones, as many as there are."""
    order = np.argsort(-scores, axis=1, kind="stable")
    whole = np.zeros(scores.shape, bool)
    whole[:, :N_TRUE] = true
    ranked = np.take_along_axis(whole, order, axis=1)
    shares = [row[:n].mean() for row, n in zip(ranked, true.sum(axis=1), strict=True)]
    return float(np.mean(shares))


def machine(n_pixels: int, arguments: argparse.Namespace) -> MultimodalDBM:
    """The deep machine, whose settings were chosen on validation rows."""
    chains = PersistentContrastiveDivergence(n_chains=100)
    shared = {"batch_size": 100, "gradient": chains, "random_state": 0}
    part = {**shared, "n_iter": arguments.epochs[0], "learning_rate": arguments.rates[0]}
    *image, words, top = arguments.sizes
    modalities = [
        ("image", [BernoulliRBM(n, **part) for n in image if n], slice(0, n_pixels)),
        ("words", [BernoulliRBM(words, **part)], slice(n_pixels, None)),
    ]
    return MultimodalDBM(
        modalities,
        top=BernoulliRBM(top, **part),
        n_iter=arguments.epochs[1],
        learning_rate=arguments.rates[1],
        n_sweeps=arguments.sweeps,
        verbose=arguments.verbose,
        **shared,
    )


def joined(rows: Data) -> np.ndarray:
    return np.hstack([rows.images, rows.words])


def words_from_images(dbm: MultimodalDBM, test: Data) -> float:
    """Precision of the means of the words given the pixels."""
    rows = joined(test)
    rows[:, test.images.shape[1] :] = np.nan
    return precision(dbm.reconstruct(rows)[:, test.images.shape[1] :], test.true)


def regressions(images: np.ndarray, words: np.ndarray, test: Data) -> float:
    """Precision of a logistic regression for each word."""
    scores = np.zeros((len(test.y), N_WORDS))
    for k in range(N_WORDS):
        if len(np.unique(words[:, k])) > 1:
            some = LogisticRegression(C=0.01, max_iter=200).fit(images, words[:, k])
            scores[:, k] = some.predict_proba(test.images)[:, 1]
    return precision(scores, test.true)


def images_from_words(dbm: MultimodalDBM, test: Data, judge: MLPClassifier, n_steps: int) -> float:
    """Error of the judge on samples of pixels given the words."""
    n_pixels = test.images.shape[1]
    given = joined(test)
    given[:, :n_pixels] = np.nan
    drawn = dbm.sample(len(given), n_steps=n_steps, given=given, random_state=1)[:, :n_pixels]
    return float(np.mean(judge.predict(drawn) != test.y))


def main() -> None:
    parser = argparse.ArgumentParser(description="Images with words.")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--test", type=int, default=2_000)
    parser.add_argument("--epochs", type=int, nargs=2, default=(20, 20))
    parser.add_argument("--rates", type=float, nargs=2, default=(0.05, 0.01))
    parser.add_argument("--sizes", type=int, nargs=4, default=(300, 150, 100, 150))
    parser.add_argument("--sweeps", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--verbose", type=int, default=0)
    parser.add_argument("--only", choices=["whole", "torn"])
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--skip-regressions", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    print(sorted({str(x.get("architecture")) for x in threadpool_info()}), vars(arguments))
    if arguments.smoke:
        X, y = load_digits(return_X_y=True)
        digits = Digits(X[:1200] / 16, y[:1200], X[1200:] / 16, y[1200:])
        arguments.rows, arguments.epochs = 1200, (5, 5)
    else:
        digits = mnist()
    train, test = data(digits, arguments.rows, arguments.test, arguments.validate)
    n_pixels = train.images.shape[1]
    judge = MLPClassifier((100,), max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge.fit(train.images, train.y)
    print(f"judge: error {np.mean(judge.predict(test.images) != test.y):.4f} on real test images")
    lacks = np.random.default_rng(2).permutation(len(train.y)) % 4
    both = lacks > 1
    for name, rows in (("whole", np.ones(len(lacks), bool)), ("torn", both)):
        if arguments.only not in (None, name):
            continue
        X = joined(train)
        if name == "torn":
            X[lacks == 0, n_pixels:] = np.nan
            X[lacks == 1, :n_pixels] = np.nan
        begun = time.process_time()
        dbm = machine(n_pixels, arguments).fit(X)
        seconds = time.process_time() - begun
        found = words_from_images(dbm, test)
        wrong = images_from_words(dbm, test, judge, arguments.steps)
        linear = np.nan
        if not arguments.skip_regressions:
            linear = regressions(train.images[rows], train.words[rows], test)
        print(
            f"{name}: precision {found:.4f} (regressions {linear:.4f}), error of the judge on images from words "
            f"{wrong:.4f}, {seconds:.0f} s of training",
            flush=True,
        )


if __name__ == "__main__":
    main()
