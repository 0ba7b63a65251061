"""The page of a report in a browser: from disk, without an error; filter, transcripts, links and keys do what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from browser import CHROMIUM, Browser
from made_results import made_results
from modemrig.conformance.report import write_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

RAW = made_results(facts=1500)
MARKUP = '"><img src=x onerror="document.title = 1">'
LAST = [row for row in RAW["results"] if row["verdict"] == "conforms" and row["transcript"]][-1]
"""What comes from outside is text here, too: its fact, reason and bytes would be markup."""
next(fact for fact in RAW["facts"] if fact["id"] == LAST["fact"]).update(statement=MARKUP, needs=[MARKUP])
LAST.update(reason=MARKUP, observed=MARKUP, expected=MARKUP)
LAST["transcript"].append([LAST["transcript"][-1][0] + 1.5, "rx", MARKUP * 40])
READY = "document.documentElement.dataset.ready === ''"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(RAW, tmp_path_factory.mktemp("report")).as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Browser]:
    browser.size(1920, 1200)
    browser.open(address, READY)
    yield browser
    assert browser.complaints == []
    assert {request.split("#")[0] for request in browser.requests} <= {address, "about:blank"}


def shown_rows(page: Browser) -> int:
    return page.run("document.querySelectorAll('.fact').length")


def matched(page: Browser) -> str:
    return page.run("document.querySelector('.filter output').textContent")


def test_a_verdict_leaves_only_its_facts(page: Browser):
    wanted = len({row["fact"] for row in RAW["results"] if row["verdict"] == "differs"})
    page.run("document.querySelector('[name=verdict][value=differs]').click()")
    page.wait("document.querySelector('.filter output').textContent")
    assert matched(page) == f"{wanted} of 1,500 facts"
    assert shown_rows(page) == wanted
    assert page.run("document.querySelectorAll('.finding:not([hidden])').length") == wanted
    page.run("document.querySelector('.filter [type=reset]').click()")
    page.wait("!document.querySelector('.filter output').textContent")
    assert shown_rows(page) == 0


def test_kind_section_slot_and_basis_narrow_the_facts(page: Browser):
    slot, kind = "sim7028", "maximum"
    of_kind = [fact for fact in RAW["facts"] if fact["kind"] == kind and fact["document"] == slot]
    choose = "((name, text) => {{ const list = document.querySelector(`[name=${{name}}]`);"
    choose += "list.value = [...list.options].find((each) => each.text === text).value;"
    choose += "list.dispatchEvent(new Event('input', {{ bubbles: true }})); }})({!r}, {!r})"
    page.run(choose.format("slot", slot))
    page.run(choose.format("kind", kind))
    page.wait(f"document.querySelector('.filter output').textContent === '{len(of_kind)} of 1,500 facts'")
    page.run(choose.format("basis", "documented"))
    documented = sum(1 for fact in of_kind if fact["basis"] == "documented")
    page.wait(f"document.querySelector('.filter output').textContent === '{documented} of 1,500 facts'")
    section, number = Counter(fact["section"] for fact in of_kind if fact["basis"] == "documented").most_common(1)[0]
    page.run(
        "(() => { const list = document.querySelector('[name=section]'); list.value = [...list.options].find((each) =>"
        f"each.parentElement.label === '{slot}' && each.text.startsWith('{section} ')).value;"
        "list.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    page.wait(f"document.querySelector('.filter output').textContent === '{number} of 1,500 facts'")


def test_a_difference_shows_its_transcript(page: Browser):
    finding = "document.querySelector('.finding')"
    id_ = page.run(f"{finding}.id")
    result = next(row for row in RAW["results"] if row["fact"] == id_ and row["verdict"] == "differs")
    page.run(f"{finding}.open = true; {finding}.querySelector('.transcript-of').click()")
    page.wait(f"{finding}.querySelector('.transcript .data')")
    rows = page.run(
        f"[...{finding}.querySelectorAll('.transcript > div')].map((row) => [row.className, row.innerText])"
    )
    assert [row[0] for row in rows] == [line[1] for line in result["transcript"]]
    assert result["transcript"][0][2].rstrip("\r") in rows[0][1]
    assert rows[0][1].startswith("0.00 ms")
    assert rows[0][1].rstrip().endswith(r"\r")


def test_a_link_to_a_fact_opens_it_with_its_transcript(page: Browser, address: str):
    page.open(f"{address}#{quote(LAST['fact'])}", READY)
    place = f"document.getElementById({'row:' + LAST['fact']!r})"
    assert page.run(f"{place}.querySelectorAll('.transcript > div').length") == len(LAST["transcript"])
    assert page.run(f"document.activeElement.parentElement === {place}")
    top = page.run(f"{place}.getBoundingClientRect().top")
    assert 0 <= top < 1200
    assert page.run(f"{place}.querySelector('.says').innerText").lstrip().startswith(f"conforms on {LAST['slot']} ")


def test_what_comes_from_outside_stays_text(page: Browser, address: str):
    page.open(f"{address}#{quote(LAST['fact'])}", READY)
    place = f"document.getElementById({'row:' + LAST['fact']!r})"
    assert page.run(f"{place}.querySelector('.statement').textContent") == MARKUP
    assert [
        text.rstrip("\n") for text in page.run(f"[...{place}.querySelectorAll('pre')].map((each) => each.textContent)")
    ] == [
        MARKUP,
        MARKUP,
    ]
    said = f"[...{place}.querySelectorAll('.transcript .data')].at(-1).textContent"
    assert page.run(said).startswith(MARKUP)
    assert "bytes more" in page.run(said)
    page.run(f"[...{place}.querySelectorAll('.transcript button')].at(-1).click()")
    assert page.run(said) == MARKUP * 40
    assert page.run("document.images.length") == 0


def test_a_link_to_a_difference_opens_the_difference(page: Browser, address: str):
    id_ = page.run("[...document.querySelectorAll('.finding')].at(-1).id")
    page.open(f"{address}#{quote(id_)}", READY)
    assert page.run("document.activeElement.parentElement.id") == id_
    assert page.run("document.activeElement.parentElement.open")


def test_what_matches_is_in_view(page: Browser):
    page.run("document.querySelector('#facts').scrollIntoView()")
    page.run("(() => { const q = document.querySelector('[name=q]'); q.value = 'qmtopen maximum';"
             "q.dispatchEvent(new Event('input', { bubbles: true })); })()")  # fmt: skip
    page.wait("document.querySelector('.filter output').textContent")
    page.wait("document.querySelector('.fact')")
    top = page.run("document.querySelector('.fact').getBoundingClientRect().top")
    assert 0 < top < 1200


def test_a_count_of_a_slot_shows_its_facts(page: Browser):
    wanted = sum(1 for row in RAW["results"] if (row["slot"], row["verdict"]) == ("slot-6", "differs"))
    page.run("document.querySelector('[data-verdict=differs][data-slot=slot-6]').click()")
    page.wait(f"document.querySelector('.filter output').textContent === '{wanted} of 1,500 facts'")
    assert page.run(
        "[...document.querySelectorAll('.finding .on:not([hidden])')].every((on) => on.dataset.slot === 'slot-6')"
    )


def test_keys_search_walk_and_open(page: Browser):
    page.key("/")
    assert page.run("document.activeElement.name") == "q"
    page.call("Input.insertText", text="qmtopen nosuchword")
    page.wait("document.querySelector('.filter output').textContent === '0 of 1,500 facts'")
    page.key("Escape")
    page.wait("!document.querySelector('.filter output').textContent")
    page.key("j")
    page.key("j")
    page.key("k")
    page.key("ArrowDown")
    findings = "[...document.querySelectorAll('.finding')]"
    assert page.run(f"{findings}.indexOf(document.activeElement.parentElement)") == 1
    page.key("Enter", "\r")
    page.wait(f"{findings}[1].open")


def test_a_phone_is_wide_enough(page: Browser):
    page.size(390, 844)
    page.wait("innerWidth === 390")
    page.run("document.querySelector('.more').click()")
    page.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    page.wait("document.querySelectorAll('.fact').length === 1500")
    page.run("document.querySelectorAll('.finding .transcript-of').forEach((each) => each.click())")
    page.wait("document.querySelector('.transcript .data')")
    assert page.run("document.documentElement.scrollWidth") == 390


def test_print_opens_every_difference(page: Browser):
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("[...document.querySelectorAll('.finding')].every((each) => each.open)")
    page.run("dispatchEvent(new Event('afterprint'))")
    assert not page.run("[...document.querySelectorAll('.finding')].every((each) => each.open)")


def test_light_and_dark_are_the_readers_choice(page: Browser):
    colours = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        colours.append(page.run("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(245, 245, 242)", "rgb(20, 22, 26)"]
