"""Writes the report of a run: ``results.json``, and ``report.html``, one file that needs no other."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modemrig.conformance.report.results import Results, read_results
from modemrig.errors import Unsupported

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["TEMPLATE", "engine", "render", "replace", "write_report"]

TEMPLATE = Path(__file__).with_name("template")
"""Where the page's parts are; other pages share its look."""


def write_report(results: Mapping[str, Any], folder: str | os.PathLike[str]) -> Path:
    """Write ``results.json`` and ``report.html``.

    Args:
        results: what the file is to hold; see ``results.schema.json``.
        folder: made if it is not there; the two files are replaced.

    Returns:
        The path of the page.

    Raises:
        ResultsError: they are no results; the message names the key.
        Unsupported: the template engine is missing.
        OSError: the files cannot be written.
    """
    if find_spec("jinja2") is None:
        raise Unsupported("the report needs jinja2", remedy="pip install 'modemrig[hil]'")
    page = render(read_results(results))
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    replace(target / "results.json", json.dumps(results, ensure_ascii=False, separators=(",", ":")) + "\n")
    return replace(target / "report.html", page)


def render(results: Results) -> str:
    """The page of a run."""
    from markupsafe import Markup

    from modemrig.conformance.report.embed import embedded_facts, embedded_results, packed
    from modemrig.conformance.report.times import Axis, distributions
    from modemrig.conformance.report.view import VERDICTS, View

    view = View(results)
    times = distributions(results)
    pieces, transcripts = [], []
    for end, piece in embedded_results(view):
        pieces.append(end)
        transcripts.append(packed(piece))
    template = engine(TEMPLATE).get_template("page.html")
    script = (TEMPLATE / "page.js").read_text(encoding="utf-8")
    return template.render(
        view=view,
        results=results,
        verdicts=VERDICTS,
        times=times,
        axis=Axis(row for rows in times for row in rows),
        facts=packed(embedded_facts(view, pieces)),
        transcripts=transcripts,
        style=Markup((TEMPLATE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def engine(*folders: Path) -> Environment:
    """The template engine of pages.

    Args:
        folders: where templates are looked for, in this order.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from modemrig.conformance.report import texts

    made = Environment(
        loader=FileSystemLoader(list(folders)),
        autoescape=True,  # what a module says of itself is foreign text
        finalize=texts.plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(seconds=texts.seconds, visible=texts.visible)
    made.globals.update(plural=texts.plural, none_said=texts.NONE, side_by_side=texts.side_by_side)
    return made


def replace(path: Path, text: str) -> Path:
    """Write the file whole or not at all: somebody may be reading the one before."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
    unfinished.replace(path)
    return path
