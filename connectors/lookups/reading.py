"""From a vendor's words to an `Answer`, by the service's word table. A word no table knows is kept for review and says nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, cast

from connectors.lookups.protocol import Answer, Finding, LineState, LineType, Offer, Question, Reassigned, Validity
from ringtrue.lookup_words import Meaning, WordTable


@dataclass(slots=True)
class Reading:
    """Collects the words of one answer. `take` is called once per word, `answer` at the end."""

    table: WordTable
    findings: list[Finding] = field(default_factory=list)
    review: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    charged: bool | None = None

    def take(self, place: str, word: object) -> Meaning | None:
        """Look a word up and keep what it means. None and the empty word are no word."""
        if word is None or word == "":
            return None
        meaning = self.table.meaning(place, word)
        if meaning is None:
            self.review.append(Finding(place, str(word)))
            return None
        if meaning.outcome or meaning.log_lr or meaning.result:
            self.findings.append(Finding(place, str(word), meaning.outcome, meaning.log_lr))
        if meaning.charged is not None:
            self.charged = meaning.charged
        for fact in ("validity", "line_state", "line_type", "reassigned", "dnc_listed", "ported", "email_state"):
            value = getattr(meaning, fact)
            if value is not None:
                known = self.facts.get(fact)
                self.facts[fact] = value if known in (None, "unknown", value) or fact == "line_type" else "unknown"
        return meaning

    def _says_something(self, question: Question) -> bool:
        facts = self.facts
        state = facts.get("line_state", "unknown")
        told = {
            "validity": facts.get("validity", "unknown") != "unknown",
            "line_type": facts.get("line_type", "unknown") != "unknown",
            "line_status": state != "unknown" or facts.get("validity") == "invalid",
            "reassigned": facts.get("reassigned") in ("yes", "no"),
            "email": facts.get("email_state", "unknown") != "unknown",
        }
        return told[question.kind] or (
            question.kind in ("line_status", "validity") and any(finding.log_lr for finding in self.findings)
        )

    def answer(
        self,
        question: Question,
        offer: Offer,
        *,
        body: bytes,
        latency_ms: int,
        cost: Decimal | None = None,
        carrier: str | None = None,
        reassigned_since: date | None = None,
        external_id: str | None = None,
        observed_at: datetime | None = None,
    ) -> Answer:
        """Close the reading. Without a fact about what was asked the result is `abstain`, never a guess."""
        facts = self.facts
        price = offer.price if cost is None else cost
        return Answer(
            question=question,
            service=self.table.service,
            product=offer.product,
            observed_at=observed_at or datetime.now(UTC),
            result="answered" if self._says_something(question) else "abstain",
            cost=Decimal(0) if self.charged is False else price,
            currency=offer.currency,
            contract=self.table.contract,
            latency_ms=latency_ms,
            validity=cast(Validity, facts.get("validity", "unknown")),
            line_state=cast(LineState, facts.get("line_state", "unknown")),
            line_type=cast(LineType, facts.get("line_type", "unknown")),
            carrier=carrier or None,
            ported=facts.get("ported"),
            reassigned=cast("Reassigned | None", facts.get("reassigned")),
            reassigned_since=reassigned_since,
            dnc_listed=facts.get("dnc_listed"),
            email_state=cast("Literal['good', 'risky', 'bad', 'unknown'] | None", facts.get("email_state")),
            findings=tuple(self.findings),
            review=tuple(self.review),
            raw_ref="sha256:" + hashlib.sha256(body).hexdigest(),
            external_id=external_id,
        )


def error_answer(
    table: WordTable, question: Question, offer: Offer, error_class: str, word: str, *, cost: Decimal = Decimal(0)
) -> Answer:
    """The answer to a question the service refused by itself: no evidence, by default not charged."""
    return Answer(
        question=question,
        service=table.service,
        product=offer.product,
        observed_at=datetime.now(UTC),
        result="error",
        cost=cost,
        currency=offer.currency,
        contract=table.contract,
        error_class=error_class,
        findings=(Finding("error", word),),
    )
