/* SPDX-License-Identifier: MIT */
/* Mappings of zeroed memory at a multiple of a large alignment.
 *
 * Called for regions, large spans, huge blocks and metadata. Thread-safe; takes no lock. The kernel aligns to pages
 * only, so four ways are tried in this order:
 *
 * 1. map next to the last mapping of the same kind: one call, and aligned as long as nothing else is mapped there;
 * 2. map below all others of the kind;
 * 3. map at the next lower multiple of the address that the kernel would choose, which is usually free;
 * 4. map too much and unmap both ends, which always works.
 *
 * The kinds are regions (hak_os_reserve_aligned), blocks (hak_os_map_block), and hakmem's own records (hak_os_map).
 * hak_os_place gives each a place of its own, else the kernel chooses where each begins.
 *
 * A mapping that will be trimmed is inaccessible until then, so it neither counts for RLIMIT_DATA nor is populated in a
 * process that locks all its memory. */
#include "hakmem/base/warning.h"
#include "hakmem/os/linux/linux.h"

/* Where mappings of one kind lie, one below the other. Each field is atomic, relaxed where it is not claimed: the kernel treats an
 * address as a wish and the result is tested, so a stale value costs system calls only. A place below `lowest` is claimed before it is
 * mapped, so that no two threads wish the same one. */
struct chain {
    uintptr_t next;   /* end of the range to try first, a hole; 0: none */
    uintptr_t hole;   /* where that hole begins: what is unmapped right below it belongs to it */
    uintptr_t lowest; /* end of the range to try then: nothing of the chain lies below it */
    uintptr_t top;    /* constant after hak_os_place; where the chain began; 0: where the kernel chose */
};

static struct chain chain_regions, chain_blocks, chain_records;

void hak_os_place(uintptr_t regions_end, uintptr_t blocks_end, uintptr_t records_end) {
    chain_regions = (struct chain){.next = regions_end, .lowest = regions_end, .top = regions_end};
    chain_blocks = (struct chain){.next = blocks_end, .lowest = blocks_end, .top = blocks_end};
    chain_records = (struct chain){.next = records_end, .lowest = records_end, .top = records_end};
}

void hak_os_visit_places(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    visit(&chain_regions, sizeof chain_regions, argument);
    visit(&chain_blocks, sizeof chain_blocks, argument);
    visit(&chain_records, sizeof chain_records, argument);
}

/* Whether what ends there may be a hole of the chain: not if the chain is in its place, and that is not. */
static bool chain_may_have(const struct chain *chain, uintptr_t end) {
    const uintptr_t lowest = hak_load_relaxed(&chain->lowest);
    return chain->top == 0 || lowest > chain->top || (end > lowest && end <= chain->top);
}

/* Claims [start, *was), if the chain ends at *was. false: *was is where it ends */
static bool chain_claim(struct chain *chain, uintptr_t start, uintptr_t *was) {
    uintptr_t next = *was;
    /* Acquire-release, both, which nothing needs: what counts is that one thread claims it. */
    if (!hak_compare_exchange_acq_rel(&chain->lowest, was, start)) return false;
    (void)hak_compare_exchange_acq_rel(&chain->next, &next, start); /* or what was claimed would look like a hole */
    return true;
}

/* Claims what of [start, end) lies below the chain, if it lies right there. false: nothing does. *was: where the chain ended */
static bool chain_claim_part(struct chain *chain, uintptr_t start, uintptr_t end, uintptr_t *was) {
    *was = hak_load_relaxed(&chain->lowest);
    while (start < *was && *was <= end) {
        if (chain_claim(chain, start, was)) return true;
    }
    return false;
}

/* After [start, end) was mapped, of which nothing lay below the chain: another thread may have unmapped the chain's end meanwhile. */
static void chain_claim_late(struct chain *chain, uintptr_t start, uintptr_t end) {
    uintptr_t was;
    (void)chain_claim_part(chain, start, end, &was);
}

/* Unless others have claimed more meanwhile: then the addresses are lost until blocks beside them are unmapped.
 *
 * Acquire-release, both: `lowest` is the first that others see. Were it `next`, [start, was) would look like a hole, which nobody claims,
 * and what another thread mapped there would lie below `lowest` in the end. */
static void chain_disclaim(struct chain *chain, uintptr_t start, uintptr_t was) {
    uintptr_t lowest = start, next = start;
    (void)hak_compare_exchange_acq_rel(&chain->lowest, &lowest, was);
    (void)hak_compare_exchange_acq_rel(&chain->next, &next, was);
}

