"""The ledger: what was seen, decided and changed. The only place that opens the database."""

from ringtrue.ledger import schema_entry as schema_entry
from ringtrue.ledger import schema_lookups as schema_lookups
from ringtrue.ledger import schema_permission as schema_permission
from ringtrue.ledger import schema_privacy as schema_privacy
from ringtrue.ledger.database import Ledger

__all__ = ["Ledger"]
