/* SPDX-License-Identifier: MIT */
/* Where the search for lost blocks looks: which pages of a mapping are read, that those which the system has put elsewhere are, and that
 * a block with a page which nobody may touch is read around it.
 *
 * No machine of a test has swap for sure. A page of a file that is not in the page cache is the same to mincore: it holds something
 * and is not resident. What the page map would say of a page that is swapped out stands in a file of the test's own. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hakmem/observe/lost_mark.h"
#include "hakmem/os/os.h"
#include "tests/harness/harness.h"

#define PAGES ((size_t)64)
#define SWAPPED ((uint64_t)1 << 62)

static struct lost_block block;
static uint32_t waiting[1];
static uint64_t words[LOST_WORDS];
static unsigned char pages[LOST_PAGES];
static char target[64] __attribute__((aligned(16)));

/* What the test cannot go on without. */
static void must(bool is_so) {
    if (!is_so) abort();
}

/* For a search that knows one block, `target`. */
static struct lost_marks marks_of(int page_map, bool has_swap) {
    const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    must(memory >= 0);
    block = (struct lost_block){
        .start = (uintptr_t)target, .units = sizeof target >> LOST_SHIFT_CLASS, .shift = LOST_SHIFT_CLASS};
    return (struct lost_marks){.blocks = &block,
                               .count = 1,
                               .waiting = waiting,
                               .words = words,
                               .pages = pages,
                               .memory = memory,
                               .page_map = page_map,
                               .has_swap = has_swap,
                               .scanned = UINT32_MAX,
                               .sets = LOST_REACHED};
}

/* Whether a pointer to the block is found there. */
static bool is_found(const void *start, size_t size, int page_map, bool has_swap) {
    struct lost_marks marks = marks_of(page_map, has_swap);
    hak_lost_scan(&marks, (uintptr_t)start, (uintptr_t)start + size);
    close(marks.memory);
    return block.state == LOST_REACHED;
}

static int own_page_map(void) {
    const int page_map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    must(page_map >= 0);
    return page_map;
}

static char *mapped(size_t size, int flags) {
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    must(memory != MAP_FAILED);
    return memory;
}

static size_t resident_pages(char *memory, size_t size) {
    unsigned char *found = malloc(size / 4096);
    size_t count = 0;
    must(found != NULL && mincore(memory, size, found) == 0);
    for (size_t i = 0; i < size / 4096; i++) count += found[i] & 1;
    free(found);
    return count;
}

HAK_TEST(LostMark, TouchesNoPageThatNobodyTouched) {
    static const int kinds[] = {MAP_PRIVATE, MAP_SHARED};
    const size_t size = (size_t)20 << 30;
    for (unsigned kind = 0; kind < 2; kind++) {
        char *memory = mapped(size, kinds[kind]);
        char *place = memory + size / 2;
        memcpy(place + 64, &(void *){target}, sizeof(void *));
        for (unsigned has_swap = 0; has_swap < 2; has_swap++) {
            const int page_map = own_page_map();
            HAK_EXPECT(is_found(memory, size, page_map, has_swap != 0));
            HAK_EXPECT_EQ(resident_pages(memory, size), 1);
            close(page_map);
        }
        munmap(memory, size);
    }
}

/* Another thread may have unmapped a part: then mincore says nothing, and the page map does. */
HAK_TEST(LostMark, ReadsBothSidesOfAHole) {
    const size_t page = hak_os_page_size();
    const size_t places[] = {1, PAGES - 1};
    for (unsigned i = 0; i < 2; i++) {
        char *memory = mapped(PAGES * page, MAP_PRIVATE);
        memcpy(memory + places[i] * page + 8, &(void *){target}, sizeof(void *));
        munmap(memory + PAGES / 2 * page, page);
        const int page_map = own_page_map();
        HAK_EXPECT(is_found(memory, PAGES * page, page_map, false));
        HAK_EXPECT(is_found(memory, PAGES * page, -1, false));
        close(page_map);
        munmap(memory, PAGES * page);
    }
}

