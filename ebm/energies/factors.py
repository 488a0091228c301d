"""Factors: Gaussian hidden units of variance one, by which Gaussian columns depend linearly on each other.

With the variances psi_i of the columns x and the weights U_ik = W_ik / psi_i of the factors f,

    E(x, f) = (x - b)' Psi^-1 (x - b) / 2 + f'f / 2 - x'U f,        Psi = diag(psi),

the columns alone are normal with the precision P = Psi^-1 - U U'. Their covariance is that of factor analysis,

    P^-1 = Psi + L L',    U = Psi^-1 L G^(-1/2),    G = I + L' Psi^-1 L,

by the identity of Woodbury. The factors given the columns are those of factor analysis, in units in which their
variance is one. A distribution exists where no singular value s of W_ik / sqrt(psi_i) reaches one. The columns vary
1 / (1 - s^2) times as much along its direction as they would alone: that is a *spike* of their covariance in units of
psi.

Learning
--------
Where columns nearly depend on each other, a small step of U or of the biases moves the distribution far along these
directions, by 1 / (1 - s^2). So their steps are taken elsewhere:

- the biases as those of the means of the columns: a step B of the means is one of Psi P B = (I - W U') B of the biases;
- the factors in L and log psi, along the way of the EM algorithm of factor analysis (Rubin & Thayer 1982). With D the
  difference of the second moments of x between data and model, the step of EM is at first order

    of L:    Psi P D U G^(-1/2),        of psi_i:    psi_i^2 (P D P)_ii.

  Both take no more of D than the gradients by U, which are D U, and by the variances at fixed U, which are
  D_ii / (2 psi_i). From any L and positive psi there is a distribution. The steps are smaller where other hidden units
  explain most of the variance, by its share that is left: D is then mostly their noise.
"""

from typing import NamedTuple

import numpy as np

from ebm._checks import Array

# Largest spike: chains of Gibbs sampling need about so many steps from one end of it to the other. On five tables that
# chose it, 30 was better than 100 and 1000.
LARGEST_SPIKE = 30.0
# The smallest spike that asks for a factor (:func:`count_factors`), and how many there are at most.
LEAST_SPIKE, MOST_FACTORS = 10.0, 10
# Largest factor of a variance in one step.
LARGEST_FACTOR = 2.0


class Factors(NamedTuple):
    """Variances psi (n,) of columns and weights W (n, n_factors)."""

    psi: Array
    W: Array

    @property
    def U(self) -> Array:
        """By which the states themselves are multiplied."""
        return self.W / self.psi[:, np.newaxis]

    @property
    def scaled(self) -> Array:
        """W in units of psi: of its singular values none is one."""
        return self.W / np.sqrt(self.psi)[:, np.newaxis]

    def of_means(self, step: Array) -> Array:
        """(I - W U') `step`: a step of the means (n, ...) as one of the biases."""
        moved: Array = step - self.W @ (self.U.T @ step)
        return moved

    def loadings(self) -> tuple[Array, Array]:
        """L (n, n_factors) and G^(-1/2) (n_factors, n_factors)."""
        squares, right = np.linalg.eigh(self.scaled.T @ self.scaled)
        rest = np.maximum(1 - squares, 1 / LARGEST_SPIKE)
        L: Array = self.W @ ((right / np.sqrt(rest)) @ right.T)
        return L, (right * np.sqrt(rest)) @ right.T

    def moved(self, gradient: Array, slopes: Array, variance: Array, rate: float) -> "Factors":
        """After a step of learning.

        Parameters
        ----------
        gradient : ndarray of shape (n, n_factors)
            Of the log-likelihood by W.
        slopes : ndarray of shape (n,)
            By log psi at fixed U.
        variance : ndarray of shape (n,)
            Of the columns, in the data.
        rate : float
        """
        L, root = self.loadings()
        left = (self.psi + (L**2).sum(axis=1)) / np.maximum(variance, self.psi)
        rate = rate * min(1.0, float(left.mean()))
        U, DU = self.U, self.psi[:, np.newaxis] * gradient
        change = 2 * slopes - 2 * (DU * U).sum(axis=1)
        change += self.psi * np.einsum("ik,kl,il->i", U, U.T @ DU, U)
        factors = 1 + np.minimum(rate * np.abs(change) / 2, LARGEST_FACTOR - 1)
        psi = self.psi * factors ** np.sign(change)
        return of_loadings(psi, L + rate * self.of_means(DU) @ root)

    def limited(self) -> Array | None:
        """W with spikes of at most :data:`LARGEST_SPIKE`; None where they are."""
        most = 1 - 1 / LARGEST_SPIKE
        squares, right = np.linalg.eigh(self.scaled.T @ self.scaled)
        if squares[-1] <= most + 1e-6:  # by rounding in single precision
            return None
        shrink = np.sqrt(np.minimum(1.0, most / np.maximum(squares, most)))
        W: Array = self.W @ ((right * shrink) @ right.T)
        return W


