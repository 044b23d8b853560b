"""`[registries.<name>]` of ringtrue.toml: which do-not-call registries are loaded, from where, and how old they may be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

RegistryKind = Literal["us_national", "us_state", "litigator", "uk_tps", "uk_ctps", "canada", "france", "registry"]

LEGAL_AGE_DAYS: dict[str, int] = {
    "us_national": 31,
    "us_state": 31,
    "uk_tps": 28,
    "uk_ctps": 28,
    "canada": 31,
    "france": 30,
}
"""How old a registry's data may be when somebody is called (16 CFR 310.4(b)(3)(iv); PECR reg. 21 and the ICO's guidance; the Canadian
Unsolicited Telecommunications Rules; Code de la consommation R223-6). Others gate no region unless `max_age_days` says so."""
_REGIONS: dict[str, str] = {
    "us_national": "US",
    "us_state": "US",
    "litigator": "US",
    "uk_tps": "GB",
    "uk_ctps": "GB",
    "canada": "CA",
    "france": "FR",
}


class RegistrySettings(BaseModel):
    """One registry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: RegistryKind
    folder: str | None = None
    """Folder of the files as downloaded, zipped or not."""
    file: str | None = None
    """One file, instead of a folder."""
    region: str = ""
    """Two-letter country whose numbers the registry lists. Known for the official kinds."""
    area_codes: tuple[str, ...] = ()
    """Area codes subscribed. Empty: all that the files hold."""
    san: str | None = None
    """Subscription Account Number, kept with every version as proof of access."""
    max_age_days: int | None = Field(default=None, ge=1)
    """Past this age the registry's region is not callable. The legal age of the official kinds is the default."""
    warn_days: int = Field(default=7, ge=0)
    """The check turns yellow this many days before."""
    column: str | None = None
    """Header of the column with the numbers, in a table with several."""
    bad_share: float = Field(default=0.001, ge=0, lt=1)
    """A file with a larger share of unreadable lines is refused whole."""
    least_share: float = Field(default=0.5, ge=0, le=1)
    """A full list with fewer than this share of the numbers it replaces is refused: it was cut short or is another list."""

    @model_validator(mode="after")
    def _has_a_place(self) -> RegistrySettings:
        if (self.folder is None) == (self.file is None):
            raise ValueError("a registry needs either folder or file")
        if not self.country:
            raise ValueError(f'a registry of kind "{self.kind}" needs region, a two-letter country code')
        if any(len(code) != 3 or not code.isdigit() for code in self.area_codes):
            raise ValueError('area_codes are three digits each, as in ["202", "415"]')
        return self

    @property
    def country(self) -> str:
        """The country whose numbers are listed."""
        return (self.region or _REGIONS.get(self.kind, "")).upper()

    @property
    def legal_age_days(self) -> int | None:
        """How old the list may be; None where its age keeps nobody from being called."""
        return self.max_age_days or LEGAL_AGE_DAYS.get(self.kind)

    def paths(self) -> list[Path]:
        """The files there are now, in name order."""
        if self.file is not None:
            return [Path(self.file)] if Path(self.file).is_file() else []
        folder = Path(self.folder or "")
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith((".", "~")))


class DialingSettings(BaseModel):
    """`[dialing_list]`: the list of who may be called now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = "data/dialing"
    schedule: str = "50 * * * *"
    only_lists: bool = False
    """Only people on the campaigns and lists named under the connections."""
    registries_required: tuple[str, ...] = ("US", "GB", "CA")
    """Countries whose numbers may be called only after a scrub against a registry of theirs that is fresh."""
    countries: dict[str, dict[str, object]] = Field(default_factory=dict)
    states: dict[str, dict[str, object]] = Field(default_factory=dict)
    """Changes to the lawful calling hours, in the words of ringtrue/data/calling."""
