# SPDX-License-Identifier: MIT
"""The leaks that shapes.cc plants: which function is to blame, and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    function: str
    """A pattern of the name as the compiler has it, without what is around."""
    blocks: int
    least_bytes: int
    """As asked for: what is counted is that of the class."""
    caller: str = "make_all"
    """A function that stands further out."""


SHAPES = (
    Shape("templated<long>", 1, 800),
    Shape("map_insert", 20, 20 * 72),
    Shape("throws_between", 1, 1234, "exception_path"),
    Shape("coroutine_abandoned", 1, 3210),
    Shape("thread_local_lost", 1, 4321, "start_thread"),
    Shape("Circle::draw", 1, 5432, "virtual_call"),
    Shape("callback", 1, 7000),
    Shape("Global::Global", 1, 6543, "_start"),
    Shape("one_huge_block", 1, 50 << 20),
    Shape("grown_by_realloc", 1, 1 << 20),
    Shape("aligned_new", 1, 768),
    Shape("in_the_c_library", 1, 60),
    Shape("owned_by_a_cycle", 1, 2222),
    Shape("deep_recursion", 1, 2345, "deep_recursion"),
    Shape("in_each_thread", 4, 4 * 3456, "start_thread"),
    Shape("inside", 2, 2 * 8765),
    Shape("shape_of_library", 1, 8765),
    Shape("shape_of_plugin", 1, 8765),
)
