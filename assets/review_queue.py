"""`review_queue`: what waits for a person, with how often it came up."""

from collections.abc import Sequence

import dagster as dg
from dagster import MetadataValue

from assets.stage import counts, plain_errors
from connectors.resources import LedgerResource
from ringtrue.ledger import review
from ringtrue.masking import mask_text

SHOWN = 25


def build_review_queue(deps: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The `review_queue` asset below everything that asks."""

    @dg.asset(name="review_queue", deps=list(deps), group_name="decision", kinds={"python"}, owners=["team:sales_ops"])
    def review_queue(ledger: LedgerResource) -> dg.MaterializeResult[None]:
        """Shows what no rule could read. `ringtrue review answer` answers a question once and for all."""
        with plain_errors(), ledger.open() as book, book.read() as connection:
            waiting = review.counts(connection)
            questions = review.open_questions(connection, limit=SHOWN)
        lines = ["| id | kind | text | suggestion | times |", "|---:|---|---|---|---:|"]
        lines += [
            f"| {item.review_id} | {item.kind} | {_cell(item.text)} | {_cell(item.suggestion or '')} | {item.times} |"
            for item in questions
        ]
        return dg.MaterializeResult(
            metadata={
                "waiting": MetadataValue.int(sum(waiting.values())),
                **counts({f"waiting: {kind}": count for kind, count in waiting.items()}),
                "commonest": MetadataValue.md("\n".join(lines)),
            }
        )

    return review_queue


def _cell(text: str) -> str:
    return mask_text(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
