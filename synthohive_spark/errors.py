"""The error tree. Every message says what is wrong, where, and the way out.

``exit_code`` is what a job exits with when the error reaches its main function:
2 configuration or metadata, 3 source data, 4 training, 5 generation or writing, 6 quality gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol


class Summary(Protocol):
    """What a run did."""

    def to_json(self) -> str:
        """One line of JSON."""


class SynthoHiveError(Exception):
    """Base of every error that the package raises on purpose.

    Attributes:
        summary: what was done before, if that is worth telling: tables that are written, a report.
    """

    exit_code: ClassVar[int] = 1
    summary: Summary | None = None


class ConfigError(SynthoHiveError):
    """The configuration, the command line or the environment (Java, Spark) is wrong."""

    exit_code = 2


class SchemaError(SynthoHiveError):
    """The metadata is wrong."""

    exit_code = 2


class SchemaValidationError(SchemaError):
    """Every problem that was found in a schema, in one error.

    Attributes:
        problems: one line per problem, each with its place and its remedy.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        noun = "problem" if len(self.problems) == 1 else "problems"
        super().__init__("\n  - ".join([f"the metadata has {len(self.problems)} {noun}:", *self.problems]))


class SourceDataError(SynthoHiveError):
    """A source table is missing, empty, or breaks what the metadata says of it."""

    exit_code = 3


class TrainingError(SynthoHiveError):
    """A model could not be trained, or no trained model fits."""

    exit_code = 4


class SerializationError(TrainingError):
    """A model could not be saved or loaded."""


class GenerationError(SynthoHiveError):
    """A table could not be generated."""

    exit_code = 5


class WriteError(GenerationError):
    """A table could not be written."""


class ConstraintViolationError(GenerationError):
    """Rows that hold a declared constraint could not be drawn."""


class PrivacyError(SynthoHiveError):
    """A privacy promise would be broken."""

    exit_code = 5


class QualityError(SynthoHiveError):
    """The synthetic lake is below the quality gate, or has orphans or bad keys."""

    exit_code = 6


def error_names(base: type[SynthoHiveError] = SynthoHiveError) -> set[str]:
    """Names of the errors of the package."""
    return {base.__name__}.union(*(error_names(kind) for kind in base.__subclasses__()))
