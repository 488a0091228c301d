"""The restricted Boltzmann machine of binary units, scikit-learn's `BernoulliRBM` replaced."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array
from ebm._random import stream
from ebm._sparse import as_dtype, dense, is_thin
from ebm.energies.bipartite import Bipartite
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._settings import stores_arguments
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import Bernoulli


@complete_docstring
class BernoulliRBM(BaseRBM):
    """Restricted Boltzmann machine with binary units {0, 1} in both layers.

        p(v, h) = exp(-E(v, h)) / Z,    E(v, h) = -v'Wh - b'v - c'h.

    A drop-in replacement for :class:`sklearn.neural_network.BernoulliRBM` with the same learning algorithm by
    default, persistent contrastive divergence [1]_ [2]_, in its centered form [3]_.

    Read more in the :ref:`User Guide <rbm>`.

    See Also
    --------
    GaussianRBM : For real-valued data.
    RBM : For any two unit types.

    Notes
    -----
    Values between 0 and 1 are read as probabilities; values outside draw a warning. The differences from
    scikit-learn's class are these:

    - Learning starts at hidden units that tell rows apart, and its length, rate and schedule fit the data.
    - The gradient is centered, and each phase is divided by its own count.
    - The score is deterministic. It sums over all features instead of drawing one, so that its cost is in proportion to
      samples, features and components, also for sparse `X`.
    - `partial_fit` returns the estimator, and float32 stays float32: biases then agree with those of a float64 model to
      about 1e-6.
    - `random_state` draws other numbers, so that weights differ.

    References
    ----------
    .. [1] Younes, L. "Parametric inference for imperfectly observed Gibbsian fields." Probability Theory and Related
       Fields 82, 625-645 (1989).
    .. [2] Tieleman, T. "Training restricted Boltzmann machines using approximations to the likelihood gradient."
       ICML (2008).
    .. [3] Melchior, J., Fischer, A. & Wiskott, L. "How to center deep Boltzmann machines." JMLR 17(99) (2016).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BernoulliRBM
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    >>> bool(
    ...     np.isclose(
    ...         np.exp(
    ...             rbm.log_likelihood([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    ...         ).sum(),
    ...         1,
    ...     )
    ... )
    True
    """

    @stores_arguments
    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: Any = "auto",
        batch_size: int = 10,
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
        return Bipartite(Bernoulli(), Bernoulli())

    # The private names that code written for scikit-learn's class is known to use.

    def _mean_hiddens(self, v: Any) -> Array:
        return self._model().hidden_mean(*self._one_or_more(v)).reshape((*np.shape(v)[:-1], -1))

    def _sample_hiddens(self, v: Any, rng: Any) -> Array:
        key = stream(draw_seed(check_random_state(rng)), "evaluation")
        params, rows = self._one_or_more(v)
        return self._model().sample_hidden(params, rows, key).reshape((*np.shape(v)[:-1], -1))

    def _free_energy(self, v: Any) -> Array:
        return self._model().free_energy(*self._one_or_more(v))

    def _one_or_more(self, v: Any) -> tuple[Any, Array]:
        check_is_fitted(self, "components_")
        params = self._params()
        return params, as_dtype(v if is_thin(v) else np.atleast_2d(dense(v)), params.W.dtype)
