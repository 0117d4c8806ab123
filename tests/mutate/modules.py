# SPDX-License-Identifier: MIT
"""The modules that mutants are made of: their files, the flavours and the tests that have to notice, the quickest first."""

from __future__ import annotations

import dataclasses

# Whatever the module, they hold the content of blocks and the counts.
_ALWAYS = (
    "tests/unit:test_every_class",
    "tests/unit:test_stats",
    "tests/unit:test_walk",
    "tests/unit:test_owner",
    "tests/fuzz:test_calls",
    "tests/integration:test_remote_free",
    "tests/integration:test_thread_exit",
    "tests/stress:test_hostile",
    "tests/stress:test_stress",
)
# Without test_accounted: where the system has no thousand threads to give it fails for another reason.
_MEMORY = (
    "tests/integration:test_purge",
    "tests/integration:test_out_of_memory",
    "tests/integration:test_limited_memory",
    "tests/integration:test_steady_state",
)

# Of seconds each, and mostly of waiting.
SLOW = (
    *_MEMORY,
    "tests/integration:test_fork",
    "tests/integration:test_published",
    "tests/integration:test_publish_child",
    "tests/integration:test_purge_child",
)


@dataclasses.dataclass(frozen=True)
class Module:
    name: str
    patterns: tuple[str, ...]  # of files
    tests: tuple[str, ...]
    flavours: tuple[str, ...] = ("off", "debug", "exact", "full")
    # ThreadSanitizer alone notices that an order is too weak on a processor whose loads and stores are ordered anyhow.
    order_tests: tuple[str, ...] = (
        "tests/unit:test_stats",
        "tests/unit:test_readers",
        "tests/integration:test_remote_free",
        "tests/integration:test_thread_exit",
        "tests/stress:test_stress",
    )


