"""Every row of every outcome table, and what the classifier does with durations, directions, causes and unknown words."""

from __future__ import annotations

import pandas as pd
import pytest

from ringtrue.errors import SettingsError
from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.free_text import PRECEDENCE, fold, may_say, opt_out, read, text_tables
from ringtrue.outcomes import NAMESPACES, classify, classify_calls, outcome_table

ROWS = [
    (namespace, word, outcome) for namespace in NAMESPACES for word, outcome in outcome_table(namespace).words.items()
]
STATUSES = [(name, word, outcome) for name in NAMESPACES for word, outcome in outcome_table(name).status.items()]


@pytest.mark.parametrize(("namespace", "word", "outcome"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_every_word_of_every_table(namespace: str, word: str, outcome: str) -> None:
    for written in (word, word.upper(), f"  {word} "):
        assert classify(namespace, written)[:2] == (outcome, True)


@pytest.mark.parametrize(("namespace", "word", "outcome"), STATUSES)
def test_every_call_status(namespace: str, word: str, outcome: str) -> None:
    assert classify(namespace, None, status=word.upper())[:2] == (outcome, True)


def test_the_vocabulary_is_sound() -> None:
    words = vocabulary()
    assert tuple(words.effects) == OUTCOMES
    for name, effect in words.effects.items():
        assert -6 <= effect.log_lr <= 4, name
        assert not effect.hard or (effect.log_lr > 0 and effect.line == "disconnected"), name
        assert effect.line != "alive" or effect.log_lr <= -1, name
        assert effect.reach == "none" or not effect.hard, name
        assert effect.fault not in ("ours", "network") or effect.log_lr <= 0.8, name


def test_the_strengths_of_the_published_table() -> None:
    strength = {code: vocabulary().effects[outcome].log_lr for code, outcome in outcome_table("q850").words.items()}
    published = {
        1: 4.0,
        2: 0.8,
        3: 0.8,
        4: 2.5,
        17: -2.0,
        18: -0.1,
        19: -0.9,
        20: -1.0,
        21: -1.5,
        22: 3.5,
        26: 0,
        27: 1.2,
        28: 2.0,
        31: 0,
    }
    assert {code: strength[str(code)] for code in published} == published
    for code in (34, 38, 41, 42, 47, 55, 57, 102, 111, 127):
        assert strength[str(code)] == 0


def test_a_reason_header_says_more_than_the_response() -> None:
    assert classify("sip", "404", cause="Q.850;cause=3").outcome == "no_route"
    assert classify("sip", "480", cause='Q.850 ;cause=1 ;text="Unallocated"').outcome == "not_assigned"
    assert classify("sip", "SIP/2.0 404 Not Found").outcome == "not_assigned"
    assert classify("twilio", "failed").outcome == "call_failed"
    assert classify("twilio", "failed", cause="404").outcome == "not_assigned"
    assert classify("twilio", "no-answer", cause="404").outcome == "no_answer"


def test_connected_for_a_moment_is_not_reached() -> None:
    connected = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
    assert classify("hubspot", connected, duration_seconds=7.9).outcome == "answered_briefly"
    assert classify("hubspot", connected, duration_seconds=8).outcome == "reached"
    assert classify("hubspot", connected).outcome == "reached"
    assert classify("twilio", "completed", duration_seconds=2).outcome == "answered_briefly"
    assert classify("twilio", "completed", duration_seconds=60).outcome == "answered_unclear"
    assert classify("twilio", "completed", label="human", duration_seconds=60).outcome == "reached"


def test_wrong_number_takes_ten_seconds_to_learn() -> None:
    wrong = "17b47fee-58de-441e-a44c-c6300d46f273"
    assert classify("hubspot", wrong).outcome == "wrong_person"
    assert classify("hubspot", wrong, duration_seconds=10).outcome == "wrong_person"
    short = classify("hubspot", wrong, duration_seconds=9)
    assert (short.outcome, short.sure) == ("wrong_person_brief", False)
    assert vocabulary().effects["wrong_person_brief"].identity == "none"


def test_labels_of_a_portals_own_outcomes_are_read() -> None:
    assert classify("hubspot", "0a1b", label="No Longer with Company").outcome == "left_company"
    assert classify("hubspot", "0a1b", label="Bad Data").outcome == "bad_number_heard"
    assert classify("hubspot", "0a1b", label="Gatekeeper").outcome == "third_party"
    assert classify("hubspot", "0a1b", label="Do Not Call")[:3] == ("opted_out", True, "sure")


def test_a_wrong_person_who_says_stop_is_both() -> None:
    assert classify("salesforce", "Wrong number, do not call")[:3] == ("wrong_person", True, "sure")
    assert classify("salesforce", "Wrong number", notes="stop calling me")[:3] == ("wrong_person", True, "sure")
    assert classify("nice", "106")[:3] == ("opted_out", True, "sure")
    assert classify("vicidial", "DNCL")[:3] == ("do_not_call", True, "sure")
    assert classify("salesforce", "please stop calling")[:3] == ("opted_out", True, "sure")


def test_unknown_words_are_never_guessed() -> None:
    for namespace in NAMESPACES:
        unknown = classify(namespace, "Purple Monkey 7")
        assert (unknown.outcome, unknown.sure) == (None, False)
        assert unknown.why == "No table knows these words."
    assert classify("vicidial", "connected").outcome is None


def test_what_a_person_decided_wins() -> None:
    decided = {
        ("vicidial", "xyz"): "voicemail",
        ("vicidial", "adc"): "no_information",
        ("hubspot", "warm handover"): "reached",
    }
    assert classify("vicidial", "XYZ", decided=decided).outcome == "voicemail"
    assert classify("vicidial", "ADC", decided=decided).outcome == "no_information"
    assert classify("hubspot", "guid", label="Warm Handover", decided=decided).outcome == "reached"
    with pytest.raises(SettingsError, match="not in the vocabulary"):
        classify("vicidial", "x", decided={("vicidial", "x"): "nonsense"})


def test_who_calls_us_has_a_line() -> None:
    assert classify("salesforce", "Connected", direction="inbound", duration_seconds=90).outcome == "called_us"
    assert classify("salesforce", "No Answer", direction="Inbound").outcome == "missed_their_call"
    assert classify("salesforce", "disconnected", direction="inbound").outcome == "missed_their_call"
    assert classify("salesforce", "wrong number", direction="inbound").outcome == "wrong_person"
    assert classify("salesforce", "do not call", direction="inbound").outcome == "opted_out"


def test_an_unknown_namespace_is_refused() -> None:
    with pytest.raises(SettingsError, match="no outcome table"):
        classify("nobody", "x")


def test_many_calls_equal_one_by_one() -> None:
    calls = pd.DataFrame(
        {
            "namespace": ["hubspot", "sip", "vicidial", "salesforce", "salesforce", "generic", "salesforce"],
            "outcome": ["9d9162e7-6cf3-4944-bf63-4dff82258764", "404", "what", "Connected", None, "空号", "Connected"],
            "duration_seconds": [None, 0, 3, 5, 60, None, 5],
            "notes": [None, None, None, "please stop calling me", "left voicemail", None, "asked about the price"],
        },
        index=[10, 11, 12, 13, 14, 15, 16],
    )
    table = classify_calls(calls)
    assert table.index.tolist() == calls.index.tolist()
    assert table["outcome"].fillna("?").tolist() == [
        "busy_reported", "not_assigned", "?", "answered_briefly", "voicemail", "disconnected_heard", "answered_briefly"
    ]  # fmt: skip
    assert table["opt_out"].fillna("").tolist() == ["", "", "", "sure", "", "", ""]
    assert table["sure"].tolist() == [True, True, False, True, True, True, True]
    assert table.loc[12, "why"] == "No table knows these words."
    assert len(classify_calls(calls.iloc[:0])) == 0
    numeric = pd.DataFrame({"namespace": "sip", "outcome": [404.0, 486.0, None]})
    assert classify_calls(numeric)["outcome"].tolist() == ["not_assigned", "busy", "no_information"]


TEXTS = {
    "disconnected_heard": ["Number not in service", "disconnected", "DC", "空号", "El número no existe", "Kein Anschluss unter dieser Nummer", "numéro non attribué", "número inexistente"],
    "wrong_person": ["Wrong number", "打错了", "número equivocado", "falsche Nummer", "faux numéro", "número errado"],
    "left_company": ["no longer with the company", "已离职", "ya no trabaja ahí", "nicht mehr im Unternehmen", "a quitté l'entreprise", "saiu da empresa"],
    "suspended": ["temporarily suspended", "停机", "línea suspendida", "Anschluss gesperrt", "ligne suspendue", "linha suspensa"],
    "no_answer": ["No Answer", "无人接听", "no contesta", "nicht erreicht", "pas de réponse", "não atende", "not connected"],
    "voicemail": ["left VM", "语音信箱", "buzón de voz", "Anrufbeantworter", "messagerie vocale", "caixa postal", "No answer - left voicemail"],
    "switched_off": ["phone switched off", "关机", "apagado", "Handy aus", "téléphone éteint", "celular desligado"],
    "busy_reported": ["line busy", "占线", "ocupado", "besetzt", "ligne occupée"],
    "reached": ["Connected", "not interested", "已接通", "interesado", "kein Interesse", "pas intéressé", "sem interesse"],
    "right_person": ["Meeting booked", "约好见面", "cita agendada", "Termin vereinbart", "RDV pris", "reunião marcada"],
    "third_party": ["Gatekeeper", "left message with secretary", "前台", "secretaria", "Sekretariat", "standardiste"],
    "bad_number_heard": ["Bad number", "号码错误", "número inválido", "ungültige Nummer", "numéro invalide"],
    "call_dropped": ["spoke to John, call got disconnected", "掉线", "se cortó la llamada", "Verbindung abgebrochen"],
    "fax": ["Fax machine", "传真"],
    "number_changed": ["number has changed", "号码已更换", "cambió de número"],
}  # fmt: skip


@pytest.mark.parametrize(("text", "outcome"), [(text, outcome) for outcome, texts in TEXTS.items() for text in texts])
def test_free_text_in_six_languages(text: str, outcome: str) -> None:
    assert read(text) == (outcome, True)
    assert may_say([text], "outcome") == [True]


@pytest.mark.parametrize(
    "text",
    ["not disconnected", "number is not out of service", "不是空号", "没有停机", "no está desconectado", "nicht abgeschaltet", "n'est pas hors service", "não está desativado"],
)  # fmt: skip
def test_negated_words_say_nothing(text: str) -> None:
    assert read(text).outcome is None


@pytest.mark.parametrize(
    "text",
    [
        "disconnected?",
        "maybe disconnected",
        "可能是空号",
        "vielleicht abgeschaltet",
        "voicemail says number disconnected",
    ],
)
def test_hedges_and_contradictions_are_unsure(text: str) -> None:
    assert read(text).sure is False


SURE = {
    "en": ["STOP", "please do not call me again", "he said stop calling", "remove me from your list", "asked not to be called", "DNC", "unsubscribe", "do not call, will email", "not interested stop calling"],
    "zh": ["别再打了", "不要再打电话了", "退订", "请勿来电", "拒绝推销", "TD"],
    "es": ["no me llamen más", "quiten mi número de la lista", "dejen de llamar"],
    "de": ["Bitte nicht mehr anrufen", "rufen Sie mich nicht mehr an", "Werbewiderspruch", "Daten löschen bitte"],
    "fr": ["ne plus appeler", "ne m'appelez plus", "arrêtez de m'appeler", "supprimez mon numéro"],
    "pt": ["não me ligue mais", "pare de me ligar", "não quer mais receber ligações"],
    "it": ["non chiamatemi più", "non vuole essere chiamato"],
    "nl": ["bel mij niet meer", "wil niet gebeld worden"],
    "ja": ["もう電話しないでください", "今後の電話は不要"],
    "bn": ["আর ফোন করবেন না", "ar phone korben na"],
}  # fmt: skip


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in SURE.items() for text in texts])
def test_opt_outs_in_ten_languages(language: str, text: str) -> None:
    assert language in text_tables()
    assert opt_out(text) == "sure"
    assert may_say([text], "opt_out") == [True]


