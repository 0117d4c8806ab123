/* SPDX-License-Identifier: MIT */
/* A cache of freed mappings, which are joined and split as needed; see kept.h.
 *
 * To map, fault in and unmap a block of 2 MiB costs some hundred microseconds; with the cache, a program that
 * alternately allocates and frees such blocks pays that once. The kernel places mappings side by side, so freed ones
 * are often adjacent and are joined to one span, from which blocks of any size are cut. A block that fits in none
 * grows out of the longest: what that lacks is mapped beside it.
 *
 * All sizes are multiples of a chunk, so a sparsely written block touches the same pages when it is reused. */
#include "hakmem/region/kept.h"

#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/options.h"
#include "hakmem/flags/guard.h"
#include "hakmem/os/os.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/give_way.h"
#include "hakmem/region/region.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/space/units.h"

/* More spans than this at once are given back, the oldest first. */
#define KEPT_MAX 64

/* A block grows out of a span only if that is at least one part in so many of the block. */
#define KEPT_GROWS_FROM 16

/* The span that a block could not grow out of is unmapped if it is at most one part in so many of the block. */
#define KEPT_WAITS_FROM 4

struct kept_span {
    uintptr_t start, end;
    uint64_t freed_at_ms; /* of its oldest part */
};

static struct hak_lock kept_lock = HAK_LOCK_INITIALIZER(HAK_RANK_REGION);
static struct kept_span kept_spans[KEPT_MAX]; /* kept lock; by address, no two adjacent */
static unsigned kept_count;                   /* kept lock */
static size_t kept_bytes;                     /* atomic: read without the lock, written under it */
static size_t kept_refused;                   /* atomic, likewise; of them, what the system does not take */
static bool kept_is_in_pieces;                /* atomic; see hak_kept_note_pieces */

static size_t kept_size(const struct kept_span *kept) { return kept->end - kept->start; }

static size_t kept_size_refused(const struct kept_span *kept) {
    return kept->freed_at_ms == DECAY_REFUSED_MS ? kept_size(kept) : 0;
}

static struct kept_span kept_remove_locked(unsigned index) {
    const struct kept_span removed = kept_spans[index];
    kept_count--;
    memmove(&kept_spans[index], &kept_spans[index + 1], (kept_count - index) * sizeof *kept_spans);
    hak_store_relaxed(&kept_bytes, kept_bytes - kept_size(&removed));
    hak_store_relaxed(&kept_refused, kept_refused - kept_size_refused(&removed));
    return removed;
}

/* The first span behind that address. */
static unsigned kept_position_locked(uintptr_t address) {
    unsigned index = 0;
    while (index < kept_count && kept_spans[index].start < address) {
        index++;
    }
    return index;
}

/* pre: there is room, and no neighbour to join */
static void kept_insert_locked(struct kept_span kept) {
    const unsigned index = kept_position_locked(kept.start);
    memmove(&kept_spans[index + 1], &kept_spans[index], (kept_count - index) * sizeof *kept_spans);
    kept_spans[index] = kept;
    kept_count++;
    hak_count_add(&kept_bytes, kept_size(&kept));
    hak_count_add(&kept_refused, kept_size_refused(&kept));
}

/* Removes the span at that index and makes it a part of `kept`, which is as old as the older of both. */
static void kept_join_locked(struct kept_span *kept, unsigned index) {
    const struct kept_span neighbour = kept_remove_locked(index);
    kept->start = neighbour.start < kept->start ? neighbour.start : kept->start;
    kept->end = neighbour.end > kept->end ? neighbour.end : kept->end;
    kept->freed_at_ms = neighbour.freed_at_ms < kept->freed_at_ms ? neighbour.freed_at_ms : kept->freed_at_ms;
}

/* pre: there is one */
static unsigned kept_oldest_locked(void) {
    unsigned oldest = 0;
    for (unsigned i = 1; i < kept_count; i++) {
        if (kept_spans[i].freed_at_ms < kept_spans[oldest].freed_at_ms) {
            oldest = i;
        }
    }
    return oldest;
}

/* Keeps a span, joined with its neighbours. Result: what has to go for it, empty mostly */
static struct kept_span kept_keep_locked(struct kept_span kept) {
    struct kept_span evicted = {0};
    unsigned index = kept_position_locked(kept.start);
    if (index < kept_count && kept_spans[index].start == kept.end) {
        kept_join_locked(&kept, index);
    }
    if (index > 0 && kept_spans[index - 1].end == kept.start) {
        kept_join_locked(&kept, index - 1);
    }
    if (kept_count == KEPT_MAX) {
        evicted = kept_remove_locked(kept_oldest_locked());
    }
    kept_insert_locked(kept);
    return evicted;
}

