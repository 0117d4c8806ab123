/* SPDX-License-Identifier: MIT */
/* See pages.h. */
#include "hakmem/guard/pages.h"

#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/warning.h"
#include "hakmem/guard/random.h"
#include "hakmem/os/os.h"
#include "hakmem/space/flat.h"
#include "hakmem/space/units.h"

#define PAGES_ENTRIES ((size_t)1 << (HAK_ADDRESS_BITS - HAK_CHUNK_SHIFT))

/* Of the chunks of a locked block. Else a byte is the number of 4 KiB units at the chunk's end that are
 * inaccessible, 0 to 16. */
#define PAGES_LOCKED 255
#define PAGES_UNKNOWN 254
#define PAGES_UNIT 4096
#define PAGES_WHOLE (HAK_CHUNK_BYTES / PAGES_UNIT)

/* The part of the system's mappings that slabs may have: as many chunks behind them as half of that. The same for huge blocks. */
#define PAGES_SHARE 16

/* Beyond half of that. */
#define PAGES_SELDOM 16

static uint8_t *pages_state;         /* constant after init; a byte a chunk, of its owner */
static uint64_t pages_most;          /* constant after init */
static uint64_t pages_whole_chunks;  /* atomic; states that are PAGES_WHOLE */
static uint64_t pages_huge_mappings; /* atomic */

static bool pages_gave_way; /* region lock */

static uint8_t *pages_of(const void *p) { return &pages_state[(uintptr_t)p >> HAK_CHUNK_SHIFT]; }

int hak_pages_init(void) {
    void *bytes;
    const int error = hak_os_reserve(PAGES_ENTRIES, &bytes);
    if (error == 0) {
        pages_state = bytes;
        pages_most = hak_os_mappings_most() / PAGES_SHARE / 2;
        hak_os_error_keep(false); /* for pages_warn, which may come late */
    }
    return error;
}

int hak_pages_add_region(const void *region) {
    const size_t page = hak_os_page_size(), bytes = bits_round_up(HAK_REGION_CHUNKS, page);
    const uintptr_t first = ((uintptr_t)region >> HAK_CHUNK_SHIFT) & ~(page - 1);
    const uintptr_t described = first << HAK_CHUNK_SHIFT, described_bytes = bytes << HAK_CHUNK_SHIFT;
    if (pages_gave_way && !hak_units_any_is_kept(described, described_bytes) &&
        !hak_units_any_is_region(described, described_bytes)) {
        return hak_os_map_at(&pages_state[first], bytes);
    }
    return hak_os_make_writable(&pages_state[first], bytes);
}

void hak_pages_give_way(void) {
    if (pages_state != NULL) {
        pages_gave_way = true;
        hak_flat_give_way(pages_state, HAK_CHUNK_SHIFT, HAK_ADDRESS_BITS);
    }
}

/* What the chunk's byte has to be where the chunk's first `accessible` bytes may be touched. */
static uint8_t pages_wanted(size_t accessible) {
    return accessible >= HAK_CHUNK_BYTES ? 0 : (uint8_t)((HAK_CHUNK_BYTES - accessible) / PAGES_UNIT);
}

/* What has to be done to chunks for them to be as wanted. */
struct pages_change {
    bool open;  /* something is inaccessible that is to be accessible */
    bool close; /* the other way round */
};

/* Makes the bytes of `chunks` chunks those of the first `accessible` bytes accessible. */
static struct pages_change pages_note(uint8_t *state, unsigned chunks, size_t accessible) {
    struct pages_change change = {false, false};
    uint64_t whole = 0;
    for (unsigned i = 0; i < chunks; i++) {
        const size_t before = (size_t)i * HAK_CHUNK_BYTES;
        const uint8_t wanted = pages_wanted(accessible > before ? accessible - before : 0);
        change.open |= state[i] > wanted;
        change.close |= state[i] < wanted || state[i] == PAGES_UNKNOWN;
        whole += (uint64_t)(wanted == PAGES_WHOLE) - (uint64_t)(state[i] == PAGES_WHOLE);
        state[i] = wanted;
    }
    /* Relaxed, here and below: a count of what it is to bound, and passed by as many threads as are here at once. */
    (void)hak_fetch_add_relaxed(&pages_whole_chunks, whole);
    return change;
}

