# SPDX-License-Identifier: MIT
"""Works as programs in Python do, with many small objects; prints a line with a checksum for each part."""

import gc
import hashlib
import json
import random
import re
import sys


def checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def documents(generator: random.Random, count: int) -> list[dict[str, object]]:
    return [
        {
            "id": number,
            "name": "n" * generator.randint(1, 60),
            "tags": [f"tag{generator.randrange(500)}" for _ in range(generator.randint(0, 8))],
            "position": {"x": generator.random(), "y": generator.random()},
        }
        for number in range(count)
    ]


class Node:
    """Points to its neighbours, which point back: only the collector of cycles frees it."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.neighbours: list["Node"] = []


def cycles(generator: random.Random, count: int) -> int:
    total = 0
    for _ in range(10):
        nodes = [Node(generator.randrange(1000)) for _ in range(count)]
        for node in nodes:
            other = generator.choice(nodes)
            node.neighbours.append(other)
            other.neighbours.append(node)
        total += sum(neighbour.value for node in nodes for neighbour in node.neighbours)
    del nodes, node, other
    gc.collect()
    return total


def main(scale: int) -> None:
    generator = random.Random(1)

    data = documents(generator, 6_000 * scale)
    copy = json.loads(json.dumps(data))
    print("json", "equal" if copy == data else "differs", len(copy))

    table: dict[str, int] = {}
    for _ in range(150_000 * scale):
        key = f"key{generator.randrange(20_000)}"
        if key in table and generator.random() < 0.3:
            del table[key]
        else:
            table[key] = table.get(key, 0) + 1
    print("dictionary", len(table), sum(table.values()))

    print("cycles", cycles(generator, 4_000 * scale))

    line = " ".join(f"{name}{generator.randrange(1000)}" for name in ["alpha", "beta", "gamma"] * 8_000)
    found = re.findall(r"([a-z]+)(\d+)", line * scale)
    print("matches", len(found), checksum(str(found[:1000])))

    text = "".join(chr(97 + generator.randrange(26)) * generator.randint(1, 30) for _ in range(60_000 * scale))
    print("string", checksum(text.replace("aa", "b").upper()))

    rows = sorted(((generator.random(), str(number)) for number in range(60_000 * scale)), key=lambda row: row[0])
    print("sorted", checksum(",".join(row[1] for row in rows)))


main(int(sys.argv[1]))
