"""Whether the numbers of a list may be called, as far as our own ledger knows. Permission fails closed: what was not checked is never a yes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from connectors.resources import open_ledger
from ringtrue.errors import LedgerError
from ringtrue.ledger import Ledger, registries, suppressing
from ringtrue.registry_freshness import stale_reason
from ringtrue.settings import Settings, load_settings


class Permission:
    """Looks numbers up in the suppressions and the registries of the ledger."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        now = round(datetime.now(UTC).timestamp() * 1000)
        with ledger.read() as book:
            dates = {place: part.list_date for place, part in registries.parts_in_force(book).items()}
        self._stale = stale_reason(settings.registries, dates, settings.dialing_list.registries_required, now)
        self.counts: Counter[str] = Counter()

    def told(self, cells: Sequence[str]) -> list[str]:
        """One cell for each cell of E.164 numbers: "yes: why" for do-not-call, "not checked: why" without a fresh registry, or "no"."""
        wanted = list({number for cell in cells if cell for number in cell.split("; ")})
        if not wanted:
            return [""] * len(cells)
        with self._ledger.read() as book:
            held = suppressing.of_numbers(book, self._ledger.key, wanted)
            listed = {listing.number: listing.name for listing in registries.check(book, wanted)}
        answers = {}
        for number in wanted:
            stale = self._stale(number)
            if number in held:
                answers[number] = f"yes: {held[number][0].source.partition(':')[0]}"
            elif number in listed:
                answers[number] = f"yes: registry {listed[number]}"
            else:
                answers[number] = f"not checked: {stale}" if stale else "no"
        out = []
        for cell in cells:
            found = [answers[number] for number in cell.split("; ")] if cell else []
            # One number that must not be called makes the field one.
            best = min(found, key=lambda one: ("yes", "not", "no").index(one[:3].rstrip(":")), default="")
            self.counts[best.partition(":")[0]] += bool(best)
            out.append(best)
        return out


@contextmanager
def permission() -> Iterator[Permission]:
    """The ledger of ringtrue.toml. Raises SettingsError or LedgerError where there is none: nothing is marked as free then."""
    settings = load_settings()
    address = make_url(settings.ledger.url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise LedgerError(
            f"There is no ledger at {address.database}, so do-not-call cannot be checked. Leave --suppressed out, or run this where ringtrue.toml is."
        )
    ledger = open_ledger(settings)
    try:
        yield Permission(ledger, settings)
    finally:
        ledger.close()
