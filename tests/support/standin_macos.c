/* A stand-in for macOS: the functions that the seatbelt backend asks, on Linux. Preloaded into the probe programs it also refuses
 * their calls on files.
 *
 * Profiles are understood line by line: `(deny OPERATION (FILTER "VALUE"))` refuses exactly that, everything else is allowed.
 * What the environment says makes it misbehave:
 *   STANDIN_SANDBOXED     this process and all others have a profile already
 *   STANDIN_INIT=ERRNO    sandbox_init fails for every profile but the control profile; words in STANDIN_WORDS
 *   STANDIN_APPLY=ERRNO   sandbox_apply fails
 *   STANDIN_SHIFT         sandbox_check takes the numbers of compiled filters
 *   STANDIN_CRASH         dies while a profile with a deny is put in force
 *   STANDIN_LAUNCHD       every process is a child of launchd
 *   STANDIN_LOST          rights to services are gone once a profile is in force
 *   STANDIN_SIP=BITS      what csr_get_active_config says; without it that fails */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct {
    const char *builtin;
    const unsigned char *data;
    size_t size;
} profile;

typedef struct {
    unsigned words[8];
} token;

#define RULES 256
static struct {
    char operation[64], filter[64], value[512];
} rules[RULES];
static int count, confined;

const int SANDBOX_CHECK_NO_REPORT = 0x40000000, SANDBOX_CHECK_CANONICAL = 0x20000000;
const unsigned mach_task_self_ = 515, bootstrap_port = 1803;

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static int refused(const char *operation, const char *value) {
    for (int at = 0; at < count; at++)
        if (!strcmp(rules[at].operation, operation) && (!value || !strcmp(rules[at].value, value))) return 1;
    return 0;
}

static void take(const char *text) {
    confined = 1;
    while (text && *text && count < RULES) {
        if (sscanf(text, "(deny %63s (%63s \"%511[^\"]\"))", rules[count].operation, rules[count].filter,
                   rules[count].value) == 3)
            count++;
        text = strchr(text, '\n');
        if (text) text++;
    }
}

static int fail(int error, char **words) {
    const char *text = getenv("STANDIN_WORDS");
    if (words) *words = strdup(text ? text : strerror(error));
    errno = error;
    return -1;
}

int sandbox_init(const char *text, uint64_t flags, char **words) {
    (void)flags;
    *words = NULL;
    if (getenv("STANDIN_CRASH") && strstr(text, "(deny")) abort();
    if (getenv("STANDIN_SANDBOXED") || confined) return fail(EPERM, words);
    if (number("STANDIN_INIT") && strstr(text, "(deny")) return fail(number("STANDIN_INIT"), words);
    take(text);
    return 0;
}

int sandbox_init_with_parameters(const char *text, uint64_t flags, const char *const *pairs, char **words) {
    for (; *pairs; pairs += 2) fprintf(stderr, "parameter %s=%s\n", pairs[0], pairs[1]);
    return sandbox_init(text, flags, words);
}

void sandbox_free_error(char *words) { free(words); }

int sandbox_apply(profile *given) {
    if (given->builtin) return fail(EINVAL, NULL);
    if (getenv("STANDIN_SANDBOXED") || confined) return fail(EPERM, NULL);
    if (number("STANDIN_APPLY")) return fail(number("STANDIN_APPLY"), NULL);
    confined = 1;
    return 0;
}

static const char *const kinds[] = {"",           "literal",   "global-name", "local-name",        "appleevent-destination",
                                    "right-name", "preference-domain", "kext-bundle-id", "info-type", "notification-name",
                                    "",           "",          "xpc-service-name", "iokit-connection"};

static int decide(const char *operation, int type, const char *value) {
    if (!operation) return getenv("STANDIN_SANDBOXED") || confined;
    int kind = type & 0xffff;
    if (getenv("STANDIN_SHIFT")) kind -= 3;
    if (kind < 0 || kind >= (int)(sizeof kinds / sizeof *kinds)) {
        errno = EINVAL;
        return -1;
    }
    if ((type & SANDBOX_CHECK_CANONICAL) && value && strstr(value, "..")) {
        errno = EINVAL;
        return -1;
    }
    for (int at = 0; at < count; at++)
        if (!strcmp(rules[at].operation, operation) && !strcmp(rules[at].filter, kinds[kind]) && value &&
            !strcmp(rules[at].value, value))
            return 1;
    return 0;
}

int sandbox_check(int pid, const char *operation, int type, ...) {
    (void)pid;
    va_list list;
    va_start(list, type);
    const char *value = operation && (type & 0xffff) ? va_arg(list, const char *) : NULL;
    va_end(list);
    return decide(operation, type, value);
}

int sandbox_check_by_audit_token(token who, const char *operation, int type, ...) {
    if (who.words[5] != 4711) {
        errno = ESRCH;
        return -1;
    }
    va_list list;
    va_start(list, type);
    const char *value = operation && (type & 0xffff) ? va_arg(list, const char *) : NULL;
    va_end(list);
    return decide(operation, type, value);
}

int task_info(unsigned task, unsigned flavor, unsigned *out, unsigned *length) {
    if (task != mach_task_self_ || flavor != 15 || *length != 8) return 4;
    memset(out, 0, 32);
    out[5] = 4711;
    return 0;
}

