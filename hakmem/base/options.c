/* The options: their defaults, their table, and the scan of the environment.
 *
 * options_init runs while the allocator initialises itself, in one thread, perhaps before the C library is
 * ready: it reads `environ` itself and calls nothing that could allocate. An option is one line of the table. */
#include "hakmem/base/options.h"

#include <string.h>
#include <sys/auxv.h>

#include "hakmem/base/line.h"
#include "hakmem/base/warning.h"

extern char **environ;

#define PREFIX "HAKMEM_"

/* An hour: a longer delay is "never" in effect, and milliseconds of it stay far from any overflow. */
#define PURGE_DELAY_MS_MAX 3600000

struct hak_options hak_options = {.misuse_abort = 1, .purge_delay_ms = 1000};

/* Decimal, with an optional minus, nothing before or behind it. false where it is not within low..high. */
static bool parse_integer(const char *text, int64_t low, int64_t high, int64_t *out) {
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

static bool set_on_misuse(const char *value) {
    if (strcmp(value, "abort") != 0 && strcmp(value, "ignore") != 0) return false;
    hak_options.misuse_abort = value[0] == 'a';
    return true;
}

static bool set_purge_delay_ms(const char *value) {
    return parse_integer(value, -1, PURGE_DELAY_MS_MAX, &hak_options.purge_delay_ms);
}

struct option {
    const char *name;
    const char *allowed;            /* for the user: the values, and the default */
    bool (*set)(const char *value); /* false, and nothing changed, where the value is not allowed */
};

static const struct option options[] = {
    {"HAKMEM_ON_MISUSE", "abort or ignore, default abort", set_on_misuse},
    {"HAKMEM_PURGE_DELAY_MS", "-1 (never) to 3600000, default 1000", set_purge_delay_ms},
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

static void warn_unknown(const char *entry) {
    struct hak_line known;
    line_start(&known);
    line_text(&known, "known are ");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (i != 0) line_text(&known, ", ");
        line_text(&known, options[i].name);
        line_text(&known, " (");
        line_text(&known, options[i].allowed);
        line_text(&known, ")");
    }
    report_warning("no such option", entry, line_string(&known));
}

static void warn_malformed(const char *entry, const struct option *option) {
    struct hak_line allowed;
    line_start(&allowed);
    line_text(&allowed, "allowed: ");
    line_text(&allowed, option->allowed);
    report_warning("value not allowed, the default holds", entry, line_string(&allowed));
}

/* `entry` is "NAME=value"; without a '=' the value is empty. */
static void apply(const char *entry) {
    size_t name_length = strcspn(entry, "=");
    const char *value = entry + name_length + (entry[name_length] == '=');
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        if (strlen(option->name) != name_length || memcmp(option->name, entry, name_length) != 0) continue;
        if (!option->set(value)) warn_malformed(entry, option);
        return;
    }
    warn_unknown(entry);
}

void options_init(void) {
    /* Whoever starts a set-user-id program must not switch its checks off. */
    if (getauxval(AT_SECURE) != 0) return;
    if (environ == NULL) return;
    for (char **entry = environ; *entry != NULL; entry++) {
        if (strncmp(*entry, PREFIX, sizeof PREFIX - 1) == 0) apply(*entry);
    }
}
