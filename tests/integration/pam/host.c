/*
 * An application that opens PAM sessions, for tests: it does one thing a word.
 *
 *   host SERVICE USER WORD...
 *     open close         the session calls; prints a result that is not PAM_SUCCESS
 *     env                prints the PAM environment, a line a variable
 *     set=NAME=VALUE     puts a variable there, as a module before ours would
 *     say=TEXT           prints a line
 *     sh=COMMAND         runs a shell command to its end
 *     hold               waits until its standard input ends
 *     fork-close         closes the session in a child process, as sshd may
 *     thread             starts a thread that does nothing
 *     ignore             ignores SIGCHLD
 *     count              counts SIGCHLD from now on
 *     child              starts a process that waits; reap must find that one
 *     snapshot           takes down what a module must leave as it is
 *     compare            prints what of it has changed, and signals that were counted
 *     reap               ends the child, and waits for any: prints what it finds beside it
 *     exit               ends at once, without closing anything
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <security/pam_appl.h>

static pam_handle_t *pamh;
static pid_t child;
static volatile sig_atomic_t deaths;

static void on_death(int sig)
{
    (void)sig;
    deaths++;
}

/* ---- what a module must leave as it is ---- */

struct snapshot {
    uid_t uids[3];
    gid_t gids[3];
    mode_t umask;
    sigset_t blocked;
    struct sigaction actions[32];
    struct rlimit limits[RLIM_NLIMITS];
    char cwd[4096];
    int fds;
    pid_t session;
};

static struct snapshot before;

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        (void)closedir(dir);
    return n;
}

static void take(struct snapshot *ret, bool read_on)
{
    memset(ret, 0, sizeof *ret);
    (void)getresuid(&ret->uids[0], &ret->uids[1], &ret->uids[2]);
    (void)getresgid(&ret->gids[0], &ret->gids[1], &ret->gids[2]);
    ret->umask = umask(0);
    (void)umask(ret->umask);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &ret->blocked);
    for (int sig = 1; sig < 32; sig++)
        (void)sigaction(sig, NULL, &ret->actions[sig]);
    for (int i = 0; i < (int)RLIM_NLIMITS; i++)
        (void)getrlimit((__rlimit_resource_t)i, &ret->limits[i]);
    (void)!getcwd(ret->cwd, sizeof ret->cwd);
    ret->session = getsid(0);
    if (read_on)
        (void)getpwent(); /* compare() reads on: the file is open from here on */
    ret->fds = count_fds();
}

static void compare(void)
{
    struct snapshot now;
    take(&now, false);
    struct passwd *pw = getpwent(); /* the second in the list: the first was read before */
    char second[256] = "";
    (void)snprintf(second, sizeof second, "%s", pw ? pw->pw_name : "");
    setpwent();
    (void)getpwent();
    pw = getpwent();
    if (!pw || strcmp(pw->pw_name, second) != 0)
        printf("changed: place in getpwent\n");
#define SAME(field, what)                                         \
    if (memcmp(&now.field, &before.field, sizeof now.field) != 0) \
    printf("changed: %s\n", what)
    SAME(uids, "uids");
    SAME(gids, "gids");
    SAME(umask, "umask");
    SAME(blocked, "blocked signals");
    SAME(limits, "resource limits");
    SAME(cwd, "working folder");
    SAME(fds, "open files");
    SAME(session, "session");
    for (int sig = 1; sig < 32; sig++)
        if (now.actions[sig].sa_handler != before.actions[sig].sa_handler ||
            now.actions[sig].sa_flags != before.actions[sig].sa_flags)
            printf("changed: action of signal %d\n", sig);
    if (deaths)
        printf("SIGCHLD came %d times\n", (int)deaths);
}

/* ---- processes ---- */

static void start_child(void)
{
    child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
}

static void reap(void)
{
    if (child > 0)
        (void)kill(child, SIGTERM);
    for (;;) {
        pid_t pid = waitpid(-1, NULL, 0);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break;
        if (pid != child)
            printf("a strange child was found\n");
    }
}

static void close_in_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        int r = pam_close_session(pamh, 0);
        (void)pam_end(pamh, r | PAM_DATA_SILENT);
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
}

static void run_shell(const char *command)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
}

static void *do_nothing(void *arg)
{
    for (;;)
        (void)pause();
    return arg;
}

/* ---- words ---- */

static void print_env(void)
{
    char **list = pam_getenvlist(pamh);
    for (char **p = list; p && *p; p++) {
        printf("%s\n", *p);
        free(*p);
    }
    free(list);
}

static void say_result(const char *what, int r)
{
    if (r != PAM_SUCCESS)
        printf("%s: %s\n", what, pam_strerror(pamh, r));
}

static void count_deaths(void)
{
    struct sigaction action = {.sa_handler = on_death, .sa_flags = SA_RESTART};
    (void)sigaction(SIGCHLD, &action, NULL);
}

static const char *after(const char *word, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(word, prefix, len) == 0 ? word + len : NULL;
}

static bool do_word(const char *word)
{
    pthread_t thread;
    char byte;
    const char *rest = NULL;
    if (strcmp(word, "open") == 0)
        say_result("open", pam_open_session(pamh, 0));
    else if (strcmp(word, "close") == 0)
        say_result("close", pam_close_session(pamh, 0));
    else if (strcmp(word, "env") == 0)
        print_env();
    else if ((rest = after(word, "set=")))
        (void)pam_putenv(pamh, rest);
    else if ((rest = after(word, "say=")))
        printf("%s\n", rest);
    else if ((rest = after(word, "sh=")))
        run_shell(rest);
    else if (strcmp(word, "hold") == 0)
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    else if (strcmp(word, "fork-close") == 0)
        close_in_child();
    else if (strcmp(word, "thread") == 0)
        (void)pthread_create(&thread, NULL, do_nothing, NULL);
    else if (strcmp(word, "ignore") == 0)
        (void)signal(SIGCHLD, SIG_IGN);
    else if (strcmp(word, "count") == 0)
        count_deaths();
    else if (strcmp(word, "child") == 0)
        start_child();
    else if (strcmp(word, "snapshot") == 0)
        take(&before, true);
    else if (strcmp(word, "compare") == 0)
        compare();
    else if (strcmp(word, "reap") == 0)
        reap();
    else if (strcmp(word, "exit") == 0)
        _exit(0);
    else
        return false;
    (void)fflush(stdout);
    return true;
}

static int converse(int n, const struct pam_message **messages, struct pam_response **ret,
                    void *arg)
{
    (void)n;
    (void)messages;
    (void)ret;
    (void)arg;
    return PAM_CONV_ERR;
}

int main(int argc, char **argv)
{
    const struct pam_conv conversation = {.conv = converse};
    if (argc < 4 || pam_start(argv[1], argv[2], &conversation, &pamh) != PAM_SUCCESS)
        return 2;
    for (int i = 3; i < argc; i++) {
        if (!do_word(argv[i])) {
            (void)fprintf(stderr, "host: unknown word %s\n", argv[i]);
            return 2;
        }
    }
    return pam_end(pamh, PAM_SUCCESS) == PAM_SUCCESS ? 0 : 1;
}