static HAK_COLD void pages_warn(void) {
    static bool warned; /* atomic */
    /* Relaxed: once, whoever is first. */
    if (!hak_load_relaxed(&warned) && !hak_exchange_acquire(&warned, true)) {
        hak_report_warning_to(hak_os_error_kept(),
                              "its share of the system's mappings is used up, more slabs go without",
                              "HAKMEM_GUARD=pages", "raise vm.max_map_count");
    }
}

/* Whether a chunk that is in that state may be inaccessible. */
static bool pages_may_close(uint8_t state) {
    const uint64_t places = hak_pages_places();
    if (HAK_LIKELY(state == PAGES_WHOLE || places < pages_most / 2)) {
        return true;
    }
    if (places >= pages_most) {
        pages_warn();
        return false;
    }
    return guard_random_below(PAGES_SELDOM) == 0;
}

uint64_t hak_pages_places(void) { return hak_load_relaxed(&pages_whole_chunks); }

uint64_t hak_pages_places_most(void) { return pages_most; }

/* No room for another mapping. What the bytes say no longer holds, so no chunk may be taken for what it was. */
static HAK_COLD void pages_note_refusal(uint8_t *state, unsigned chunks) {
    uint64_t whole = 0;
    for (unsigned i = 0; i < chunks; i++) {
        whole += (uint64_t)(state[i] == PAGES_WHOLE);
        state[i] = PAGES_UNKNOWN;
    }
    (void)hak_fetch_add_relaxed(&pages_whole_chunks, (uint64_t)0 - whole);
}

int hak_pages_protect_slab(void *slab, unsigned chunks, size_t used_bytes) {
    const unsigned all = chunks + pages_chunks_behind();
    const size_t all_bytes = (size_t)all * HAK_CHUNK_BYTES;
    uint8_t *state = pages_of(slab);
    const size_t accessible =
        pages_may_close(state[all - 1])
            ? bits_round_up(used_bytes, hak_os_page_size() > PAGES_UNIT ? hak_os_page_size() : PAGES_UNIT)
            : all_bytes;
    const struct pages_change change = pages_note(state, all, accessible);
    const int error = change.open ? hak_os_make_writable(slab, accessible) : 0;
    if (error == 0 && (!change.close || accessible == all_bytes ||
                       hak_os_make_inaccessible((char *)slab + accessible, all_bytes - accessible) == 0)) {
        return 0;
    }
    pages_note_refusal(state, all);
    return error;
}

void hak_pages_protect_huge(void *start, size_t bytes) {
    if (hak_fetch_add_relaxed(&pages_huge_mappings, 1) < pages_most) {
        /* A refusal: as above. */
        (void)hak_os_make_inaccessible((char *)start + bytes, (size_t)pages_chunks_behind() * HAK_CHUNK_BYTES);
    }
}

void hak_pages_forget_huge(void) { (void)hak_fetch_add_relaxed(&pages_huge_mappings, (uint64_t)0 - 1); }

static size_t pages_block_bytes(size_t bytes) { return bits_round_up(bytes, hak_os_page_size()); }

static unsigned pages_block_chunks(size_t bytes) { return (unsigned)((bytes + HAK_CHUNK_BYTES - 1) / HAK_CHUNK_BYTES); }

void hak_pages_lock(void *block, size_t bytes) {
    uint8_t *state = pages_of(block);
    const unsigned chunks = pages_block_chunks(bytes);
    if (state[chunks] == PAGES_WHOLE && hak_os_make_inaccessible(block, pages_block_bytes(bytes)) == 0) {
        /* All of them: when the block is gone, its chunks may come again one by one. */
        memset(state, PAGES_LOCKED, chunks);
    }
}

bool hak_pages_are_locked(const void *block) { return *pages_of(block) == PAGES_LOCKED; }

int hak_pages_unlock(void *block, size_t bytes) {
    const int error = hak_os_make_writable(block, pages_block_bytes(bytes));
    if (error == 0) {
        (void)pages_note(pages_of(block), pages_block_chunks(bytes), bits_round_up(bytes, PAGES_UNIT));
    }
    return error;
}
