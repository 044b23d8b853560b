"""`ringtrue backup` and `ringtrue restore`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.console import out, print_json
from app.privacy import write_private
from app.suppress import AsJson, opened
from assets.backup import PASSPHRASE, make_backup
from assets.stage import now_ms
from connectors.resources import ledger_password
from ringtrue.ledger import restoring
from ringtrue.ledger.backup import Manifest, back_up
from ringtrue.settings import load_settings


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _facts(path: Path, manifest: Manifest) -> dict[str, object]:
    return {
        "file": str(path),
        "made_at": _moment(manifest.made_at),
        "database": manifest.database,
        "rows": sum(facts.rows for facts in manifest.tables.values()),
        "suppression_events": manifest.chain[0],
        "chain_head": manifest.chain[1],
    }


def backup(
    target: Annotated[
        Path | None,
        typer.Argument(
            help="File to write, or a folder, where old backups are deleted; the folder of [backup] by default."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Back the ledger up while it is in use: one file with everything as of this moment, the key included. Only its owner can read it."""
    now = now_ms()
    deleted: list[Path] = []
    with opened() as (settings, ledger):
        folder = target or Path(settings.backup.folder)
        if target is not None and not target.is_dir():
            path, manifest = target, back_up(ledger, target, now, os.environ.get(PASSPHRASE))
        else:
            path, manifest, deleted = make_backup(ledger, folder, settings.backup.keep, now)
    if as_json:
        print_json({**_facts(path, manifest), "deleted": [str(each) for each in deleted]})
        return
    rows = sum(facts.rows for facts in manifest.tables.values())
    out.print(f"{path}: {rows:,} rows, {manifest.chain[0]:,} suppression events.", soft_wrap=True)
    if not os.environ.get(PASSPHRASE):
        out.print(f"It holds numbers and the key in clear. {PASSPHRASE} in the environment seals it.")
    for each in deleted:
        out.print(f"Deleted {each}.", soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    check: Annotated[bool, typer.Option("--check", help="Only verify the backup: every row, the key.")] = False,
    key_out: Annotated[
        Path | None,
        typer.Option("--key-out", help="Only write the ledger's key to this file, for RINGTRUE_LEDGER_KEY."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Where there is a ledger in use: put it aside first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the ledger back from a backup, made on SQLite or PostgreSQL. Nothing is replaced before all of it is verified."""
    passphrase = os.environ.get(PASSPHRASE)
    if key_out is not None:
        write_private(key_out, restoring.key_of(file, passphrase))
        if as_json:
            print_json({"key": str(key_out)})
        else:
            out.print(f'The key is in {key_out}: export RINGTRUE_LEDGER_KEY="$(cat {key_out})"', soft_wrap=True)
        return
    aside = None
    if check:
        manifest = restoring.verify(file, passphrase)
    else:
        settings = load_settings()
        manifest, aside = restoring.restore(
            settings.ledger.url,
            file,
            now_ms(),
            password=ledger_password(settings),
            passphrase=passphrase,
            force=force,
        )
    if as_json:
        print_json({**_facts(file, manifest), "restored": not check, "aside": str(aside) if aside else None})
        return
    rows = sum(facts.rows for facts in manifest.tables.values())
    done = "is whole" if check else "is restored"
    out.print(
        f"The ledger of {_moment(manifest.made_at)} {done}: {rows:,} rows, {manifest.chain[0]:,} suppression events."
    )
    if aside:
        out.print(f"The ledger before it is kept as {aside}.", soft_wrap=True)
    if not check:
        out.print(
            "Run `ringtrue sync` next: it reads what happened since. Do-not-call flags that stand in the CRMs stay."
        )
