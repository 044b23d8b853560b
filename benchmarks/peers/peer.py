"""Times a package with phonenumbers' interface: `peer.py MODULE FILE` prints rows per second of processor time and a count of valid numbers."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path


def main() -> None:
    """Parse, E.164, possible, valid, type and region of every row."""
    lib = importlib.import_module(sys.argv[1])
    if hasattr(lib, "enable_pattern_cache"):
        lib.enable_pattern_cache()
    fields = Path(sys.argv[2]).read_text(encoding="utf-8").split("\0")
    rows = list(zip(fields[0::2], [region or None for region in fields[1::2]], strict=False))
    valid = 0
    started = time.process_time()
    for text, region in rows:
        try:
            number = lib.parse(text, region)
        except lib.NumberParseException:
            continue
        lib.format_number(number, lib.PhoneNumberFormat.E164)
        lib.is_possible_number_with_reason(number)
        valid += lib.is_valid_number(number)
        lib.number_type(number)
        lib.region_code_for_number(number)
    seconds = time.process_time() - started
    sys.stdout.write(f"{len(rows) / seconds:.0f} {valid}\n")


main()