/* The highest place for `size` bytes in a span, so that what is used again and again is the same pages; 0 where it
 * has none. */
static uintptr_t kept_place(const struct kept_span *kept, size_t size, size_t alignment) {
    const uintptr_t place = kept_size(kept) < size ? 0 : (kept->end - size) & ~(alignment - 1);
    return place >= kept->start ? place : 0;
}

/* Cuts [place, place + size) out of the span at that index; what is left over is kept. Result: as kept_keep_locked */
static struct kept_span kept_cut_locked(unsigned index, uintptr_t place, size_t size) {
    const struct kept_span span = kept_remove_locked(index);
    const struct kept_span before = {.start = span.start, .end = place, .freed_at_ms = span.freed_at_ms};
    const struct kept_span behind = {.start = place + size, .end = span.end, .freed_at_ms = span.freed_at_ms};
    if (kept_size(&before) > 0) {
        kept_insert_locked(before);
    }
    return kept_size(&behind) > 0 ? kept_keep_locked(behind) : (struct kept_span){0};
}

/* The system's limit of mappings may refuse: at least the pages go then, and the addresses are lost. false: neither */
static bool kept_give_back(const struct kept_span *kept) {
    const size_t size = kept_size(kept);
    return size == 0 || hak_os_unmap((void *)kept->start, size) == 0 || hak_os_purge((void *)kept->start, size) == 0;
}

static void kept_unmap(const struct kept_span *kept) { (void)kept_give_back(kept); }

/* Takes the place in the smallest span that has one. false: no kept span has */
static bool kept_take_kept(size_t size, size_t alignment, void **start) {
    struct kept_span evicted = {0};
    unsigned best = KEPT_MAX;
    uintptr_t best_place = 0;
    lock_acquire(&kept_lock);
    for (unsigned i = 0; i < kept_count; i++) {
        const uintptr_t place = kept_place(&kept_spans[i], size, alignment);
        if (place != 0 && (best_place == 0 || kept_size(&kept_spans[i]) < kept_size(&kept_spans[best]))) {
            best = i;
            best_place = place;
        }
    }
    if (best_place != 0) {
        evicted = kept_cut_locked(best, best_place, size);
    }
    lock_release(&kept_lock);
    kept_unmap(&evicted);
    if (best_place != 0) {
        *start = (void *)best_place;
    }
    return best_place != 0;
}

/* Not with HAK_THP_AUTO: who writes such a block in part pays for all of it (docs/design.md has the figures). */
static bool kept_wants_huge_pages(size_t size) {
    return hak_options.thp == HAK_THP_MADVISE && size >= OS_HUGE_PAGE_BYTES;
}

/* A new mapping, with huge pages where they are wanted. */
static int kept_map(size_t size, size_t alignment, void **start) {
    const bool huge_pages = kept_wants_huge_pages(size);
    const size_t least = huge_pages ? OS_HUGE_PAGE_BYTES : 1;
    int error = hak_os_map_block(size, alignment < least ? least : alignment, start);
    if (error == 0 && huge_pages) {
        /* Refusal costs time only. */
        hak_os_huge_pages(*start, size);
    }
    if (error == 0) {
        hak_units_note_given(*start, size);
    }
    if (HAK_GUARD_EXACT && error == 0 && hak_options.thp != HAK_THP_NEVER) {
        hak_shadow_expect_reads(*start, size);
    }
    return error;
}

/* Whether the block may be made of the span and what is mapped beside it. */
static bool kept_may_grow(const struct kept_span *kept, size_t size, size_t alignment) {
    const size_t has = kept_size(kept);
    return has < size && has >= size / KEPT_GROWS_FROM && kept->freed_at_ms != DECAY_REFUSED_MS &&
           (kept->start % alignment == 0 || (kept->end - size) % alignment == 0);
}

