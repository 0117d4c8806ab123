/* SPDX-License-Identifier: MIT */
/* The format of a trace: the calls that one process made to its allocator, in their order.
 *
 * README.md describes it in full; this header defines the numbers. The recorder writes it, reader.c and
 * trace_file.py read it. All fixed-size integers are little-endian; `varint` is a LEB128: seven bits a byte, lowest
 * first, the top bit set in all but the last; `string` is its length as a varint, then its bytes.
 *
 *   file    = trace_header chunk*
 *   chunk   = trace_chunk payload            payload: `length` bytes
 *
 * A trace is complete when its last chunk is TRACE_END and no event that it counts is missing. */
#ifndef BENCH_TRACE_FORMAT_H
#define BENCH_TRACE_FORMAT_H

#include "hakmem/base/compiler.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "traces are little-endian, and are read and written as the machine has them"
#endif

#define TRACE_MAGIC "hakTrace"
#define TRACE_MAGIC_BYTES 8
#define TRACE_VERSION 1

struct trace_header {
    char magic[TRACE_MAGIC_BYTES];
    uint32_t version;
    uint32_t crc; /* of the bytes before it */
};
HAK_STATIC_ASSERT(sizeof(struct trace_header) == 16, "no padding in the file");

struct trace_chunk {
    uint32_t type;   /* enum trace_chunk_type */
    uint32_t thread; /* TRACE_EVENTS: whose; else 0 */
    uint32_t length; /* of the payload, bytes */
    uint32_t crc;    /* of the twelve bytes before it, then of the payload */
};
HAK_STATIC_ASSERT(sizeof(struct trace_chunk) == 16, "no padding in the file");
#define TRACE_CHUNK_CHECKED 12

enum trace_chunk_type {
    TRACE_META = 1,    /* pid, parent, when it started (nanoseconds since 1970), strings: program, allocator, argv */
    TRACE_MODULES = 2, /* first index, count, then each a string: the file's path */
    TRACE_SITES = 3,   /* first index, count, then each: module, address within it */
    TRACE_EVENTS = 4,  /* first and last number, count, nanoseconds since the start, then the records */
    TRACE_END = 5,     /* events, threads, nanoseconds since the start, enum trace_end */
    TRACE_CALLERS = 6, /* first index, count, then each: the site of the caller of that site; 0: not known */
};

enum trace_end {
    TRACE_END_EXIT = 0,  /* the program ended by itself */
    TRACE_END_EXEC = 1,  /* it replaced itself by another */
    TRACE_END_LIMIT = 2, /* as many events as were asked for are recorded; the program went on */
};

/* A record's first byte: kind, and two flags that save what most records would repeat. */
#define TRACE_KIND_MASK 0x1f
#define TRACE_NEXT_NUMBER 0x20 /* its number is the previous one's of this chunk plus 1; else a varint: the step */
#define TRACE_SAME_SITE 0x40   /* its site is that of the last record of this chunk that has one */
#define TRACE_RESERVED 0x80    /* 0 */

/* After the first byte and the step come the fields, all varints, in the order given here.
 *
 *   age    the record's own number minus the number of the event that made the block, so never 0
 *   site   index of a call site, 0 where there was no room for another; left out with TRACE_SAME_SITE
 *
 * A block's name is the number of the event that made it. */
enum trace_kind {
    TRACE_MALLOC = 1,           /* size, site */
    TRACE_CALLOC = 2,           /* count, size, site */
    TRACE_MEMALIGN = 3,         /* logarithm of the alignment, size, site */
    TRACE_ALIGNED_ALLOC = 4,    /* likewise */
    TRACE_POSIX_MEMALIGN = 5,   /* likewise */
    TRACE_VALLOC = 6,           /* size, site */
    TRACE_PVALLOC = 7,          /* size, site */
    TRACE_FREE = 8,             /* age */
    TRACE_FREE_NULL = 9,        /* free(NULL) */
    TRACE_FREE_UNKNOWN = 10,    /* a block that this process did not allocate while it was recorded */
    TRACE_FREE_UNSEEN = 11,     /* age; its address was given out again: it was freed in a way that is not recorded */
    TRACE_REALLOC = 12,         /* age, 0: of NULL. The thread's next event is the result */
    TRACE_REALLOCARRAY = 13,    /* likewise */
    TRACE_REALLOC_UNKNOWN = 14, /* of a block as TRACE_FREE_UNKNOWN has it; the result comes next */
    TRACE_RESULT_BLOCK = 15,    /* size, site: a realloc's result, named by this event */
    TRACE_RESULT_FAILED = 16,   /* size: there was no memory, the old block stays */
    TRACE_RESULT_FREED = 17,    /* realloc(p, 0) freed p and gave NULL */
    TRACE_FAILED = 18,          /* size: any other allocation that gave NULL */
    TRACE_THREAD_END = 19,      /* the thread is about to end; what its destructors still do may follow */
    TRACE_KINDS = 20,
};

/* Bytes of the longest record: a first byte and five varints. */
#define TRACE_VARINT_MAX 10
#define TRACE_RECORD_MAX (1 + 5 * TRACE_VARINT_MAX)

/* Limits that no program reaches: a trace with larger numbers is damaged. */
#define TRACE_THREADS_MAX (1u << 20)
#define TRACE_SITES_MAX (1u << 20)
#define TRACE_MODULES_MAX (1u << 12)
#define TRACE_FRAMES_MAX 32                      /* callers that the recorder notes of a call */
#define TRACE_SIZE_MAX ((UINT64_C(1) << 47) - 1) /* the address space of a process */
#define TRACE_ALIGNMENT_LOG2_MAX 46

/* pre: room for TRACE_VARINT_MAX bytes. Returns behind the last byte written. */
HAK_ALWAYS_INLINE uint8_t *trace_put(uint8_t *at, uint64_t value) {
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Behind the varint at `at`; NULL where it does not end before `end` or exceeds 64 bits. */
HAK_ALWAYS_INLINE const uint8_t *trace_get(const uint8_t *at, const uint8_t *end, uint64_t *value) {
    uint64_t result = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1) {
            return NULL;
        }
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return at;
        }
    }
    return NULL;
}

#endif
