"""Every error RingTrue raises, grouped by what to do about it.

    RingTrueError
      RetryLater              the same call may work later: back off and repeat
        RateLimited             slow down; `retry_after_seconds` when the service said so
        ServiceUnavailable      5xx, maintenance, an HTML page where JSON was due
        ConnectionLost          no answer, or half of one
        RowLocked               somebody else holds the row for a moment
      StopRun                 repeating is useless until a person acts; nothing is lost
        SettingsError           ringtrue.toml or the run config cannot be used
        CredentialRefused       login or token refused
        HostUnreachable         the name does not resolve or nobody listens there
        AllowanceSpent          the day's API calls or the credit are used up
        FieldMissing            a field we need does not exist or is hidden from us
        FieldNotWritable        a field we write is read-only for our user
        SchemaChanged           the service answers in words we do not know
        FileUnreadable          a file has the wrong encoding, columns or content
        LoopDetected            a cursor or a login goes round in circles
        PlanRefused             a plan is too old, too large, or not approved
        LedgerError             the ledger does not fit this program or this CRM
      SkipRecord              this row only; its neighbours go on
        RecordGone              deleted, or merged into `merged_into`
        RecordRefused           a validation rule, trigger or type refused the value
        RecordChanged           somebody edited the field since we looked

Messages are sentences that tell the reader what to do. They never hold a full number, e-mail or secret.
"""

from __future__ import annotations


class RingTrueError(Exception):
    """Base of every error of this project."""


class RetryLater(RingTrueError):
    """The same call may work later."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(RetryLater):
    """The service asked us to slow down."""


class ServiceUnavailable(RetryLater):
    """The service is there but cannot answer now."""


class ConnectionLost(RetryLater):
    """The answer did not arrive, or only a part of it."""


class RowLocked(RetryLater):
    """Another transaction holds the row."""


class StopRun(RingTrueError):
    """Repeating is useless until a person acts."""


class SettingsError(StopRun):
    """The settings file or the run config cannot be used."""


class CredentialRefused(StopRun):
    """The login or the token was refused."""


class HostUnreachable(StopRun):
    """Nobody listens at the configured address."""


class AllowanceSpent(StopRun):
    """The day's API calls or the credit are used up."""


class FieldMissing(StopRun):
    """A field we need does not exist, or is hidden from our user."""


class FieldNotWritable(StopRun):
    """A field we write is read-only for our user."""


class SchemaChanged(StopRun):
    """The service answers in words we do not know."""


class FileUnreadable(StopRun):
    """A file has the wrong encoding, columns or content."""


class LoopDetected(StopRun):
    """A cursor or a login goes round in circles."""


class PlanRefused(StopRun):
    """A plan is too old, too large, or not approved."""


class LedgerError(StopRun):
    """The ledger does not fit this program or this CRM."""


class SkipRecord(RingTrueError):
    """Concerns one record; its neighbours go on."""


class RecordGone(SkipRecord):
    """The record was deleted, or merged into another one."""

    def __init__(self, message: str, *, merged_into: str | None = None) -> None:
        super().__init__(message)
        self.merged_into = merged_into


class RecordRefused(SkipRecord):
    """A validation rule, trigger or type refused the value."""


class RecordChanged(SkipRecord):
    """Somebody edited the field since we looked."""
