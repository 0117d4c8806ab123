/* SPDX-License-Identifier: MIT */
/* Reads a trace: the whole file is checked when it is opened, then its events are walked in their order.
 *
 * A defect has an offset in the file and a text; no part of a damaged trace is used. Memory: some bytes for each chunk,
 * thread, module and site, none for an event. Single-threaded. */
#ifndef BENCH_TRACE_READER_H
#define BENCH_TRACE_READER_H

#include "bench/trace/format.h"

struct trace_defect {
    uint64_t offset; /* in the file, of the record, chunk or header that is wrong */
    char text[200];  /* what is wrong with it */
};

/* Bytes within the mapped file, no NUL behind them. */
struct trace_text {
    const char *bytes;
    size_t length;
};

struct trace_site {
    uint32_t module;  /* 0: in none */
    uint32_t caller;  /* the site of its caller, a smaller index; 0: not known */
    uint64_t address; /* in the module's file; in memory where there is none */
};

/* A chunk of events. */
struct trace_span {
    const uint8_t *records, *end;
    uint64_t first, last; /* numbers */
    uint64_t written_ns;  /* since the start */
    uint32_t count;
    uint32_t next; /* of the same thread: its index; 0 for none */
};

struct trace_lane {
    uint32_t first, last; /* spans of one thread; 0 for none */
};

struct trace {
    const uint8_t *bytes; /* the file, mapped */
    size_t size;
    uint64_t pid, parent, started_ns;
    struct trace_text program, allocator, arguments;
    struct trace_text *modules; /* by index; the first has 1 */
    struct trace_site *sites;   /* likewise */
    struct trace_span *spans;   /* likewise */
    struct trace_lane *lanes;   /* by thread */
    size_t module_count, site_count, span_count, lane_count;
    size_t callers_told; /* the last site whose caller was told, if it is known */
    size_t modules_room, sites_room, spans_room, lanes_room;
    uint64_t duration_ns; /* from the start to the last chunk that says when it was written */
    /* Of the TRACE_END chunk, where that is the last one. */
    bool complete;
    enum trace_end reason;
    uint64_t events, end_offset;
    /* Where the file ends in the middle of a chunk: that chunk's offset, else the file's size. */
    uint64_t cut_offset;
};

/* Opens and checks the file at `path`. A cut last chunk is a defect unless `may_be_cut`. */
bool trace_open(struct trace *trace, const char *path, bool may_be_cut, struct trace_defect *defect);
void trace_close(struct trace *trace);

/* ---- Events in the order of their numbers ---- */

struct trace_event {
    uint64_t number;
    uint64_t offset; /* in the file */
    uint64_t size, count;
    uint64_t block; /* the one that it takes, by the number of the event that made it; 0: none */
    uint32_t thread, site;
    uint8_t kind; /* enum trace_kind */
    uint8_t alignment_log2;
};

struct trace_cursor {
    const uint8_t *at;
    uint32_t span, left;      /* records left in it */
    uint64_t number;          /* of the last record */
    uint32_t site;            /* of the last record with one */
    struct trace_event event; /* the next one */
};

struct trace_walk {
    const struct trace *trace;
    struct trace_cursor *cursors; /* by thread */
    uint32_t *heap;               /* threads with an event left; the smallest number first */
    size_t heap_size;
    uint64_t next;    /* number of the next event */
    uint64_t dropped; /* an incomplete trace: records behind the first number that is missing */
};

enum walk_result { WALK_EVENT, WALK_END, WALK_DEFECT };

bool walk_start(struct trace_walk *walk, const struct trace *trace, struct trace_defect *defect);
enum walk_result walk_next(struct trace_walk *walk, struct trace_event *event, struct trace_defect *defect);
void walk_finish(struct trace_walk *walk);

/* Always false; fills *defect. */
__attribute__((format(printf, 3, 4))) bool trace_defect_set(struct trace_defect *defect, uint64_t offset,
                                                            const char *format, ...);

#endif
