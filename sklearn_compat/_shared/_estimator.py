"""The root of all estimators: nested settings, checked fitted attributes, random streams of their own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from ebm._random import Key, fold, stream
from ebm.sklearn_compat._shared._attributes import KINDS
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._settings import NamedList
from ebm.sklearn_compat._shared._validation import draw_seed


class Estimator(BaseEstimator):
    """Settings that may be names of records, fitted attributes that are checked, and draws of one seed (abstract).

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.
    """

    random_state: Any
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {}  # records of settings, by name
    _lists: ClassVar[dict[str, NamedList]] = {}  # settings that are lists of named entries
    _learns_from_gaps: ClassVar[bool] = (
        False  # whether rows to learn from may have missing entries (NaN)
    )
    _course = Course()  # replaced as a whole where something is learned or drawn

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include those of records and of entries of lists, as ``layer1__learning_rate``.

        Returns
        -------
        params : dict
            Names and values.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        for parameter, names in self._lists.items() if deep else ():
            for name, entry in names.named(params[parameter]).items():
                params[name] = entry
                if hasattr(entry, "get_params") and not isinstance(entry, type):
                    params |= {f"{name}__{key}": x for key, x in entry.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name; ``name__setting`` reaches into a record, also one given by its string.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
            The estimator.
        """
        entered = {name.split("__")[0] for name in params if "__" in name}
        for parameter, names in self._lists.items():
            if parameter in params:
                setattr(self, parameter, params.pop(parameter))
            given = getattr(self, parameter)
            entries, changed = names.named(given), {}
            for name, entry in entries.items():
                fresh = params.pop(name, entry)
                changed[name] = names.made(fresh) if name in entered else fresh
            if any(changed[name] is not entry for name, entry in entries.items()):
                # In a list of its own: that of the caller stays as it is.
                setattr(self, parameter, names.rebuilt(given, changed))
        for name in entered:
            value = params.get(name, getattr(self, name, None))
            if (value is None or isinstance(value, str)) and name in self._resolvers:
                params = {**params, name: self._resolvers[name](value)}
        return super().set_params(**params)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in KINDS:
            value = KINDS[name](value, name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        """Refuse a name that is neither a parameter nor a method: a fitted attribute that there is not."""
        is_fitted_one = name.startswith("_") != name.endswith("_")
        if is_fitted_one and not hasattr(type(self), name):
            raise NotFittedError(
                f"This {type(self).__name__} instance has no {name}. Attributes of this kind are set by fit: call it "
                "first, or once more if they were deleted."
            )
        return object.__getattribute__(self, name)  # raises what it raised before

    def _own_seed(self) -> int:
        """The seed of all streams, which is drawn where there is none yet."""
        if self._course.seed is None:
            self._course = replace(self._course, seed=draw_seed(self.random_state))
        return int(self._course.seed)  # type: ignore[arg-type]

    def _stream(self, random_state: Any) -> Key:
        """The stream of draws: the model's own, or the one that `random_state` opens."""
        seed = self._own_seed() if random_state is None else draw_seed(random_state)
        return stream(seed, "evaluation")

    def _standing_key(self, number: int, random_state: Any = None) -> Key:
        """Key `number` of the stream: the same in every call."""
        return fold(self._stream(random_state), number)

    def _next_key(self, random_state: Any) -> Key:
        """Key of the next draw: of the model's own stream, or the first of the one that `random_state` opens."""
        stream_key = self._stream(random_state)
        if random_state is not None:
            return fold(stream_key, 0)
        self._course = replace(self._course, n_draws=self._course.n_draws + 1)
        return fold(stream_key, self._course.n_draws)
