"""`ringtrue serve`: start the entry service; `ringtrue serve code` gives people their codes for the why page."""

from __future__ import annotations

import logging
import os
import socket
from typing import Annotated

import typer
import uvicorn

from app.console import err, out, print_json
from app.serve.application import build
from app.serve.codes import Codes
from ringtrue.errors import SettingsError
from ringtrue.serve_settings import ServeSettings
from ringtrue.settings import load_settings

serve = typer.Typer(name="serve", help="The entry service: web forms, CRM webhooks, diallers, the why page.")
code = typer.Typer(name="code", help="Personal codes for the why page.", no_args_is_help=True)
serve.add_typer(code, name="code")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_BACKLOG = 2_048
_MOST_CONNECTIONS = 2_000
_STOP_SECONDS = 10
_KEEP_ALIVE_SECONDS = 75
"""Longer than a proxy keeps an idle connection (nginx: 60 seconds): whoever closes first must be the one who asks."""


@serve.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on instead of [serve] host.")] = None,
    port: Annotated[int | None, typer.Option(help="Port instead of [serve] port; 0 takes any free one.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No line for each request.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the entry service; it runs until interrupted."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if chosen:
        serve_settings = ServeSettings.model_validate({**settings.serve.model_dump(exclude_unset=True), **chosen})
        settings = settings.model_copy(update={"serve": serve_settings})
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("httpx", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("ringtrue.serve").setLevel(logging.WARNING if quiet else logging.INFO)
    app, keys = build(settings, os.environ)
    for variable in keys.missing:
        err.print(f"A key is switched off: {variable} is not set.", style="yellow")
    listener = _listen(settings.serve)
    config = uvicorn.Config(
        app,
        log_config=None,
        ws="none",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        proxy_headers=bool(settings.serve.forwarded_from),
        forwarded_allow_ips=list(settings.serve.forwarded_from),
    )
    address, bound = listener.getsockname()[:2]
    url = f"http://{f'[{address}]' if ':' in address else address}:{bound}"
    if as_json:
        print_json({"address": url})
    else:
        out.print(f"RingTrue listens at {url}")
    uvicorn.Server(config).run(sockets=[listener])


def _listen(settings: ServeSettings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen at {settings.host} port {settings.port} ({error.strerror}). Stop what listens there, or choose another "
            "port under [serve]."
        ) from error


def _codes() -> Codes:
    return Codes(load_settings().serve.sign_in, os.environ)


@code.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose code it is; stands beside what they tell.")],
    as_json: AsJson = False,
) -> None:
    """Make a code for somebody. It is shown once and kept as a hash only."""
    made = _codes().add(name)
    if as_json:
        print_json({"name": name.strip(), "code": made})
        return
    out.print(f"{name.strip()}: {made}")
    out.print("Give it to nobody else. It is not shown again.")


@code.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Whose code to take away.")], as_json: AsJson = False) -> None:
    """Take somebody's code away; whoever is signed in with it is signed out."""
    if not _codes().remove(name):
        raise SettingsError(f"Nobody called {name!r} has a code in the file. `ringtrue serve code list` shows who has.")
    if as_json:
        print_json({"removed": name})
    else:
        out.print(f"The code of {name} opens nothing any more.")


@code.command("list")
def show(as_json: AsJson = False) -> None:
    """Show who has a code."""
    names = sorted(_codes().hashes())
    if as_json:
        print_json({"names": names})
    else:
        out.print("\n".join(names) or "Nobody has a code.")
