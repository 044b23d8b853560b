"""What a run of the desk did: per service, and over all. These numbers become the asset's metadata."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from connectors.lookups.protocol import Answer


@dataclass
class ServiceReport:
    """One service in one run. `asked` questions were sent; every one is answered, abstained, refused, lost (spent without an answer) or still open as a job."""

    service: str
    currency: str
    asked: int = 0
    answered: int = 0
    abstained: int = 0
    refused: int = 0
    lost: int = 0
    given_back: int = 0
    """Sent, surely not served and not charged."""
    cost: Decimal = Decimal(0)
    still_open: int = 0
    """Waiting for a job, a callback or a file: a later run fetches them."""
    fetched: int = 0
    """Answers to jobs of earlier runs."""
    declined: Counter[str] = field(default_factory=Counter)
    unknown_words: Counter[tuple[str, str]] = field(default_factory=Counter)
    left_out: str | None = None
    """One sentence, when the service was of no use to this run."""
    warnings: list[str] = field(default_factory=list)

    @property
    def abstention_share(self) -> float:
        """Share of the served questions that got no answer. Above 0.2 a service is worth a second look."""
        served = self.answered + self.abstained
        return self.abstained / served if served else 0.0

    def count(self, answer: Answer) -> None:
        """Take an answer into account."""
        if answer.result == "answered":
            self.answered += 1
        elif answer.result == "abstain":
            self.abstained += 1
        else:
            self.refused += 1
        self.cost += answer.cost
        self.unknown_words.update((finding.field, finding.word) for finding in answer.review)


@dataclass
class DeskReport:
    """All of one run. `questions` = `settled` + `unsettled` + `never_sent` + `elsewhere`."""

    services: dict[str, ServiceReport] = field(default_factory=dict)
    questions: int = 0
    settled: int = 0
    """Closed by what was known or answered."""
    unsettled: int = 0
    """Nobody was left to ask, or the money did not reach."""
    never_sent: int = 0
    """No service is switched on that could answer and may be told."""
    elsewhere: int = 0
    """Another run is asking the same right now."""
    disagreements: int = 0
    """Questions to which two services gave opposite answers."""

    def sentences(self) -> list[str]:
        """What a person should read on the run's page."""
        said = []
        for report in self.services.values():
            if report.left_out:
                said.append(f"{report.service} was left out: {report.left_out}")
            said.extend(report.warnings)
            if report.unknown_words:
                words = ", ".join(f"{place} {word!r}" for place, word in list(report.unknown_words)[:5])
                said.append(f"{report.service} used words no table knows ({words}); they wait in the review table.")
        return said


def opposite(first: Answer, second: Answer) -> bool:
    """Whether two answers to the same question contradict each other."""
    for one, other in ((first, second), (second, first)):
        if one.line_state in ("alive", "off", "suspended") and (
            other.line_state == "dead" or other.validity == "invalid"
        ):
            return True
        if one.reassigned == "yes" and other.reassigned == "no":
            return True
        if one.email_state == "good" and other.email_state == "bad":
            return True
    return False
