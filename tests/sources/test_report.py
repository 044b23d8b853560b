"""The report and the refund pack: complete in one file, harmless whatever a source is called, without a full number where none belongs."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from datetime import UTC, datetime
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ringtrue.reasons import REASONS
from ringtrue.report import ReportData, plots, refund_pack, render_report
from ringtrue.source_advice import complaint, faults, sentence
from ringtrue.source_counts import SourceCounter
from ringtrue.sources import SourceQualitySettings, SourceRule, display, quality_table, weekly_shares
from tests.sources.world import START, numbers_of

NOW = datetime(2026, 7, 6, 9, tzinfo=UTC)
LABELS = {
    "fair": "Spring fair",
    "markup": "<script>alert(1)</script> \"'&",
    "formula": "Cost $\\frac{1}{0}$ _x^{2",
    "chinese": "春季展会",
    "drawn": "🎉🎉🎉",
    "long": "x" * 80,
    "tiny": "Tiny",
}


def report_data() -> ReportData:
    shares = dict(zip(LABELS, (0.3, 0.1, 0.05, 0.02, 0.2, 0.15, 0.5), strict=True))
    counter = SourceCounter((*LABELS, "silent", "other"))
    counter.add(numbers_of(shares, [400, 300, 300, 300, 300, 300, 5], seed=1))
    rules = {slug: SourceRule(label=label, group="events", cost_per_lead=1.0) for slug, label in LABELS.items()}
    quality, reasons = quality_table(counter, rules, SourceQualitySettings()), counter.reasons()
    statuses = pd.DataFrame(
        [
            (week, status, count)
            for week in pd.date_range("2026-01-05", periods=20, freq="W-MON")
            for status, count in (("active", 900), ("invalid", 80), ("do_not_call", 20))
        ],
        columns=["week", "status", "numbers"],
    )
    advice = {
        str(row["source"]): [sentence(str(row["label"]), fault) for fault in faults(row, reasons)]
        for _, row in quality.iterrows()
    }
    return ReportData(
        quality,
        weekly_shares(counter.weeks()),
        reasons,
        statuses,
        NOW,
        advice=advice,
        ringing={"fair": "2026-05-20T10:00:00Z"},
        grades_before={"fair": "C"},
    )


@pytest.fixture(scope="module")
def data() -> ReportData:
    return report_data()


@pytest.fixture(scope="module")
def page(data: ReportData) -> str:
    return render_report(data)


class Tags(HTMLParser):
    """What a browser would do with a page: its tags and what they point at, the text a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_file_that_fetches_and_runs_nothing(page: str) -> None:
    seen = Tags(page)
    assert seen.targets
    assert all(target.startswith("data:image/svg+xml;base64,") for target in seen.targets)
    assert not {"script", "link", "iframe"} & set(seen.tags)
    assert "url(" not in page
    assert "@import" not in page
    assert seen.tags.count("picture") == 5


def test_every_source_stands_in_the_report_as_it_is_called(page: str) -> None:
    text = Tags(page).text
    for label in LABELS.values():
        assert label in text
    assert "No numbers yet from: silent, Other sources" in text
    assert "was C" in text
    assert "more bad numbers than usual since 2026-05-20" in text
    assert "ask for text columns" in text


def test_plots_are_pictures_of_the_promised_sizes(data: ReportData) -> None:
    drawn = {width: plots(data, width) for width in ("narrow", "wide")}
    for width, pixels in (("narrow", 720), ("wide", 1_800)):
        assert list(drawn[width]) == ["ranking", "trend", "reasons", "statuses", "money"]
        for picture in drawn[width].values():
            assert Image.open(io.BytesIO(picture)).width == pixels


def test_the_same_data_give_the_same_report(page: str) -> None:
    assert render_report(report_data()) == page


def test_a_report_of_nothing_can_be_read() -> None:
    counter = SourceCounter(("other",))
    quality = quality_table(counter, {}, SourceQualitySettings())
    statuses = pd.DataFrame(columns=["week", "status", "numbers"])
    data = ReportData(quality, weekly_shares(counter.weeks()), counter.reasons(), statuses, NOW)
    assert "No numbers yet" in render_report(data)
    assert plots(data) == {}


def test_the_report_of_a_thousand_sources_folds_the_long_tail() -> None:
    shares = {f"source_{position}": 0.1 for position in range(1_000)}
    counter = SourceCounter((*shares, "other"))
    counter.add(numbers_of(shares, [3] * 1_000))
    quality = quality_table(counter, {}, SourceQualitySettings())
    statuses = pd.DataFrame(columns=["week", "status", "numbers"])
    data = ReportData(quality, weekly_shares(counter.weeks()), counter.reasons(), statuses, NOW)
    page = render_report(data)
    assert "975 more sources" in page
    assert len(page) < 3_000_000


def test_every_reason_code_has_its_advice_in_both_languages() -> None:
    text = files("ringtrue").joinpath("data/source_advice.toml").read_text(encoding="utf-8")
    advice = tomllib.loads(text)["reason"]
    assert set(REASONS) - {"ok"} <= set(advice)
    for words in advice.values():
        for language in ("en", "zh"):
            assert words[language]["what"]
            assert words[language]["change"]


def one_source(**numbers: int) -> pd.Series:
    return pd.Series(
        {
            "source": "fair",
            "label": "Spring fair",
            "numbers": 100,
            "arrived_invalid": 0,
            "arrived_verified": 50,
            "arrived_disconnected": 0,
            "arrived_wrong_person": 0,
            "status_do_not_call": 0,
            "grade": "F",
        }
        | numbers
    )


