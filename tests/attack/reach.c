/* SPDX-License-Identifier: MIT */
/* What a wild index reaches, and attempts and starts in processes of their own. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/attack/attack.h"

#define PAGE_BYTES 4096
#define RANGES_MAX 8192
#define STARTS_MAX 1000
#define STARTS_VARIABLE "ATTACK_STARTS"
#define GAINED 42

struct range {
    uintptr_t start, end;
    bool writable; /* memory of nobody's file and no stack */
};

static char maps[1 << 20];
static struct range ranges[RANGES_MAX];
static unsigned range_count;

static void read_ranges(void) {
    const int file = open("/proc/self/maps", O_RDONLY);
    size_t size = 0;
    for (ssize_t n = 1; n > 0 && size < sizeof maps - 1; size += (size_t)n) {
        n = read(file, maps + size, sizeof maps - 1 - size);
        attack_require(n >= 0);
    }
    close(file);
    maps[size] = 0;
    range_count = 0;
    for (char *line = maps, *next; *line != 0 && range_count < RANGES_MAX; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = 0;
        unsigned long start = 0, end = 0;
        char rights[8] = "", path[16] = "";
        sscanf(line, "%lx-%lx %7s %*s %*s %*s %15s", &start, &end, rights, path);
        const bool is_own = (uintptr_t)maps - start < end - start || (uintptr_t)attack_target - start < end - start;
        ranges[range_count++] = (struct range){
            start, end,
            strncmp(rights, "rw-p", 4) == 0 && !is_own && strncmp(path, "[stack", 6) != 0 && path[0] != '/'};
    }
}

static void visit_page(uintptr_t page, void (*visit)(uint64_t *word)) {
    for (uintptr_t at = page; at < page + PAGE_BYTES; at += 8) {
        if (!attack_is_owned(at)) visit((uint64_t *)at);
    }
}

/* Of the first 32 MiB of [start, end). */
static void visit_resident(uintptr_t start, uintptr_t end, void (*visit)(uint64_t *word)) {
    static unsigned char resident[ATTACK_REACH_BYTES / PAGE_BYTES];
    if (end - start > ATTACK_REACH_BYTES) end = start + ATTACK_REACH_BYTES;
    if (mincore((void *)start, end - start, resident) != 0) return;
    for (uintptr_t page = start; page < end; page += PAGE_BYTES) {
        if ((resident[(page - start) / PAGE_BYTES] & 1) != 0) visit_page(page, visit);
    }
}

static uintptr_t least(uintptr_t a, uintptr_t b) { return a < b ? a : b; }

static uintptr_t most(uintptr_t a, uintptr_t b) { return a > b ? a : b; }

/* Of each range the part in the reach of p, or those before and behind it. */
static void visit_words(const void *p, bool near, void (*visit)(uint64_t *word)) {
    const uintptr_t base = (uintptr_t)p & ~(ATTACK_REACH_BYTES - 1), top = base + ATTACK_REACH_BYTES;
    read_ranges();
    for (unsigned i = 0; i < range_count; i++) {
        const struct range *const range = &ranges[i];
        if (!range->writable) continue;
        const uintptr_t from = most(range->start, base), to = least(range->end, top);
        if (near && from < to) visit_resident(from, to, visit);
        if (!near && range->start < base) visit_resident(range->start, least(range->end, base), visit);
        if (!near && range->end > top) visit_resident(most(range->start, top), range->end, visit);
    }
}

void attack_for_each_word(const void *p, void (*visit)(uint64_t *word)) { visit_words(p, true, visit); }

void attack_for_each_far_word(const void *p, void (*visit)(uint64_t *word)) { visit_words(p, false, visit); }

static struct { uint64_t *word, value; } kept[1 << 20];
static unsigned kept_count;

static void keep_word(uint64_t *word) {
    if (kept_count == sizeof kept / sizeof kept[0]) return;
    kept[kept_count].word = word;
    kept[kept_count++].value = *word;
}

void attack_keep_words(const void *p) {
    kept_count = 0;
    attack_for_each_word(p, keep_word);
}

void attack_restore_words(void) {
    for (unsigned i = 0; i < kept_count; i++) {
        if (*kept[i].word != kept[i].value && !attack_is_owned((uintptr_t)kept[i].word)) {
            *kept[i].word = kept[i].value;
        }
    }
}

bool attack_is_mapped(uint64_t value) {
    if (range_count == 0) read_ranges();
    for (unsigned i = 0; i < range_count; i++) {
        if (value >= ranges[i].start && value < ranges[i].end) return true;
    }
    return false;
}

static int child_of(unsigned number, bool (*attempt)(unsigned number)) {
    const pid_t child = fork();
    attack_require(child >= 0);
    if (child == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        alarm(5); /* what was forged may be a circle */
        _exit(attempt(number) ? GAINED : 1);
    }
    int status = 0;
    attack_require(waitpid(child, &status, 0) == child);
    return status;
}

void attack_try(unsigned attempts, bool (*attempt)(unsigned number), const char *what) {
    unsigned stopped = attempts;
    attack_begin();
    for (unsigned i = 0; i < attempts; i++) {
        const int status = child_of(i, attempt);
        if (WIFEXITED(status) && WEXITSTATUS(status) == GAINED) attack_gained(what);
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM && stopped == attempts) stopped = i;
    }
    const bool gained = stopped < attempts && attempt(stopped);
    attack_over();
    attack_end(gained, what);
}

static uint64_t samples[STARTS_MAX];

static uint64_t sample_of_start(char **argv) {
    int ends[2];
    attack_require(pipe(ends) == 0);
    const pid_t child = fork();
    attack_require(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", argv[0], argv[1], "sample", (char *)NULL);
        _exit(4);
    }
    uint64_t sample = 0;
    attack_require(read(ends[0], &sample, sizeof sample) == sizeof sample);
    close(ends[0]);
    close(ends[1]);
    attack_require(waitpid(child, NULL, 0) == child);
    return sample;
}

static unsigned take_samples(char **argv, uint64_t (*sample)(size_t size)) {
    if (argv[2] != NULL) {
        const uint64_t own = sample(attack_size(argv));
        _exit(write(STDOUT_FILENO, &own, sizeof own) == sizeof own ? 0 : 4);
    }
    const char *const wanted = getenv(STARTS_VARIABLE);
    const unsigned starts = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : STARTS_MAX;
    attack_require(starts > 1 && starts <= STARTS_MAX);
    attack_begin();
    for (unsigned i = 0; i < starts; i++) samples[i] = sample_of_start(argv);
    attack_over();
    return starts;
}

unsigned attack_equal_permille(char **argv, uint64_t (*sample)(size_t size)) {
    const unsigned starts = take_samples(argv, sample);
    unsigned equal = 0;
    for (unsigned i = 0; i < starts; i++) {
        for (unsigned k = 0; k < i; k++) equal += samples[k] == samples[i];
    }
    return (unsigned)(equal * 2000ul / (starts * (starts - 1ul)));
}

unsigned attack_varying_bits(char **argv, uint64_t (*sample)(size_t size)) {
    const unsigned starts = take_samples(argv, sample);
    unsigned varying = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        unsigned ones = 0;
        for (unsigned i = 0; i < starts; i++) ones += samples[i] >> bit & 1;
        varying += ones * 4 >= starts && ones * 4 <= starts * 3;
    }
    return varying;
}
