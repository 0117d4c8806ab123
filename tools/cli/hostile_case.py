# SPDX-License-Identifier: MIT
"""What the tests of hostile processes share: pages that the test itself publishes."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

from tools.cli.observe_case import SCHEMA, ObserveCase

HEADER = struct.Struct("=8sII4Q")


def example(of: dict[str, Any] = SCHEMA) -> Any:
    """The least that the schema takes."""
    if "$ref" in of:
        return example(SCHEMA["$defs"][str(of["$ref"]).rpartition("/")[2]])
    if "const" in of or "enum" in of:
        return of["const"] if "const" in of else of["enum"][0]
    if of["type"] == "object":
        return {name: example(of["properties"][name]) for name in of["required"]}
    if of["type"] == "array":
        return [example(of["items"])]
    return {"integer": 1, "boolean": True, "string": "1.2.3"}[of["type"]]


def with_value(path: str, value: object) -> bytes:
    """The example with another value at "a/b"; None: without it."""
    found = example()
    *way, last = path.split("/")
    place = found
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(found).encode()


class HostileCase(ObserveCase):
    def share(self, label: str, content: bytes, size: int = 131072) -> int:
        """Shares it, as this process."""
        descriptor = os.memfd_create(label)
        self.addCleanup(os.close, descriptor)
        os.write(descriptor, content)
        os.ftruncate(descriptor, size)
        return descriptor

    def publish(self, text: bytes, *, sequence: int = 2, length: int | None = None, size: int = 131072) -> int:
        header = HEADER.pack(b"hakmem\0\0", 1, os.getpid(), sequence, 0, 500, len(text) if length is None else length)
        return self.share("hakmem", header + text, size)
