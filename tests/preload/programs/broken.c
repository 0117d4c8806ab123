/* SPDX-License-Identifier: MIT */
/* A small allocator that is sound, or has one defect: the checks must pass under the first and fail under the others.
 *
 * Blocks of 2^n bytes from one reserved range, a free list for each n, one lock. DEFECT, chosen at compile time, says
 * what is wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOUND 0      /* nothing */
#define SHORT 1      /* a block ends before the bytes asked for do */
#define MISALIGNED 2 /* a block is aligned to 4 bytes only */
#define DIRTY 3      /* calloc does not clear */
#define FORGETFUL 4  /* realloc keeps the first half only */
#define TWICE 5      /* one block in 64 is given out again while it is in use */
#define CHATTY 6     /* sound, but says something that begins with "hakmem:" */
#define PARTIAL 7    /* no aligned_alloc of its own: glibc's answers */

enum { HEADER = 64, CLASSES = 48 };
#define RANGE_BYTES (UINT64_C(1) << 36)

struct header {
    struct header *next; /* in a free list */
    void *block;         /* what was given out */
    size_t capacity;     /* bytes from the header's end on */
};

static struct header *free_lists[CLASSES];
static char *range, *range_end;
static int lock;

static struct header *header_of(void *block) {
    struct header *header;
    memcpy(&header, (char *)block - sizeof header, sizeof header);
    return header;
}

static struct header *take(size_t capacity) {
    unsigned class = (unsigned)(64 - __builtin_clzll(capacity - 1));
    struct header *header = free_lists[class];
    if (header != NULL) {
        static unsigned reused;
        if (DEFECT != TWICE || ++reused % 64 != 0) {
            free_lists[class] = header->next;
        }
        return header;
    }
    if (range == NULL) {
        range = mmap(NULL, RANGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        range_end = range + RANGE_BYTES;
    }
    size_t size = HEADER + ((size_t)1 << class);
    if (range == MAP_FAILED || size > (size_t)(range_end - range)) {
        return NULL;
    }
    header = (struct header *)range;
    range += size - (DEFECT == SHORT ? size / 8 / HEADER * HEADER : 0);
    header->capacity = (size_t)1 << class;
    return header;
}

static void *allocate(size_t alignment, size_t size) {
    if (size > RANGE_BYTES / 4 || alignment > RANGE_BYTES / 4) {
        errno = ENOMEM;
        return NULL;
    }
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
    }
    struct header *header = take(size + alignment + 16);
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    if (header == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t start = (uintptr_t)(header + 1) + sizeof header; /* room for the pointer below the block */
    start = (start + alignment - 1) / alignment * alignment + (DEFECT == MISALIGNED ? 4 : 0);
    memcpy((char *)start - sizeof header, &header, sizeof header);
    header->block = (void *)start;
    return header->block;
}

size_t malloc_usable_size(void *block) {
    return block == NULL ? 0 : header_of(block)->capacity + HEADER - (size_t)((char *)block - (char *)header_of(block));
}

void *malloc(size_t size) { return allocate(16, size); }

void free(void *block) {
    if (block != NULL) {
        struct header *header = header_of(block);
        unsigned class = (unsigned)__builtin_ctzll(header->capacity);
        while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
        }
        header->next = free_lists[class];
        free_lists[class] = header;
        __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    }
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = malloc(bytes);
    return block == NULL || DEFECT == DIRTY ? block : memset(block, 0, bytes);
}

void *realloc(void *block, size_t size) {
    void *larger = malloc(size);
    if (block != NULL && larger != NULL) {
        size_t kept = malloc_usable_size(block) < size ? malloc_usable_size(block) : size;
        memcpy(larger, block, DEFECT == FORGETFUL ? kept / 2 : kept);
        free(block);
    }
    return larger;
}

#if DEFECT != PARTIAL
void *aligned_alloc(size_t alignment, size_t size) { return allocate(alignment < 16 ? 16 : alignment, size); }
#endif

int posix_memalign(void **result, size_t alignment, size_t size) {
    void *block = allocate(alignment < 16 ? 16 : alignment, size);
    *result = block == NULL ? *result : block;
    return block == NULL ? ENOMEM : 0;
}

void *memalign(size_t alignment, size_t size) { return allocate(alignment < 16 ? 16 : alignment, size); }

__attribute__((constructor)) static void say(void) {
    static const char line[] = "hakmem: this is not an error, but nobody asked\n";
    if (DEFECT == CHATTY && write(STDERR_FILENO, line, sizeof line - 1) < 0) {
        _exit(1);
    }
}