/* [start, end) was mapped: where the hole began or ended with it, it is shorter by that. Compared, since the hole may be another by now;
 * acquire-release, which nothing needs. */
static void chain_narrow_hole(struct chain *chain, uintptr_t start, uintptr_t end) {
    uintptr_t hole = start, next = end;
    (void)hak_compare_exchange_acq_rel(&chain->hole, &hole, end);
    (void)hak_compare_exchange_acq_rel(&chain->next, &next, start);
}

/* The kernel chose another place, and the chain goes on there; but not if it was moved since, by a thread that had its wish. */
static void chain_move(struct chain *chain, uintptr_t lowest, const void *start) {
    if (hak_compare_exchange_acq_rel(&chain->lowest, &lowest, (uintptr_t)start)) {
        hak_store_relaxed(&chain->next, (uintptr_t)start);
    }
}

/* The hole is tried first: chains that only ever went down would spread a program that maps and unmaps in turn over the
 * whole address space, and the page map with it. What goes piece by piece, the last one first, is one hole in the end. */
void hak_linux_map_note_unmapped(const void *start, size_t size) {
    const uintptr_t first = (uintptr_t)start, end = first + size;
    const bool is_record = first >= hak_load_relaxed(&chain_records.lowest) && first < chain_records.top;
    struct chain *chain = is_record ? &chain_records : &chain_blocks;
    if (!chain_may_have(chain, end)) return;
    const uintptr_t next = hak_load_relaxed(&chain->next);
    const bool is_longer = next > end && hak_load_relaxed(&chain->hole) == end;
    chain_disclaim(chain, first, end);
    hak_store_relaxed(&chain->hole, first);
    /* Release: as in chain_disclaim. */
    hak_store_release(&chain->next, is_longer ? next : end);
}

/* A region is given back only where it was refused what it needs, and mostly is the lowest then; else its addresses are lost. */
void hak_linux_map_note_unreserved(const void *start, size_t size) {
    chain_disclaim(&chain_regions, (uintptr_t)start, (uintptr_t)start + size);
}

int hak_linux_refuse_high(void *start, size_t size) {
    static bool was_said; /* atomic */
    (void)linux_munmap(start, size);
    /* Relaxed: it orders nothing; of two threads that come at once both may say so. */
    if (!hak_load_relaxed(&was_said)) {
        hak_store_relaxed(&was_said, true);
        hak_report_warning_to(hak_os_error_kept(),
                              "the system maps memory at addresses that this build has no tables for", NULL,
                              "build hakmem with a larger HAK_ADDRESS_BITS");
    }
    return ENOMEM;
}

/* The highest aligned place for `size` bytes below `end`; NULL lets the kernel choose. */
static void *place_below(uintptr_t end, size_t size, size_t alignment) {
    return end <= size ? NULL : (void *)((end - size) & ~(uintptr_t)(alignment - 1));
}

static bool is_aligned(const void *start, size_t alignment) { return ((uintptr_t)start & (alignment - 1)) == 0; }

/* Cuts [mapped, mapped + mapped_size) down to [start, start + size). The kernel may refuse, since a cut within
 * a mapping that it has joined to its neighbour makes two of one; then the rest is given back whole. Should it
 * refuse that too, address space is lost, but no memory: nothing of it was ever touched. */
static int trim(char *mapped, size_t mapped_size, char *start, size_t size) {
    size_t head = (size_t)(start - mapped);
    size_t tail = mapped_size - head - size;
    if (head != 0 && linux_munmap(mapped, head) != 0) {
        (void)linux_munmap(mapped, mapped_size);
        return ENOMEM;
    }
    if (tail != 0 && linux_munmap(start + size, tail) != 0) {
        (void)linux_munmap(start, size + tail);
        return ENOMEM;
    }
    return 0;
}

static int reserve_more_and_trim(size_t size, size_t alignment, void **out) {
    /* What the kernel returns is a multiple of a page already. */
    size_t mapped_size;
    if (__builtin_add_overflow(size, alignment - hak_os_page_size(), &mapped_size)) return ENOMEM;
    void *mapped = NULL;
    int error = linux_mmap(NULL, mapped_size, PROT_NONE, 0, &mapped);
    if (error != 0) return error;
    char *start = (char *)bits_round_up((uintptr_t)mapped, alignment);
    error = trim(mapped, mapped_size, start, size);
    if (error == 0) *out = start;
    return error;
}

