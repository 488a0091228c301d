"""How a machine learns a distribution: settings, `fit`, `resume` and `partial_fit`."""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ebm import training
from ebm._batches import blocks
from ebm._files import readable
from ebm._sparse import as_dtype
from ebm.gradients import GRADIENTS, gradient_record
from ebm.likelihood import pseudo_log_likelihood, reconstruction_error
from ebm.monitors import Scorer
from ebm.optimizers import optimizer_record, regularization_record, schedule_record
from ebm.sklearn_compat._shared._settings import RECORD, Number, settings_checked
from ebm.sklearn_compat._shared._trained import Trained
from ebm.sklearn_compat._shared._validation import (
    check_repetitions,
    check_rows,
    check_weights,
    unharmed,
    warn_outside,
)

# Rows whose pseudo-likelihood is shown after each epoch: enough for two digits.
SHOWN_ROWS = 500


class Learning(Trained):
    """Estimators that learn a distribution by gradients, batch by batch (abstract)."""

    gradient: Any
    learning_rate: float
    weight_decay: float
    batch_size: int
    optimizer: Any
    schedule: Any
    regularization: Any
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Trained._parameter_constraints,
        "gradient": [StrOptions(set(GRADIENTS)), RECORD],
        "weight_decay": [Number(Real, 0, None, closed="left")],
        "regularization": [RECORD, None],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **Trained._resolvers,
        "gradient": gradient_record,
        "regularization": regularization_record,
    }

    # Settings

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _plan(self, seed: int) -> training.Plan:
        return training.Plan(
            self._resolvers["gradient"](self.gradient),
            optimizer_record(self.optimizer),
            schedule_record(self.schedule),
            self.learning_rate,
            self.weight_decay,
            self.batch_size,
            seed,
            regularization_record(self.regularization),
        )

    # Learning

    @settings_checked
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "Learning":
        """Fit the model to `X` by stochastic ascent of the log-likelihood.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, never modified; float32 or float64 in C order is not copied either.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; zero leaves it out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If `X` has no rows, or NaN or infinite entries (see `impute`), or weights that are negative or all zero.

        Warns
        -----
        ConvergenceWarning
            If training stopped because of an interrupt, or because numbers grew beyond all bounds; the model keeps the
            last parameters, or in the second case those from before the epoch, and can be used. Or if the law of a
            machine with real visible units is not where the data are: see :doc:`/learning`.
        UserWarning
            If real visible units have constant columns of data, which are named: no variance can be learned from them.
        """
        with unharmed(self):
            stopped = self._fit(X, sample_weight, self.warm_start and self._is_fitted())
        self._tell(stopped)
        return self

    def _fit(self, X: Any, sample_weight: Any, go_on: bool) -> str:
        X = self._check_data(X, go_on)
        weights = check_weights(sample_weight, X)
        check_repetitions(weights)
        return self._fit_rows(X, weights, go_on)

    @settings_checked
    def resume(
        self, checkpoint: Any, X: Any, y: Any = None, sample_weight: Any = None
    ) -> "Learning":
        """Go on with a `fit` that did not come to its end, from the file of a :class:`ebm.Checkpoint`.

        The result is that of the uninterrupted `fit`, bit for bit. The estimator must have the parameters, and `X` and
        the weights be those, of the interrupted fit.

        Parameters
        ----------
        checkpoint : str or path
            The file.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training data.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If the file is no checkpoint, of another version of its format, of other settings or data, or holds
            something that no such training comes to.
        OSError
            If the file cannot be read.

        Warns
        -----
        UserWarning
            If another version of the library has written the file.
        """
        file = readable(checkpoint, "checkpoint")
        with unharmed(self):
            X = self._check_data(X, False)
            weights = check_weights(sample_weight, X)
            stopped = self._resume_rows(file, X, weights, go_on=False)
        self._tell(stopped)
        return self

    @settings_checked
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "Learning":
        """Make one update of the parameters, with all of `X` as the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data; any number of rows. The first one also sets the initial visible biases, and is
            looked through for constant columns, as by `fit`, unless it is one row.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the batch's averages.

        Returns
        -------
        self : object
            The model after the update.
        """
        with unharmed(self):
            stopped = self._update(X, sample_weight)
        self._tell(stopped)
        return self

    def _update(self, X: Any, sample_weight: Any) -> str:
        first = not self._is_fitted()
        X = self._check_data(X, not first)
        weights = check_weights(sample_weight, X)
        if weights is not None:
            weights = weights / weights.max()  # shares of one batch, not repetitions
        return self._update_rows(X, weights, first)

    def _scores(self, X: Any, model: Any) -> list[Any]:
        """The pseudo-likelihood of some rows; of real-valued units, for which it takes an integral each, an error."""
        step = -(-X.shape[0] // SHOWN_ROWS)
        shown = np.concatenate([block for _, block in blocks(X[::step])])
        if model.visible.has_scale:
            return [Scorer("reconstruction_error", lambda p: reconstruction_error(model, p, shown))]
        return [
            Scorer("pseudo_likelihood", lambda p: pseudo_log_likelihood(model, p, shown).mean())
        ]

    def _check_data(self, X: Any, go_on: bool) -> Any:
        """Rows to learn from, of the dtype of the model if there is one already."""
        # Rows are picked at random: from columns stored one after the other that takes a cache line per number.
        X = check_rows(self, X, reset=not go_on, order="C")
        warn_outside(self._model().visible, X)
        if not go_on:
            return X
        self._check_size()
        return as_dtype(X, self._params()[0].dtype)
