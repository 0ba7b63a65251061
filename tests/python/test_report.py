"""The report of a conformance run: what the page says, that it stands alone, and that nothing foreign becomes markup."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from made_results import DOCUMENTS, HOSTILE, made_results
from modemrig.conformance.report import ResultsError, load_results, read_results, write_report
from modemrig.conformance.report import write as writing
from modemrig.conformance.report.texts import plain, seconds, side_by_side, visible
from modemrig.conformance.report.times import Axis, Distribution, command_of, distributions
from modemrig.conformance.report.view import View
from modemrig.conformance.report.write import render
from modemrig.errors import Unsupported

RAW = made_results(facts=1500)
RUN = read_results(RAW)
PAGE = render(RUN)


class Page(HTMLParser):
    """Ids, texts and addresses of a page."""

    VOID = frozenset({"meta", "input", "br", "link", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: Counter[str] = Counter()
        self.text_of: dict[str, str] = {}
        self._open: list[tuple[str, str | None]] = []
        self.feed(page)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        self.ids += [given["id"] or ""] if "id" in given else []
        self.addresses += [given[name] or "" for name in ("href", "src", "action", "data", "poster") if name in given]
        if tag not in self.VOID:
            self._open.append((tag, given.get("id")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        for _, id_ in self._open:
            if id_ is not None:
                self.text_of[id_] = self.text_of.get(id_, "") + data


def words(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_report_is_two_files_and_the_json_is_what_was_given(tmp_path: Path):
    page = write_report(RAW, tmp_path / "new" / "out")
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "results.json"]
    assert json.loads((page.parent / "results.json").read_bytes()) == RAW
    assert load_results(page.parent) == RUN
    assert page.read_text(encoding="utf-8") == PAGE


def test_broken_results_leave_the_report_before_untouched(tmp_path: Path):
    page = write_report(RAW, tmp_path)
    with pytest.raises(ResultsError, match="key 'rig' is missing"):
        write_report({key: value for key, value in RAW.items() if key != "rig"}, tmp_path)
    assert page.read_text(encoding="utf-8") == PAGE


def test_without_the_template_engine_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "find_spec", lambda _name: None)
    with pytest.raises(Unsupported, match=r"pip install 'modemrig\[hil\]'"):
        write_report(RAW, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_run_stays_small():
    assert len(render(read_results(made_results(facts=6000)))) < 4_000_000


def test_the_page_needs_no_other_file():
    page = Page(PAGE)
    assert not [address for address in page.addresses if not address.startswith("#")]
    style = PAGE[PAGE.index("<style>") : PAGE.index("</style>")]
    assert not re.search(r"url\(|@import|@font-face", style)
    assert "default-src 'none'" in PAGE


def test_ids_are_unique_and_links_lead_somewhere():
    page = Page(PAGE)
    assert not [id_ for id_, number in Counter(page.ids).items() if number > 1]
    facts = set(RUN.fact)
    assert not [address for address in page.addresses if address[1:] not in facts and address[1:] not in page.ids]


# ----------------------------------------------------------------------------------------------------- foreign content


def test_what_a_module_sends_never_becomes_markup():
    raw = copy.deepcopy(RAW)
    for row in raw["slots"]:
        row.update(dict.fromkeys(("name", "port", "manufacturer", "model", "firmware", "imei", "trouble"), HOSTILE))
        row["name"] += row["dialect"] + row["firmware"][-1] + str(raw["slots"].index(row))
    new = {old["name"]: row["name"] for old, row in zip(RAW["slots"], raw["slots"], strict=True)}
    for row in raw["results"]:
        row.update(slot=new[row["slot"]], reason=row["reason"] and HOSTILE, observed=row["observed"] and HOSTILE)
    for row in raw["facts"]:
        row.update(statement=HOSTILE, subject=HOSTILE)
    raw["rig"] = raw["broker"] = HOSTILE + "\ud800"
    page = render(read_results(raw))
    assert Page(page).tags["script"] == Page(PAGE).tags["script"]
    assert "<script>alert" not in page
    assert r"\x1b" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", page)


def test_control_characters_are_shown_as_escapes():
    assert visible("OK\r\n\x1a<é\u202e") == (
        'OK<span class="c">\\r</span><span class="c">\\n</span><span class="c">\\x1a</span>&lt;é<span class="c">\\u202e</span>'
    )
    assert plain("a\x00b") == r"a\x00b"


def test_only_what_differs_is_marked():
    left, right = side_by_side('+QMTCFG: "timeout",60,3\nOK', '+QMTCFG: "timeout",5,3\nOK')
    assert left == '<span class="l">+QMTCFG: &#34;timeout&#34;,<mark>60</mark>,3\n</span><span class="l">OK\n</span>'
    assert right == '<span class="l">+QMTCFG: &#34;timeout&#34;,<mark>5</mark>,3\n</span><span class="l">OK\n</span>'
    left, right = side_by_side("a\nb\nOK", "a\nOK")
    assert left == '<span class="l">a\n</span><span class="l"><mark>b</mark>\n</span><span class="l">OK\n</span>'
    assert right == '<span class="l">a\n</span><span class="l">OK\n</span>'


# --------------------------------------------------------------------------------------------------- what the page says


def test_every_difference_stands_in_the_html_itself():
    page = Page(PAGE)
    bad = [row for row in RAW["results"] if row["verdict"] in ("differs", "otherwise")]
    assert bad
    for row in bad:
        said = page.text_of[row["fact"]]
        fact = RUN.fact[row["fact"]]
        assert fact.statement in said
        assert f"section {fact.section}" in words(said)
        assert RUN.documents[fact.document].title in said
        assert row["slot"] in said
        for text in (row["expected"], row["observed"]):
            for line in text.split("\n"):
                assert str(plain(line)) in said


def test_identity_firmware_and_counts_of_every_slot_are_on_top():
    top = words(Page(PAGE[: PAGE.index('<form class="filter')] + "</div></main></body></html>").text_of.get("run", ""))
    assert f"{View(RUN).totals['conforms']:,} conform" in top
    for slot in RAW["slots"]:
        counts = Counter(row["verdict"] for row in RAW["results"] if row["slot"] == slot["name"])
        card = PAGE[PAGE.index(f"<h2>{slot['name']}</h2>") :]
        card = words(re.sub("<[^>]+>", " ", card[: card.index("</article>")]))
        for said in (slot["model"], slot["firmware"], slot["imei"], f"{counts['conforms']:,} conform"):
            assert said in card


@pytest.mark.parametrize(
    ("verdicts", "verdict", "headline"),
    [
        ({"conforms"}, "conforms", "No difference to the documents"),
        ({"conforms", "as_expected", "skipped"}, "conforms", "No difference to the documents"),
        ({"conforms", "otherwise"}, "conforms", "No difference to the documents"),
        ({"skipped"}, "skipped", "Nothing was checked"),
        (set(), "skipped", "Nothing was checked"),
        ({"conforms", "blocked"}, "blocked", r"No difference was found, but \d+ checks? could not be made"),
        ({"conforms", "blocked", "differs"}, "differs", r"\d+ differences to the documents, on \d of 6 slots"),
    ],
)
def test_one_line_says_how_the_run_went(verdicts: set[str], verdict: str, headline: str):
    kept = [row for row in RAW["results"] if row["verdict"] in verdicts]
    view = View(read_results({**RAW, "results": kept}))
    assert view.headline[0] == verdict
    assert re.fullmatch(headline, view.headline[1])
    assert Page(render(view.results)).tags["h1"] == 1


def test_the_gravest_attempt_counts_and_the_page_says_how_many_there_were():
    raw = made_results(facts=60, good=True, attempts=3)
    row = next(row for row in raw["results"] if row["verdict"] == "conforms" and row["attempt"] == 2)
    row.update(verdict="differs", expected="OK", observed="ERROR")
    view = View(read_results(raw))
    assert view.totals["differs"] == 1
    (finding,) = view.findings("differs")
    assert (finding.fact.id, finding.bad[0].share) == (row["fact"], "in 1 of 3 attempts")
    assert "in 1 of 3 attempts" in Page(render(view.results)).text_of[row["fact"]]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_coverage_counts_documented_facts_and_groups_the_others(document: str):
    facts = [fact for fact in RAW["facts"] if fact["document"] == document]
    documented = [fact for fact in facts if fact["basis"] == "documented"]
    coverage = View(RUN).coverage(document)
    assert coverage.documented == len(documented)
    assert coverage.checked == sum(1 for fact in documented if fact["unchecked"] is None)
    reasons = Counter(fact["unchecked"]["reason"] for fact in facts if fact["unchecked"])
    assert {reason: sum(len(found) for _, found in whys) for reason, _, whys in coverage.unchecked} == reasons
    assert f"{coverage.share:.1f} %" in Page(PAGE).text_of["coverage"]


def test_every_section_of_every_document_is_there():
    wanted = {(fact["document"], fact["section"]) for fact in RAW["facts"]}
    sections = View(RUN).sections
    assert {(section.document, section.name) for section in sections} == wanted
    assert sum(len(section.facts) for section in sections) == len(RAW["facts"])
    assert PAGE.count('<details class="section"') == len(wanted)


# -------------------------------------------------------------------------------------------------------------- times


def timed(*exchanges: tuple[str, float, float | None]) -> list[list[Distribution]]:
    raw: dict[str, Any] = copy.deepcopy(
        {**RAW, "results": [next(r for r in RAW["results"] if r["verdict"] == "conforms")]}
    )
    names = ("sent", "response_s", "max_response_s")
    raw["results"][0]["exchanges"] = [
        {"typed": None, "answer": ["OK"], **dict(zip(names, each, strict=True))} for each in exchanges
    ]
    return distributions(read_results(raw))


def test_a_refused_request_is_no_measure_where_a_maximum_is_documented():
    ((row,),) = timed(("AT+QMTCFG=1", 0.2, 0.3), ("AT+QMTCFG=9", 9.0, None), ("at+qmtcfg?", 0.1, 0.3))
    assert (row.command, row.maximum_s, row.times_s) == ("AT+QMTCFG", 0.3, (0.1, 0.2))
    ((row,),) = timed(("AT+QMTCFG=9", 9.0, None))
    assert (row.maximum_s, row.times_s, row.late) == (None, (9.0,), 0)


def test_commands_closest_to_their_maximum_come_first_and_nonsense_does_not_come():
    rows = timed(
        ("AT+QMTCFG=1", 0.1, 0.3), ("AT+QMTOPEN=0", 74.0, 75.0), ("AT+NOSUCH", 0.1, None), ("hello", 0.1, None)
    )
    assert [row.command for (row,) in rows] == ["AT+QMTOPEN", "AT+QMTCFG"]


def test_quantiles_are_nearest_ranks_and_late_answers_are_counted():
    row = Distribution("AT", "slot-1", 0.95, tuple(n / 100 for n in range(1, 101)))
    assert (row.median_s, row.p95_s, row.longest_s, row.late) == (0.5, 0.95, 1.0, 5)
    assert row.share == pytest.approx(1 / 0.95)


def test_a_late_answer_is_drawn_apart_behind_the_line_of_the_maximum():
    row = Distribution("AT", "slot-1", 0.3, (0.001, 0.002, 0.4))
    axis = Axis([row])
    assert axis.ticks[0] == (0.0, "1 ms")
    assert axis.ticks[-1] == (100.0, "1 s")
    drawn = axis.draw(row)
    limit = float(re.search(r'class="limit" d="M([\d.]+)', drawn)[1])  # type: ignore[index]
    late = float(re.search(r'class="late" d="M([\d.]+)', drawn)[1])  # type: ignore[index]
    assert limit < late
    assert drawn.count("<path") == 6
    assert "slowest 400 ms, documented maximum 300 ms" in drawn


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ('AT+QMTCFG="a",1', "AT+QMTCFG"),
        ("ATE0", "ATE"),
        ("AT&F", "AT&F"),
        ("AT", "AT"),
        ("at+csq", "AT+CSQ"),
        ("A/", None),
    ],
)
def test_a_line_belongs_to_its_command(line: str, command: str | None):
    assert command_of(line) == command


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.00062, "0.62 ms"),
        (0.0042, "4.2 ms"),
        (0.412, "412 ms"),
        (1.2, "1.2 s"),
        (75, "75 s"),
        (120, "120 s"),
        (303, "5 min 3 s"),
        (0, "0.00 ms"),
    ],
)
def test_durations_are_said_as_people_say_them(value: float, said: str):
    assert seconds(value) == said
