/* SPDX-License-Identifier: MIT */
/* The options: their defaults, a table of them, and the parser of the environment.
 *
 * hak_options_init runs in one thread while the allocator initialises itself, possibly before the C library is ready.
 * So it reads the environment itself and calls nothing that could allocate. Each option is one line of the table. */
#include "hakmem/base/options.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "hakmem/base/c_library.h"
#include "hakmem/base/text.h"
#include "hakmem/base/warning.h"
#include "hakmem/flags/guard.h"

extern char **environ;

#define PREFIX "HAKMEM_"

/* An hour: a longer delay is "never" in effect, and milliseconds of it stay far from any overflow. */
#define PURGE_DELAY_MS_MAX 3600000

/* 1 TiB: a larger distance is "no sample" in effect. */
#define OPTIONS_PROFILE_RATE_MAX ((int64_t)1 << 40)

struct hak_options hak_options = {
    .on_misuse = HAK_ON_MISUSE_ABORT,
    .thp = HAK_THP_AUTO,
    .guard = HAK_GUARD_FULL ? HAK_FEATURE_ALL : 0,
    .purge_delay_ms = 750,
    .profile_frames = PROFILE_FRAMES_MAX,
    .purge_thread = HAK_PURGE_THREAD_AUTO,
    .map_threshold = SIZE_MAX,
};

bool hak_option_integer(const char *text, int64_t low, int64_t high, int64_t *out) {
    bool negative = *text == '-';
    if (negative) text++;
    if (*text == '\0') return false;
    int64_t value = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, *text - '0', &value)) return false;
    }
    if (negative) value = -value;
    if (value < low || value > high) return false;
    *out = value;
    return true;
}

static bool set_help(const char *value);

/* The position among the names of the text of `length` bytes, or `count`. */
static unsigned find_name(const char *text, size_t length, const char *const *names, unsigned count) {
    unsigned i = 0;
    while (i < count && (strlen(names[i]) != length || memcmp(text, names[i], length) != 0)) i++;
    return i;
}

static bool set_on_misuse(const char *value) {
    static const char *const names[] = {
        [HAK_ON_MISUSE_ABORT] = "abort",
        [HAK_ON_MISUSE_REPORT] = "report",
        [HAK_ON_MISUSE_IGNORE] = "ignore",
    };
    const unsigned found = find_name(value, strlen(value), names, sizeof names / sizeof names[0]);
    if (found == sizeof names / sizeof names[0]) return false;
    hak_options.on_misuse = (enum hak_on_misuse)found;
    return true;
}

static bool set_thp(const char *value) {
    static const char *const names[] = {
        [HAK_THP_NEVER] = "never",
        [HAK_THP_MADVISE] = "madvise",
        [HAK_THP_AUTO] = "auto",
    };
    const unsigned found = find_name(value, strlen(value), names, sizeof names / sizeof names[0]);
    if (found == sizeof names / sizeof names[0]) return false;
    hak_options.thp = (enum hak_thp)found;
    return true;
}

static bool set_purge_thread(const char *value) {
    static const char *const names[] = {
        [HAK_PURGE_THREAD_NEVER] = "0",
        [HAK_PURGE_THREAD_ALONE] = "1",
        [HAK_PURGE_THREAD_AUTO] = "auto",
    };
    const unsigned found = find_name(value, strlen(value), names, sizeof names / sizeof names[0]);
    if (found == sizeof names / sizeof names[0]) return false;
    hak_options.purge_thread = (enum hak_purge_thread)found;
    return true;
}

static const char *const feature_names[] = {"zero",   "check", "canary",    "quarantine",
                                            "random", "pages", "zero_size", "metadata"};

#define FEATURE_COUNT (sizeof feature_names / sizeof feature_names[0])

/* The feature whose name is text[0..length); 0: there is none. */
static unsigned parse_feature(const char *text, size_t length) {
    for (unsigned i = 0; i < FEATURE_COUNT; i++) {
        if (strlen(feature_names[i]) == length && memcmp(feature_names[i], text, length) == 0) return 1u << i;
    }
    return 0;
}

static bool set_guard(const char *value) {
    unsigned features = 0;
    if (strcmp(value, "all") == 0) {
        features = HAK_FEATURE_ALL;
    } else if (strcmp(value, "none") != 0) {
        for (;; value++) {
            const size_t length = strcspn(value, ",");
            const unsigned feature = parse_feature(value, length);
            if (feature == 0) return false;
            features |= feature;
            value += length;
            if (*value == '\0') break;
        }
    }
    if (!HAK_GUARD_FULL) return features == 0;
    hak_options.guard = features | ((features & HAK_FEATURE_CHECK) != 0 ? HAK_FEATURE_ZERO : 0u);
    return true;
}

