"""The restricted Boltzmann machine of real visible and binary hidden units."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import Number, stores_arguments
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import Bernoulli, Gaussian


@complete_docstring
class GaussianRBM(BaseRBM):
    """Restricted Boltzmann machine with real visible units and binary hidden units {0, 1}.

        E(v, h) = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - sum_ij (v_i / sigma_i^2) W_ij h_j - c'h.

    Given h, the visible units are independent Gaussians of mean b + Wh and variance sigma^2, so p(v) is a mixture of
    2^n_components Gaussians that share their parameters [1]_ [2]_.

    Read more in the :ref:`User Guide <gaussian_rbm>`.

    Parameters
    ----------
    variance : {"learned", "unit"} or array-like of shape (n_features,) or float, default="learned"
        The sigma_i^2: learned through log sigma_i^2, starting near the data's variances; fixed to one; or given.

    batch_size : int, default=20
        Rows per update, and number of persistent chains.

    Attributes
    ----------
    log_variance_visible_ : ndarray of shape (n_features,)
        log sigma_i^2; see also `variances_`.

    See Also
    --------
    BernoulliRBM : For binary data.
    RBM : For any two unit types.

    Notes
    -----
    The machine measures every column in its standard deviation. It learns W / sigma^2 and log sigma^2, so that a
    falling variance leaves the inputs of the hidden units as they are.

    The likelihood of a feature that the hidden units predict without error grows without bound as its variance goes to
    zero. A learned variance is kept above a thousandth of the data's.

    References
    ----------
    .. [1] Cho, K., Ilin, A. & Raiko, T. "Improved learning of Gaussian-Bernoulli restricted Boltzmann machines."
       ICANN (2011).
    .. [2] Melchior, J., Wang, N. & Wiskott, L. "Gaussian-binary restricted Boltzmann machines for modeling natural
       image statistics." PLoS ONE 12(2) (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import GaussianRBM
    >>> X = np.random.RandomState(0).normal(size=(100, 3))
    >>> rbm = GaussianRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.variances_.shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseRBM._parameter_constraints,
        "variance": [
            StrOptions({"learned", "unit"}),
            Number(Real, 0, None, closed="neither"),
            "array-like",
        ],
    }

    @stores_arguments
    def __init__(
        self,
        n_components: int = 256,
        *,
        variance: Any = "learned",
        learning_rate: Any = "auto",
        batch_size: int = 20,
        n_iter: Any = "auto",
        verbose: int = 0,
        random_state: Any = None,
        gradient: Any = "pcd",
        optimizer: Any = "sgd",
        schedule: Any = "linear",
        weight_decay: float = 0.0,
        regularization: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None: ...

    def _model(self) -> Bipartite:
        return Bipartite(Gaussian(self.variance), Bernoulli())

    @property
    def variances_(self) -> Array:
        """Variances sigma_i^2 of the visible units given the hidden ones, ndarray of shape (n_features,)."""
        params = self._params()
        return np.asarray(self._model().visible.scale(params.visible))
