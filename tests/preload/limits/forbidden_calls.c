/* Forbids itself the system call of the first argument, or madvise but for MADV_DONTNEED: one more is its end. Then it fills
 * several regions, and frees and moves blocks of all sizes, in one thread. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), then, otherwise)

static void forbid(unsigned number) {
    struct sock_filter filter[] = {LOAD(nr), IS(number, 0, 1), KILL, ALLOW};
    struct sock_filter advice[] = {LOAD(nr), IS(number, 1, 0), ALLOW, LOAD(args[2]), IS(MADV_DONTNEED, 0, 1), ALLOW, KILL};
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (number == SYS_madvise) {
        program = (struct sock_fprog){sizeof advice / sizeof *advice, advice};
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) puts("no filter");
}

int main(int count, char **arguments) {
    static void *blocks[3000];
    const char *name = count > 1 ? arguments[1] : "";
    free(malloc(100));
    forbid(strcmp(name, "mincore") == 0 ? SYS_mincore : strcmp(name, "mprotect") == 0 ? SYS_mprotect : SYS_madvise);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            const size_t size = 20000 + 4 * i;
            blocks[i] = memset(malloc(size), 1, size);
        }
        for (unsigned i = 0; i < 3000; i++) free(blocks[i]);
        void *huge = malloc(3000000);
        huge = realloc(huge, 5000000);
        free(huge);
        free(realloc(malloc(100), 100000));
    }
    puts("alive");
    return 0;
}