/* A file whose page holds the pointer, with all of its pages written back and let go. */
static char *file_elsewhere(size_t page) {
    char path[4096] = "/tmp";
    const char *folder = getenv("TEST_TMPDIR");
    if (folder != NULL && strlen(folder) < sizeof path - 32) strcpy(path, folder);
    strcat(path, "/lost_mark.XXXXXX");
    const int file = mkstemp(path);
    must(file >= 0 && unlink(path) == 0 && ftruncate(file, (off_t)(PAGES * page)) == 0);
    const void *pointer = target;
    must(pwrite(file, &pointer, sizeof pointer, (off_t)(PAGES / 2 * page + 16)) == sizeof pointer);
    must(fsync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(memory != MAP_FAILED);
    close(file);
    return memory;
}

/* Whether `target` is found from a reached block of a class, in a process of one thread. */
static bool is_found_from(const char *start, size_t size) {
    struct lost_marks marks = marks_of(-1, false);
    struct lost_block blocks[2] = {
        block,
        {.start = (uintptr_t)start,
         .units = (uint32_t)(size >> LOST_SHIFT_CLASS),
         .shift = LOST_SHIFT_CLASS,
         .state = LOST_REACHED},
    };
    marks.blocks = blocks;
    marks.count = 2;
    marks.is_alone = true;
    hak_lost_order(&marks);
    const uint32_t from = blocks[0].start == (uintptr_t)start ? 0 : 1;
    marks.waiting[marks.waiting_count++] = from;
    hak_lost_spread(&marks);
    close(marks.memory);
    return blocks[1 - from].state == LOST_REACHED;
}

/* The ways to take a page from a program's own loads. A guard marker needs Linux 6.13; its number is not in older headers. */
enum { AWAY_PROTECTED, AWAY_UNMAPPED, AWAY_MARKED, AWAYS };
#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL */

/* false: this kernel has no such way */
static bool take_away(char *start, size_t page, unsigned way) {
    if (way == AWAY_MARKED) return madvise(start, page, GUARD_INSTALL) == 0;
    must((way == AWAY_PROTECTED ? mprotect(start, page, PROT_NONE) : munmap(start, page)) == 0);
    return true;
}

/* A load from it would end the process. */
HAK_TEST(LostMark, ReadsABlockAroundAPageThatNobodyMayTouch) {
    const size_t page = hak_os_page_size(), word = sizeof(void *);
    const struct {
        size_t start, end, guard, pointer; /* the block, the page, and where a pointer lies */
    } cases[] = {
        {0, 2 * page, 0, page + word},
        {0, 2 * page, page, page - word},
        {0, 16 * page, 0, 16 * page - word},
        {word, 4 * page, 2 * page, 3 * page},
        {page - word, 2 * page, page, page - word},
        {page, 2 * page + word, page, 2 * page},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned way = 0; way < AWAYS; way++) {
            char *memory = mapped(PAGES * page, MAP_PRIVATE);
            memcpy(memory + cases[i].pointer, &(void *){target}, word);
            if (take_away(memory + cases[i].guard, page, way)) {
                HAK_EXPECT(is_found_from(memory + cases[i].start, cases[i].end - cases[i].start));
            }
            munmap(memory, PAGES * page);
        }
    }
}

HAK_TEST(LostMark, ReadsWhatIsSwappedOut) {
    const size_t page = hak_os_page_size();
    char *memory = file_elsewhere(page);
    if (resident_pages(memory, PAGES * page) != 0) HAK_SKIP("this file system keeps its pages in memory");
    const int page_map = memfd_create("pagemap", MFD_CLOEXEC);
    const uint64_t entry = SWAPPED;
    const off_t place = (off_t)((uintptr_t)memory / page + PAGES / 2) * (off_t)sizeof entry;
    HAK_ASSERT_TRUE(page_map >= 0 && pwrite(page_map, &entry, sizeof entry, place) == sizeof entry);
    HAK_ASSERT_TRUE(ftruncate(page_map, place + 4096) == 0);
    /* Without swap nothing is asked but mincore, which does not know of it. */
    HAK_EXPECT(!is_found(memory, PAGES * page, page_map, false));
    HAK_EXPECT(is_found(memory, PAGES * page, page_map, true));
    close(page_map);
    munmap(memory, PAGES * page);
}
