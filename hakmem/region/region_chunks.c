/* SPDX-License-Identifier: MIT */
/* See region_chunks.h. */
#include "hakmem/region/region_chunks.h"

#include <errno.h>

#include "hakmem/base/asan.h"
#include "hakmem/base/bits.h"
#include "hakmem/flags/guard.h"
#include "hakmem/os/os.h"
#include "hakmem/region/place.h"

HAK_STATIC_ASSERT(sizeof(struct region) <= (size_t)20 * HAK_CHUNK_BYTES, "a header takes under 4 % of its region");
HAK_STATIC_ASSERT(offsetof(struct region, shadow) == HAK_REGION_WALL_BYTES, "where the shadow looks");
HAK_STATIC_ASSERT(sizeof(struct region) >= SHADOW_HEADER_BYTES, "no entry of a header's start is asked for");
HAK_STATIC_ASSERT((size_t)REGION_CHUNK_FIRST *HAK_CHUNK_BYTES <= OS_HUGE_PAGE_BYTES,
                  "huge pages begin behind the header");
HAK_STATIC_ASSERT((size_t)REGION_CHUNK_FIRST *HAK_CHUNK_BYTES - sizeof(struct region) >= 4096,
                  "there is a gap behind the header");

/* How much becomes ready at once: half of what is, within these, in chunks. So a region of 32 MiB takes some ten calls,
 * and what is ready and unused is small beside what is used. */
#define READY_LEAST 16u
#define READY_MOST 64u

static bool chunks_reserve_no_more; /* region lock */

/* Of an open region all may lie in huge pages: other advice for its header than for the rest would make two mappings of it. */
static void *chunks_huge_pages(struct region *region) {
    return (char *)region + (region->is_open ? 0 : OS_HUGE_PAGE_BYTES);
}

/* Up to the end of so many chunks. */
static size_t chunks_huge_pages_bytes(const struct region *region, unsigned chunks) {
    const size_t start = region->is_open ? 0 : OS_HUGE_PAGE_BYTES, end = (size_t)chunks * HAK_CHUNK_BYTES;
    return end > start ? end - start : 0;
}

/* Wall and header. */
static size_t chunks_header_bytes(void) { return bits_round_up(sizeof(struct region), hak_os_page_size()); }

/* Regions that have wall and gap: 128 GiB of them, which take four mappings each where the system allows 65,530. The kernel joins
 * all later ones. */
#define WALLS_MOST 4096u

/* Makes all of a reserved region accessible in one call, so that its mapping is joined with the next region's: later the kernel
 * would not join them any more. */
static bool chunks_commit_open(struct region *region) {
    if (HAK_GUARD_FULL || hak_region_count_now() < WALLS_MOST || hak_os_commit(region, HAK_REGION_BYTES) != 0) {
        return false;
    }
    region->is_open = true;
    region->ready = region->reserved = HAK_REGION_CHUNKS;
    return true;
}

/* Makes the header writable, apart from the wall. */
static int chunks_commit_header(struct region *region) {
    const size_t wall = hak_region_count_now() < WALLS_MOST ? HAK_REGION_WALL_BYTES : 0;
    return hak_os_commit((char *)region + wall, chunks_header_bytes() - wall);
}

/* Reserves a region, or with `whole` false its wall and header, and makes the header writable. */
static int chunks_map(bool whole, struct region **out) {
    const size_t bytes = whole ? HAK_REGION_BYTES : chunks_header_bytes();
    void *memory;
    int error = whole ? hak_os_reserve_aligned(bytes, HAK_REGION_BYTES, &memory)
                      : hak_os_reserve_first(bytes, HAK_REGION_BYTES, &memory);
    if (error != 0) {
        return error;
    }
    *out = memory;
    if (whole && chunks_commit_open(memory)) {
        return 0;
    }
    error = chunks_commit_header(memory);
    if (error != 0) {
        (void)hak_os_unreserve(memory, bytes);
        return error;
    }
    (*out)->ready = REGION_CHUNK_FIRST;
    (*out)->reserved = whole ? HAK_REGION_CHUNKS : REGION_CHUNK_FIRST;
    return 0;
}

int hak_region_chunks_map(struct region **out) {
    const int error = chunks_reserve_no_more ? ENOMEM : chunks_map(true, out);
    return error == 0 ? 0 : chunks_map(false, out);
}

void hak_region_chunks_unmap(struct region *region) {
    const bool whole = region->reserved == HAK_REGION_CHUNKS;
    (void)hak_os_unreserve(region, whole ? HAK_REGION_BYTES : chunks_header_bytes());
}

/* hak_os_commit within a reservation. Where it fails the kernel may have taken the pages away before it refused; they are reserved
 * again then, or another mapping could come to lie there. */
static int chunks_commit(char *start, size_t bytes) {
    const int error = hak_os_commit(start, bytes);
    if (error != 0) {
        (void)hak_os_uncommit(start, bytes);
    }
    return error;
}

