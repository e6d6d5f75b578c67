/* What SQLite's shell asks of a system and a sandbox does not have. wasi-libc declares it if one says so, and leaves it
 * to libraries that pretend. */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Nobody sends signals: Ctrl-C ends the process. */
void (*signal(int number, void (*handler)(int)))(int) {
    (void)number;
    (void)handler;
    return 0;
}

/* Where it raises one itself, it goes on no longer. */
int raise(int number) {
    (void)number;
    abort();
}

/* It goes into names of files that nobody else can see. */
pid_t getpid(void) {
    return 1;
}

/* How long it took is known (`.timer on` shows it), and not how much of that was the processor's. */
int getrusage(int who, struct rusage *usage) {
    (void)who;
    memset(usage, 0, sizeof *usage);
    return 0;
}
