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
 * The kinds are regions (hak_os_reserve_aligned), blocks (hak_os_map), and hakmem's own records (hak_os_map of pages).
 * hak_os_place gives each a place of its own, else the kernel chooses where each begins.
 *
 * A mapping that will be trimmed is inaccessible until then, so it neither counts for RLIMIT_DATA nor is populated in a
 * process that locks all its memory. */
#include "hakmem/base/warning.h"
#include "hakmem/os/linux/linux.h"

/* Where mappings of one kind lie, one below the other. Each field is atomic, relaxed: a stale value costs a few system
 * calls, no more, because the kernel treats an address as a wish and the result is tested. */
struct chain {
    uintptr_t next;   /* end of the range to try first; 0: none */
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

static void chain_note_mapped(struct chain *chain, const void *start) {
    const uintptr_t lowest = hak_load_relaxed(&chain->lowest);
    hak_store_relaxed(&chain->next, (uintptr_t)start);
    /* Where the kernel chose another place, the chain goes on there. */
    if (lowest == 0 || (uintptr_t)start < lowest || (uintptr_t)start >= chain->top) {
        hak_store_relaxed(&chain->lowest, (uintptr_t)start);
    }
}

/* The hole is tried first: chains that only ever went down would spread a program that maps and unmaps in turn over the
 * whole address space, and the page map with it. */
void hak_linux_map_note_unmapped(const void *start, size_t size) {
    const uintptr_t first = (uintptr_t)start;
    const bool is_record = first >= hak_load_relaxed(&chain_records.lowest) && first < chain_records.top;
    struct chain *chain = is_record ? &chain_records : &chain_blocks;
    hak_store_relaxed(&chain->next, first + size);
    if (hak_load_relaxed(&chain->lowest) == first) hak_store_relaxed(&chain->lowest, first + size);
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

/* Tries the chain's places. EAGAIN: *out was free a moment ago, and is not aligned */
static int map_in_chain(struct chain *chain, size_t size, size_t alignment, int protection, void **out) {
    const uintptr_t next = hak_load_relaxed(&chain->next), lowest = hak_load_relaxed(&chain->lowest);
    void *wish = place_below(next, size, alignment);
    int error = map_near(wish, size, alignment, protection, out);
    if (lowest != next && (error == EAGAIN || (error == 0 && *out != wish))) {
        if (error == 0) (void)linux_munmap(*out, size);
        error = map_near(place_below(lowest, size, alignment), size, alignment, protection, out);
    }
    return error;
}

static int reserve_aligned(struct chain *chain, size_t size, size_t alignment, void **out) {
    void *start = NULL;
    int error = map_in_chain(chain, size, alignment, PROT_NONE, &start);
    if (error == EAGAIN) error = reserve_elsewhere(start, size, alignment, &start);
    if (error != 0) return error;
    chain_note_mapped(chain, start);
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
    if (chain_records.top == 0) return linux_mmap(NULL, size, PROT_READ | PROT_WRITE, 0, out);
    const int error = map_in_chain(&chain_records, size, hak_os_page_size(), PROT_READ | PROT_WRITE, out);
    if (error == 0) chain_note_mapped(&chain_records, *out);
    return error;
}

int hak_linux_map_aligned(size_t size, size_t alignment, void **out) {
    void *start = NULL;
    if (alignment <= hak_os_page_size()) return map_record(size, out);
    const bool hinted = hak_load_relaxed(&chain_blocks.next) != 0;
    int error = hinted ? map_in_chain(&chain_blocks, size, alignment, PROT_READ | PROT_WRITE, &start) : EAGAIN;
    if (error == EAGAIN) {
        error = hinted ? reserve_elsewhere(start, size, alignment, &start)
                       : reserve_aligned(&chain_blocks, size, alignment, &start);
        if (error != 0) return error;
        error = hak_linux_commit(start, size);
        if (error != 0) (void)linux_munmap(start, size);
    }
    if (error != 0) return error;
    chain_note_mapped(&chain_blocks, start);
    *out = start;
    return 0;
}

int hak_os_map_beside(void *start, size_t size) {
    const int error = hak_linux_map_at(start, size, PROT_READ | PROT_WRITE);
    if (error == 0 && (uintptr_t)start < hak_load_relaxed(&chain_blocks.lowest))
        chain_note_mapped(&chain_blocks, start);
    return error;
}

int hak_os_map(size_t size, size_t alignment, void **out) {
    int error = hak_linux_map_aligned(size, alignment, out);
    if (error != 0) return error;
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}
