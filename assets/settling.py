"""Settles what a crash left between sent and answered, before anything else is learned from the CRM."""

from assets.ahead import settle_ahead
from assets.delivery import Delivery
from assets.planner import fields_by_object
from connectors.crm import Crm
from ringtrue.ledger import Ledger
from ringtrue.settings import Settings


def settle(ledger: Ledger, crm: Crm, settings: Settings, name: str) -> int:
    """Find out what became of a connection's interrupted changes, those written ahead of a sync too. Returns how many there were.

    Nothing is written to the CRM.
    """
    connection = settings.connections[name]
    own = fields_by_object(ledger, name, connection)
    with ledger.alone(f"writing to {name}"):
        count = Delivery(ledger, crm, name, own, "settle", "settle", connection.bulk_from).settle()
    return count + settle_ahead(ledger, crm, settings, name, "settle", "settle", reading_only=True)[0]
