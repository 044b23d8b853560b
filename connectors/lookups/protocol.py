"""The one protocol of every lookup service: what it can tell, about which numbers, at what price, and how it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

Kind = Literal["validity", "line_type", "line_status", "reassigned", "email"]
"""What can be asked: does the number exist, what is it, is it alive, does it belong to somebody else by now, is the e-mail good."""

Result = Literal["answered", "abstain", "error"]
Validity = Literal["valid", "invalid", "unknown"]
LineState = Literal["alive", "dead", "suspended", "off", "unknown"]
LineType = Literal[
    "mobile", "landline", "fixed_or_mobile", "fixed_voip", "nonfixed_voip", "tollfree", "premium", "other", "unknown"
]
Reassigned = Literal["yes", "no", "no_data"]


@dataclass(frozen=True, slots=True)
class Question:
    """One thing somebody wants to know about one number (E.164) or e-mail address.

    `region` and `line_type` are what is known already; `since` is the last day the number was known to belong to the contact (kind `reassigned`);
    `value` is what the answer is worth in money, so that a budget that ends has bought the most valuable ones.
    """

    subject: str
    kind: Kind
    region: str | None = None
    line_type: LineType = "unknown"
    since: date | None = None
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One word of a vendor and what it means. `outcome` is a word of the evidence vocabulary (`ringtrue/data/outcomes`).

    `outcome` None: the word is known and says nothing, or it is unknown and stands in `Answer.review`. `log_lr` is the vendor's own likelihood,
    log P(word | dead) / P(word | alive), where it differs from the vocabulary's.
    """

    field: str
    word: str
    outcome: str | None = None
    log_lr: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said to one question; JSON-serialisable by `as_record`. An error or an abstention is never evidence of death."""

    question: Question
    service: str
    product: str
    observed_at: datetime
    result: Result
    cost: Decimal
    currency: str
    contract: str
    """Version of the wire contract and word table the answer was read with."""
    latency_ms: int = 0
    error_class: str | None = None
    validity: Validity = "unknown"
    line_state: LineState = "unknown"
    line_type: LineType = "unknown"
    carrier: str | None = None
    ported: bool | None = None
    reassigned: Reassigned | None = None
    reassigned_since: date | None = None
    dnc_listed: bool | None = None
    email_state: Literal["good", "risky", "bad", "unknown"] | None = None
    findings: tuple[Finding, ...] = ()
    review: tuple[Finding, ...] = ()
    """Words no table knows: for a person to read, never guessed."""
    raw_ref: str | None = None
    """SHA-256 of the response body, so that a kept body can be matched. The body itself is not kept: it may not be lawful to."""
    external_id: str | None = None

    @property
    def log_lr(self) -> float | None:
        """The sum of what the findings weigh, None where the vocabulary decides."""
        weights = [finding.log_lr for finding in self.findings if finding.log_lr is not None]
        return sum(weights) if weights else None

    def as_record(self) -> dict[str, object]:
        """The answer as plain values, in the words of the ledger."""
        return {
            "number": self.question.subject,
            "kind": self.question.kind,
            "vendor": f"{self.service}.{self.product}",
            "observed_at": self.observed_at.isoformat(),
            "latency_ms": self.latency_ms,
            "cost": {"amount": str(self.cost), "currency": self.currency},
            "outcome": self.result,
            "error_class": self.error_class,
            "validity": self.validity,
            "line_state": self.line_state,
            "line_type": self.line_type,
            "carrier": self.carrier,
            "ported": self.ported,
            "reassigned": {
                "answer": self.reassigned,
                "since": self.reassigned_since.isoformat() if self.reassigned_since else None,
            },
            "dnc": {"listed": self.dnc_listed},
            "email": self.email_state,
            "findings": [
                {"field": f.field, "word": f.word, "outcome": f.outcome, "log_lr": f.log_lr} for f in self.findings
            ],
            "review": [{"field": f.field, "word": f.word} for f in self.review],
            "log_lr": self.log_lr,
            "raw_ref": self.raw_ref,
            "external_id": self.external_id,
            "contract_version": self.contract,
        }


@dataclass(frozen=True, slots=True)
class Offer:
    """One product of a service: what it answers, for which numbers, at what price, for how long.

    `regions` and `line_types` empty mean all. One purchase answers every kind in `kinds`. `batch_size` questions travel in one request.
    `job`: the service takes the questions now and answers later (`JobService`).
    """

    product: str
    kinds: tuple[Kind, ...]
    price: Decimal
    currency: str
    regions: frozenset[str] = frozenset()
    line_types: frozenset[str] = frozenset()
    lifetime_days: float = 30.0
    batch_size: int = 1
    job: bool = False

    def answers(self, question: Question) -> bool:
        """Whether this product covers the question. A line type that is not known for sure is no reason to refuse."""
        if question.kind not in self.kinds:
            return False
        if self.regions and question.kind != "email" and question.region not in self.regions:
            return False
        return not self.line_types or question.line_type in self.line_types | {"unknown", "fixed_or_mobile"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard a service may be asked: requests a second, and requests at the same time."""

    rate_per_second: float
    concurrency: int
    timeout_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What the desk has to know of a service before it asks.

    `located_in`: region where the numbers are processed, for rules about numbers that may not leave their country.
    `repeatable`: the same request twice is charged once (the service has an idempotency key), so a lost answer may be asked for again.
    `warnings`: sentences for the run's page, such as a sunset.
    """

    name: str
    offers: tuple[Offer, ...]
    limits: Limits
    located_in: str
    repeatable: bool = False
    warnings: tuple[str, ...] = field(default=())


class LookupService(Protocol):
    """A service that is asked and answers while one waits."""

    @property
    def facts(self) -> ServiceFacts: ...

    def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """Buy one product for at most `offer.batch_size` questions at once; yields exactly one answer for each, in any order.

        Raises RetryLater when nothing was charged and asking again may work, ConnectionLost when it cannot be known whether the request was
        charged, StopRun when the service is of no use until a person acts.
        """
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...


class JobService(LookupService, Protocol):
    """A service that takes a job and answers later. Its job id is kept in the ledger, so a crash loses nothing that was paid."""

    async def submit(self, questions: Sequence[Question]) -> str:
        """Hand the questions over and return the job's id."""
        ...

    def collect(self, offer: Offer, job_id: str, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """Wait for the job and yield one answer per question. Raises ServiceUnavailable when the job is not done within the time-out: it stays open."""
        ...
