"""The restricted Boltzmann machine of a table of mixed columns with gaps."""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.pipeline import _VisualBlock
from sklearn.preprocessing import PowerTransformer, StandardScaler
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ebm._checks import Array, check_integer, is_among, of_python, shown
from ebm._random import Reserved, fold
from ebm.energies.factored import count_real, factors_of_rows
from ebm.likelihood import mean_ranked
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import Number, all_or_nothing, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import (
    check_repetitions,
    check_weights,
    draw_seed,
    warn_user,
)
from ebm.sklearn_compat.rbm._layer import density_of, entitle
from ebm.sklearn_compat.rbm._rbm import RBM
from ebm.sklearn_compat.tables import _frames as frames
from ebm.sklearn_compat.tables._frames import Table
from ebm.tables import Encoding, NormalScores, along_chains, column_of, repeated

SCALES: dict[str, Callable[[], Any]] = {
    "quantile": NormalScores,
    "yeo-johnson": PowerTransformer,
    "standard": StandardScaler,
}
LEVELS = ("binary", "categorical")  # kinds of columns whose levels have probabilities


@complete_docstring
class TableRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Restricted Boltzmann machine of a data frame as it is: mixed columns, gaps included.

    Every column gets units of its own type. A column of two values is one bit. Words and categories are a group of
    categorical units. The numbers of any other column are transformed, for one Gaussian unit. All of them share one
    layer of hidden units (:class:`RBM` with a list of visible units). Missing cells are unknown units. Results have the
    names, dtypes and units of measurement of the table.

    Read more in the :ref:`User Guide <tables>`.

    Parameters
    ----------
    n_components : int, default=100
        Number of hidden units.

    n_factors : int or "auto", default="auto"
        Number of factors of the columns of numbers beside the hidden units: what they share linearly, as in factor
        analysis (:class:`RBM`). "auto" counts those along which these columns vary at least ten times as much as
        columns would that do not depend on each other. There are at most ten, and none with an adaptive `optimizer`.
        No number is larger than that of the columns.

    columns : dict or None, default=None
        Kinds of columns in place of those that are guessed, by the name of the column, or by its number in an array. A
        kind is "binary", "categorical", "ordinal", "real", "poisson", "binomial", "ignore", or a unit such as
        ``Binomial(10)``.

    transformer : {"quantile", "yeo-johnson", "standard"} or transformer, default="quantile"
        Map of a column of numbers to the scale of its Gaussian unit. "quantile" makes every column normal, which is
        best for imputation and sampling. It does not tell values beyond those seen from the largest one. Use
        "yeo-johnson", a power transformation, to find anomalies. A transformer of scikit-learn is cloned for
        each column.

    max_levels : int, default=200
        Largest number of levels of a categorical column, each of which is a unit. A column with more levels is refused.

    learning_rate : float or "auto", default="auto"
        Step size of the updates, at the start of `schedule`. "auto" is the choice of :class:`RBM`.

    batch_size : int, default=100
        Rows per update, and number of persistent chains.

    n_iter : int or "auto", default="auto"
        Passes over the training data. "auto" makes at least 10 passes and at least 2000 updates.

    verbose : int, default=0
        Whether to print the kinds of the columns, and progress after each epoch.

    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order of rows and Gibbs sampling. An int makes every result reproducible.
        See :term:`Glossary <random_state>`.

    gradient : str or record, default="pcd"
        Estimator of the log-likelihood gradient, as for :class:`RBM`.

    optimizer : str or record, default="sgd"
        Rule of the updates, as for :class:`RBM`.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="linear"
        How the learning rate changes over the epochs of `fit`.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared weights.

    callbacks : callable, list of callables or None, default=None
        Called after each epoch with a :class:`ebm.monitors.Report` of the machine.

    Attributes
    ----------
    machine_ : RBM
        The fitted machine, whose features are the units of the columns.

    kinds_ : dict
        The kind of each column, guessed or given, by its name. "constant" is a column with one value at most, which
        has no units.

    categories_ : dict
        Levels of the columns that have them, in the order of their units.

    See Also
    --------
    RBM : The machine behind the table.
    FreeEnergyOutlierDetector : Rows of a table that are unlike the others.

    Notes
    -----
    A column of whole numbers is a transformed real column, whose draws are values that were seen. So are counts:
    Poisson units suit few of them, because most counts vary more than Poisson's.

    References
    ----------
    .. [1] Welling, M., Rosen-Zvi, M. & Hinton, G. "Exponential family harmoniums with an application to information
       retrieval." NIPS 17 (2004).
    .. [2] Tran, T., Phung, D. & Venkatesh, S. "Mixed-variate restricted Boltzmann machines." ACML (2011).

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from ebm import TableRBM
    >>> frame = pd.DataFrame(
    ...     {"smoker": ["yes", "no", None, "no"] * 10, "age": [61, 35, 58, np.nan] * 10}
    ... )
    >>> table = TableRBM(n_components=4, n_iter=5, random_state=0).fit(frame)
    >>> table.kinds_
    {'smoker': 'binary', 'age': 'real'}
    >>> table.impute(frame).isna().sum().tolist()
    [0, 0]
    """

    machine_: RBM
    _encoding: Encoding
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Number(Integral, 1, None, closed="left")],
        "n_factors": [StrOptions({"auto"}), Number(Integral, 0, None, closed="left")],
        "columns": [dict, None],
        "transformer": [
            StrOptions(set(SCALES)),
            HasMethods(["fit", "transform", "inverse_transform"]),
        ],
        "max_levels": [Number(Integral, 2, None, closed="left")],
        **{
            name: learning.ASCENT_SETTINGS[name]
            for name in learning.ASCENT_SETTINGS
            if name not in ("warm_start", "regularization")
        },
        "weight_decay": [Number(Real, 0, None, closed="left")],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = learning.ASCENT_RECORDS

    @stores_arguments
    def __init__(
        self,
        n_components: int = 100,
        *,
        n_factors: Any = "auto",
        columns: Any = None,
        transformer: Any = "quantile",
        max_levels: int = 200,
        learning_rate: Any = "auto",
        batch_size: int = 100,
        n_iter: Any = "auto",
        verbose: int = 0,
        random_state: Any = None,
        gradient: Any = "pcd",
        optimizer: Any = "sgd",
        schedule: Any = "linear",
        weight_decay: float = 0.0,
        callbacks: Any = None,
    ) -> None: ...

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    # Learning

    @learns
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Describe the columns of `X`, and fit the machine to their cells.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training data, with None, NaN or NA where a cell is missing.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out. For transformers that take no weights,
            weights are rounded up to whole numbers.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If a column holds dates, infinity, or more than `max_levels` categories. If two columns have the same name,
            no column has two different values, or `columns` does not fit the table.
        """
        table = frames.read(self, X, reset=True)
        weights = check_weights(sample_weight, table.source)
        check_repetitions(weights)
        if weights is not None:
            table, weights = table.rows(weights > 0), weights[weights > 0]
        names = frames.named_columns(table.source)
        encoding = Encoding(self._described(table, names, weights))
        if not encoding.width:
            raise ValueError(
                f"X has no column with two different values in n_samples={len(table.source)} rows: nothing can be "
                "learned."
            )
        seed = draw_seed(self.random_state)
        rows, _ = encoding.encoded(table.cells)
        some = ~np.isnan(rows).all(axis=1)
        n_factors = self._count_factors(encoding, rows, weights)
        machine = RBM(
            visible=encoding.groups,
            n_factors=n_factors,
            random_state=seed,
            **self._machine_settings(),
        )
        entitle(machine, type(self).__name__, None)
        self.kinds_ = {
            name: column.kind for name, column in zip(names, encoding.columns, strict=True)
        }
        if self.verbose:
            print(f"[{type(self).__name__}] columns: {self.kinds_}")
        machine.fit(rows[some], sample_weight=None if weights is None else weights[some])
        self.machine_, self._encoding, self._form = machine, encoding, frames.form_of(table.source)
        self._names = names
        self.categories_ = {
            name: column.levels
            for name, column in zip(names, encoding.columns, strict=True)
            if hasattr(column, "levels")
        }
        self._n_features_out = self.n_components + n_factors
        self._course = replace(Course(), seed=seed)

    def _count_factors(self, encoding: Encoding, rows: Array, weights: Array | None) -> int:
        """The number that is given, or that the rows ask for, if the optimizer can learn factors."""
        if self.n_factors != "auto":
            return min(int(self.n_factors), count_real(encoding.groups))
        joint = not self._resolvers["optimizer"](self.optimizer).n_squares
        return factors_of_rows(encoding.groups, rows, weights) if joint else 0

    def _described(self, table: Table, names: list[Any], weights: Array | None) -> list[Any]:
        """The description of each column."""
        given = self.columns or {}
        strange = [name for name in given if name not in names]
        if strange:
            raise ValueError(
                f"columns describes {shown(strange[0])}, which X does not have. Its columns are {shown(names)}."
            )
        return [
            frames.by_column(
                names,
                k,
                lambda k=k: column_of(  # type: ignore[misc]
                    table.cells[k],
                    given.get(names[k]),
                    table.orders[k],
                    lambda x: self._scale(x, weights, ~table.cells[k].missing),
                    self.max_levels,
                ),
            )
            for k in range(len(names))
        ]

    def _scale(self, x: Array, weights: Array | None, known: Array) -> Any:
        """The transformer of one column, fitted to its known cells `x`, which count as often as their weights say."""
        named = isinstance(self.transformer, str)
        scale = SCALES[self.transformer]() if named else clone(self.transformer)
        some = None if weights is None else weights[known]
        if some is not None and has_fit_parameter(scale, "sample_weight"):
            return scale.fit(x, sample_weight=some)
        return scale.fit(repeated(x, some))

    def _machine_settings(self) -> dict[str, Any]:
        """The settings that are those of the machine."""
        own = ("n_factors", "columns", "transformer", "max_levels", "random_state")
        given = self.get_params(deep=False)
        return {k: of_python(x) for k, x in given.items() if k not in own}

    # Rows of a fitted table

    def _read(self, X: Any) -> tuple[Table, Array]:
        """The table and its rows of units, with a warning where levels are new."""
        check_is_fitted(self, "machine_")
        table = frames.read(self, X, reset=False)
        return table, self._rows(table)

    def _rows(self, table: Table) -> Array:
        names = self._names
        rows, unseen = self._encoding.encoded(table.cells)
        for k, values in unseen.items():
            warn_user(
                f"Column {names[k]!r} holds {', '.join(map(shown, values[:5]))}, not seen in fit. Such cells count as "
                "missing.",
                UserWarning,
            )
        return rows

    def _along_chains(self, rows: Array, function: Any, number: int, n_steps: int) -> Array:
        """The average of a function of the units along short chains."""
        law = density_of(self.machine_)
        key = fold(self._standing_key(Reserved.IMPUTATION.number), number)
        n_sweeps = max(1, n_steps // 5)
        return along_chains(
            law.model,
            law.params,
            rows,
            key,
            function,
            burn_in=n_steps - n_sweeps,
            n_sweeps=n_sweeps,
        )

    @all_or_nothing
    def impute(self, X: Any, *, n_draws: Any = None, n_steps: int = 25) -> Any:
        """Fill the gaps of `X` given the known cells.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with None, NaN or NA where a cell is missing.
        n_draws : int, default=None
            Number of copies, each filled by draws (multiple imputation). If None, one copy is filled by means of
            numbers, which are rounded in columns of integers, and by the most probable categories.
        n_steps : int, default=25
            Gibbs steps of each of twelve chains of a row, of which the last fifth is averaged.

        Returns
        -------
        X_complete : same type as X, or list of them
            Copies of `X` with the same index, names and dtypes. Known cells are as they were. With `n_draws`, a list.

        Notes
        -----
        Values are averaged in their own unit of measurement: the transformation is inverted inside of the average. A
        draw is a value that was seen in `fit`. A column that had no value in `fit` stays as it is.
        """
        n_steps = check_integer(n_steps, "n_steps")
        table, rows = self._read(X)
        if n_draws is not None:
            count = check_integer(n_draws, "n_draws")
            return [self._drawn(table, rows, number, n_steps) for number in range(count)]
        unknown = np.isnan(rows).any(axis=1)
        law, numbers = density_of(self.machine_), np.nan_to_num(rows)
        variance = law.model.visible.scale(law.model.visible_parameters(law.params))
        if unknown.any():
            numbers[unknown] = self._along_chains(
                rows[unknown],
                lambda v, means: self._encoding.numbers(means, variance),
                0,
                n_steps,
            )
        return frames.filled(table, self._encoding.decided(numbers))

    def _drawn(self, table: Table, rows: Array, number: int, n_steps: int) -> Any:
        """A copy of the table with draws in its gaps."""
        states = np.nan_to_num(rows)
        unknown = np.isnan(rows).any(axis=1)
        if unknown.any():
            states[unknown] = self.machine_.sample(
                int(unknown.sum()),
                n_steps=n_steps,
                given=rows[unknown],
                random_state=draw_seed(self._own_seed() + number),
            )
        return frames.filled(table, self._encoding.drawn(states))

    @all_or_nothing
    def sample(
        self,
        n_samples: int = 1,
        *,
        n_steps: int = 1000,
        given: Any = None,
        random_state: Any = None,
    ) -> Any:
        """Draw new rows, all cells or those that are not `given`.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        n_steps : int, default=1000
            Gibbs steps of the chain of each row.
        given : dict, DataFrame or array-like, default=None
            Known cells, such as ``{"smoker": "yes"}``: of one row, or of each of the rows. Columns that are left out
            are drawn. Of a table that was an array, an array with NaN where cells are to be drawn.
        random_state : int, RandomState instance or None, default=None
            None continues the random stream of the model, so that repeated calls differ.

        Returns
        -------
        rows : DataFrame or ndarray of shape (n_samples, n_features)
            With the names and dtypes of the table in `fit`. Columns that had no value there, and ignored ones, are left
            out of a data frame.
        """
        check_is_fitted(self, "machine_")
        n_samples = check_integer(n_samples, "n_samples")
        table = None if given is None else frames.condition(self._form, given, n_samples)
        rows = None if table is None else self._rows(table)
        states = self.machine_.sample(
            n_samples, n_steps=n_steps, given=rows, random_state=random_state
        )
        values = self._encoding.drawn(states)
        if table is not None and rows is not None:
            known = self._encoding.known(rows)
            values = [
                np.where(some, cells.values, x)
                for x, cells, some in zip(values, table.cells, known, strict=True)
            ]
        return frames.made(self._form, values, self._encoding)

    @all_or_nothing
    def column_proba(self, X: Any, column: Any) -> Any:
        """Probabilities of the levels of one column given all other known cells.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, with gaps where cells are missing. The cells of the column itself are not looked at.
        column : str or int
            Name of a binary or categorical column, or its number in an array.

        Returns
        -------
        probabilities : DataFrame or ndarray of shape (n_samples, n_levels)
            In the order of ``categories_[column]``; a data frame if `X` is one. Exact where `X` has few other gaps.
        """
        table, rows = self._read(X)
        names, columns = self._names, self._encoding.columns
        of_levels = [x for x, c in zip(names, columns, strict=True) if c.kind in LEVELS]
        if not is_among(column, of_levels):
            raise ValueError(
                f"column must be a binary or categorical column, one of {shown(of_levels)}. Got {shown(column)}."
            )
        k = names.index(column)
        place = self._encoding.places[k]
        rows[:, place] = np.nan
        found = columns[k].probabilities(self.machine_.impute(rows)[:, place])
        if not frames.is_frame(table.source):
            return found
        import pandas as pd

        return pd.DataFrame(found, index=table.source.index, columns=columns[k].levels)  # type: ignore[attr-defined]

    def transform(self, X: Any) -> Array:
        """Means of the hidden units given the known cells of `X`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, with gaps where cells are missing: an average along short chains.

        Returns
        -------
        H : ndarray of shape (n_samples, n_components)
            Features.
        """
        _, rows = self._read(X)
        gaps = np.isnan(rows).any(axis=1)
        law = density_of(self.machine_)
        H = np.empty((len(rows), law.model.shape(law.params)[1]))
        if not gaps.all():
            H[~gaps] = self.machine_.transform(rows[~gaps])
        if gaps.any():
            H[gaps] = self._along_chains(
                rows[gaps], lambda v, means: law.model.hidden_mean(law.params, v), 1, 25
            )
        return H

    # Likelihoods

    def free_energy(self, X: Any) -> Array:
        """Free energy F(v) of each row, log p(v) = -F(v) - log Z; missing cells are summed out.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        free_energy : ndarray of shape (n_samples,)
            Values in nats.

        Raises
        ------
        ValueError
            If there are too many hidden units and gaps for exact sums. :meth:`log_likelihood` has estimates.
        """
        return self.machine_.free_energy(self._read(X)[1])

    def log_likelihood(self, X: Any, *, return_std: bool = False) -> Any:
        """Log-likelihood of the known cells of each row, missing cells being summed out.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.
        return_std : bool, default=False
            Whether to return standard errors, too.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Values in nats. Real columns count with the density of their transformed values.
        standard_error : ndarray of shape (n_samples,)
            Only with `return_std`.
        """
        return self.machine_.log_likelihood(self._read(X)[1], return_std=return_std)

    def score_samples(self, X: Any) -> Array:
        """Log-likelihood of each row (see :meth:`log_likelihood`).

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Values in nats.
        """
        found: Array = self.log_likelihood(X)
        return found

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of the rows of `X`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Nats per row; larger is better.
        """
        return mean_ranked(self.score_samples(X))

    def _sk_visual_block_(self) -> Any:
        """The HTML representation: the kinds of the columns side by side, once they are known."""
        kinds = self.__dict__.get("kinds_")
        if not kinds:
            return _VisualBlock("single", self, names=type(self).__name__, name_details=str(self))
        names = list(dict.fromkeys(kinds.values()))
        members = [[str(name) for name, kind in kinds.items() if kind == each] for each in names]
        return _VisualBlock(
            "parallel", [", ".join(some) for some in members], names=names, name_details=members
        )
