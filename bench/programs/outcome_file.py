# SPDX-License-Identifier: MIT
"""An outcome of //bench/programs that was written with --json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.measure.program import BenchError

_SCHEMA = Path(__file__).with_name("programs.schema.json")


def load(path: Path, schema: Path = _SCHEMA, target: str = "//bench/programs") -> dict[str, Any]:
    """What the file holds, an outcome of `target` as `schema` describes it; a BenchError says what is wrong with it."""
    import jsonschema

    try:
        whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(whole, json.loads(schema.read_text(encoding="utf-8")))
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error
    except (ValueError, jsonschema.ValidationError) as error:
        raise BenchError(f"{path} is not an outcome of {target}: {str(error).splitlines()[0]}") from error
    return whole