/* Removes the longest span of which the block may be made. Result: it; an empty one if there is none */
static struct kept_span kept_take_longest(size_t size, size_t alignment) {
    struct kept_span taken = {0};
    unsigned longest = KEPT_MAX;
    lock_acquire(&kept_lock);
    for (unsigned i = 0; i < kept_count; i++) {
        if (kept_may_grow(&kept_spans[i], size, alignment) &&
            (longest == KEPT_MAX || kept_size(&kept_spans[i]) > kept_size(&kept_spans[longest]))) {
            longest = i;
        }
    }
    if (longest < KEPT_MAX) {
        taken = kept_remove_locked(longest);
    }
    lock_release(&kept_lock);
    return taken;
}

/* Maps [added, added + size), so that the block begins at `start`. false: something is there, or it is not aligned */
static bool kept_map_beside(uintptr_t added, size_t size, uintptr_t start, size_t alignment) {
    if (start % alignment != 0 || hak_os_map_beside((void *)added, size) != 0) {
        return false;
    }
    hak_units_note_given((void *)added, size);
    if (HAK_GUARD_EXACT && hak_options.thp != HAK_THP_NEVER) {
        hak_shadow_expect_reads((void *)added, size);
    }
    return true;
}

/* The block that begins at the span's start and goes on behind it. */
static bool kept_grow_behind(const struct kept_span *span, size_t lacks, size_t alignment, void **start) {
    if (!kept_map_beside(span->end, lacks, span->start, alignment)) {
        return false;
    }
    *start = (void *)span->start;
    return true;
}

/* Maps what the longest kept span lacks, below it or behind it: beside a new mapping of the whole block the span would only wait. Not if
 * the span is a small part of the block. Behind it first where its own end was unmapped: else each burst, of which all but the start
 * decayed, would go on below the one before. false: there is no such span, or nothing can be mapped beside it */
static bool kept_grow(size_t size, size_t alignment, void **start) {
    /* Relaxed: a hint. */
    if (kept_wants_huge_pages(size) || hak_load_relaxed(&kept_is_in_pieces)) {
        return false;
    }
    const struct kept_span longest = kept_take_longest(size, alignment);
    const size_t has = kept_size(&longest), lacks = size - has;
    if (has == 0) {
        return false;
    }
    const bool ends_at_hole = hak_os_is_hole((void *)longest.end, lacks);
    if (ends_at_hole && kept_grow_behind(&longest, lacks, alignment, start)) {
        return true;
    }
    if (longest.start > lacks && kept_map_beside(longest.start - lacks, lacks, longest.start - lacks, alignment)) {
        *start = (void *)(longest.start - lacks);
        return true;
    }
    if (!ends_at_hole && kept_grow_behind(&longest, lacks, alignment, start)) {
        return true;
    }
    if (has <= size / KEPT_WAITS_FROM && hak_os_unmap((void *)longest.start, has) == 0) {
        return false;
    }
    lock_acquire(&kept_lock);
    const struct kept_span evicted = kept_keep_locked(longest);
    lock_release(&kept_lock);
    kept_unmap(&evicted);
    hak_decay_note_freed(longest.freed_at_ms); /* a purge that came meanwhile did not find it */
    return false;
}

int hak_kept_alloc(size_t size, size_t alignment, void **start, bool *zeroed) {
    *zeroed = !kept_take_kept(size, alignment, start) && !kept_grow(size, alignment, start);
    if (!*zeroed) {
        return 0;
    }
    int error = kept_map(size, alignment, start);
    if (error != 0 && hak_kept_purge(UINT64_MAX) > 0) {
        error = kept_map(size, alignment, start);
    }
    return error != 0 && hak_give_way_may_help() && hak_region_give_way() ? kept_map(size, alignment, start) : error;
}

void hak_kept_note_pieces(void) { hak_store_relaxed(&kept_is_in_pieces, true); }

void hak_kept_free(void *start, size_t size) {
    struct kept_span freed = {.start = (uintptr_t)start, .end = (uintptr_t)start + size};
    /* Relaxed: see options.h. */
    if (size >= hak_load_relaxed(&hak_options.map_threshold)) {
        kept_unmap(&freed);
        return;
    }
    freed.freed_at_ms = hak_os_clock_ms();
    lock_acquire(&kept_lock);
    const struct kept_span evicted = kept_keep_locked(freed);
    lock_release(&kept_lock);
    kept_unmap(&evicted);
    hak_decay_note_freed(freed.freed_at_ms);
}