static bool set_purge_delay_ms(const char *value) {
    return hak_option_integer(value, -1, PURGE_DELAY_MS_MAX, &hak_options.purge_delay_ms);
}

/* The text may be overwritten later, by a program that sets its title say, so it is copied. */
static bool set_profile(const char *value) {
    const size_t length = strlen(value);
    if (length == 0 || length >= HAK_PATH_BYTES) return false;
    memcpy(hak_options.profile, value, length + 1);
    return true;
}

static bool set_profile_frames(const char *value) {
    return hak_option_integer(value, 0, PROFILE_FRAMES_MAX, &hak_options.profile_frames);
}

static bool set_profile_rate(const char *value) {
    return hak_option_integer(value, 1, OPTIONS_PROFILE_RATE_MAX, &hak_options.profile_rate);
}

/* FORMAT or FORMAT:FILE */
static bool set_stats(const char *value) {
    static const char *const names[] = {"text", "json", "prometheus"};
    const unsigned count = sizeof names / sizeof names[0];
    const size_t length = strcspn(value, ":");
    const unsigned format = find_name(value, length, names, count);
    if (format == count) return false;
    if (value[length] == ':') {
        const char *path = value + length + 1;
        const size_t path_length = strlen(path);
        if (path_length == 0 || path_length >= sizeof hak_options.stats_path) return false;
        memcpy(hak_options.stats_path, path, path_length + 1);
    }
    hak_options.stats = (enum hak_stats_at_exit)(HAK_STATS_AT_EXIT_TEXT + format);
    return true;
}

static bool set_flag(const char *value, bool *flag) {
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) return false;
    *flag = *value == '1';
    return true;
}

static bool set_dump_signal(const char *value) {
    static const char *const names[] = {"HUP", "INT", "QUIT", "TERM"};
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    const unsigned count = sizeof names / sizeof names[0];
    const unsigned found = find_name(value, strlen(value), names, count);
    if (found == count) return false;
    hak_options.dump_signal = numbers[found];
    return true;
}

static bool set_leaks(const char *value) { return set_flag(value, &hak_options.leaks); }
static bool set_numa(const char *value) { return set_flag(value, &hak_options.numa); }
static bool set_publish(const char *value) { return set_flag(value, &hak_options.publish); }

