/* SPDX-License-Identifier: MIT */
/* The places of room.h: a table of the thread, found by the address of the call. */
#include "hakmem/ladder/room.h"

/* The upper bits of a hash number the entries. */
#define LADDER_SITE_SHIFT 58
HAK_STATIC_ASSERT(LADDER_SITES == 1 << (64 - LADDER_SITE_SHIFT), "a hash for each entry");

/* Thread-local storage is scarce (magazine_fast.h), so there are entries only where they are used. */
static HAK_THREAD_LOCAL struct ladder_site ladder_sites[HAK_CAPACITY == LADDER_ROOM_BY_SITE ? LADDER_SITES : 1];
HAK_THREAD_LOCAL struct ladder_site *hak_ladder_site;

void hak_ladder_enter_site(const void *caller, uint64_t exchanges) {
    /* By the golden ratio (Knuth, The Art of Computer Programming 3, 6.4), so that neighbours differ. */
    const uint64_t hash = (uint64_t)(uintptr_t)caller * 0x9e3779b97f4a7c15u;
    struct ladder_site *site = &ladder_sites[ladder_room_is_by_site() ? hash >> LADDER_SITE_SHIFT : 0];
    if (site->caller != caller) {
        *site = (struct ladder_site){.caller = caller, .counted_from = (uint16_t)exchanges};
    }
    hak_ladder_site = site;
}
