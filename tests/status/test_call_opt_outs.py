"""A stop said in a call binds the person called; where nobody is on record, the number dialled."""

from __future__ import annotations

import pytest

from assets.call_evidence import read_calls
from ringtrue.ledger.calls import Callee, CallRow
from ringtrue.settings import Connection, Settings

DIALLED, ON_RECORD = "+447400123456", "+441212345678"
NOW = 1_793_000_000_000
SETTINGS = Settings(connections={"dialler": Connection(kind="files")})


@pytest.mark.parametrize(
    ("numbers", "scopes"),
    [(None, ["number"]), ((DIALLED,), ["person"]), ((ON_RECORD,), ["person", "number"])],
)
def test_whom_a_stop_in_a_call_binds(numbers: tuple[str, ...] | None, scopes: list[str]) -> None:
    call = CallRow(
        1, "dialler", "c1", "generic", ["r1"], DIALLED, "Do not call", "Do not call", None, None, "outbound", 20.0,
        "said: please remove me from your list", None, NOW, False,
    )  # fmt: skip
    people = {("dialler", "r1"): Callee(7, "GB", numbers)} if numbers is not None else {}
    read = read_calls([call], people, {}, SETTINGS, NOW)
    assert [event.scope for event in read.opt_outs] == scopes
    assert [event.number for event in read.opt_outs if event.scope == "number"] == [DIALLED] * scopes.count("number")
