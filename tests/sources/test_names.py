"""Raw origins become named sources, and no name, however hostile, gets anywhere it could do harm."""

from __future__ import annotations

import re
import tomllib

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ringtrue.source_settings import SLUG_PATTERN
from ringtrue.sources import (
    SourceCondition,
    SourceMap,
    SourceMatch,
    SourceRule,
    check_sources,
    display,
    fields_wanted,
    markdown,
    raw_source,
    slugify,
    suggest,
)

RULES = {
    "spring_fair": SourceRule(
        label="Spring fair",
        group="events",
        match=(
            SourceMatch(field="LeadSource", glob="spring fair*"),
            SourceMatch(field="campaign", regex=r"^SF-\d{4}$"),
        ),
    ),
    "imported": SourceRule(
        label="Imports",
        match=(
            SourceMatch(
                connection="hub*",
                field="hs_analytics_source",
                value="offline",
                also=(SourceCondition(field="hs_analytics_source_data_1", value="IMPORT"),),
            ),
        ),
    ),
    "anything_2026": SourceRule(label="2026", match=(SourceMatch(glob="*2026*"),)),
    "unknown": SourceRule(label="No source", match=(SourceMatch(value=""),)),
}
HOSTILE = [
    "../../etc/passwd",
    'say "hi".exe',
    "<script>alert(1)</script>",
    "x" * 10_000,
    "y" * 9_999 + "z",
    "\x00\x1b[31mred\x7f",
    "春季展会",
    "🎉🎉",
    "half \ud800 pair",
    "=cmd|' /C calc'!A0",
    "{not json",
    '{"a": ' * 3_000,
    "call +1 202 555 0123 now",
    "ann@example.com",
    "other",
    "Ou\u202etxt.exe",
    "[*?]",
    "   ",
    "",
]


@pytest.mark.parametrize(
    ("connection", "values", "source"),
    [
        ("salesforce", {"LeadSource": "Spring Fair Berlin"}, "spring_fair"),
        ("salesforce", {"LeadSource": " spring\u00a0 FAIR "}, "spring_fair"),
        ("salesforce", {"LeadSource": "Web", "campaign": "sf-2031"}, "spring_fair"),
        ("salesforce", {"LeadSource": "early spring fair"}, "other"),
        ("hub_de", {"hs_analytics_source": "OFFLINE", "hs_analytics_source_data_1": "import"}, "imported"),
        ("hub_de", {"hs_analytics_source": "OFFLINE", "hs_analytics_source_data_1": "CRM_UI"}, "other"),
        ("salesforce", {"hs_analytics_source": "OFFLINE", "hs_analytics_source_data_1": "IMPORT"}, "other"),
        ("files", {"file_name": "leads_2026-03.csv"}, "anything_2026"),
        ("salesforce", {"LeadSource": "Spring fair 2026"}, "spring_fair"),
        ("salesforce", {"LeadSource": None}, "unknown"),
        ("salesforce", {}, "unknown"),
    ],
)
def test_rules_name_a_source(connection: str, values: dict[str, str | None], source: str) -> None:
    assert SourceMap(RULES).slug(connection, raw_source(values)) == source


def test_a_plain_text_is_a_source_too() -> None:
    assert SourceMap({"web": SourceRule(label="Web", match=(SourceMatch(value="web"),))}).slug("files", "Web") == "web"


def test_columns_are_mapped_row_by_row_with_nulls() -> None:
    raw = pd.Series([raw_source({"LeadSource": "Spring fair"}), None, raw_source({"LeadSource": "Cold"})] * 1_000)
    where = pd.Series(["salesforce"] * len(raw))
    mapped = SourceMap(RULES).slugs_of(where, raw)
    assert mapped.tolist() == ["spring_fair", "unknown", "other"] * 1_000
    assert list(mapped.cat.categories) == [*RULES, "other"]
    assert SourceMap(RULES).slugs_of(where[:0], raw[:0]).tolist() == []


def test_the_pull_keeps_every_field_a_rule_reads() -> None:
    rules = {"x": SourceRule(label="X", match=(SourceMatch(field="Custom__c", value="1"),))}
    assert fields_wanted("salesforce", rules) == ("LeadSource", "campaign", "Custom__c")
    assert "hs_analytics_source" not in fields_wanted("salesforce", RULES)


@pytest.mark.parametrize("slug", ["Spring", "a/b", "a.b", "", "x" * 61, "1st"])
def test_the_slug_pattern_lets_only_safe_names_through(slug: str) -> None:
    assert re.fullmatch(SLUG_PATTERN, slug) is None


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        SourceMatch(field="LeadSource")
    with pytest.raises(ValidationError, match="regex"):
        SourceMatch(regex="(")
    with pytest.raises(ValueError, match="reserved"):
        check_sources({"other": SourceRule(label="x")})
    with pytest.raises(ValueError, match="same label"):
        check_sources({"a": SourceRule(label="Web"), "b": SourceRule(label="web ")})


def test_every_suggestion_is_valid_settings_and_catches_what_it_was_made_for() -> None:
    raw = [raw_source({"LeadSource": name}) for name in HOSTILE] * 2
    counts = pd.DataFrame(
        {"connection": ["sf[1]"] * len(HOSTILE) + ["hub"] * len(HOSTILE), "raw": raw, "contacts": range(len(raw))}
    )
    found = suggest(counts, SourceMap({}), limit=100)
    table = tomllib.loads("\n".join(suggestion.toml for suggestion in found))["sources"]
    rules = {slug: SourceRule.model_validate(value) for slug, value in table.items()}
    mapped = SourceMap(rules).slugs_of(counts["connection"], counts["raw"])
    unnamed = counts["raw"].isna()
    assert (mapped[unnamed] == "other").all()
    assert (mapped[~unnamed] != "other").all()
    assert sum(suggestion.contacts for suggestion in found) == counts["contacts"][~unnamed].sum()
    assert "2025550123" not in re.sub(r"\D", "", "".join(suggestion.toml for suggestion in found))
    assert suggest(counts, SourceMap(rules)) == []


def test_suggestions_come_with_most_contacts_first_and_join_connections() -> None:
    counts = pd.DataFrame(
        {
            "connection": ["salesforce", "hubspot", "salesforce"],
            "raw": [raw_source({"LeadSource": "Web"}), raw_source({"hs_analytics_source": "web"}), "Trade fair"],
            "contacts": [5, 4, 7],
        }
    )
    first, second = suggest(counts, SourceMap({}))
    assert (first.slug, first.contacts, first.connections) == ("web", 9, ("hubspot", "salesforce"))
    assert (second.slug, second.contacts) == ("trade_fair", 7)


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_has_a_safe_slug_and_a_safe_label(text: str) -> None:
    assert re.fullmatch(SLUG_PATTERN, slugify(text))
    assert slugify(text) == slugify(text) != "other"
    assert slugify(text, {slugify(text)}) != slugify(text)
    label = display(text)
    assert 0 < len(label) <= 80
    assert label.isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_safely(name: str) -> None:
    assert re.fullmatch(SLUG_PATTERN, slugify(name))
    assert len(display(name)) <= 80
    assert display(name).isprintable()
    assert "<" not in markdown(display(name))


def test_numbers_in_names_are_masked_and_dates_are_not() -> None:
    assert "5550123" not in display("call +1 202 555 0123").replace(" ", "")
    assert display("leads_20260304.csv") == "leads_20260304.csv"
    assert display("import 2026-03-04") == "import 2026-03-04"
    assert "ann@" not in display("from ann@example.com")
    assert display(None) == display("\u200b ") == "(no source)"
