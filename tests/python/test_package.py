"""What a user installs: the wheel alone, in an empty environment, in another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from conftest import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel ``pip wheel .`` builds. The cargo cache makes it quick where the package was built before."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(CHECKOUT)]
    run(words, folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and nothing else; returns its folder of programs."""
    folder = tmp_path_factory.mktemp("an empty environment") / "venv"
    venv.create(folder, with_pip=True)
    run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel)], folder)
    return folder / "bin"


def run(words: list[str], folder: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    done = subprocess.run(
        words, cwd=folder, env=clean, capture_output=True, text=True, timeout=800, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_the_wheel_serves_every_python_from_3_11(wheel: Path):
    assert "-cp311-abi3-" in wheel.name


def test_the_wheel_holds_the_suite_and_its_types(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"modemrig/py.typed", "modemrig/_native.pyi", "modemrig/pytest_plugin.py"} <= names
    assert "modemrig/hil/__init__.py" in names
    report = "modemrig/conformance/report"
    template = {
        f"{report}/template/{name}"
        for name in ("page.html", "parts.html", "symbols.html", "times.html", "page.css", "page.js")
    }
    compare = {
        f"modemrig/conformance/compare/template/{name}" for name in ("compare.html", "changes.html", "compare.css")
    }
    suite = {f"modemrig/conformance/{name}" for name in ("pytest.ini", "test_conformance.py")}
    assert {f"{report}/results.schema.json", *template, *compare, *suite} <= names
    assert not [name for name in names if name.split("/")[0] not in ("modemrig",) and ".dist-info/" not in name]


def test_the_base_install_needs_no_other_package(environment: Path, tmp_path: Path):
    installed = json.loads(run([str(environment / "python"), "-m", "pip", "list", "--format", "json"], tmp_path))
    assert {row["name"] for row in installed} <= {"modemrig", "pip", "setuptools", "wheel"}
    said = run([str(environment / "modemrig"), "catalogue"], tmp_path)
    assert "sim7028" in said


def test_the_suite_runs_without_a_checkout(environment: Path, wheel: Path, tmp_path: Path):
    run([str(environment / "python"), "-m", "pip", "install", "--quiet", f"{wheel}[hil]"], tmp_path)
    said = run([str(environment / "modemrig"), "hil", "--", "--junitxml=result.xml"], tmp_path)
    assert " passed" in said
    assert "failed" not in said.splitlines()[-1]
    assert (tmp_path / "result.xml").exists()
