"""What waits to be done at once: questions that cost less than a millisecond and write nothing, for sensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from ringtrue.ledger import dirty
from ringtrue.ledger.beside import OPEN_AHEAD
from ringtrue.ledger.database import fetch
from ringtrue.ledger.inbox import RECORD_KINDS

WAIT_SECONDS = 2.0


class NotThere(Exception):
    """There is no ledger yet, or not one of this version: nothing can wait in it."""


@contextmanager
def glance(url: str, password: str | None = None) -> Iterator[Connection]:
    """The ledger as it is, for reading only: it is neither created nor migrated, and no lock is taken. Raises NotThere."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        file = Path(address.database or "").resolve()
        if not file.is_file():
            raise NotThere
        address = make_url(f"sqlite:///file:{file}?mode=ro&uri=true")
        engine = create_engine(
            address, poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS}, hide_parameters=True
        )
    else:
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg2")
        if password is not None:
            address = address.set(password=password)
        engine = create_engine(
            address,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"connect_timeout": round(WAIT_SECONDS), "options": "-c default_transaction_read_only=on"},
        )
    try:
        with engine.connect() as connection:
            yield connection
    except (OperationalError, ProgrammingError) as error:
        raise NotThere from error
    finally:
        engine.dispose()


def do_not_calls(connection: Connection, connection_name: str, flag: str) -> bool:
    """Whether a do-not-call flag waits to be set in a CRM. One that is being written at this moment is not waited for."""
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM dirty_contacts AS d WHERE d.stage = :stage AND NOT EXISTS (SELECT 1 FROM changes AS ch "
            "WHERE ch.contact_id = d.contact_id AND ch.connection = :connection AND ch.state = 'sending' AND ch.fields LIKE :flag "
            f"AND ch.plan_id NOT IN ({OPEN_AHEAD})) LIMIT 1",
            {
                "stage": dirty.do_not_call_stage(connection_name),
                "connection": connection_name,
                "flag": f'%"{flag}":%',
            },
        )
    )


def left_open(connection: Connection, connection_name: str, before: int) -> bool:
    """Whether a plan written ahead of the sync was begun before a moment (ms) and has not ended: its run was killed, or the CRM failed."""
    return bool(
        fetch(
            connection,
            f"SELECT 1 FROM plans WHERE plan_id IN ({OPEN_AHEAD}) AND created_at < :before LIMIT 1",
            {"connection": connection_name, "before": before},
        )
    )


def opt_outs(connection: Connection) -> bool:
    """Whether flags that people set in a CRM wait to become opt-outs. Not while numbers wait to be read: who shares one is not known then."""
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM dirty_contacts AS d WHERE d.stage = 'opt_outs' AND NOT EXISTS "
            "(SELECT 1 FROM dirty_contacts AS p WHERE p.stage = 'phones') AND NOT EXISTS "
            "(SELECT 1 FROM changes AS ch WHERE ch.contact_id = d.contact_id AND ch.state = 'sending') LIMIT 1",
        )
    )


def records(connection: Connection, kind: str, connection_name: str) -> bool:
    """Whether a CRM told of records that were not read since."""
    kinds = ", ".join(f"'{each}'" for each in RECORD_KINDS)
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM inbox WHERE source = :source AND handled_at IS NULL AND record_id IS NOT NULL "
            f"AND connection = :connection AND kind IN ({kinds}) LIMIT 1",
            {"source": f"{kind}:{connection_name}", "connection": connection_name},
        )
    )