int bootstrap_look_up(unsigned bootstrap, const char *name, unsigned *port) {
    if (bootstrap != bootstrap_port) return 5;
    if (refused("mach-lookup", name)) return 1100;
    if (strstr(name, "missing")) return 1102;
    *port = 99;
    return 0;
}

/* 99 is a right to send, until the environment says that it is gone. */
int mach_port_type(unsigned task, unsigned port, unsigned *rights) {
    if (task != mach_task_self_ || port != 99 || (confined && getenv("STANDIN_LOST"))) return 15;
    *rights = 1u << 16;
    return 0;
}

int mach_port_deallocate(unsigned task, unsigned port) { return task == mach_task_self_ && port == 99 ? 0 : 15; }

int sysctlbyname(const char *name, void *out, size_t *length, void *set, size_t set_length) {
    (void)set, (void)set_length;
    if (refused("sysctl-read", name)) return fail(EPERM, NULL);
    if (strstr(name, "missing")) return fail(ENOENT, NULL);
    if (out) memset(out, 'x', 3);
    *length = 3;
    return 0;
}

unsigned notify_post(const char *name) { return refused("darwin-notification-post", name) ? 7 : 0; }

int proc_pidinfo(int pid, int flavor, uint64_t argument, void *out, int length) {
    (void)argument;
    if (flavor != 3 || length < 136) return fail(ENOMEM, NULL), 0;
    if (refused("process-info-pidinfo", NULL)) return fail(EPERM, NULL), 0;
    if (pid == 999999) return fail(ESRCH, NULL), 0;
    memset(out, 0, 136);
    ((unsigned *)out)[4] = getenv("STANDIN_LAUNCHD") ? 1 : 4242;
    return 136;
}

int kill(int pid, int signal) {
    if (confined && pid > 0 && refused("signal", NULL)) return fail(EPERM, NULL);
    return (int)syscall(SYS_kill, pid, signal);
}

int csr_get_active_config(unsigned *bits) {
    if (!getenv("STANDIN_SIP")) return fail(ENOSYS, NULL);
    *bits = (unsigned)number("STANDIN_SIP");
    return 0;
}

/* The sockets of macOS to its kernel; everything else is Linux's. */
int socket(int family, int type, int protocol) {
    if (family != 32 || protocol != 2) return (int)syscall(SYS_socket, family, type, protocol);
    if (refused("system-socket", NULL)) return fail(EPERM, NULL);
    return (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
}

void *IOServiceMatching(const char *name) { return strdup(name); }

unsigned IOServiceGetMatchingService(unsigned port, void *dictionary) {
    (void)port;
    char *name = dictionary;
    unsigned service = strstr(name, "Missing") ? 0 : strstr(name, "Odd") ? 8 : refused("iokit-open-service", name) ? 9 : 7;
    free(name);
    return service;
}

int IOServiceOpen(unsigned service, unsigned task, unsigned type, unsigned *client) {
    if (task != mach_task_self_ || type) return (int)0xe00002bc;
    if (service == 9) return (int)0xe00002e2;
    if (service == 8) return (int)0xe00002c2;
    *client = 11;
    return 0;
}

int IOServiceClose(unsigned client) { return client == 11 ? 0 : 1; }
int IOObjectRelease(unsigned object) { return object ? 0 : 1; }

int IOConnectCallMethod(unsigned client, unsigned selector, const uint64_t *a, unsigned b, const void *c, size_t d,
                        uint64_t *e, unsigned *f, void *g, size_t *h) {
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    return client == 11 && !selector ? (int)0xe00002c2 : 1;
}

void *CFStringCreateWithCString(const void *allocator, const char *text, unsigned encoding) {
    (void)allocator, (void)encoding;
    return strdup(text);
}

void CFRelease(void *object) { free(object); }
void *CFNotificationCenterGetDistributedCenter(void) { return (void *)8; }
void CFNotificationCenterPostNotification(void *center, const void *name, const void *object, const void *info, char now) {
    (void)object, (void)info, (void)now;
    if (center != (void *)8 || !name) abort();
}

/* Commands of macOS for a descriptor's path; everything else is Linux's. */
int fcntl(int file, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (command == 50 || command == 102) {
        char link[64], *out = argument;
        const char *volume = command == 102 ? "/System/Volumes/Data" : "";
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        size_t start = strlen(volume);
        memcpy(out, volume, start);
        ssize_t length = readlink(link, out + start, 1023 - start);
        if (length < 0) return -1;
        out[start + length] = 0;
        return 0;
    }
    return (int)syscall(SYS_fcntl, file, command, argument);
}

int fcntl64(int file, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return (int)syscall(SYS_fcntl, file, command, argument);
}

/* Preloaded, it refuses files too. */
int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int);
    va_end(list);
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (refused(writes ? "file-write*" : "file-read*", path) || refused(writes ? "file-write-data" : "file-read-data", path))
        return fail(EPERM, NULL);
    if (strstr(path, "unix-permission")) return fail(EACCES, NULL);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int execvp(const char *file, char *const argv[]) {
    int (*next)(const char *, char *const[]) = (int (*)(const char *, char *const[]))dlsym(RTLD_NEXT, "execvp");
    if (refused("process-exec*", file)) {
        errno = EPERM;
        return -1;
    }
    return next(file, argv);
}
