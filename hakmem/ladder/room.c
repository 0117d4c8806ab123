/* SPDX-License-Identifier: MIT */
/* The places of room.h: a table of the thread, found by how far the call lies from the thread's first one, so that where a program lies in
 * memory makes no difference to which of its places share an entry. */
#include "hakmem/ladder/room.h"

/* The upper bits of a hash number the entries. */
#define LADDER_SITE_SHIFT 58
HAK_STATIC_ASSERT(LADDER_SITES == 1 << (64 - LADDER_SITE_SHIFT), "a hash for each entry");

/* Thread-local storage is scarce (magazine_fast.h), so there are entries only where they are used. */
static HAK_THREAD_LOCAL struct {
    const void *first_caller; /* NULL: there was none */
    struct ladder_site entries[HAK_CAPACITY == LADDER_ROOM_BY_SITE ? LADDER_SITES : 1];
} ladder_sites;
HAK_THREAD_LOCAL struct ladder_site *hak_ladder_site;

void hak_ladder_enter_site(const void *caller, uint64_t exchanges) {
    if (ladder_sites.first_caller == NULL) {
        ladder_sites.first_caller = caller;
    }
    /* By the golden ratio (Knuth, The Art of Computer Programming 3, 6.4), so that neighbours differ. */
    const uint64_t hash = ((uintptr_t)caller - (uintptr_t)ladder_sites.first_caller) * UINT64_C(0x9e3779b97f4a7c15);
    struct ladder_site *site = &ladder_sites.entries[ladder_room_is_by_site() ? hash >> LADDER_SITE_SHIFT : 0];
    if (site->caller != caller) {
        *site = (struct ladder_site){.caller = caller, .counted_from = (uint16_t)exchanges};
    }
    hak_ladder_site = site;
}