def _unit(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit:test_{name}" for name in names)


MODULES = {
    module.name: module
    for module in (
        Module(
            "slab",
            ("hakmem/slab/*.c",),
            (
                *_unit(
                    "slab_edges",
                    "slab",
                    "exchange",
                    "slab_purge",
                    "magazine",
                    "corruption",
                    "exchange_check",
                    "region_purge",
                    "idle",
                ),
                *_unit("node", "quiet", "sites", "guard_random", "purge_poll", "purge_slabs", "region_model"),
                *_unit("freed_notes", "fork_copy", "guard_renew"),
                *_ALWAYS,
                *_MEMORY,
            ),
        ),
        Module(
            "magazine",
            ("hakmem/magazine/*.c",),
            (
                *_unit(
                    "magazine",
                    "exchange",
                    "stash",
                    "record",
                    "share",
                    "exchange_check",
                    "idle",
                    "corruption",
                    "readers",
                ),
                *_unit("quiet", "sites", "hooks", "profile_threads", "profile_estimates", "reentry", "packed"),
                *_unit("first_frees", "interrupted", "share_changes", "thinning", "thread_refused"),
                *_unit("freed_notes", "guard_random", "fork_copy", "guard_renew", "node"),
                *_ALWAYS,
                *_MEMORY,
                "tests/integration:test_fork",
                "tests/integration:test_own_thread",
            ),
        ),
        Module(
            "region",
            ("hakmem/region/*.c",),
            (
                *_unit(
                    "region",
                    "region_model",
                    "kept_model",
                    "purge_way",
                    "region_bitmap",
                    "runs",
                    "kept",
                    "decay",
                    "region_place",
                    "region_edges",
                    "kept_huge",
                    "region_visits",
                    "region_purge",
                ),
                *_unit("node", "address_bits", "corruption", "slab", "slab_purge", "realloc", "calloc", "errors"),
                *_unit("place_draws", "freed_notes", "fork_copy", "large_pages", "shadow", "shadow_reads"),
                *_ALWAYS,
                *_MEMORY,
                "tests/integration:test_places",
                "tests/integration:test_fork",
            ),
        ),
        Module(
            "huge",
            ("hakmem/huge/*.c", "hakmem/pool/huge.c"),
            (
                *_unit(
                    "huge_model",
                    "huge_clear",
                    "kept",
                    "realloc",
                    "calloc",
                    "aligned",
                    "errors",
                    "owner",
                    "walk",
                    "sites",
                    "corruption",
                    "hooks",
                    "profile_realloc",
                ),
                *_ALWAYS,
                *_MEMORY,
                "tests/integration:test_places",
                "tests/integration:test_fork",
                *_unit("guard_mapping", "purge_poll", "guard", "guard_pages", "guard_realloc", "shadow"),
                *_unit("shadow_reads", "fork_copy", "guard_renew", "kept_huge", "large_pages"),
            ),
        ),
        Module(
            "guard",
            ("hakmem/guard/*.c", "hakmem/shadow/*.c"),
            (
                *_unit(
                    "guard",
                    "guard_pages",
                    "guard_random",
                    "guard_realloc",
                    "guard_renew",
                    "guard_clear",
                    "shadow",
                    "shadow_reads",
                    "address_bits",
                    "calloc",
                    "realloc",
                ),
                *_unit("aligned", "corruption", "region_place", "reentry", "errors"),
                *_ALWAYS,
                *_MEMORY,
                "tests/integration:test_fork",
                "tests/integration:test_places",
            ),
            ("full", "exact", "full_debug"),
        ),
        Module(
            "purge",
            (
                "hakmem/process/purge.c",
                "hakmem/process/purge_bound.c",
                "hakmem/process/purge_later.c",
                "hakmem/process/purge_pass.c",
                "hakmem/process/purge_thread.c",
                "hakmem/process/purge_share.c",
                "hakmem/process/own_thread.c",
                "hakmem/region/region_purge.c",
                "hakmem/region/decay.c",
            ),
            (
                *_unit("purge_bound", "purge_poll", "purge_slabs", "purge_thread", "purge_share", "purge_wait"),
                *_unit("own_thread_steps", "purge_way", "fork_copy", "region_model"),
                *_unit("kept_model", "slab_purge", "region_purge", "decay", "kept", "region", "quiet", "idle", "base"),
                "tests/integration:test_purge",
                "tests/integration:test_own_thread",
                "tests/integration:test_purge_child",
                "tests/integration:test_publish_child",
                *_ALWAYS,
                *_MEMORY,
                "tests/integration:test_fork",
            ),
        ),
        Module(
            "stats",
            ("hakmem/observe/read.c", "hakmem/observe/walk.c", "hakmem/observe/stats.c", "hakmem/observe/fields.c"),
            (
                *_unit(
                    "stats_totals",
                    "stats",
                    "read_threads",
                    "walk",
                    "quiet",
                    "readers",
                    "sites",
                    "config",
                    "profile_threads",
                ),
                *_ALWAYS,
                *_MEMORY,
            ),
        ),
        Module(
            "fork",
            ("hakmem/process/fork.c", "hakmem/process/begin.c", "hakmem/process/init.c", "hakmem/process/renew.c"),
            (
                "tests/integration:test_fork",
                "tests/integration:test_own_thread",
                *_unit("begin", "fork_copy", "guard_renew", "guard_pages", "interrupted"),
                *_unit("shadow", "shadow_reads"),
                *_unit("record", "config", "base", "region", "region_place", "node", "idle", "guard_random"),
                "tests/integration:test_places",
                "tests/integration:test_publish_child",
                *_ALWAYS,
                *_MEMORY,
            ),
        ),
        Module(
            "publish",
            ("hakmem/observe/publish.c", "hakmem/observe/layout.c"),
            (
                *_unit("publish_thread", "publish", "stats"),
                "tests/integration:test_published",
                "tests/integration:test_publish_child",
                "tests/integration:test_own_thread",
            ),
        ),
    )
}