/* One try. 0: *out is aligned; EAGAIN: the kernel mapped it at *out, which is not, and took it back. */
static int map_near(void *wish, size_t size, size_t alignment, int protection, void **out) {
    int error = linux_mmap(wish, size, protection, 0, out);
    if (error == EAGAIN) return ENOMEM; /* the kernel's: more would be locked than may be */
    if (error != 0 || is_aligned(*out, alignment)) return error;
    /* Whether or not the kernel takes it back, it is of no use; it fails only where a trim would. */
    error = linux_munmap(*out, size);
    return error != 0 ? error : EAGAIN;
}

/* Where `near`, which is not aligned, was free a moment ago. */
static int reserve_elsewhere(void *near, size_t size, size_t alignment, void **out) {
    void *below = (void *)((uintptr_t)near & ~(uintptr_t)(alignment - 1));
    const int error = map_near(below, size, alignment, PROT_NONE, out);
    return error == EAGAIN ? reserve_more_and_trim(size, alignment, out) : error;
}

/* Claims the highest aligned place below the chain. NULL: there is none. *was: where the chain ended */
static void *chain_claim_below(struct chain *chain, size_t size, size_t alignment, uintptr_t *was) {
    *was = hak_load_relaxed(&chain->lowest);
    void *place = place_below(*was, size, alignment);
    while (place != NULL && !chain_claim(chain, (uintptr_t)place, was)) {
        place = place_below(*was, size, alignment);
    }
    return place;
}

/* As map_near, and EAGAIN wherever it is not at `wish`: *out is given back then, unless it is aligned and `keeps`.
 *
 * The place itself is asked for first. Linux 6.7 to 6.12 follow a wish of 2 MiB or more only where 2 MiB behind it are free as well, and
 * behind it lies the chain (mended by "mm: respect mmap hint address when aligning for THP"). And nothing is mapped elsewhere, and made
 * resident where the process locks its memory, only to be given back. Where the kernel refuses the flag or the address, the wish may do. */
static int map_wish(void *wish, size_t size, size_t alignment, int protection, bool keeps, void **out) {
    int error = wish == NULL ? EINVAL : linux_mmap_there(wish, size, protection);
    if (error == EEXIST && !keeps) return EAGAIN;
    if (error == 0) {
        *out = wish;
        return 0;
    }
    error = map_near(wish, size, alignment, protection, out);
    if (error != 0 || *out == wish || keeps) return error;
    error = linux_munmap(*out, size);
    return error != 0 ? error : EAGAIN;
}

/* Tries the hole. EAGAIN: it is taken, or there is none */
static int map_in_hole(struct chain *chain, size_t size, size_t alignment, int protection, void **out) {
    /* Acquire: whoever sees the hole that chain_disclaim left sees where it moved the chain's end before. */
    const uintptr_t next = hak_load_acquire(&chain->next);
    void *wish = place_below(next, size, alignment);
    uintptr_t was;
    if (wish == NULL || next == hak_load_relaxed(&chain->lowest) || !chain_may_have(chain, next)) {
        return EAGAIN;
    }
    const bool claimed = chain_claim_part(chain, (uintptr_t)wish, next, &was);
    const int error = map_wish(wish, size, alignment, protection, false, out);
    if (error == 0 && !claimed) chain_claim_late(chain, (uintptr_t)wish, next);
    if (error == 0) hak_store_relaxed(&chain->next, (uintptr_t)wish);
    if (error != 0 && claimed) chain_disclaim(chain, (uintptr_t)wish, was);
    return error;
}

/* Where a chain ended when there was no place for a mapping below it. */
#define CHAIN_HAD_PLACE UINTPTR_MAX

/* A place may be taken by another thread that fills a hole: then the next is tried. In a chain that has no place of its own it is
 * mostly the program's mapping. */
#define CHAIN_TRIES 3

/* Maps below all of the chain; elsewhere if no place there is free. Results as of map_in_chain */
static int map_below(struct chain *chain, size_t size, size_t alignment, int protection, uintptr_t *end, void **out) {
    int error = EAGAIN;
    for (unsigned tries = chain->top == 0 || hak_load_relaxed(&chain->lowest) > chain->top ? 1 : CHAIN_TRIES;
         error == EAGAIN && tries > 0; tries--) {
        uintptr_t lowest;
        void *wish = chain_claim_below(chain, size, alignment, &lowest);
        error = map_wish(wish, size, alignment, protection, wish == NULL || tries == 1, out);
        *end = lowest;
        if (error == 0 && *out == wish) {
            hak_store_relaxed(&chain->next, (uintptr_t)wish);
            *end = CHAIN_HAD_PLACE;
        } else if (wish != NULL && (error != EAGAIN || tries == 1)) {
            chain_disclaim(chain, (uintptr_t)wish, lowest);
        }
    }
    return error;
}

