/* A disk that takes half a second to have something for good, for memory.sh: preloaded, every fsync
 * of the worker waits before it is done. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void wait_for_it(void) {
    struct timespec half = {0, 500000000};
    nanosleep(&half, 0);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_for_it();
    return real(file);
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_it();
    return real(file);
}
