/* See process.h. */
#include "hakmem/magazine/process.h"

#include <pthread.h>

#include "hakmem/base/options.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/region/page_map.h"

static pthread_once_t process_once = PTHREAD_ONCE_INIT;

static void process_init(void) {
    options_init();
    page_map_init();
    thread_init();
}

void process_begin(void) { pthread_once(&process_once, process_init); }
