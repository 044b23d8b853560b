"""Policy, rejected observations, labels and sentences."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ringtrue.errors import SettingsError
from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.policy import Policy
from ringtrue.reasons import REASONS
from ringtrue.records import STATUSES
from ringtrue.sentences import Dates, Language, detail, labels, phrase, source_name, templates
from ringtrue.settings import PolicySettings
from ringtrue.status import decide, validate_observations
from tests.status.build import NOW, decided, frame, seen

LANGUAGES: tuple[Language, ...] = ("en", "zh")
ZH = Policy(language="zh")


def test_a_policy_from_settings() -> None:
    policy = Policy.from_mapping({"mode": "rule", "alive_days": 30, "no_answer_attempts": 8})
    assert (policy.mode, policy.alive_days, policy.no_answer_attempts) == ("rule", 30, 8)
    assert Policy.from_mapping({}) == Policy()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dead_form": 0.9}, "no setting 'dead_form'"),
        ({"dead_from": "high"}, "must be a number"),
        ({"dead_from": 1.5}, "between 0 and 1"),
        ({"dead_from": 0.4}, "dead_until <= dead_from"),
        ({"mode": "magic"}, 'must be "bayes" or "rule"'),
        ({"language": "tlh"}, 'must be "en" or "zh"'),
        ({"report_timezone": "Mars/Olympus"}, "no time zone"),
        ({"no_answer_evening": 3}, "true or false"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Policy.from_mapping(values)


def test_the_version_changes_with_any_threshold() -> None:
    assert Policy().version == Policy().version
    assert len({Policy().version, Policy(alive_days=89).version, Policy(mode="rule").version, ZH.version}) == 4


def test_observations_that_cannot_be_evidence_are_rejected_with_their_reason() -> None:
    table = frame(
        [
            seen("reached", "2026-06-01"),
            seen("reached", "1989-12-31"),
            seen("reached", NOW + pd.Timedelta(hours=25)),
            seen("reached", NOW + pd.Timedelta(hours=23)),
            {**seen("reached", "2026-06-01"), "number": None},
            {**seen("reached", "2026-06-01"), "observed_at": pd.NaT},
        ]
    )
    good, bad = validate_observations(table, NOW)
    assert good.index.tolist() == [0, 3]
    assert bad.index.tolist() == [1, 2, 4, 5]
    assert [text.split(";")[0] for text in bad["rejected"]] == [
        "It is dated before 1990",
        "It is dated more than 24 hours in the future",
        "It names no number",
        "It has no date that can be read",
    ]


def test_both_languages_have_every_label_sentence_and_detail() -> None:
    assert list(labels("en")) == list(labels("zh")) == list(STATUSES)
    assert set(templates("en")) == set(templates("zh"))
    for name, text in templates("en").items():
        slots = {part.split("}")[0] for part in text.split("{")[1:]}
        assert slots == {part.split("}")[0] for part in templates("zh")[name].split("{")[1:]}, name
    failures = {
        name: [reason for reason in REASONS if detail(name, reason) != detail(name, "other")] for name in LANGUAGES
    }
    assert failures["en"] == failures["zh"]
    assert {"too_short", "unassigned_range", "placeholder", "not_a_number"} <= set(failures["en"])
    unclear = phrase("en", "nothing")
    for outcome in OUTCOMES:
        effect = vocabulary().effects[outcome]
        if not outcome.startswith("lookup") and (effect.hard or effect.line in ("alive", "suspended")):
            assert phrase("en", outcome) != unclear, outcome
            assert phrase("zh", outcome) != phrase("zh", "nothing"), outcome


def test_the_chinese_words_are_those_of_the_field() -> None:
    assert {status: labels("zh")[status] for status in STATUSES[:6]} == {
        "do_not_call": "拒绝",
        "invalid": "不存在",
        "disconnected": "空号",
        "suspended": "停机",
        "wrong_person": "错误信息",
        "no_answer": "长期无人接听",
    }


def test_dates_as_people_write_them() -> None:
    def day(text: str) -> int:
        return int(pd.Timestamp(text).timestamp() // 86_400)

    dates = Dates("en", day("2026-06-15"))
    assert dates.one(day("2026-05-03")) == "3 May"
    assert dates.one(day("2025-05-03")) == "3 May 2025"
    assert dates.two(day("2026-05-03"), day("2026-05-05")) == "3 and 5 May"
    assert dates.two(day("2026-04-28"), day("2026-05-03")) == "28 April and 3 May"
    assert dates.two(day("2025-12-30"), day("2026-01-02")) == "30 December 2025 and 2 January"
    assert dates.two(day("2026-05-03"), day("2026-05-03")) == "3 May"
    chinese = Dates("zh", day("2026-06-15"))
    assert chinese.two(day("2026-05-03"), day("2026-05-05")) == "5月3日和5日"
    assert chinese.one(day("2025-05-03")) == "2025年5月3日"


def test_sources_by_their_names() -> None:
    assert source_name("en", "lookup:melissa.globalphone") == "Melissa"
    assert source_name("zh", "lookup:alibaba") == "阿里云"
    assert source_name("en", "lookup:acme_check") == "Acme check"


DEAD = [
    seen("not_assigned", "2026-05-03"),
    seen("not_assigned", "2026-05-05"),
    seen("lookup_dead", "2026-05-06", service="melissa"),
]


@pytest.mark.parametrize(
    ("history", "english", "chinese"),
    [
        (DEAD, "Disconnected: carrier said number not assigned on 3 and 5 May; Melissa agreed 6 May", "空号：5月3日和5日运营商提示号码未分配；Melissa于5月6日确认"),
        (DEAD[:2], "Disconnected: carrier said number not assigned on 3 and 5 May", "空号：5月3日和5日运营商提示号码未分配"),
        ([*DEAD[:2], seen("not_assigned", "2026-05-09")], "Disconnected: carrier said number not assigned, 3 times from 3 May to 9 May", "空号：5月3日至5月9日共3次，运营商提示号码未分配"),
        ([{**DEAD[2], "log_lr": 3.5, "prior": 0.3}, seen("lookup_dead", "2026-05-08", service="twilio", log_lr=3.5)], "Disconnected: Melissa said so on 6 May; Twilio agreed 8 May", "空号：Melissa于5月6日判定；Twilio于5月8日确认"),
        ([seen("suspended", "2026-06-01", "+8613123456789")], "Suspended: carrier announced it is suspended on 1 June; asked again weekly", "停机：6月1日运营商提示已停机；每周复查"),
        ([seen("reached", "2026-06-01")], "Active: somebody answered on 1 June", "正常：6月1日有人接听"),
        ([seen("lookup_alive", "2026-06-01", service="twilio", log_lr=-4.5)], "Active: Twilio found the line working on 1 June", "正常：Twilio于6月1日确认号码可用"),
        ([seen("format_valid", "2026-06-01")], "Unverified: the number is well-formed; nobody has called or checked it yet", "未验证：号码格式正确，尚未拨打或核查"),
        ([seen("error", "2026-06-01")], "Unverified: nobody has called or checked it yet", "未验证：尚未拨打或核查"),
        ([seen("no_answer", "2026-06-01")], "Unverified: called, last on 1 June, without a clear result", "未验证：已拨打，最近一次6月1日，没有明确结果"),
        ([seen("do_not_call", "2026-06-01", source="suppression:uk_tps")], "Do not call: listed in the UK Telephone Preference Service, checked 1 June", "拒绝：列入英国 TPS 登记，6月1日核对"),
        ([seen("do_not_call", "2026-06-01", source="suppression:something_new")], "Do not call: asked not to be called on 1 June", "拒绝：6月1日要求不再致电"),
    ],
)  # fmt: skip
def test_the_sentences(history: list[dict[str, Any]], english: str, chinese: str) -> None:
    assert decided(*history)["reason"] == english
    assert decided(*history, policy=ZH)["reason"] == chinese


def test_dates_are_those_of_the_readers_time_zone() -> None:
    late = seen("reached", "2026-06-01 22:00")
    assert (
        decided(late, policy=Policy(report_timezone="Asia/Shanghai"))["reason"] == "Active: somebody answered on 2 June"
    )


def test_evidence_names_the_ids_that_were_given() -> None:
    table = frame(DEAD).assign(id=["a", "b", "c"])
    assert decide(table, Policy(), NOW)["evidence"].tolist() == [["a", "b", "c"]]
    talked = frame([*DEAD, seen("reached", "2026-06-01")]).assign(id=[1, 2, 3, 4])
    assert decide(talked, Policy(), NOW)["evidence"].tolist() == [[4]]


def test_the_documentation_names_every_threshold_with_its_default() -> None:
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `")]
    told = {
        name.strip("` "): value.strip(' `"')
        for names, values in rows
        for name, value in zip(names.split(","), values.split(","), strict=True)
    }
    assert set(told) == {field.name for field in fields(Policy)} | set(PolicySettings.model_fields)
    for field in fields(Policy):
        shown = told[field.name]
        if isinstance(field.default, bool | str):
            assert shown in (field.default, str(field.default).lower())
        else:
            assert float(shown) == field.default, field.name
