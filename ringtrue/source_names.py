"""From what a CRM or a file says about a contact's origin to one of the sources named in `ringtrue.toml`.

Pulls store the origin as they found it (`raw_source`); the mapping happens at reading, so a renamed source replays over history.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from ringtrue.source_labels import LABEL_LIMIT, OTHER, VALUE_LIMIT, clean, comparable, display, slugify
from ringtrue.source_settings import SourceRule, check_sources

SOURCE_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "salesforce": ("LeadSource", "campaign"),
    "hubspot": (
        "hs_analytics_source",
        "hs_analytics_source_data_1",
        "hs_analytics_source_data_2",
        "hs_object_source_label",
        "hs_object_source_detail_1",
        "import",
    ),
    "files": ("source", "file_name"),
}
"""Where each kind of connection says where a contact came from, most telling first."""

_MOST_TELLING: Final = (
    "import",
    "file_name",
    "campaign",
    "LeadSource",
    "source",
    "hs_analytics_source_data_2",
    "hs_analytics_source_data_1",
    "hs_object_source_detail_1",
    "hs_analytics_source",
    "hs_object_source_label",
)


REMEMBERED: Final = 50_000
"""Origins whose source is remembered."""


def fields_wanted(kind: str, sources: Mapping[str, SourceRule]) -> tuple[str, ...]:
    """The fields a pull of this kind of connection has to keep so that every rule can be applied: the usual ones, then those the rules name."""
    usual = SOURCE_FIELDS.get(kind, ())
    others = {name for fields in SOURCE_FIELDS.values() for name in fields} - set(usual)
    conditions = [part for rule in sources.values() for match in rule.match for part in (match, *match.also)]
    named = [part.field for part in conditions if part.field is not None and part.field not in others]
    return tuple(dict.fromkeys([*usual, *named]))


def raw_source(values: Mapping[str, str | None]) -> str | None:
    """What a record says of its origin, as one text: a JSON object of its non-empty source fields, names sorted. None where it says nothing.

    Half of a surrogate pair, which neither Arrow nor a database takes, becomes "?".
    """
    held = {name: value for name, value in values.items() if value is not None and value.strip()}
    if not held:
        return None
    text = json.dumps(held, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode("utf-8")


def parse_raw(raw: str | None) -> dict[str, str]:
    """The fields of a text made by `raw_source`; any other text counts as the value of the field `source`."""
    if not isinstance(raw, str) or not raw.strip():
        return {}
    if raw.startswith("{"):
        try:
            held = json.loads(raw)
        except (ValueError, RecursionError):
            held = None
        if isinstance(held, dict):
            return {str(name): value for name, value in held.items() if isinstance(value, str) and value.strip()}
    return {"source": raw}


def import_of(raw: str | None) -> str | None:
    """What names the import a contact came with: a file, or HubSpot's import. None for a contact that came alone."""
    fields = parse_raw(raw)
    if fields.get("file_name"):
        return fields["file_name"]
    words = (fields.get("hs_object_source_label"), fields.get("hs_analytics_source_data_1"))
    if "import" not in {word.casefold() for word in words if word}:
        return None
    named = ("import", "hs_object_source_detail_1", "hs_analytics_source_data_2")
    return next((fields[name] for name in named if fields.get(name)), "import")


class SourceMap:
    """The rules of `[sources]`, ready to apply.

    A raw value is read once however many contacts carry it: mapping five million contacts costs as much as mapping their distinct origins.
    """

    def __init__(self, sources: Mapping[str, SourceRule]) -> None:
        check_sources(sources)
        self.slugs: tuple[str, ...] = (*sources, OTHER)
        self._seen: dict[tuple[str, str | None], str] = {}
        self._labels = {slug: rule.label for slug, rule in sources.items()}
        self._rules = [
            (
                slug,
                re.compile(fnmatch.translate(match.connection)) if match.connection else None,
                [(part.field, part.compiled()) for part in (match, *match.also)],
            )
            for slug, rule in sources.items()
            for match in rule.match
        ]

    def label(self, slug: str) -> str:
        """What people call the source."""
        return self._labels.get(slug, "Other sources" if slug == OTHER else slug)

    def slug(self, connection: str, raw: str | None) -> str:
        """The source of one raw value. The latest answers are remembered: batches of contacts ask for the same origins again and again."""
        key = (connection, raw)
        known = self._seen.get(key)
        if known is None:
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            known = self._seen[key] = self._slug(connection, raw)
        return known

    def _slug(self, connection: str, raw: str | None) -> str:
        fields = {name: comparable(value) for name, value in parse_raw(raw).items()}
        for slug, wanted, conditions in self._rules:
            if (wanted is None or wanted.match(connection)) and all(
                _holds(fields, name, pattern) for name, pattern in conditions
            ):
                return slug
        return OTHER

    def slugs_of(self, connection: pd.Series, raw: pd.Series) -> pd.Series:
        """The source of each row: `connection` and `raw` are text columns of the same index; returns a categorical of `self.slugs`."""
        where, connections = pd.factorize(connection)
        what, raws = pd.factorize(raw)
        pair = (where.astype(np.int64) + 1) * (len(raws) + 1) + (what + 1)
        code, distinct = pd.factorize(pair)
        number = {slug: position for position, slug in enumerate(self.slugs)}
        answers = np.empty(len(distinct), dtype=np.int32)
        for position, both in enumerate(distinct.tolist()):
            at, of = divmod(both, len(raws) + 1)
            slug = self.slug(str(connections[at - 1]) if at else "", str(raws[of - 1]) if of else None)
            answers[position] = number[slug]
        codes = answers[code]
        dtype = pd.CategoricalDtype(list(self.slugs))
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=raw.index)


