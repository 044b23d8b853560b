"""What `ringtrue.toml` may say about lead sources: `[sources.<slug>]` and `[source_quality]`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ringtrue.source_labels import LABEL_LIMIT, OTHER, comparable

SLUG_PATTERN: Final = r"^[a-z][a-z0-9_]{0,59}$"
SourceSlug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]


class SourceCondition(BaseModel):
    """What one field must hold: exactly one of `value` (whole text), `glob` (* and ?) or `regex` (anywhere in it). Case does not matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """API name of the field, `file_name`, `import`, `campaign`; None looks at every field of the source."""
    value: str | None = None
    glob: str | None = None
    regex: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [self.value, self.glob, self.regex]
        if sum(pattern is not None for pattern in given) != 1:
            raise ValueError("a source rule needs exactly one of value, glob and regex")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(
                    f"the regex {self.regex[:60]!r} cannot be read ({error}); correct it or use glob"
                ) from error
        return self

    def compiled(self) -> re.Pattern[str]:
        """The condition as one regular expression to search for in cleaned, case-folded text."""
        if self.regex is not None:
            return re.compile(self.regex, re.IGNORECASE)
        if self.glob is not None:
            return re.compile(r"\A" + fnmatch.translate(comparable(self.glob)))
        return re.compile(r"\A" + re.escape(comparable(self.value or "")) + r"\Z")


class SourceMatch(SourceCondition):
    """One way to recognise a source. `connection` limits it to connections of that name (glob); `also` lists what must hold besides."""

    connection: str | None = None
    also: tuple[SourceCondition, ...] = ()


class SourceRule(BaseModel):
    """`[sources.<slug>]`: a source people know by name. It is a node in the graph, and its contacts are counted under it.

    The first source in the file that matches wins; within a source any of its `match` entries is enough.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LABEL_LIMIT)]
    group: Annotated[str, StringConstraints(strip_whitespace=True, max_length=LABEL_LIMIT)] = ""
    """What kind of source it is, such as "partner lists" or "web forms"."""
    match: tuple[SourceMatch, ...] = ()
    cost_per_lead: float = Field(default=0.0, ge=0)
    """What one contact of this source was paid for, in the currency of `[source_quality]`."""


class SourceQualitySettings(BaseModel):
    """`[source_quality]`: how sources are judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arrival_days: float = Field(default=7.0, gt=0)
    """A number counts against its source only if it was first verified this soon after the contact was created."""
    history: bool = True
    """Whether contacts that were in the CRM before the first pull are judged too, by what is known of their first days: what could never have been a number, and calls of that time."""
    minimum_verified: int = Field(default=20, ge=1)
    """Below this many numbers verified on arrival a source gets no grade, however narrow its interval."""
    tolerated_share: float = Field(default=0.15, gt=0, lt=1)
    """The bad share the report's "probability of being above" refers to."""
    cost_per_attempt: float = Field(default=0.25, ge=0)
    """What one call attempt costs, agent's time included."""
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    feedback: tuple[str, ...] = ()
    """Connections whose CRM is told: grade and alarm go to Salesforce campaigns that are a source, and to HubSpot contacts by their first source."""
    severity: Literal["warn", "error"] = "warn"
    """Severity of a source's check when its alarm rings or its grade falls."""


def check_sources(sources: Mapping[str, SourceRule]) -> None:
    """Raise ValueError if a source takes the reserved name `other` or two sources share a label."""
    if OTHER in sources:
        raise ValueError(f"the source name {OTHER!r} is reserved for everything no rule names; choose another name")
    seen: dict[str, str] = {}
    for slug, rule in sources.items():
        key = comparable(rule.label)
        if key in seen:
            raise ValueError(f"the sources {seen[key]!r} and {slug!r} have the same label {rule.label!r}; change one")
        seen[key] = slug
