"""Runs the migrations inside the transaction that `Ledger.open` hands over."""

from alembic import context

from ringtrue.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
