"""The page of a comparison in a browser: from disk, without a script; it folds by keys, fits a phone, prints whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from browser import CHROMIUM, Browser
from made_results import made_results
from modemrig.conformance.compare import Comparison, compare
from modemrig.conformance.compare.page import write_page
from modemrig.conformance.report import read_results

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    a = made_results(facts=1000, good=True)
    b = copy.deepcopy(a)
    documented = {fact["id"] for fact in a["facts"] if fact["basis"] == "documented"}
    good = [row for row in b["results"] if row["fact"] in documented and row["verdict"] == "conforms"]
    for row in good[::20]:
        row |= {"verdict": "differs", "expected": "OK", "observed": "+CME ERROR: 50 " + "x" * 300}
    for row in good[5::50]:
        row |= {"verdict": "blocked", "reason": "no answer to AT+QMTOPEN within 75 s"}
    for row in good[7::50]:
        row |= {"verdict": "skipped", "reason": "there is no SIM"}
    for row in b["results"]:
        for each in row["exchanges"]:
            each["response_s"] += 0.1 * each["sent"].startswith("AT+QMTCONN")
    for row in good[3::40]:
        for each in row["exchanges"][-1:]:
            each["answer"] = ["+CME ERROR: 50"]
    b["slots"][0]["firmware"] = "EC200AR01A02M01_BETA0815_OCPU_WITHOUT_A_BREAK"
    return compare(read_results(a), read_results(b))


@pytest.fixture(scope="module")
def address(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(comparison, tmp_path_factory.mktemp("page") / "changes.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Browser]:
    browser.size(1920, 1200)
    browser.open(address)
    yield browser
    assert browser.complaints == []
    assert {request.split("#")[0] for request in browser.requests} <= {address, "about:blank"}


def shown(page: Browser, selector: str) -> int:
    return page.run(f"document.querySelectorAll({selector!r}).length")


def test_every_change_is_there(page: Browser, comparison: Comparison):
    assert shown(page, "#worse .finding") == len(comparison.worse) > 10
    assert shown(page, "#answers .finding") == len(comparison.answers) > 3
    assert shown(page, "#times > table tbody") == len(comparison.slower) > 1
    assert shown(page, "#otherwise-changed .reason") == 1  # skipped now, all together
    assert shown(page, "#otherwise-changed .reason li") == len(comparison.otherwise)
    assert shown(page, ".slot") == len(comparison.pairs)


def test_links_of_the_contents_lead_somewhere(page: Browser):
    links = page.run("[...document.querySelectorAll('nav a')].map((each) => each.getAttribute('href').slice(1))")
    assert links
    assert [link for link in links if not page.run(f"!!document.getElementById({link!r})")] == []
    ids = page.run("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


def test_a_change_opens_by_key(page: Browser):
    finding = "document.querySelector('#worse .finding')"
    assert not page.run(f"{finding}.open")
    page.run(f"{finding}.querySelector('summary').focus()")
    page.key("Enter", "\r")
    page.wait(f"{finding}.open && {finding}.querySelector('.diff').getBoundingClientRect().height > 20")


def test_a_phone_is_wide_enough_for_everything(page: Browser):
    page.size(390, 844)
    page.wait("innerWidth === 390")
    page.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert page.run("document.documentElement.scrollWidth") == 390


def test_paper_shows_what_is_folded(page: Browser):
    page.call("Emulation.setEmulatedMedia", media="print")
    height = "document.querySelector('#worse .finding:not([open]) .diff').getBoundingClientRect().height"
    page.wait(f"{height} > 20")
    page.call("Emulation.setEmulatedMedia", media="")


def test_light_and_dark_are_the_readers_choice(page: Browser):
    colours = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        colours.append(page.run("getComputedStyle(document.body).backgroundColor"))
    assert len(set(colours)) == 2
