"""Everything that can go wrong, grouped by what the program does next, and the exit codes.

    CdiError                    message, where, hint; `exit_code` says how the process ends
    |-- ConfigError             settings, plan or command line are wrong: nothing was started        exit 2
    |-- StoppedError            the run stopped and can be resumed                                   exit 3
    |   |-- TransientError      the other side did not answer well within all retries
    |   |   `-- LostAnswerError a request that must not be repeated was sent, and its answer never came
    |   |-- AuthError           credentials refused
    |   |   `-- ScopeError      credentials lack a permission: one stream cannot be read, others may
    |   |-- RefusedError        the other side refused the request for good (HTTP 4xx)
    |   |   `-- TooLargeError   it refused it for its size: ask for less
    |   |-- ProtocolError       an answer we cannot read or that contradicts itself
    |   `-- StateError          the checkpoint file cannot be read or written
    |-- LockedError             another process holds the checkpoint file                            exit 4
    `-- InterruptedRunError     Ctrl-C or SIGTERM; the checkpoint is saved                           exit 130 / 143

A single event or record that fails is never an exception above this line: it is an outcome (see `destinations/_base.py`)
and ends in the dead letters.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How `cdi` ends; documented in the README and stable. `FINDINGS` is the word for 1 where events are only checked."""

    OK = 0
    DEAD_LETTERS = 1
    FINDINGS = 1
    USAGE = 2
    STOPPED = 3
    LOCKED = 4
    INTERRUPTED = 130
    TERMINATED = 143


class CdiError(Exception):
    """An error with a message, the place it concerns and the next step; never holds a secret or personal data."""

    exit_code = ExitCode.STOPPED

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class ConfigError(CdiError):
    """The settings, the plan or the command line are wrong; nothing was started."""

    exit_code = ExitCode.USAGE


class StoppedError(CdiError):
    """The run stopped before its end; everything settled is saved and the run can be resumed."""


class TransientError(StoppedError):
    """The other side did not answer well within all retries."""


class LostAnswerError(TransientError):
    """A request that must not be repeated was sent, and its answer never came: nobody knows whether it was carried out."""


class AuthError(StoppedError):
    """Credentials were refused."""


class ScopeError(AuthError):
    """Credentials lack a permission; the message names it."""


class RefusedError(StoppedError):
    """The other side refused a request for good; `status` is the HTTP status, `code` the API's own word."""

    def __init__(
        self, message: str, *, status: int, code: str = "", where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
        self.code = code


class TooLargeError(RefusedError):
    """The request or its answer is too large (HTTP 413, `ContentTooLarge`, decoded-bytes cap): ask for less."""


class ProtocolError(StoppedError):
    """An answer that cannot be read, or that contradicts the API's own rules."""


class StateError(StoppedError):
    """The checkpoint file cannot be read or written; it is never reset by the program."""


class LockedError(CdiError):
    """Another process holds the checkpoint file."""

    exit_code = ExitCode.LOCKED


class InterruptedRunError(CdiError):
    """The run was interrupted by a signal; what was in flight is settled."""

    exit_code = ExitCode.INTERRUPTED
