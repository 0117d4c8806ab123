/* SPDX-License-Identifier: MIT */
/* The two forms of the shadow; see shadow.h. Regions are added under the region lock and never removed. */
#include "hakmem/shadow/shadow.h"

#include <errno.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/os/os.h"
#include "hakmem/space/flat.h"
#include "hakmem/space/units.h"

/* For the addresses that this process can have: a table for 48 bits does not fit into 42. */
#define SHADOW_ENTRIES ((uintptr_t)1 << (hak_os_address_bits() - SHADOW_SHIFT))

/* Bytes of addresses for which reads of entries are expected from the start: a program's first huge blocks lie there.
 * Not all addresses, because the kernel looks from time to time through everything that may be a huge page. */
#define SHADOW_BELOW_BYTES ((size_t)4 << 30)

#define SHADOW_REGION_ENTRIES ((size_t)HAK_REGION_BYTES >> SHADOW_SHIFT)

/* Where in a page the entry of a page's start lies. At 0 the free of a large block, which starts at a page, would read
 * at the same place of a page as the program writes last, and the processor, which compares the low twelve bits first,
 * would wait for those writes: json took 116 ns where it takes 79. In the middle of a line that programs rarely write
 * last. */
#define SHADOW_SKEW 0xa60

/* The flat form lies so that the entries of a region fill the place of one huge page, but for those of the region's
 * first bytes, which the skew puts before it: there is the header, and no block. */
HAK_STATIC_ASSERT(HAK_REGION_BYTES >> SHADOW_SHIFT == OS_HUGE_PAGE_BYTES, "a huge page a region");

struct hak_shadow hak_shadow;

/* The lowest address of the reservation; constant after init. */
static uintptr_t shadow_start;

/* The addresses that hak_shadow_expect_reads_below was called for; constant after init. */
static uintptr_t shadow_below, shadow_below_end;

/* Where the region starts that p is in, or would be. */
static uintptr_t shadow_region_of(const void *p) { return (uintptr_t)p & ~(uintptr_t)(HAK_REGION_BYTES - 1); }

void hak_shadow_init(void) {
    void *start;
    const uintptr_t page = hak_os_page_size(), bytes = SHADOW_ENTRIES + page + OS_HUGE_PAGE_BYTES;
    if (!hak_flat_has_room(bytes) ||
        (HAK_GUARD_FULL ? hak_metadata_reserve(bytes, &start) : hak_os_reserve(bytes, &start)) != 0) {
        return;
    }
    const uintptr_t aligned = bits_round_up((uintptr_t)start + page, OS_HUGE_PAGE_BYTES);
    /* Nobody reads meanwhile: the process has one thread, or the library's names are not known yet (process/init.c). */
    hak_shadow.classes = (uint8_t *)(aligned - page + SHADOW_SKEW);
    hak_shadow.limit = SHADOW_ENTRIES;
    shadow_start = (uintptr_t)start;
}

/* The entries of the region that p is in, or would be: a huge page, or room for one. pre: there was a flat form */
static char *shadow_region_entries(const void *p) {
    const uint8_t *entry = &hak_shadow.classes[shadow_region_of(p) >> SHADOW_SHIFT];
    return (char *)bits_round_up((uintptr_t)entry, OS_HUGE_PAGE_BYTES);
}

/* A page of entries that describes nothing but a region's header stays as it is. So what is written is less than the
 * place of a huge page: no write makes one of it, whatever the system has them for. Not where pages are so large that
 * blocks have entries in the first. */
static size_t shadow_unused_bytes(void) {
    const size_t page = hak_os_page_size();
    return 2 * page * SHADOW_GRAIN <= SHADOW_HEADER_BYTES ? page : 0;
}

static int shadow_add_flat(char *start, const struct shadow_region *region, bool is_open) {
    const size_t unused = is_open ? 0 : shadow_unused_bytes();
    if (hak_load_relaxed(&hak_shadow.limit) == 0 &&
        !hak_units_any_is_kept(shadow_region_of(region), HAK_REGION_BYTES)) {
        return hak_os_map_at(start + unused, SHADOW_REGION_ENTRIES - unused);
    }
    if (os_has_threads()) {
        /* Other memory may have been here, whose entries read as one huge page of zeros: the first write would make a
         * page of that size of it. In two halves, because the kernel splits such a page where it is told of a part.
         * Refusal costs memory only. */
        hak_os_no_huge_pages(start, SHADOW_REGION_ENTRIES / 2);
        hak_os_no_huge_pages(start + SHADOW_REGION_ENTRIES / 2, SHADOW_REGION_ENTRIES / 2);
    }
    return hak_flat_commit(start + unused, SHADOW_REGION_ENTRIES - unused);
}

