/* SPDX-License-Identifier: MIT */
/* The C++ runtime among what the process has loaded; see cxx_runtime.h.
 *
 * A C++ program has its runtime loaded before this library is bound, and the weak references below lead to it. A C
 * program may load C++ libraries later; then the runtime is looked up when it is needed, first among what all
 * libraries see, then among what the caller's library does. Nothing is remembered: libraries may go again. */
#include <dlfcn.h>
#include <stdlib.h>

#include "hakmem/base/warning.h"
#include "hakmem/preload/cxx_runtime.h"
#include "hakmem/preload/operators.h"

/* std::get_new_handler() and std::__throw_bad_alloc(), of libstdc++ and libc++ alike. */
#define GET_NEW_HANDLER _ZSt15get_new_handlerv
#define THROW_BAD_ALLOC _ZSt17__throw_bad_allocv
extern cxx_handler GET_NEW_HANDLER(void) __attribute__((weak));
extern void THROW_BAD_ALLOC(void) __attribute__((weak));

#define NAME_OF(symbol) NAME_OF_EXPANDED(symbol)
#define NAME_OF_EXPANDED(symbol) #symbol

/* What the library of `caller` sees under `name`; NULL: nothing. */
static void *lookup_from(const void *caller, const char *name) {
    Dl_info info;
    if (dladdr(caller, &info) == 0) {
        return NULL;
    }
    void *library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL) {
        return NULL;
    }
    void *found = dlsym(library, name);
    /* The library stays, since its code is what runs, and with it what it depends on. */
    dlclose(library);
    return found;
}

static void *lookup(const void *caller, const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    return found != NULL ? found : lookup_from(caller, name);
}

cxx_handler hak_cxx_new_handler(const void *caller) {
    cxx_handler (*get)(void) = GET_NEW_HANDLER;
    if (get == NULL) {
        *(void **)&get = lookup(caller, NAME_OF(GET_NEW_HANDLER));
    }
    return get != NULL ? get() : NULL;
}

void hak_cxx_throw_bad_alloc(const void *caller) {
    void (*throw_it)(void) = THROW_BAD_ALLOC;
    if (throw_it == NULL) {
        *(void **)&throw_it = lookup(caller, NAME_OF(THROW_BAD_ALLOC));
    }
    if (throw_it != NULL) {
        throw_it();
    }
    hak_report_warning("no memory, and no C++ runtime that could throw std::bad_alloc", "operator new", NULL);
    abort();
}

/* C cannot catch. The runtime's own nothrow forms can: they call the throwing form, whosever it is, inside a try. They
 * are the next definition after this library's, or what the caller's library sees without it. */
struct caught_form {
    const char *name;
    const void *own;
};

static const struct caught_form caught_forms[] = {
    [CXX_NEW] = {"_ZnwmRKSt9nothrow_t", (const void *)_ZnwmRKSt9nothrow_t},
    [CXX_NEW_ARRAY] = {"_ZnamRKSt9nothrow_t", (const void *)_ZnamRKSt9nothrow_t},
    [CXX_NEW_ALIGNED] = {"_ZnwmSt11align_val_tRKSt9nothrow_t", (const void *)_ZnwmSt11align_val_tRKSt9nothrow_t},
    [CXX_NEW_ARRAY_ALIGNED] = {"_ZnamSt11align_val_tRKSt9nothrow_t", (const void *)_ZnamSt11align_val_tRKSt9nothrow_t},
};

void *hak_cxx_new_caught(enum cxx_new form, size_t size, size_t alignment, const void *caller) {
    const struct caught_form *wanted = &caught_forms[form];
    void *found = dlsym(RTLD_NEXT, wanted->name);
    if (found == NULL) {
        found = lookup_from(caller, wanted->name);
    }
    if (found == NULL || found == wanted->own) {
        return NULL;
    }
    if (form == CXX_NEW || form == CXX_NEW_ARRAY) {
        void *(*plain)(size_t, const void *);
        *(void **)&plain = found;
        return plain(size, "");
    }
    void *(*aligned)(size_t, size_t, const void *);
    *(void **)&aligned = found;
    return aligned(size, alignment, "");
}
