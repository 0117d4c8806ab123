# SPDX-License-Identifier: MIT
"""Documents of measured figures: a template of the sources, filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.measure import files


def render(template: Path, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any) -> str:
    """The template with `values`; a name that it does not find is an error."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters |= dict(filters or {})
    return environment.from_string(template.read_text(encoding="utf-8")).render(**values)


def write(path: Path, template: Path, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any) -> None:
    """Writes what render() returns to `path`, and says so."""
    files.write_whole(path, render(template, filters, **values))
    print(f"{path} written")
