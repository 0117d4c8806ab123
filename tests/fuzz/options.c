/* SPDX-License-Identifier: MIT */
/* See options.h. The linker has hak_report_warning's callers call __wrap_hak_report_warning. */
#include "tests/fuzz/options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/base/options.h"

#define PREFIX "HAKMEM_"
#define DELAY PREFIX "PURGE_DELAY_MS="
#define DELAY_MOST 3600000
#define RATE_MOST ((int64_t)1 << 40)
#define ENTRY_BYTES 8192u

extern char **environ;

void __wrap_hak_report_warning(const char *text, const char *subject, const char *remedy);

static unsigned warnings;

void __wrap_hak_report_warning(const char *text, const char *subject, const char *remedy) {
    (void)text;
    (void)subject;
    (void)remedy;
    warnings++;
}

static bool ends(const char *text, size_t bytes) { return memchr(text, '\0', bytes) != NULL; }

static const char *out_of_range(void) {
    const struct hak_options *const now = &hak_options;
    if ((unsigned)now->on_misuse > HAK_ON_MISUSE_IGNORE) return "HAKMEM_ON_MISUSE is out of range";
    if ((unsigned)now->thp > HAK_THP_AUTO) return "HAKMEM_THP is out of range";
    if ((unsigned)now->purge_thread > HAK_PURGE_THREAD_AUTO) return "HAKMEM_PURGE_THREAD is out of range";
    if ((now->guard & ~(unsigned)HAK_FEATURE_ALL) != 0) return "HAKMEM_GUARD is out of range";
    if (now->purge_delay_ms < -1 || now->purge_delay_ms > DELAY_MOST) return "HAKMEM_PURGE_DELAY_MS is out of range";
    if (now->profile_frames < 0 || now->profile_frames > PROFILE_FRAMES_MAX)
        return "HAKMEM_PROFILE_FRAMES is out of range";
    if (now->profile_rate < 0 || now->profile_rate > RATE_MOST) return "HAKMEM_PROFILE_RATE is out of range";
    if ((unsigned)now->stats > HAK_STATS_AT_EXIT_PROMETHEUS) return "HAKMEM_STATS is out of range";
    if (!ends(now->profile, sizeof now->profile)) return "HAKMEM_PROFILE has no end";
    if (!ends(now->stats_path, sizeof now->stats_path)) return "the path of HAKMEM_STATS has no end";
    return NULL;
}

/* By the C library: an optional minus, digits, nothing else, in the range. */
static bool is_delay(const char *text, int64_t *value) {
    const char *const digits = text + (*text == '-');
    if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits)) return false;
    *value = strtoll(text, NULL, 10); /* what is too large for it is out of the range all the same */
    return *value >= -1 && *value <= DELAY_MOST;
}

static const char *check_delay(const char *text, const struct hak_options *before) {
    int64_t value = before->purge_delay_ms;
    if (is_delay(text, &value) != (warnings == 0))
        return "HAKMEM_PURGE_DELAY_MS takes what it should not, or the reverse";
    if (warnings == 0 && hak_options.purge_delay_ms != value) return "HAKMEM_PURGE_DELAY_MS is another number";
    return NULL;
}

static const char *run_entry(char *entry) {
    static struct hak_options before;
    char *environment[] = {entry, NULL};
    if (strcmp(entry, PREFIX "HELP=1") == 0) return NULL; /* it says much, and changes nothing */
    memcpy(&before, &hak_options, sizeof before);
    environ = environment;
    warnings = 0;
    hak_options_init();
    if (warnings > 1) return "more than one warning of one variable";
    if (warnings == 1 && memcmp(&before, &hak_options, sizeof before) != 0) return "a refused value changed an option";
    if (strncmp(entry, DELAY, sizeof DELAY - 1) == 0) {
        const char *const wrong = check_delay(entry + sizeof DELAY - 1, &before);
        if (wrong != NULL) return wrong;
    }
    return out_of_range();
}

const char *options_run(const uint8_t *bytes, size_t count) {
    static struct hak_options first;
    static char entry[ENTRY_BYTES];
    char **const environment = environ;
    const char *wrong = NULL;
    memcpy(&first, &hak_options, sizeof first);
    for (size_t at = 0, length; at < count && wrong == NULL; at += length + 1) {
        const uint8_t *const end = memchr(bytes + at, '\n', count - at);
        length = end != NULL ? (size_t)(end - (bytes + at)) : count - at;
        const bool is_whole = length >= sizeof PREFIX - 1 && memcmp(bytes + at, PREFIX, sizeof PREFIX - 1) == 0;
        const size_t prefix = is_whole ? 0 : sizeof PREFIX - 1;
        const size_t copied = length < sizeof entry - sizeof PREFIX ? length : sizeof entry - sizeof PREFIX;
        memcpy(entry, PREFIX, prefix);
        memcpy(entry + prefix, bytes + at, copied);
        entry[prefix + copied] = '\0';
        wrong = run_entry(entry);
    }
    environ = environment;
    memcpy(&hak_options, &first, sizeof first);
    return wrong;
}
