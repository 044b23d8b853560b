"""What `ringtrue.toml` may say under `[schedules]` and `[retention]`: when things happen by themselves, and how long their traces are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

OFF = "off"
Cron = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class SchedulesSettings(BaseModel):
    """`[schedules]`: jobs beside the syncs, each a cron expression or `off`. They run once a connection may be written.

    The syncs, the report and the dialling list have their schedules under their own tables.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str = "UTC"
    """Time zone of the expressions here."""
    registry_scrub: Cron = "30 4 * * *"
    """When registry files are loaded and every number is compared with them, so that no list grows older than the law allows."""
    clean_monthly: Cron = "0 2 1 * *"
    """When every number is looked at for what is due to be asked again, decided and written."""
    clean_quarterly: Cron = "0 1 2 1,4,7,10 *"
    """When besides that every record is pulled, decided and compared again, whatever changed."""
    prune: Cron = "15 3 * * *"
    """When traces older than `[retention]` says are deleted."""
    retries: int = Field(default=2, ge=0, le=10)
    """How often a stage is repeated in the same run when its error may pass by itself. Errors that need a person are never repeated."""
    retry_seconds: float = Field(default=60, gt=0, le=3_600)
    """How long to wait before the first repetition; twice as long before each further one."""


class RetentionSettings(BaseModel):
    """`[retention]`: how many days traces are kept. What undo, trace and proof of permission rest on is never deleted (docs/running.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs_days: int = Field(default=90, ge=1)
    """Runs with their events and logs. The last materialization of each asset and the last result of each check stay."""
    inbox_days: int = Field(default=14, ge=2)
    """Messages of other systems that were handled. Vendors repeat theirs for up to a day, and a repetition is recognised by them."""
    dropped_changes_days: int = Field(default=90, ge=7)
    """Planned changes that a newer plan replaced before they were sent, and plans of which nothing else is left."""
    reports_days: int = Field(default=400, ge=1)
    """Lead-source reports and refund packs in the folder of `[report]`."""
