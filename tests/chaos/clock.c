/* A time of day that differs from the machine's by as many seconds as the file CHAOS_CLOCK holds (8 bytes, native int64).
   Waits until a time of that clock are told the machine's: the kernel knows no other, and an hour too early or too late
   would be a fault of this file and not of a clock. Times of other clocks count from the machine's start, so that they
   are small numbers.
   cc -shared -fPIC -O2 -o clock.so clock.c -ldl; LD_PRELOAD=clock.so CHAOS_CLOCK=FILE program ... */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none = 0, *offset = &none;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("CHAOS_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (file < 0) return;
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real_gettime) real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real_gettime(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &found)) return -1;
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

static const time_t day_of_calendars = 1000000000; /* 2001 */

static struct timespec machines(const struct timespec *until) {
    struct timespec found = *until;
    if (found.tv_sec > day_of_calendars) found.tv_sec -= *offset;
    return found;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec moved = machines(until);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return real(cond, mutex, &moved);
}

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    struct timespec moved = machines(until);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    return real(cond, mutex, clock, &moved);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    static int (*real)(sem_t *, const struct timespec *);
    struct timespec moved = machines(until);
    if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
    return real(semaphore, &moved);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    static int (*real)(sem_t *, clockid_t, const struct timespec *);
    struct timespec moved = machines(until);
    if (!real) real = dlsym(RTLD_NEXT, "sem_clockwait");
    return real(semaphore, clock, &moved);
}

/* Ray's libraries wait by the system call itself. */
long syscall(long number, ...) {
    static long (*real)(long, ...);
    struct timespec moved;
    long given[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) given[i] = va_arg(rest, long);
    va_end(rest);
    if (!real) real = dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME) && given[3]) {
        moved = machines((const struct timespec *)given[3]);
        given[3] = (long)&moved;
    }
    return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
