"""Is a question still open after an answer? The decision made from the ledger says so, as `status` will make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from assets.deciding import Deciding
from connectors.lookups.protocol import Answer, Question


class Judge:
    """Keeps the line fact of every number that is asked, decided anew in memory with each batch of answers; writes nothing."""

    def __init__(self, way: Deciding, line: Mapping[str, str]) -> None:
        self._way = way
        self._line = dict(line)
        self.settled: set[tuple[str, str]] = set()
        """Questions that need no further service: (subject, kind)."""

    def heard(self, numbers: Sequence[str]) -> None:
        """Decide these numbers again: the ledger has new answers about them."""
        general = self.decided(numbers)
        self._line.update(zip(general["number"], general["line"].astype(str), strict=True))

    def decided(self, numbers: Sequence[str]) -> pd.DataFrame:
        """The decisions of these numbers, whoever carries them, as `status` would make them now."""
        with self._way.ledger.read() as connection:
            evidence = self._way.evidence(connection, list(dict.fromkeys(numbers)))
        decided = self._way.decided(evidence, max(self._way.moment, evidence["observed_at"].max()))
        return decided[decided["contact"].isna()]

    def still_open(self, question: Question, answers: Sequence[Answer]) -> bool:
        """See `connectors.lookups.desk.StillOpen`. A line's state is open until the decision knows it, anything else until it is answered."""
        if not any(answer.result == "answered" for answer in answers):
            return True
        if question.kind == "line_status" and self._line.get(question.subject, "unknown") == "unknown":
            return True
        self.settled.add((question.subject, question.kind))
        return False
