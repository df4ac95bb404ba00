"""Every error that nnplug raises on purpose: what went wrong, where, and what to do about it.

Each class fixes the exit code of the command line (see ``docs/exit-codes.md``), so that a
script can tell a misspelt key from a case that could not be converted.
"""

from __future__ import annotations


class NnplugError(Exception):
    """An error with a place and a remedy.

    Args:
        problem: what is wrong, in one sentence.
        where: the file, case, key or plugin that it is about.
        hint: what the reader can do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        lead = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{lead}\n  -> {self.hint}" if self.hint else lead

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.problem, self.where, self.hint)


def _rebuild(
    kind: type[NnplugError], problem: str, where: str | None, hint: str | None
) -> NnplugError:
    return kind(problem, where=where, hint=hint)


class ConfigError(NnplugError):
    """A key, value or combination in the configuration that can't be used."""

    exit_code = 2


class PluginError(NnplugError):
    """A plugin is missing, blocked, broken, or claims a name that is taken."""

    exit_code = 3


class SourceError(NnplugError):
    """Source images that can't be converted correctly; raised by converters as well."""

    exit_code = 4


class DataError(NnplugError):
    """A task folder, plan or prediction folder that is incomplete or inconsistent."""

    exit_code = 5


class DeviceError(NnplugError):
    """The asked-for device (or that number of GPUs) is not there."""

    exit_code = 6


class TrainingError(NnplugError):
    """Training, prediction or loading of a model failed."""

    exit_code = 7


class Pruned(TrainingError):  # noqa: N818 - a decision, not an error
    """Raised by ``nnplug_epoch_end`` to end a training that isn't worth going on with.

    The weights are kept and ``resume=true`` goes on with them; there is no validation.
    """

    exit_code = 9


class SweepError(NnplugError):
    """Some jobs of a sweep did not end well; the others are done."""

    exit_code = 10


class StorageError(NnplugError):
    """Nothing can be written or read there: full disk, permissions, a lock."""

    exit_code = 8


class Interrupted(NnplugError):  # noqa: N818 - a request of the user, not an error
    """SIGINT or SIGTERM arrived; what was finished is kept and the work can be resumed."""

    exit_code = 130
