"""Families of modules: the host knows them without being told, and their documents' examples run on them."""

from __future__ import annotations

import pytest

import modemrig
from conftest import Command

NAMES = [(name, profile.dialect) for profile in modemrig.profiles().values() for name in (profile.name, *profile.also)]


@pytest.mark.parametrize(("name", "dialect"), NAMES, ids=[name for name, _ in NAMES])
def test_a_host_knows_the_document_of_a_family_without_being_told(name: str, dialect: str) -> None:
    with modemrig.open(f"virtual:{name}") as modem:
        assert modem.dialect == dialect


def test_an_answer_later_than_documented_is_told_of_a_family_that_takes_its_time(command: Command) -> None:
    run = command("hil", "--rig", "virtual:bc20", "--", "-q", "-k", "6.1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "result later than documented (F23)" in run.stdout
