# SPDX-License-Identifier: MIT
"""Copies C sources with a switch taken out of them, or, as a control, with a variable in its place.

    strip.py --name HAK_P1_BATCHED_STATS --mode removed --output FOLDER FILE ...

`removed` takes out all that the switch turns on (partial.py). `variable` puts a variable in the place of the value:
what the compiler cannot know it cannot leave out, so a comparison that calls this equal to anything sees nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from bench.lab.switched_off import partial
from bench.lab.switched_off.tokens import Kind, NotC, tokens

_VARIABLE = "hak_switch_of_the_control"


def with_variable(source: str, name: str) -> str:
    """`source` with a variable for `name`; conditions of the preprocessor keep it."""
    parts = []
    for token in tokens(source):
        text = token.text
        if token.kind is Kind.NAME and text == name:
            text = _VARIABLE
        elif token.kind is Kind.DIRECTIVE and re.match(r"#\s*define\b", text):
            text = re.sub(rf"\b{name}\b", _VARIABLE, text)
        parts.append(text)
    return "".join(parts)


def preamble(name: str, mode: str) -> str:
    """A header that the compiler reads before everything else."""
    if mode == "removed":
        return f"/* Whoever still speaks of the switch does not compile. */\n#pragma GCC poison {name}\n"
    return f"extern int {_VARIABLE};\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--name", required=True, help="the switch as the preprocessor has it")
    parser.add_argument("--mode", choices=("removed", "variable"), required=True)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("files", nargs="+", metavar="FILE", help="relative to the workspace; copied below FOLDER")
    parsed = parser.parse_args()
    found = 0
    for file in parsed.files:
        source = Path(file).read_text(encoding="utf-8")
        try:
            found += partial.uses(source, parsed.name)
            changed = (
                partial.without(source, parsed.name, value=False)
                if parsed.mode == "removed"
                else with_variable(source, parsed.name)
            )
        except (partial.Refused, NotC) as error:
            print(f"strip: {file}: {error}", file=sys.stderr)
            return 1
        target = parsed.output / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(changed, encoding="utf-8")
    if found == 0:
        print(f"strip: none of {len(parsed.files)} files uses {parsed.name}", file=sys.stderr)
        return 1
    (parsed.output / "switch_preamble.h").write_text(preamble(parsed.name, parsed.mode), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