class Suggestion(NamedTuple):
    """A raw origin no rule names yet, and the settings that would name it."""

    label: str
    slug: str
    connections: tuple[str, ...]
    contacts: int
    toml: str


def suggest(counts: pd.DataFrame, source_map: SourceMap, *, limit: int = 50) -> list[Suggestion]:
    """Settings for the commonest origins no rule names, most contacts first.

    `counts` has one row per distinct origin: `connection` (text), `raw` (text or null), `contacts` (integer).
    The proposal uses the most telling field the origin has. Origins that agree in it become one source, whichever connection they came from.
    """
    totals: dict[str, int] = {}
    written: dict[str, str] = {}
    places: dict[str, set[tuple[str, str]]] = {}
    for connection, raw, contacts in zip(counts["connection"], counts["raw"], counts["contacts"], strict=True):
        text = raw if isinstance(raw, str) else None
        if source_map.slug(str(connection), text) != OTHER:
            continue
        field, value = _telling(parse_raw(text))
        key = comparable(value)
        totals[key] = totals.get(key, 0) + int(contacts)
        written.setdefault(key, clean(value[:VALUE_LIMIT]))
        places.setdefault(key, set()).add((str(connection), field))
    slugs = set(source_map.slugs)
    labels = {comparable(source_map.label(slug)) for slug in slugs}
    found: list[Suggestion] = []
    named = sorted((key for key in totals if key), key=lambda key: (-totals[key], key))
    for key in named[:limit]:
        label = display(written[key])
        slug = slugify(label, slugs)
        if comparable(label) in labels:
            label = f"{label[: LABEL_LIMIT - len(slug) - 3]} ({slug})"
        slugs.add(slug)
        labels.add(comparable(label))
        where = sorted(places[key])
        proposal = _proposal(where, written[key], label, slug)
        found.append(Suggestion(label, slug, tuple(dict.fromkeys(name for name, _ in where)), totals[key], proposal))
    return found


def _holds(fields: Mapping[str, str], name: str | None, pattern: re.Pattern[str]) -> bool:
    """Whether the field, or any field, holds the pattern. A field that is missing counts as empty."""
    values = [fields.get(name, "")] if name is not None else list(fields.values()) or [""]
    return any(pattern.search(value) is not None for value in values)


def _telling(fields: Mapping[str, str]) -> tuple[str, str]:
    """The field and value to propose a rule for: an import or a campaign before the broad source it belongs to."""
    for field in (*_MOST_TELLING, *sorted(fields)):
        if comparable(fields.get(field, "")):
            return field, fields[field]
    return "source", ""


def _proposal(places: list[tuple[str, str]], value: str, label: str, slug: str) -> str:
    shown = display(value, VALUE_LIMIT)
    if shown != value:  # a number or an address was masked: it does not belong into a settings file either
        key, pattern = "glob", re.sub(r"\*+", "*", re.sub(r"([?\[])", r"[\1]", shown))
    elif len(value) > 200:
        key, pattern = "glob", _literal(value[:120]) + "*"
    else:
        key, pattern = "value", value
    matches = [
        f"    {{ connection = {_toml(_literal(connection))}, field = {_toml(field)}, {key} = {_toml(pattern)} }},\n"
        for connection, field in places
    ]
    return f"[sources.{slug}]\nlabel = {_toml(label)}\nmatch = [\n{''.join(matches)}]\n"


def _literal(text: str) -> str:
    """Text as a glob that matches nothing but itself."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def _toml(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, the delete character apart."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
