"""`ringtrue review`: what no rule could read, asked of a person once."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from app.console import out, print_json
from assets.stage import now_ms
from connectors.resources import open_ledger
from ringtrue.errors import SettingsError
from ringtrue.evidence import OUTCOMES
from ringtrue.ledger import opt_outs, review
from ringtrue.masking import mask_text
from ringtrue.settings import load_settings

reviews = typer.Typer(help="Look at what no rule could read, and answer it once.", no_args_is_help=True)

ANSWERS = {"opt_out": ("yes", "no"), "number": ("accept", "reject"), "switchboard": ("person_only", "whole_number")}
"""Answers by kind of question; an outcome is answered with a word of the evidence vocabulary."""


@reviews.command("list")
def list_questions(
    kind: Annotated[str | None, typer.Option(help="outcome, opt_out, number or switchboard.")] = None,
    limit: Annotated[int, typer.Option(help="Most questions to show.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show open questions, the commonest first. Numbers are masked."""
    ledger = open_ledger(load_settings())
    with ledger.read() as book:
        questions = review.open_questions(book, kind, limit)
    ledger.close()
    rows = [
        {"id": question.review_id, "kind": question.kind, "text": mask_text(question.text),
         "suggestion": mask_text(question.suggestion or ""), "times": question.times}
        for question in questions
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    table = Table("id", "kind", "text", "suggestion", "times")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    out.print(table if rows else "Nothing waits for review.")


@reviews.command("answer")
def answer(
    question: Annotated[int, typer.Argument(help="Id of the question.")],
    given: Annotated[str, typer.Argument(help="The answer; for an outcome a word of the evidence vocabulary.")],
    person: Annotated[str, typer.Option("--by", help="Who answers.", prompt="Your name")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Answer a question. Calls with the same outcome word are read again by the next sync."""
    ledger = open_ledger(load_settings())
    try:
        with ledger.write() as book:
            found = review.find(book, question)
            if found is None:
                raise SettingsError(f"There is no open question {question}. `ringtrue review list` shows them.")
            allowed = ANSWERS.get(found.kind, OUTCOMES)
            if given not in allowed:
                raise SettingsError(
                    f"A question of kind {found.kind} is answered with one of: {', '.join(sorted(allowed))}."
                )
            review.answer(book, question, given, person, now_ms())
            if found.kind == "opt_out" and given == "yes":
                opt_outs.confirm_call(book, ledger.key, found.suggestion or "", person, now_ms())
            if found.kind == "switchboard" and given == "whole_number":
                opt_outs.confirm_number(book, ledger.key, found.text, person, now_ms())
    finally:
        ledger.close()
    if as_json:
        print_json({"id": question, "kind": found.kind, "answer": given})
    else:
        out.print(f"Question {question} is answered: {given}. The next sync takes it into account.")
