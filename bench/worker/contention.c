/* SPDX-License-Identifier: MIT */
/* See contention.h. */
#include "bench/worker/contention.h"

#include "bench/worker/json.h"
#include "hakmem/base/contention.h"
#include "hakmem/base/lock.h"

#include <inttypes.h>
#include <stdio.h>

#if HAK_CONTENTION

struct totals {
    uint64_t ticks;
    struct contention_steps sites[CONTENTION_SITES_MAX];
    struct contention_holds locks[CONTENTION_LOCKS_MAX]; /* those not known yet are 0 */
};

static struct totals before, after;

static void totals_take(struct totals *totals) {
    struct contention_site site;
    uintptr_t line;
    unsigned rank;
    for (unsigned i = 0; hak_contention_site(i, &site, &line, &totals->sites[i]); i++) {
    }
    for (unsigned i = 0; hak_contention_lock(i, &rank, &totals->locks[i]); i++) {
    }
}

void contention_begin(void) {
    totals_take(&before);
    before.ticks = contention_clock();
}

void contention_end(void) {
    after.ticks = contention_clock();
    totals_take(&after);
}

static void print_sites(void) {
    struct contention_site site;
    struct contention_steps steps;
    uintptr_t line;
    const char *separator = "";
    for (unsigned i = 0; hak_contention_site(i, &site, &line, &steps); i++) {
        const uint64_t made = after.sites[i].steps - before.sites[i].steps;
        if (made != 0) {
            printf("%s{\"file\":\"%s\",\"function\":\"%s\"", separator, site.file, site.function);
            json_count("line", line);
            json_count("steps", made);
            json_count("moved", after.sites[i].moved - before.sites[i].moved);
            printf("}");
            separator = ",";
        }
    }
}

static void print_locks(void) {
    static const char *const names[] = {
        [HAK_RANK_PURGE] = "purge",         [HAK_RANK_THREADS] = "threads", [HAK_RANK_SHARED] = "shared",
        [HAK_RANK_GUARD] = "guard",         [HAK_RANK_PROFILE] = "profile", [HAK_RANK_RECORDS] = "records",
        [HAK_RANK_CLASS] = "class",         [HAK_RANK_HUGE] = "huge",       [HAK_RANK_REGION] = "region",
        [HAK_RANK_ZERO_SIZE] = "zero_size",
    };
    unsigned rank;
    struct contention_holds holds;
    const char *separator = "";
    for (unsigned i = 0; hak_contention_lock(i, &rank, &holds); i++) {
        const struct contention_holds *start = &before.locks[i], *end = &after.locks[i];
        if (end->acquired != start->acquired) {
            printf("%s{\"rank\":\"%s\"", separator, names[rank]);
            json_count("acquired", end->acquired - start->acquired);
            json_count("waited", end->waited - start->waited);
            json_count("moved", end->moved - start->moved);
            json_count("held", end->held - start->held);
            printf("}");
            separator = ",";
        }
    }
}

void contention_print(void) {
    printf(",\"contention\":{\"ticks\":%" PRIu64 ",\"sites\":[", after.ticks - before.ticks);
    print_sites();
    printf("],\"locks\":[");
    print_locks();
    printf("]}");
}

#else

void contention_begin(void) {}

void contention_end(void) {}

void contention_print(void) {}

#endif