/* Ascending, as HAKMEM_HELP prints them. */
static const struct hak_option options[] = {
    {"HAKMEM_DUMP_SIGNAL", "HUP, INT, QUIT or TERM, default none",
     "a signal that ends the program, unless it handles it: profile and list of leaks are written first",
     set_dump_signal},
    {"HAKMEM_GUARD",
     HAK_GUARD_FULL ? "all, none, or a list of zero, check, canary, quarantine, random, pages, zero_size and metadata, "
                      "joined by commas, default all"
                    : "none, default none",
     "what the full guard build, and no other, does besides finding invalid frees", set_guard},
    {"HAKMEM_HELP", "0 or 1, default 0", "prints this list on standard error, and the program goes on", set_help},
    {"HAKMEM_LEAKS", "0 or 1, default 0",
     "lists on standard error, at exit, the blocks that are still live, by path of calls; all of them without "
     "HAKMEM_PROFILE_RATE",
     set_leaks},
    {"HAKMEM_NUMA", "0 or 1, default 0",
     "whether threads prefer memory of the NUMA node that they run on, where the machine has several", set_numa},
    {"HAKMEM_ON_MISUSE", "abort, report or ignore, default abort",
     "what an invalid or double free does: a line on standard error and abort, the line alone, or nothing",
     set_on_misuse},
    {"HAKMEM_PROFILE", "a path of at most 4095 bytes, default none",
     "samples allocations and writes the profile there at exit, %p being the process: for pprof, or for google-pprof "
     "where the path ends in .heap",
     set_profile},
    {"HAKMEM_PROFILE_FRAMES", "0 to 32, default 32",
     "callers of each sampled allocation's call that the profile and the list of leaks keep; 0: the call alone",
     set_profile_frames},
    {"HAKMEM_PROFILE_RATE", "1 to 1099511627776, default 524288",
     "bytes between two samples of the profile, on average; 1: every allocation; at the default more in a thread that "
     "would spend more than about a hundredth of its time on samples",
     set_profile_rate},
    {"HAKMEM_PUBLISH", "0 or 1, default 0",
     "publishes the statistics twice a second in shared memory, for hakmem stat and top; hakmem profile can switch the "
     "profile on there",
     set_publish},
    {"HAKMEM_PURGE_DELAY_MS", "-1 to 3600000, default 750",
     "milliseconds after which freed memory goes back to the system; 0 at once, -1 never", set_purge_delay_ms},
    {"HAKMEM_PURGE_THREAD", "auto, 0 or 1, default auto",
     "whether a thread gives freed memory back while the program sleeps: in programs with several threads, never, or "
     "always; without it a sleeping program keeps up to 16 MiB, or as much as it uses; where it was seen to take "
     "freed memory back at once up to 256 MiB, or twice what it uses",
     set_purge_thread},
    {"HAKMEM_STATS", "text, json or prometheus, each alone or with :FILE, default none",
     "writes all statistics when the program ends, on standard error or to FILE, where %p stands for the process",
     set_stats},
    {"HAKMEM_THP", "never, madvise or auto, default auto",
     "where the system is asked for huge pages: nowhere, wherever one fits, or 2 s after 32 MiB are well in use",
     set_thp},
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

/* Those of the build beside the table; set before the environment is read. */
static const struct hak_option *options_further;
static size_t options_further_count;

void hak_options_add(const struct hak_option *further, size_t count) {
    options_further = further;
    options_further_count = count;
}

static size_t option_count(void) { return OPTION_COUNT + options_further_count; }

static const struct hak_option *option_at(size_t i) {
    return i < OPTION_COUNT ? &options[i] : &options_further[i - OPTION_COUNT];
}

static bool set_help(const char *value) {
    bool wanted;
    if (!set_flag(value, &wanted)) return false;
    for (size_t i = 0; wanted && i < option_count(); i++) {
        TEXT_LINE(line);
        hak_text_add(&line, "hakmem: option: ");
        hak_text_add(&line, option_at(i)->name);
        hak_text_add(&line, " (");
        hak_text_add(&line, option_at(i)->allowed);
        hak_text_add(&line, "): ");
        hak_text_add(&line, option_at(i)->meaning);
        hak_text_write_line(&line, STDERR_FILENO);
    }
    return true;
}

static void warn_unknown(const char *entry) {
    TEXT_LINE(known);
    hak_text_add(&known, "known are ");
    for (size_t i = 0; i < option_count(); i++) {
        if (i != 0) hak_text_add(&known, ", ");
        hak_text_add(&known, option_at(i)->name);
    }
    hak_text_add(&known, "; HAKMEM_HELP=1 explains them");
    hak_report_warning("no such option", entry, hak_text_string(&known));
}

static void warn_malformed(const char *entry, const struct hak_option *option) {
    TEXT_LINE(allowed);
    hak_text_add(&allowed, "allowed: ");
    hak_text_add(&allowed, option->allowed);
    hak_report_warning("value not allowed, the default holds", entry, hak_text_string(&allowed));
}

/* `entry` is "NAME=value"; without a '=' the value is empty. */
static void apply(const char *entry) {
    size_t name_length = strcspn(entry, "=");
    const char *value = entry + name_length + (entry[name_length] == '=');
    for (size_t i = 0; i < option_count(); i++) {
        const struct hak_option *option = option_at(i);
        if (strlen(option->name) != name_length || memcmp(option->name, entry, name_length) != 0) continue;
        if (!option->set(value)) warn_malformed(entry, option);
        return;
    }
    warn_unknown(entry);
}

/* `environ` is set by the C library's first constructor; a library that is initialised before that finds what the
 * kernel left on the stack. */
static char **environment(void) { return environ != NULL ? environ : c_library_environment(); }

static bool is_option(const char *entry) { return strncmp(entry, PREFIX, sizeof PREFIX - 1) == 0; }

/* Some options name files, which the programs that this one starts would write as its user. The C library takes such variables of its
 * own away likewise. */
static void forget_options(void) {
    char **kept = environment();
    for (char **entry = kept; *entry != NULL; entry++) {
        if (!is_option(*entry)) *kept++ = *entry;
    }
    *kept = NULL;
}

void hak_options_init(void) {
    /* Whoever starts a set-user-id program must not switch its checks off. */
    if (getauxval(AT_SECURE) != 0) {
        forget_options();
        return;
    }
    for (char **entry = environment(); *entry != NULL; entry++) {
        if (is_option(*entry)) apply(*entry);
    }
}
