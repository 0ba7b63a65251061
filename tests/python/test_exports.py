"""The public names: each is there, each has a home, and an import costs nothing but one file."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import modemrig


def test_every_public_name_is_there():
    missing = [name for name in modemrig.__all__ if not hasattr(modemrig, name)]
    assert missing == []


def test_the_table_of_lazy_names_is_what_a_type_checker_reads():
    tree = ast.parse(Path(modemrig.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    checked = {
        (statement.module.removeprefix("modemrig."), alias.name)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module and statement.module.startswith("modemrig.")
        for alias in statement.names
    }
    lazy = {(submodule, name) for submodule, names in modemrig._HOME.items() for name in names}
    assert checked == lazy


def test_every_submodule_exports_what_the_package_takes_from_it():
    for submodule, names in modemrig._HOME.items():
        exported = set(importlib.import_module(f"modemrig.{submodule}").__all__)
        assert set(names) <= exported, submodule


def test_dir_lists_names_that_were_not_loaded_yet():
    assert set(modemrig.__all__) <= set(dir(modemrig))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        modemrig.nonsense  # noqa: B018


def loaded_by(program: str) -> set[str]:
    """The modules that are loaded after a program ran in a fresh interpreter without site packages' start-up files."""
    printed = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules, sep='\\n')"],
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    ).stdout
    return set(printed.split())


def test_importing_loads_neither_the_core_nor_anything_heavy():
    added = loaded_by("import modemrig") - loaded_by("pass")
    assert added <= {"modemrig", "__future__"}


def test_the_pytest_plugin_loads_nothing_of_ours_until_it_is_used():
    added = loaded_by("import pytest; import modemrig.pytest_plugin") - loaded_by("import pytest")
    assert {name for name in added if "modemrig" in name} <= {"modemrig", "modemrig.pytest_plugin"}


def test_opening_a_port_does_not_load_asyncio_or_test_tools():
    program = "import modemrig\nwith modemrig.open('virtual:ecx00u_egx00u') as modem: modem.command('+CSQ')"
    heavy = {"asyncio", "pytest", "_pytest", "paho", "serial", "unittest", "argparse", "ssl"}
    assert loaded_by(program) & heavy == set()
