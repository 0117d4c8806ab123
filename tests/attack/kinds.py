# SPDX-License-Identifier: MIT
"""The kinds of attack: a program of //tests/attack each, in the order of the table."""

from __future__ import annotations

from dataclasses import dataclass

SIZES = {"small": 100, "medium": 5000, "large": 200_000, "huge": 3_000_000}
"""Bytes of a block: one for each way in which hakmem serves."""

ALL = tuple(SIZES)
ENDS = ("small", "huge")
NONE = ("small",)
"""Of a kind whose blocks are always of the same size."""


@dataclass(frozen=True)
class Kind:
    name: str
    """Of its program."""
    sizes: tuple[str, ...] = ALL

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    @property
    def is_race(self) -> bool:
        return self.name.startswith("race_")

    @property
    def is_placement(self) -> bool:
        """Whether it starts programs by itself, as often as one says."""
        return self.name.startswith("start_")


_DISTANCES = ("1_byte", "8_bytes", "64_bytes", "4_kib", "2_mib")

SECTIONS: dict[str, list[Kind]] = {
    "Overflow": [
        *(Kind(f"overflow_by_{distance}") for distance in _DISTANCES),
        Kind("overflow_used_before_free"),
        Kind("overflow_read"),
        Kind("overflow_of_size_zero", NONE),
        Kind("overflow_into_metadata", ("huge",)),
    ],
    "Underflow": [
        *(Kind(f"underflow_by_{distance}") for distance in _DISTANCES),
        Kind("underflow_read"),
        Kind("underflow_into_metadata", ENDS),
    ],
    "Canaries": [
        Kind("canary_read_and_put_back"),
        Kind("canary_of_another_block", ("small", "medium")),
        Kind("canary_guessed_in_children", ("small",)),
    ],
    "Use after free": [
        Kind("use_after_free_write"),
        Kind("use_after_free_write_after_spray"),
        Kind("use_after_free_write_before_reuse"),
        Kind("use_after_free_write_before_calloc"),
        Kind("use_after_free_read"),
        Kind("use_after_free_read_of_next_owner"),
        Kind("use_after_free_read_of_pointer"),
        Kind("use_after_free_realloc"),
        Kind("use_after_free_realloc_in_place"),
        Kind("use_after_free_size_query"),
        Kind("freed_memory_as_another_size"),
        Kind("new_block_shows_old_content"),
    ],
    "Invalid frees": [
        Kind("free_twice"),
        Kind("free_twice_used_at_once"),
        Kind("free_twice_after_twenty"),
        Kind("free_twice_others_between"),
        Kind("free_twice_other_thread"),
        Kind("free_twice_new_owner_between"),
        Kind("free_twice_after_trim"),
        Kind("free_after_realloc_moved"),
        Kind("free_interior"),
        Kind("free_interior_used_at_once"),
        Kind("free_interior_forged"),
        Kind("free_interior_of_freed"),
        Kind("free_misaligned"),
        Kind("free_end_of_block"),
        Kind("free_stack", NONE),
        Kind("free_global", NONE),
        Kind("free_other_mapping", NONE),
        Kind("free_number"),
        Kind("realloc_interior"),
        Kind("sized_free_smaller", NONE),
        Kind("sized_free_larger", NONE),
        Kind("sized_free_size_max", NONE),
    ],
    "Races": [
        Kind("race_free_twice", ("small", "medium")),
        Kind("race_free_twice_of_third_thread", ("small",)),
        Kind("race_free_and_realloc", ("small", "medium")),
    ],
    "Metadata by index": [
        Kind("index_write_pointers"),
        Kind("index_write_low_bytes"),
        Kind("index_write_bits"),
        Kind("index_write_earlier_state"),
        Kind("index_write_state_before_free"),
        Kind("index_write_list_pointers", ("small", "medium")),
        Kind("index_write_next_address"),
        Kind("index_read_address"),
    ],
    "Forged lists": [
        Kind("forged_next_in_freed_block"),
        Kind("forged_next_mixed_with_address"),
        Kind("forged_next_by_overflow"),
        Kind("forged_next_and_previous"),
    ],
    "Sizes near the largest number": [
        Kind("malloc_wraps", NONE),
        Kind("calloc_wraps", NONE),
        Kind("realloc_wraps", NONE),
        Kind("reallocarray_wraps", NONE),
        Kind("aligned_alloc_wraps", NONE),
        Kind("pvalloc_wraps", NONE),
    ],
    "Placement": [
        Kind("start_address_bits", ENDS),
        Kind("start_place_in_32_mib", ENDS),
        Kind("start_distance_to_libc", ENDS),
        Kind("start_distance_between_sizes", ENDS),
        Kind("start_distance_to_next_block", ENDS),
        Kind("start_freed_block_is_next", ENDS),
        Kind("siblings_draw_alike", ENDS),
    ],
}
"""By the heading of the section."""


def kinds() -> list[Kind]:
    return [kind for section in SECTIONS.values() for kind in section]
