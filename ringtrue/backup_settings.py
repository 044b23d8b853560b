"""`[backup]`: where backups of the ledger go, how many are kept, and when they are made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

OFF = "off"


class BackupSettings(BaseModel):
    """Backups of the ledger. `RINGTRUE_BACKUP_PASSPHRASE` in the environment seals them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = "data/backups"
    """Better on another disk than the ledger's."""
    keep: int = Field(default=14, ge=1)
    """Older backups in the folder are deleted. A person erased by `ringtrue forget` is gone from the backups after so many more."""
    schedule: str = "30 1 * * *"
    """`off` makes no schedule; the job `back_up` is there all the same."""
    timezone: str = "UTC"
    """Time zone of the schedule."""