@pytest.mark.parametrize(
    "text",
    ["leave me alone", "threatened to sue", "投诉", "do not call before 9am", "don't call me until Monday", "should we stop calling?", "denuncia", "Beschwerde", "plainte"],
)  # fmt: skip
def test_doubtful_opt_outs_go_to_a_person(text: str) -> None:
    assert opt_out(text) == "unsure"
    assert may_say([text], "opt_out") == [True]
    assert classify("generic", None, notes=text).why is not None


@pytest.mark.parametrize(
    "text",
    ["did not say stop", "didn't ask us to stop calling", "she did not opt out", "没说别再打", "not interested", "please don't hesitate to call", "call back tomorrow", "Spoke with the client, wants a quote", ""],
)  # fmt: skip
def test_what_is_no_opt_out(text: str) -> None:
    assert opt_out(text) is None


def test_every_text_pattern_compiles_and_has_a_place_in_the_precedence() -> None:
    for language, table in text_tables().items():
        assert {"language", "version", "source", "outcomes", "opt_out"} <= set(table), language
        assert table["language"] == language
        assert set(table["outcomes"]) <= set(PRECEDENCE)
        for outcome in table["outcomes"]:
            assert outcome in OUTCOMES


def test_words_are_compared_without_case_accents_and_odd_blanks() -> None:
    assert fold("  Número\u00a0EQUIVOCADO ") == fold("numero equivocado")
    assert fold("don’t") == "don't"
    assert fold("Straße") == "strasse"
    assert fold("নম্বর") == "নম্বর"
