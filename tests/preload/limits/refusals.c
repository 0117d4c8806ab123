/* SPDX-License-Identifier: MIT */
/*     refusals mappings      no further mapping can be had: the process has as many as the system lets it
 *     refusals CALL..        a filter refuses system calls, by their numbers, with ENOMEM
 *
 * Meanwhile every function that gives memory works, or gives NULL and ENOMEM; no block loses its content; and what is freed serves
 * again. "alive": so it was, and as many blocks could be had at the end as before. "not here": the system does not do that. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BLOCKS 4000u
#define HUGE ((size_t)3000000)
#define MAPPINGS_MOST 200000ul

static const size_t sizes[] = {24, 700, 5000, 40000, HUGE};
static unsigned char *blocks[BLOCKS];

static void fail(const char *what, size_t size) {
    printf("%s, %zu bytes\n", what, size);
    exit(0);
}

/* ---- Refusing ----------------------------------------------------------------------------------------------------- */

static void refuse(unsigned call) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        puts("not here");
        exit(0);
    }
}

static char *area;
static size_t area_bytes;

/* Every other page of an area can be read, which is a mapping each. */
static void use_mappings_up(void) {
    unsigned long most = 0;
    FILE *const file = fopen("/proc/sys/vm/max_map_count", "r");
    if (file == NULL || fscanf(file, "%lu", &most) != 1 || most > MAPPINGS_MOST) {
        puts("not here");
        exit(0);
    }
    fclose(file);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    area_bytes = (most + 2) * page;
    area = mmap(NULL, area_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t at = page;
    while (at < area_bytes && mprotect(area + at, page, PROT_READ) == 0) at += 2 * page;
    if (at >= area_bytes) fail("the system has more mappings than it says", most);
    /* One is left where the last one did not fit between two others. */
    while (mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) continue;
}

/* ---- Allocating --------------------------------------------------------------------------------------------------- */

/* Whether p is there: else errno has to say why. Written at both ends. */
static int is_there(unsigned char *p, size_t size, const char *what) {
    if (p == NULL) {
        if (errno != ENOMEM) fail(what, size);
        return 0;
    }
    p[0] = p[size - 1] = 1;
    return 1;
}

static void expect_aligned(const void *p, size_t alignment) {
    if ((uintptr_t)p % alignment != 0) fail("a block is not aligned", alignment);
}

/* Each way to a block, and back. */
static void call_each(size_t size) {
    unsigned char *all[8] = {NULL};
    errno = 0;
    (void)is_there(all[0] = malloc(size), size, "malloc");
    errno = 0;
    if (is_there(all[1] = calloc(2, size / 2), size / 2 * 2, "calloc") && all[1][size / 4] != 0) fail("calloc", size);
    errno = 0;
    (void)is_there(all[2] = aligned_alloc(256, size), size, "aligned_alloc");
    expect_aligned(all[2], 256);
    errno = 0;
    (void)is_there(all[3] = memalign(8192, size), size, "memalign");
    expect_aligned(all[3], 8192);
    errno = 0;
    (void)is_there(all[4] = valloc(size), size, "valloc");
    errno = 0;
    (void)is_there(all[5] = reallocarray(NULL, 2, size / 2), size / 2 * 2, "reallocarray");
    void *p = NULL;
    errno = posix_memalign(&p, 64, size);
    (void)is_there(all[6] = errno == 0 ? p : NULL, size, "posix_memalign");
    if (all[0] != NULL) {
        all[0][0] = 77;
        errno = 0;
        unsigned char *const moved = realloc(all[0], 3 * size);
        (void)is_there(moved, 3 * size, "realloc");
        all[0] = moved != NULL ? moved : all[0];
        if (moved == NULL && all[0][0] != 77) fail("a realloc that was refused changed the block", size);
    }
    for (unsigned i = 0; i < 8; i++) free(all[i]);
}

/* Result: how many there are. */
static unsigned fill(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        const size_t size = sizes[i % 4];
        errno = 0;
        blocks[i] = malloc(size);
        if (blocks[i] == NULL && errno != ENOMEM) fail("malloc", size);
        if (blocks[i] != NULL) memset(blocks[i], (int)(i % 251), size);
        count += blocks[i] != NULL;
    }
    return count;
}

static void check_and_free(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        const size_t size = sizes[i % 4];
        for (size_t at = 0; blocks[i] != NULL && at < size; at++) {
            if (blocks[i][at] != i % 251) fail("a block has lost its content", size);
        }
        free(blocks[i]);
        blocks[i] = NULL;
    }
}

int main(int argc, char **argv) {
    static void *further[2000];
    if (argc < 2) return 2;
    const int is_mappings = strcmp(argv[1], "mappings") == 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    if (fill() != BLOCKS) fail("no memory at the start", 0);
    void *const huge = malloc(HUGE);
    if (is_mappings) use_mappings_up();
    for (int i = 1; i < argc && !is_mappings; i++) refuse((unsigned)strtoul(argv[i], NULL, 10));
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) call_each(sizes[i]);
    for (unsigned i = 0; i < 2000; i++) {
        errno = 0;
        further[i] = malloc(32000);
        if (further[i] == NULL && errno != ENOMEM) fail("malloc", 32000);
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) call_each(sizes[i]);
    for (unsigned i = 0; i < 2000; i++) free(further[i]);
    free(huge);
    malloc_trim(0);
    check_and_free();
    if (is_mappings) munmap(area, area_bytes);
    if (fill() != BLOCKS) fail("what was freed does not serve again", 0);
    check_and_free();
    if (is_mappings && (blocks[0] = malloc(10 * HUGE)) == NULL) fail("nothing huge can be had", 10 * HUGE);
    free(blocks[0]);
    puts("alive");
    return 0;
}
