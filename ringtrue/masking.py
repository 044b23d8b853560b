"""What may be shown of a number, an e-mail address or a text that might hold one."""

from __future__ import annotations

import re

_DIGIT_RUN = re.compile(r"\+?\d(?:[\s().\-/]?\d){6,}")
_EMAIL = re.compile(r"([A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]*@([A-Za-z0-9.\-]+\.[A-Za-z]{2,})")
_SECRET = re.compile(
    r"(?i)((?:token|secret|password|api_?key|assertion|authorization|license|customerid)[\"']?\s*[=:]\s*[\"']?(?:bearer\s+|basic\s+)?)"
    r"([^\s&\"',;}]+)"
)


def mask_number(number: str | None) -> str:
    """Show country and last two digits only: `+14155550123` becomes `+1*******23`."""
    if not number:
        return ""
    digits = sum(character.isdigit() for character in number)
    if digits <= 4:
        return "*" * len(number)
    head = number[: 2 if number.startswith("+") else 1]
    return head + "*" * max(digits - len(head.lstrip("+")) - 2, 1) + number.rstrip()[-2:]


def mask_email(address: str | None) -> str:
    """Show the first letter and the domain: `a***@example.com`."""
    return _EMAIL.sub(r"\1***@\2", address) if address else ""


def mask_text(text: str) -> str:
    """Mask every number of seven digits or more, every e-mail address and every named secret in a text."""
    text = _SECRET.sub(r"\1***", text)
    text = _EMAIL.sub(r"\1***@\2", text)
    return _DIGIT_RUN.sub(lambda match: mask_number(match.group()), text)