#define SHADOW_HEADER_ENTRIES (SHADOW_HEADER_BYTES >> SHADOW_SHIFT)
#define SHADOW_LIMITED_BYTES (SHADOW_REGION_ENTRIES - SHADOW_HEADER_ENTRIES)

/* A mapping of its own, which is smaller than a huge page. */
static int shadow_add_limited(struct shadow_region *region) {
    void *classes;
    const int error = hak_os_map(SHADOW_LIMITED_BYTES, hak_os_page_size(), &classes);
    if (error == 0) {
        region->classes = (uint8_t *)((uintptr_t)classes - SHADOW_HEADER_ENTRIES);
    }
    return error;
}

int hak_shadow_add_region(struct shadow_region *region, bool is_open) {
    if (hak_shadow.classes == NULL) {
        return shadow_add_limited(region);
    }
    if (HAK_UNLIKELY((uintptr_t)region >> hak_os_address_bits() != 0)) {
        return EEXIST; /* what lies behind the table is another's */
    }
    region->classes = &hak_shadow.classes[shadow_region_of(region) >> SHADOW_SHIFT];
    return shadow_add_flat(shadow_region_entries(region), region, is_open);
}

static void shadow_ask_huge_pages(const char *start, size_t size) {
    char *first = shadow_region_entries(start);
    char *last = shadow_region_entries(start + size - 1);
    hak_os_huge_pages(first, (size_t)(last - first) + OS_HUGE_PAGE_BYTES); /* Refusal costs time only. */
}

void hak_shadow_expect_reads_below(uintptr_t end) {
    end = end != 0 ? end : shadow_start;
    if (hak_load_relaxed(&hak_shadow.limit) != 0 && end > SHADOW_BELOW_BYTES + HAK_REGION_BYTES) {
        shadow_below = end - SHADOW_BELOW_BYTES;
        shadow_below_end = end;
        shadow_ask_huge_pages((const char *)shadow_below, SHADOW_BELOW_BYTES);
    }
}

void hak_shadow_expect_reads(const void *start, size_t size) {
    const bool asked =
        shadow_below != 0 && (uintptr_t)start >= shadow_below && (uintptr_t)start + size <= shadow_below_end;
    if (!asked && os_has_threads() && hak_load_relaxed(&hak_shadow.limit) != 0) {
        shadow_ask_huge_pages(start, size);
    }
}

/* Release: as hak_page_map_limit. */
void hak_shadow_limit(void) { hak_store_release(&hak_shadow.limit, (uintptr_t)0); }

void hak_shadow_give_way(void) {
    if (hak_shadow.classes != NULL) {
        hak_flat_give_way(hak_shadow.classes, SHADOW_SHIFT, hak_os_address_bits());
    }
}

uint8_t *hak_shadow_entry_limited(const void *p) {
    /* In the flat form, whoever comes here has an index at or above the limit. */
    if (hak_load_relaxed(&hak_shadow.limit) != 0 || (uintptr_t)p % SHADOW_GRAIN != 0 || !hak_units_is_region(p)) {
        return NULL;
    }
    const uintptr_t start = shadow_region_of(p), offset = (uintptr_t)p - start;
    const struct shadow_region *region = (const struct shadow_region *)(start + HAK_REGION_WALL_BYTES);
    return offset < SHADOW_HEADER_BYTES ? NULL : &region->classes[offset >> SHADOW_SHIFT];
}

void hak_shadow_purge(const void *start, size_t size, bool by_mapping) {
    const uintptr_t page = hak_os_page_size();
    const uintptr_t entry = (uintptr_t)shadow_entry(start);
    const uintptr_t first = bits_round_up(entry, page);
    const uintptr_t end = (entry + (size >> SHADOW_SHIFT)) & ~(page - 1);
    if (first < end) {
        /* Refusal costs memory only. */
        (void)(by_mapping ? hak_os_purge_by_mapping((void *)first, end - first)
                          : hak_os_purge((void *)first, end - first));
    }
}

void hak_shadow_assert_dead(const void *start, size_t size) {
    if (HAK_DEBUG) {
        /* Eight entries at a time: the range is of whole chunks, whose entries begin at a multiple of that. */
        const uint64_t *entries = (const uint64_t *)(const void *)shadow_entry(start);
        for (size_t i = 0; i < size >> SHADOW_SHIFT >> 3; i++) {
            HAK_ASSERT_SLOW(hak_load_relaxed(&entries[i]) == 0);
        }
    }
}