/* Tries the chain's places. EAGAIN: *out was free a moment ago, and is not aligned. *end: CHAIN_HAD_PLACE; or where the chain ended:
 * it is to be moved from there to what is mapped in the end */
static int map_in_chain(struct chain *chain, size_t size, size_t alignment, int protection, uintptr_t *end,
                        void **out) {
    *end = CHAIN_HAD_PLACE;
    const int error = map_in_hole(chain, size, alignment, protection, out);
    return error == EAGAIN ? map_below(chain, size, alignment, protection, end, out) : error;
}

static int reserve_aligned(struct chain *chain, size_t size, size_t alignment, void **out) {
    void *start = NULL;
    uintptr_t end;
    int error = map_in_chain(chain, size, alignment, PROT_NONE, &end, &start);
    if (error == EAGAIN) error = reserve_elsewhere(start, size, alignment, &start);
    if (error != 0) return error;
    if (end != CHAIN_HAD_PLACE) chain_move(chain, end, start);
    *out = start;
    return 0;
}

int hak_linux_reserve_aligned(size_t size, size_t alignment, void **out) {
    return reserve_aligned(&chain_regions, size, alignment, out);
}

int hak_linux_commit(void *start, size_t size) {
    void *mapped = NULL;
    return linux_mmap(start, size, PROT_READ | PROT_WRITE, MAP_FIXED, &mapped);
}

/* Mappings of pages: where hak_os_place chose no place, the kernel does. */
static int map_record(size_t size, void **out) {
    uintptr_t end;
    if (chain_records.top == 0) return linux_mmap(NULL, size, PROT_READ | PROT_WRITE, 0, out);
    const int error = map_in_chain(&chain_records, size, hak_os_page_size(), PROT_READ | PROT_WRITE, &end, out);
    if (error == 0 && end != CHAIN_HAD_PLACE) chain_move(&chain_records, end, *out);
    return error;
}

int hak_linux_map_aligned(size_t size, size_t alignment, void **out) {
    void *start = NULL;
    uintptr_t end = CHAIN_HAD_PLACE;
    const bool hinted = hak_load_relaxed(&chain_blocks.next) != 0;
    int error = hinted ? map_in_chain(&chain_blocks, size, alignment, PROT_READ | PROT_WRITE, &end, &start)
                       : reserve_aligned(&chain_blocks, size, alignment, &start);
    const bool reserved = !hinted || error == EAGAIN;
    if (error == EAGAIN) error = reserve_elsewhere(start, size, alignment, &start);
    if (error == 0 && reserved) {
        error = hak_linux_commit(start, size);
        if (error != 0) (void)linux_munmap(start, size);
    }
    if (error != 0) return error;
    if (end != CHAIN_HAD_PLACE) chain_move(&chain_blocks, end, start);
    *out = start;
    return 0;
}

/* Relaxed, both: a hint, and what is mapped there is tested. */
bool hak_os_is_hole(const void *start, size_t size) {
    const uintptr_t end = (uintptr_t)start + size;
    return hak_load_relaxed(&chain_blocks.hole) == (uintptr_t)start && end <= hak_load_relaxed(&chain_blocks.next);
}

int hak_os_map_beside(void *start, size_t size) {
    const uintptr_t end = (uintptr_t)start + size;
    uintptr_t was;
    const bool claimed = chain_claim_part(&chain_blocks, (uintptr_t)start, end, &was);
    const int error = hak_linux_map_at(start, size, PROT_READ | PROT_WRITE);
    if (error == 0 && !claimed) chain_claim_late(&chain_blocks, (uintptr_t)start, end);
    if (error == 0) chain_narrow_hole(&chain_blocks, (uintptr_t)start, end);
    if (error != 0 && claimed) chain_disclaim(&chain_blocks, (uintptr_t)start, was);
    return error;
}

static int map_counted(int error, size_t size) {
    if (error != 0) return error;
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}

int hak_os_map(size_t size, size_t alignment, void **out) {
    const bool is_record = alignment <= hak_os_page_size();
    return map_counted(is_record ? map_record(size, out) : hak_linux_map_aligned(size, alignment, out), size);
}

int hak_os_map_block(size_t size, size_t alignment, void **out) {
    return map_counted(hak_linux_map_aligned(size, alignment, out), size);
}
