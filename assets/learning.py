"""What the ledger teaches about lines and lead sources: hazards once a day for the lookups, expectations once a month for the decisions."""

import numpy as np
import orjson
import pandas as pd

from ringtrue import staleness
from ringtrue.expectations import Expectations, learned
from ringtrue.ledger import Ledger, lookups, meta
from ringtrue.ledger import expectations as kept_expectations
from ringtrue.segments import segment_of_number
from ringtrue.source_names import SourceMap

LEARN_HOURS = 24


def hazards(ledger: Ledger, now: int) -> pd.DataFrame:
    """How fast numbers go stale by segment: learned from the ledger, once a day."""
    with ledger.read() as connection:
        kept = meta.value(connection, "hazards")
    if kept is not None:
        told = orjson.loads(kept)
        if now - told["learned_at"] < LEARN_HOURS * 3_600_000:
            return pd.DataFrame.from_dict(told["table"], orient="index").astype(float).rename_axis("segment")
    exposed = []
    with ledger.read() as connection:
        for seen in lookups.intervals(connection):
            kinds = zip(seen["told"], seen["type"], seen["field"], strict=True)
            seen["segment"] = [segment_of_number(*kind) for kind in kinds]
            exposed.append(staleness.exposure(seen))
    table = staleness.learn(pd.concat(exposed, ignore_index=True))
    plain = {
        str(name): {key: None if np.isnan(value) else value for key, value in row.items()}
        for name, row in table.to_dict("index").items()
    }
    with ledger.write() as connection:
        meta.set_value(connection, "hazards", orjson.dumps({"learned_at": now, "table": plain}).decode())
    return table


def expectations(ledger: Ledger, sources: SourceMap, now: int, *, learn: bool) -> Expectations:
    """What is expected of lines and lead sources: as learned last, or learned anew where it is time."""
    with ledger.read() as connection:
        known = kept_expectations.stored(connection)
    if not learn or not known.due(now):
        return known
    rates = hazards(ledger, now)
    with ledger.read() as connection:
        first = kept_expectations.first_told(connection, sources)
        calls = kept_expectations.reports(connection)
    known = learned(first, rates, calls, now)
    with ledger.write() as connection:
        kept_expectations.store(connection, known)
    return known
