"""Options of a model: a frozen dataclass whose values are checked before any work."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from typing_extensions import Self

from synthohive_spark.errors import ConfigError

# Options of the machine, not of the model: they are not saved.
_RUNTIME = ("device", "threads", "progress")


@dataclass(frozen=True)
class ModelOptions:
    """What the options of all models have in common."""

    MODEL: ClassVar[str]
    POSITIVE: ClassVar[tuple[str, ...]] = ()
    POSITIVE_OR_NONE: ClassVar[tuple[str, ...]] = ()
    NOT_NEGATIVE: ClassVar[tuple[str, ...]] = ()
    SHARES: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Returns checked options.

        Raises:
            ConfigError: if a name is unknown or a value out of range.
        """
        names = [option.name for option in fields(cls)]
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
                raise ConfigError(f"{cls.MODEL} has no option {name!r}; the nearest one is {near!r}")
        options = cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
        wrong = options._out_of_range()
        if wrong:
            raise ConfigError(
                f"{cls.MODEL} options out of range: {wrong}; give numbers above 0, and shares from 0 to below 1"
            )
        return options

    def to_json(self) -> dict[str, Any]:
        """Returns the options that are saved with a model, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name not in _RUNTIME}

    def _out_of_range(self) -> dict[str, Any]:
        values = asdict(self)
        wrong = [name for name in self.POSITIVE if _smallest(values[name]) <= 0]
        wrong += [name for name in self.POSITIVE_OR_NONE if values[name] is not None and values[name] <= 0]
        wrong += [name for name in self.NOT_NEGATIVE if values[name] < 0]
        wrong += [name for name in self.SHARES if values[name] is not None and not 0 <= values[name] < 1]
        return {name: values[name] for name in wrong}


def _smallest(value: Any) -> Any:
    return min(value, default=1) if isinstance(value, tuple) else value
