"""Writes a migration for what changed in the tables: `make migration M="what changes"`.

A ledger in the field is upgraded step by step, so a migration that was released is never edited. `--first` writes the first one anew from the tables,
for as long as nothing is released.
"""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.autogenerate import render_python_code
from alembic.operations.ops import CreateIndexOp, CreateTableOp, DowngradeOps, DropTableOp, UpgradeOps
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from ringtrue.ledger.database import alembic_config
from ringtrue.ledger.schema import metadata

FIRST = "0001"
_REMARK = re.compile(r"^ *# ### .*\n", re.MULTILINE)
_IN_BRACKETS = re.compile(r'sa\.text\("\((\w+)\)"\)')


def write_next(message: str) -> Path:
    """Compare the tables with the newest migration and write the difference as the next one; the file."""
    config = alembic_config()
    head = ScriptDirectory.from_config(config).get_current_head()
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # SQLite cannot show an index over an expression; the test on PostgreSQL tells whether one is missing.
        warnings.filterwarnings("ignore", ".*expression-based index")
        engine = create_engine(f"sqlite:///{folder}/ledger.db")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            made = command.revision(config, message, autogenerate=True, rev_id=f"{int(head or 0) + 1:04}")
        engine.dispose()
    assert made is not None  # noqa: S101 one script was asked for
    assert not isinstance(made, list)  # noqa: S101
    path = Path(made.path)
    text = _REMARK.sub("", path.read_text(encoding="utf-8"))
    # SQLite puts brackets around defaults.
    path.write_text(_IN_BRACKETS.sub(r'sa.text("\1")', text), encoding="utf-8")
    return path


def write_first() -> Path:
    """Write the first migration from the tables as they are; the file."""
    tables = metadata.sorted_tables
    make = [
        operation
        for table in tables
        for operation in (
            CreateTableOp.from_table(table),
            *(CreateIndexOp.from_index(index) for index in sorted(table.indexes, key=lambda index: str(index.name))),
        )
    ]
    drop = [DropTableOp.from_table(table) for table in reversed(tables)]
    up, down = (
        _REMARK.sub("", render_python_code(operations) + "\n").strip()
        for operations in (UpgradeOps(make), DowngradeOps(drop))
    )
    path = Path(ScriptDirectory.from_config(alembic_config()).versions) / f"{FIRST}_first.py"
    path.write_text(
        '"""The first ledger."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
        f'revision = "{FIRST}"\ndown_revision = None\nbranch_labels = None\ndepends_on = None\n\n\n'
        f"def upgrade() -> None:\n    {up}\n\n\ndef downgrade() -> None:\n    {down}\n",
        encoding="utf-8",
    )
    return path


if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or not words[0]:
        sys.exit('Say what changes: make migration M="what changes"')
    sys.stdout.write(f"{write_first() if words == ['--first'] else write_next(words[0])}\n")
