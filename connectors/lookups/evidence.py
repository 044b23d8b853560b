"""From a service's answer to evidence: one observation in the words of the vocabulary, and what else it told."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from connectors.lookups.protocol import Answer, Finding, Question
from ringtrue.ledger.lookups import LineFact, Observed

_FIRST = ("lookup_reassigned", "lookup_invalid", "lookup_suspended")
"""Words that decide by themselves: they come before those that only weigh."""
_WORD_LENGTH = 80


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def leading(answer: Answer) -> Finding | None:
    """The finding an answer stands for: a word that decides by itself, else the heaviest on the side the sum is on."""
    meant = [finding for finding in answer.findings if finding.outcome is not None]
    for outcome in _FIRST:
        for finding in meant:
            if finding.outcome == outcome:
                return finding
    total = answer.log_lr or 0.0
    same_side = [finding for finding in meant if (finding.log_lr or 0.0) * total >= 0]
    return max(same_side or meant, key=lambda finding: abs(finding.log_lr or 0.0), default=None)


def observation(answer: Answer, intent_id: str, group: str) -> Observed | None:
    """The evidence in an answer about a number. An abstention is written down as one; an error, and an answer about something else than the line, is none."""
    found = leading(answer)
    if answer.result == "error" or answer.question.kind == "email" or (found is None and answer.result != "abstain"):
        return None
    words = "; ".join(f"{finding.field} {finding.word}"[:_WORD_LENGTH] for finding in answer.findings)
    return Observed(
        number=answer.question.subject,
        source=answer.service,
        source_group=group,
        outcome=str(found.outcome) if found is not None else "lookup_abstained",
        raw=words,
        log_lr=answer.log_lr if found is not None else None,
        observed_at=milliseconds(answer.observed_at),
        external_id=intent_id,
        cost=float(answer.cost),
    )


def line_fact(answer: Answer) -> LineFact | None:
    """Line type, carrier and listing, where the answer tells any."""
    line_type = answer.line_type if answer.line_type != "unknown" else None
    if answer.question.kind == "email" or not (line_type or answer.carrier or answer.dnc_listed is not None):
        return None
    return LineFact(
        answer.question.subject,
        line_type,
        answer.carrier,
        answer.ported,
        answer.dnc_listed,
        answer.service,
        milliseconds(answer.observed_at),
    )


def question_record(question: Question) -> str:
    """A question as JSON, without its subject."""
    return orjson.dumps(
        {
            "region": question.region,
            "line_type": question.line_type,
            "since": question.since,
            "value": question.value,
        }
    ).decode()


def question_of(subject: str, kind: Any, record: str) -> Question:
    """A question from its JSON."""
    told = orjson.loads(record)
    since = told["since"]
    return Question(
        subject,
        kind,
        region=told["region"],
        line_type=told["line_type"],
        since=date.fromisoformat(since) if since else None,
        value=float(told["value"]),
    )


def answer_of(question: Question, record: str) -> Answer:
    """An answer from the JSON of `Answer.as_record`."""
    told = orjson.loads(record)
    service, _, product = told["vendor"].partition(".")
    since = told["reassigned"]["since"]
    return Answer(
        question=question,
        service=service,
        product=product,
        observed_at=datetime.fromisoformat(told["observed_at"]),
        result=told["outcome"],
        cost=Decimal(told["cost"]["amount"]),
        currency=told["cost"]["currency"],
        contract=told["contract_version"],
        latency_ms=told["latency_ms"],
        error_class=told["error_class"],
        validity=told["validity"],
        line_state=told["line_state"],
        line_type=told["line_type"],
        carrier=told["carrier"],
        ported=told["ported"],
        reassigned=told["reassigned"]["answer"],
        reassigned_since=date.fromisoformat(since) if since else None,
        dnc_listed=told["dnc"]["listed"],
        email_state=told["email"],
        findings=tuple(Finding(**finding) for finding in told["findings"]),
        review=tuple(Finding(**finding) for finding in told["review"]),
        raw_ref=told["raw_ref"],
        external_id=told["external_id"],
    )
