"""Fitted attributes: what is said where one is missing or does not fit the others."""

import reprlib
from typing import Any

from sklearn.exceptions import NotFittedError

from ebm._arrays import Array, as_numbers, check_finite


class FittedAttributes:
    """Estimators that name the fitted attribute that is missing, and the cure (abstract)."""

    def __getattr__(self, name: str) -> Any:
        """What is neither a parameter nor a method: a fitted attribute that there is not."""
        is_fitted_one = name.startswith("_") != name.endswith("_")
        if is_fitted_one and not hasattr(type(self), name):
            raise NotFittedError(
                f"This {type(self).__name__} instance has no {name}. Attributes of this kind are set by fit: call it "
                "first, or once more if they were deleted."
            )
        return object.__getattribute__(self, name)  # raises what it raised before


def fitted_list(x: Any, name: str, length: int) -> list[Any]:
    """The fitted attribute `name`; ValueError unless it is a list of that length."""
    if not isinstance(x, list | tuple) or len(x) != length:
        raise ValueError(
            f"{name} must be a list with {length} entries, as the other fitted attributes say. Got {reprlib.repr(x)}. "
            "Set one that fits, or fit again."
        )
    return list(x)


def fitted_array(x: Any, name: str, shape: tuple[int | None, ...]) -> Array:
    """The fitted attribute `name` as finite numbers of the `shape`, in which None is any length; else ValueError."""
    array = as_numbers(x, name)
    fits = array.ndim == len(shape) and all(
        n in (None, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"{name} must have the shape ({wanted}{',' if len(shape) == 1 else ''}), as the other fitted attributes "
            f"say. Got {array.shape}. Set an array that fits, or fit again."
        )
    check_finite(array, name)
    return array