/* Keeps the start of a span that was just removed, where it is longer than `most`: its end is left. `most` 0: any length goes. */
static void kept_put_back_locked(struct kept_span *removed, size_t most) {
    if (most != 0 && kept_size(removed) > most) {
        struct kept_span rest = *removed;
        rest.end -= most;
        removed->start = rest.end;
        kept_insert_locked(rest);
    }
}

/* Whether the pass takes it. What was refused is asked for again in a pass over everything, though it counts as the youngest. */
static bool kept_is_due(const struct kept_span *kept, const struct decay_pass *pass, uint64_t freed_until_ms) {
    return kept->freed_at_ms == DECAY_REFUSED_MS ? pass->freed_until_ms == DECAY_EVERYTHING
                                                 : kept->freed_at_ms <= freed_until_ms;
}

/* The oldest span of those that are due. KEPT_MAX: none is */
static unsigned kept_oldest_due_locked(const struct decay_pass *pass, uint64_t freed_until_ms) {
    unsigned oldest = KEPT_MAX;
    for (unsigned i = 0; i < kept_count; i++) {
        if (kept_is_due(&kept_spans[i], pass, freed_until_ms) &&
            (oldest == KEPT_MAX || kept_spans[i].freed_at_ms < kept_spans[oldest].freed_at_ms)) {
            oldest = i;
        }
    }
    return oldest;
}

/* The oldest span that is due, or as much of its end as fits the piece. Due is also what others free in the millisecond in which the
 * pass came here, and what joins an older span while there is one. */
static struct kept_span kept_take_decayed(struct decay_pass *pass) {
    const uint64_t freed_until_ms = hak_decay_pass_until(pass);
    struct kept_span taken = {0};
    lock_acquire(&kept_lock);
    const unsigned oldest = kept_oldest_due_locked(pass, freed_until_ms);
    if (oldest < KEPT_MAX) {
        /* Huge pages are given back whole. */
        const size_t most = bits_round_up(pass->left, OS_HUGE_PAGE_BYTES);
        taken = kept_remove_locked(oldest);
        kept_put_back_locked(&taken, most);
    }
    lock_release(&kept_lock);
    return taken;
}

/* What the system neither unmaps nor purges stays, with what lies beside it. It is asked again when a neighbour is
 * freed. */
static void kept_keep_refused(struct kept_span refused) {
    lock_acquire(&kept_lock);
    const struct kept_span evicted = kept_keep_locked(refused);
    struct kept_span joined = kept_remove_locked(kept_position_locked(refused.start + 1) - 1);
    joined.freed_at_ms = DECAY_REFUSED_MS;
    kept_insert_locked(joined);
    lock_release(&kept_lock);
    kept_unmap(&evicted);
}

bool hak_kept_purge_piece(struct decay_pass *pass) {
    while (pass->left > 0) {
        const struct kept_span taken = kept_take_decayed(pass);
        if (taken.start == 0) {
            return true;
        }
        decay_pass_spend(pass, kept_size(&taken));
        if (kept_give_back(&taken)) {
            pass->purged += kept_size(&taken);
        } else {
            kept_keep_refused(taken);
            /* Or a pass over everything would ask for this one for ever. */
            pass->freed_until_ms = pass->freed_until_ms < DECAY_ALL_NEW ? pass->freed_until_ms : DECAY_ALL_NEW;
        }
    }
    return false;
}

size_t hak_kept_purge(uint64_t freed_until_ms) {
    struct decay_pass pass = {.freed_until_ms = freed_until_ms, .left = SIZE_MAX};
    (void)hak_kept_purge_piece(&pass);
    return pass.purged;
}

bool hak_kept_contains(const void *p) {
    const uintptr_t address = (uintptr_t)p;
    lock_acquire(&kept_lock);
    const unsigned behind = kept_position_locked(address + 1);
    const bool kept = behind > 0 && address < kept_spans[behind - 1].end;
    lock_release(&kept_lock);
    return kept;
}

size_t hak_kept_dirty_bytes(void) { return hak_load_relaxed(&kept_bytes); }

size_t hak_kept_refused_bytes(void) { return hak_load_relaxed(&kept_refused); }

void hak_kept_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    lock_acquire(&kept_lock);
    visit(kept_spans, sizeof kept_spans, argument);
    for (unsigned i = 0; i < kept_count; i++) {
        visit((void *)kept_spans[i].start, kept_size(&kept_spans[i]), argument);
    }
    lock_release(&kept_lock);
}

void hak_kept_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&kept_lock, fork); }