/* Makes chunks [ready, end) ready. */
static int chunks_extend(struct region *region, unsigned end) {
    char *start = region_chunk_address(region, region->ready);
    const size_t bytes = (size_t)(end - region->ready) * HAK_CHUNK_BYTES;
    const int error = end <= region->reserved ? chunks_commit(start, bytes) : hak_os_map_at(start, bytes);
    if (error == 0) {
        region->ready = end;
        region->reserved = end > region->reserved ? end : region->reserved;
    }
    return error;
}

int hak_region_chunks_ready(struct region *region, unsigned end) {
    if (end <= region->ready) {
        return 0;
    }
    unsigned more = (region->ready - region->skipped) / 2;
    more = more < READY_LEAST ? READY_LEAST : more;
    more = region->ready + (more > READY_MOST ? READY_MOST : more);
    more = more > HAK_REGION_CHUNKS ? HAK_REGION_CHUNKS : more;
    return more > end && chunks_extend(region, more) == 0 ? 0 : chunks_extend(region, end);
}

bool hak_region_chunks_shrink(struct region *region, unsigned end) {
    char *start = region_chunk_address(region, end);
    const size_t bytes = (size_t)(region->ready - end) * HAK_CHUNK_BYTES;
    if (region->ready < end + READY_LEAST) {
        return false;
    }
    if (ASAN_WORKS()) {
        hak_asan_show(start, bytes); /* here or later they are unmapped */
    }
    if (!chunks_reserve_no_more) {
        if (hak_os_uncommit(start, bytes) != 0) {
            return false;
        }
    } else if (region->reserved != region->ready || hak_os_unreserve(start, bytes) != 0) {
        return false;
    } else {
        region->reserved = end;
    }
    region->ready = end;
    return true;
}

void hak_region_chunks_stop_reserving(void) { chunks_reserve_no_more = true; }

void hak_region_chunks_skip(struct region *region) {
    if (region->reserved == HAK_REGION_CHUNKS && region->ready == REGION_CHUNK_FIRST) {
        region->skipped = hak_place_skip();
        region->skipped_is_reserved = true;
        region->ready += region->skipped;
    }
}

unsigned hak_region_chunks_unskip(struct region *region) {
    const unsigned count = region->skipped < READY_MOST ? region->skipped : READY_MOST;
    char *start = region_chunk_address(region, REGION_CHUNK_FIRST + region->skipped - count);
    const size_t bytes = (size_t)count * HAK_CHUNK_BYTES;
    if (count == 0) {
        return 0;
    }
    const int error = region->skipped_is_reserved ? chunks_commit(start, bytes) : hak_os_map_at(start, bytes);
    if (error == 0) {
        region->skipped -= count;
    } else if (error == EEXIST) {
        region->skipped = 0; /* they are another mapping's, and will never be chunks */
    }
    return error == 0 ? count : 0;
}

/* Unmaps `count` chunks from `first` on, unless there are none. */
static bool chunks_unreserve(struct region *region, unsigned first, unsigned count) {
    return count != 0 && hak_os_unreserve(region_chunk_address(region, first), (size_t)count * HAK_CHUNK_BYTES) == 0;
}

bool hak_region_chunks_release(struct region *region) {
    const bool end_is_gone = chunks_unreserve(region, region->ready, region->reserved - region->ready);
    const bool start_is_gone =
        region->skipped_is_reserved && chunks_unreserve(region, REGION_CHUNK_FIRST, region->skipped);
    region->reserved = end_is_gone ? region->ready : region->reserved;
    region->skipped_is_reserved &= !start_is_gone;
    return end_is_gone || start_is_gone;
}

/* Pages that one look at what is resident covers, so that its answer fits a small stack. */
#define LOOK_PAGES 512u

bool hak_region_chunks_are_dense(struct region *region) {
    const size_t page = hak_os_page_size(), pages = chunks_huge_pages_bytes(region, HAK_REGION_CHUNKS) / page;
    size_t resident = 0;
    for (size_t first = 0; first < pages; first += LOOK_PAGES) {
        unsigned char look[LOOK_PAGES];
        const size_t count = pages - first < LOOK_PAGES ? pages - first : LOOK_PAGES;
        if (hak_os_resident((char *)chunks_huge_pages(region) + first * page, count * page, look) != 0) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            resident += look[i] & 1u;
        }
    }
    return 4 * resident >= 3 * pages;
}

bool hak_region_chunks_ready_all(struct region *region) {
    /* Nothing is in the chunks: where it cannot be all, it is as it was. */
    return region->reserved == HAK_REGION_CHUNKS && hak_region_chunks_ready(region, HAK_REGION_CHUNKS) == 0;
}

/* Both for what the region has: where a limit was met its end was unmapped, and what lies there now is the program's, perhaps. */
bool hak_region_chunks_ask_huge(struct region *region) {
    return hak_os_huge_pages(chunks_huge_pages(region), chunks_huge_pages_bytes(region, region->reserved)) == 0;
}

void hak_region_chunks_refuse_huge(struct region *region) {
    hak_os_no_huge_pages(chunks_huge_pages(region), chunks_huge_pages_bytes(region, region->reserved));
}
