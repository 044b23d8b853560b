"""The ledger: what was seen, decided and changed. The only place that opens the database."""

from ringtrue.ledger.database import Ledger

__all__ = ["Ledger"]
