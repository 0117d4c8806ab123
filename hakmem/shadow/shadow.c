/* The two forms of the shadow; see shadow.h. Regions are added under the region lock and never go. */
#include "hakmem/shadow/shadow.h"

#include <errno.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/os/os.h"

#define SHADOW_ENTRIES ((uintptr_t)1 << (HAK_ADDRESS_BITS - SHADOW_SHIFT))
#define SHADOW_REGION_ENTRIES ((size_t)HAK_REGION_BYTES >> SHADOW_SHIFT)

/* Where in a page the entry of a page's start lies. At 0 the free of a large block, which starts at a page, would read at the
 * same place of a page as the program writes last, and the processor, which compares the low twelve bits first, would wait
 * for those writes: json took 116 ns where it takes 79. In the middle of a line that programs rarely write last. */
#define SHADOW_SKEW 0xa60

/* The flat form lies so that the entries of a region fill the place of one huge page, but for those of the region's first bytes, which
 * the skew puts before it: there is the header, and no block. */
HAK_STATIC_ASSERT(HAK_REGION_BYTES >> SHADOW_SHIFT == OS_HUGE_PAGE_BYTES, "a huge page a region");

/* As many as regions find room where the flat form does not: 8 GiB. Without guard nobody adds one. */
#define SHADOW_REGIONS_MAX (HAK_GUARD_EXACT ? 256 : 1)

struct shadow_region {
    const void *region; /* atomic; NULL: unused; entries are never removed */
    uint8_t *classes;   /* constant once `region` is set */
};

struct hak_shadow hak_shadow;

static struct shadow_region shadow_regions[SHADOW_REGIONS_MAX];

static const void *shadow_region_of(const void *p) {
    return (const void *)((uintptr_t)p & ~(uintptr_t)(HAK_REGION_BYTES - 1));
}

void shadow_init(void) {
    void *start;
    const uintptr_t page = os_page_size(), bytes = SHADOW_ENTRIES + page + OS_HUGE_PAGE_BYTES;
    if ((HAK_GUARD_FULL ? metadata_reserve(bytes, &start) : os_reserve(bytes, &start)) != 0) {
        return;
    }
    const uintptr_t aligned = bits_round_up((uintptr_t)start + page, OS_HUGE_PAGE_BYTES);
    /* Nobody reads meanwhile: the process has one thread, or the library's names are not known yet (front/init.c). */
    hak_shadow.classes = (uint8_t *)(aligned - page + SHADOW_SKEW);
    hak_shadow.limit = SHADOW_ENTRIES;
}

/* The entries of the region that p is in, or would be: a huge page, or room for one. pre: the flat form */
static char *shadow_region_entries(const void *p) {
    return (char *)bits_round_up((uintptr_t)shadow_entry(shadow_region_of(p)), OS_HUGE_PAGE_BYTES);
}

/* The region's place in the table, or the unused one that it would take; NULL: it is not there, and the table full.
 * Neighbouring regions lie in neighbouring places: no hash is needed. */
static struct shadow_region *shadow_place(const void *region) {
    const uintptr_t first = (uintptr_t)region >> HAK_REGION_SHIFT;
    for (unsigned probe = 0; probe < SHADOW_REGIONS_MAX; probe++) {
        struct shadow_region *place = &shadow_regions[(first + probe) % SHADOW_REGIONS_MAX];
        /* Acquire: pairs with shadow_add_region; what it points to is read next. */
        const void *found = hak_load_acquire(&place->region);
        if (found == region || found == NULL) {
            return place;
        }
    }
    return NULL;
}

static int shadow_add_limited(const void *region) {
    struct shadow_region *place = shadow_place(region);
    if (place == NULL) {
        return ENOMEM;
    }
    /* A region that could not be made for another reason may come again. */
    if (hak_load_relaxed(&place->region) == region) {
        return 0;
    }
    void *classes;
    const int error = os_map(SHADOW_REGION_ENTRIES, os_page_size(), &classes);
    if (error != 0) {
        return error;
    }
    os_no_huge_pages(classes, SHADOW_REGION_ENTRIES); /* Touched sparsely; refusal costs memory only. */
    place->classes = classes;
    /* Release: pairs with shadow_place. */
    hak_store_release(&place->region, region);
    return 0;
}

int shadow_add_region(const void *region) {
    if (hak_shadow.limit == 0) {
        return shadow_add_limited(region);
    }
    /* Other memory may have been here, whose entries read as one huge page of zeros: the first write would make a page
     * of that size of it. In two halves, because the kernel splits such a page where it is told of a part. Refusal costs
     * memory only. */
    char *start = shadow_region_entries(region);
    os_no_huge_pages(start, SHADOW_REGION_ENTRIES / 2);
    os_no_huge_pages(start + SHADOW_REGION_ENTRIES / 2, SHADOW_REGION_ENTRIES / 2);
    return os_make_writable(start, SHADOW_REGION_ENTRIES);
}

void shadow_expect_reads(const void *start, size_t size) {
    if (hak_shadow.limit != 0) {
        char *first = shadow_region_entries(start);
        char *last = shadow_region_entries((const char *)start + size - 1);
        os_huge_pages(first, (size_t)(last - first) + OS_HUGE_PAGE_BYTES); /* Refusal costs time only. */
    }
}

uint8_t *shadow_entry_limited(const void *p) {
    /* In the flat form, whoever comes here has an index at or above the limit. */
    if (hak_shadow.limit != 0 || (uintptr_t)p % SHADOW_GRAIN != 0) {
        return NULL;
    }
    const void *region = shadow_region_of(p);
    const struct shadow_region *place = region == NULL ? NULL : shadow_place(region);
    if (place == NULL || hak_load_relaxed(&place->region) == NULL) {
        return NULL;
    }
    return &place->classes[((uintptr_t)p - (uintptr_t)region) >> SHADOW_SHIFT];
}

void shadow_purge(const void *start, size_t size) {
    const uintptr_t page = os_page_size();
    const uintptr_t entry = (uintptr_t)shadow_entry(start);
    const uintptr_t first = bits_round_up(entry, page);
    const uintptr_t end = (entry + (size >> SHADOW_SHIFT)) & ~(page - 1);
    if (first < end) {
        os_purge((void *)first, end - first); /* Refusal costs memory only. */
    }
}

void shadow_assert_dead(const void *start, size_t size) {
    if (HAK_DEBUG) {
        const uint8_t *entry = shadow_entry(start);
        for (size_t i = 0; i < size >> SHADOW_SHIFT; i++) {
            HAK_ASSERT_SLOW(hak_load_relaxed(&entry[i]) == 0);
        }
    }
}