def test_the_commonest_faults_become_sentences() -> None:
    reasons = pd.DataFrame(
        {
            "source": ["fair", "fair", "web"],
            "reason": ["too_short", "excel_rounded", "is_email"],
            "numbers": [9, 41, 80],
        }
    )
    found = faults(one_source(arrived_disconnected=10), reasons)
    assert [(fault.reason, fault.numbers) for fault in found] == [
        ("excel_rounded", 41),
        ("disconnected", 10),
        ("too_short", 9),
    ]
    assert sentence("Spring fair", found[0]) == (
        "41 % of 'Spring fair' numbers lost their digits in Excel: ask for text columns."
    )
    assert "41 %" in sentence("展会", found[0]._replace(share=0.41), language="zh").replace("41%", "41 %")


def test_lost_numbers_come_before_those_that_could_be_read_after_all() -> None:
    reasons = pd.DataFrame({"source": ["fair"] * 2, "reason": ["trunk_zero", "too_short"], "numbers": [60, 5]})
    assert [fault.reason for fault in faults(one_source(), reasons)] == ["too_short", "trunk_zero"]


def test_a_reason_without_advice_still_makes_a_sentence() -> None:
    reasons = pd.DataFrame({"source": ["fair"], "reason": ["brand_new"], "numbers": [50]})
    for language in ("en", "zh"):
        [fault] = faults(one_source(), reasons, language=language)
        assert "brand_new" in sentence("Spring fair", fault, language=language)


def test_a_failed_check_says_why_and_what_to_do() -> None:
    reasons = pd.DataFrame({"source": ["fair"], "reason": ["excel_rounded"], "numbers": [41]})
    text = complaint(
        one_source(), faults(one_source(), reasons), ringing_since="2026-05-20T10:00:00Z", grade_before="B"
    )
    assert text == (
        "The share of bad numbers from 'Spring fair' has risen since 2026-05-20. Its grade went from B to F. "
        "41 % of 'Spring fair' numbers lost their digits in Excel: ask for text columns."
    )


def refund_rows() -> pd.DataFrame:
    day = pd.Timedelta(days=1)
    rows = [
        ("fair", "salesforce:1", "=HYPERLINK(1)", "+12025550123", 2, "disconnected", None, "called, no subscriber"),
        ("fair", "salesforce:2", " +1 202 555 0124", "+12025550124", 3, "wrong_person", "ok", '@SUM(1)\n"x"'),
        ("fair", "salesforce:3", "4.93316E+12", None, 1, "invalid", "excel_rounded", None),
        ("fair", "salesforce:4", "+12025550125", "+12025550125", 1, "active", None, None),
        ("fair", "salesforce:5", "+12025550126", "+12025550126", 30, "disconnected", None, None),
        ("web", "salesforce:6", "+12025550127", "+12025550127", 1, "disconnected", None, None),
    ]
    return pd.DataFrame(
        [
            {
                "source": source,
                "record": record,
                "raw": raw,
                "e164": e164,
                "created_at": START,
                "first_verified_at": START + days * day,
                "first_status": status,
                "reason": reason,
                "evidence": evidence,
            }
            for source, record, raw, e164, days, status, reason, evidence in rows
        ]
    )


def test_the_refund_pack_lists_what_was_bad_on_arrival_with_dates_and_evidence() -> None:
    content, page = refund_pack(refund_rows(), "fair", label="Spring fair", generated_at=NOW)
    lines = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [line["record"] for line in lines] == ["salesforce:1", "salesforce:2", "salesforce:3"]
    assert [line["number"] for line in lines] == ["tel:+12025550123", "tel:+12025550124", ""]
    assert lines[0]["delivered_on"] == "2026-01-05"
    assert lines[0]["checked_on"] == "2026-01-07"
    assert lines[0]["evidence"] == "called, no subscriber"
    assert [line["reason"] for line in lines] == ["", "", "excel rounded"]
    assert "3</strong> of 5 numbers" in page


def test_no_cell_of_the_refund_pack_is_a_formula() -> None:
    content, _ = refund_pack(refund_rows(), "fair", label="Spring fair", generated_at=NOW)
    for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))):
        assert not any(re.match(r"\s*[=+\-@]", cell) for cell in row)
        assert not any("\n" in cell or "\r" in cell for cell in row)


def test_the_printed_page_masks_numbers_and_escapes_what_it_is_given() -> None:
    rows = refund_rows().assign(evidence="<img src=x onerror=alert(1)>")
    _, page = refund_pack(rows, "fair", label=display("<b>fair</b>"), generated_at=NOW)
    assert "5550123" not in page.replace(" ", "")
    assert {"img", "b", "script"}.isdisjoint(Tags(page).tags)


def test_a_source_without_bad_numbers_has_an_empty_pack() -> None:
    content, page = refund_pack(refund_rows(), "nobody", label="Nobody", generated_at=NOW)
    assert len(content.splitlines()) == 1
    assert "0</strong> of 0" in page


def test_weeks_without_evidence_are_left_out(data: ReportData) -> None:
    weeks = data.weeks.assign(evidence=0.0, share=np.nan)
    nothing = data.statuses.iloc[:0]
    empty = ReportData(data.quality, weeks, data.reasons, nothing, NOW)
    assert list(plots(empty, "narrow")) == ["ranking", "reasons", "money"]
