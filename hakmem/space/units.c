/* SPDX-License-Identifier: MIT */
/* See units.h. */
#include "hakmem/space/units.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"

#define UNITS_WORDS (UNITS_COUNT / 64)

static uint64_t units_regions[UNITS_WORDS]; /* atomic; written under the region lock */
static uint64_t units_given[UNITS_WORDS];   /* atomic */
static uint64_t units_kept[UNITS_WORDS];    /* region lock */

static size_t units_of(const void *p) { return (uintptr_t)p >> HAK_REGION_SHIFT; }

static uint64_t units_bit(size_t unit) { return (uint64_t)1 << unit % 64; }

void hak_units_note_region(const void *region) {
    const size_t unit = units_of(region);
    /* Release: pairs with hak_units_is_region, after which the region's header is read. */
    hak_store_release(&units_regions[unit / 64], units_regions[unit / 64] | units_bit(unit));
}

bool hak_units_is_region(const void *p) {
    const size_t unit = units_of(p);
    /* Acquire: pairs with hak_units_note_region. */
    return unit < UNITS_COUNT && (hak_load_acquire(&units_regions[unit / 64]) & units_bit(unit)) != 0;
}

void hak_units_note_given(const void *start, size_t size) {
    const size_t last = units_of((const char *)start + size - 1);
    for (size_t unit = units_of(start); unit <= last && unit < UNITS_COUNT; unit++) {
        uint64_t *word = &units_given[unit / 64];
        /* Relaxed: where the bit is there, it was when the tables gave way, or an addition below brought it. */
        if ((hak_load_relaxed(word) & units_bit(unit)) == 0) {
            /* Acquire-release: pairs with hak_units_keep. Who comes after it there sees what was done before: that the tables are
             * asked no more. So does whoever gets the block from the caller. */
            (void)hak_fetch_or_acq_rel(word, units_bit(unit));
        }
    }
}

void hak_units_keep(void) {
    for (size_t i = 0; i < UNITS_WORDS; i++) {
        /* Acquire-release: pairs with hak_units_note_given. A read would not do, see there. */
        units_kept[i] = hak_fetch_or_acq_rel(&units_given[i], (uint64_t)0);
    }
    units_kept[0] |= 1; /* NULL's entry */
    for (size_t i = 0; i < UNITS_WORDS; i++) {
        const uint64_t next = i + 1 < UNITS_WORDS ? units_kept[i + 1] << 63 : 0;
        units_kept[i] |= units_kept[i] >> 1 | next;
    }
}

static bool units_any(const uint64_t *words, uintptr_t start, size_t size) {
    for (size_t unit = start >> HAK_REGION_SHIFT; unit <= (start + size - 1) >> HAK_REGION_SHIFT; unit++) {
        if ((words[unit / 64] & units_bit(unit)) != 0) {
            return true;
        }
    }
    return false;
}

bool hak_units_any_is_kept(uintptr_t start, size_t size) { return units_any(units_kept, start, size); }

bool hak_units_any_is_region(uintptr_t start, size_t size) { return units_any(units_regions, start, size); }

size_t hak_units_next(size_t unit, bool kept) {
    while (unit < UNITS_COUNT) {
        uint64_t word = kept ? units_kept[unit / 64] : ~units_kept[unit / 64];
        word &= ~bits_low_mask((unsigned)(unit % 64));
        if (word != 0) {
            return (unit & ~(size_t)63) + bits_lowest(word);
        }
        unit = (unit & ~(size_t)63) + 64;
    }
    return UNITS_COUNT;
}