def of_loadings(psi: Array, L: Array) -> Factors:
    """The factors of these variances (n,) and loadings (n, n_factors)."""
    scaled = L / np.sqrt(psi)[:, np.newaxis]
    squares, right = np.linalg.eigh(scaled.T @ scaled)
    squares = np.maximum(squares, 0)
    shrink = np.where(
        squares > LARGEST_SPIKE - 1,
        np.sqrt((1 - 1 / LARGEST_SPIKE) / np.maximum(squares, 1)),
        1 / np.sqrt(1 + squares),
    )
    return Factors(psi, L @ ((right * shrink) @ right.T))


class Spikes(NamedTuple):
    """Factor analysis of columns: the covariance is Psi^(1/2) [I + V diag(spikes - 1) V'] Psi^(1/2).

    Attributes
    ----------
    psi : ndarray of shape (n,)
    values : ndarray of shape (n_factors,)
        The spikes, at least one.
    V : ndarray of shape (n, n_factors)
        Orthonormal directions.
    """

    psi: Array
    values: Array
    V: Array

    @classmethod
    def of(cls, factors: Factors) -> "Spikes":
        """Those of the law of the columns alone."""
        V, s, _ = np.linalg.svd(factors.scaled, full_matrices=False)
        rest = np.maximum(1 - s**2, 1 / LARGEST_SPIKE)
        return cls(factors.psi, 1 / rest, V)

    def factors(self) -> Factors:
        """Of which these are the spikes, as far as they are not too large."""
        rest = np.clip(1 / self.values, 1 / LARGEST_SPIKE, 1.0)
        return Factors(self.psi, np.sqrt(self.psi)[:, np.newaxis] * self.V * np.sqrt(1 - rest))

    def half_whitening(self) -> Array:
        """Psi^(-1/2) C^(-1/4) (n, n), where C is the covariance in units of psi.

        Rows times this vary by the roots of the spikes along their directions, and by one along all others. Without
        it the spikes alone would tell rows apart; with C^(-1/2) they would count no more than any other direction.
        """
        C = np.eye(len(self.psi)) + (self.V * (self.values**-0.25 - 1)) @ self.V.T
        root: Array = C / np.sqrt(self.psi)[:, np.newaxis]
        return root

    def beside(self, precision: float) -> Factors:
        """Factors with which the columns have the same covariance where others add `precision` C^(-1/2).

        In units of psi, that is: what hidden units with random directions add to the precision after
        :meth:`half_whitening`.
        """
        values = (1 + precision) / (1 / self.values + precision / np.sqrt(self.values))
        return Spikes(self.psi / (1 + precision), values, self.V).factors()


def _correlations(covariance: Array, count: float) -> tuple[Array, Array]:
    """Correlations (n, n) of the columns that vary, shrunk for `count` rows, and their mask (columns,)."""
    known = np.diag(covariance) > 0
    deviations = np.sqrt(np.diag(covariance)[known])
    R = covariance[np.ix_(known, known)] / np.outer(deviations, deviations)
    values, vectors = np.linalg.eigh(R)
    share = len(R) / (len(R) + count)  # of few rows, columns follow from all others by chance
    values = np.maximum((1 - share) * values + share, 1 / LARGEST_SPIKE)
    return (vectors * values) @ vectors.T, known


def _spiked(R: Array) -> tuple[Array, Array, Array]:
    """Unique variances of columns with the correlations R (n, n), and spikes and their directions, the largest last."""
    psi = 1 / np.diag(np.linalg.inv(R))
    values, vectors = np.linalg.eigh(R / np.sqrt(np.outer(psi, psi)))
    return psi, values, vectors


def count_factors(covariance: Array, count: float) -> int:
    """How many factors columns ask for: directions along which they vary at least ten times as much as alone."""
    R, _ = _correlations(covariance, count)
    if len(R) < 2:
        return 0
    spikes = int((_spiked(R)[1] > LEAST_SPIKE).sum())
    return min(spikes, MOST_FACTORS, len(R) // 2)


def factor_analysis(covariance: Array, count: float, n_factors: int) -> Spikes:
    """Of columns with a `covariance` (n, n) that was found in `count` rows, in closed form; constant ones vary by one.

    The variances are a share of those of each column given all others (Joreskog 1963), the smaller the more factors
    there are. The factors are then the leading directions of the columns in units of these.
    """
    R, known = _correlations(covariance, count)
    n = len(R)
    found = Spikes(np.ones(len(known)), np.ones(n_factors), np.zeros((len(known), n_factors)))
    if not n:
        return found
    share = max(1 - n_factors / (2 * n), 0.5)
    psi, values, vectors = _spiked(R)
    leading = min(n, n_factors)
    found.psi[known] = share * psi * np.diag(covariance)[known]
    found.values[:leading] = np.maximum(values[n - leading :] / share, 1)
    found.V[known, :leading] = vectors[:, n - leading :]
    return found
