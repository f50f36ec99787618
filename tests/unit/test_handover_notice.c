#include "tests/unit/tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/msg.h"
#include "rootlesskit/handover/filter.h"
#include "rootlesskit/handover/notice.h"
#include "tests/unit/tcp.h"

#define BACKLOG 7

/* A process under the filter, which binds a socket and has it listen, as @p kind says. */
enum kind { PLAIN, CLOEXEC, THREAD, KINDS };
struct caller {
    enum kind kind;
    pid_t pid;
    int reports;  /* fd */
    int listener; /* fd on which its calls are told */
};

/* What it has when a call is over. */
struct report {
    int r; /* 0 or -errno */
    int fd;
    ino_t inode;
    bool listens, cloexec;
};

/* Of the caller's: an assertion would end it in the parent's name. */
static void report(const struct caller *caller, int r, int fd)
{
    struct report report = {.r = r, .fd = fd};
    struct stat st = {0};
    int on = 0;
    socklen_t len = sizeof on;
    if (fstat(fd, &st) == 0)
        report.inode = st.st_ino;
    (void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len);
    report.listens = on;
    report.cloexec = fcntl(fd, F_GETFD) & FD_CLOEXEC;
    (void)msg_send(caller->reports, &report, sizeof report, NULL, 0);
}

static void serve(const struct caller *caller)
{
    struct sockaddr_storage at = tcp_at("127.0.0.1", 0);
    int fd = socket(AF_INET, SOCK_STREAM | (caller->kind == CLOEXEC ? SOCK_CLOEXEC : 0), 0);
    (void)prctl(PR_SET_NAME, "a (servi)ce");
    report(caller, 0, fd);
    report(caller, bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 ? -errno : 0, fd);
    report(caller, listen(fd, BACKLOG) < 0 ? -errno : 0, fd);
    for (;;)
        pause();
}

static void *serve_in_thread(void *arg)
{
    serve(arg);
    return NULL;
}

/* An ordinary user may install a filter once he gives up ever getting privileges. */
static void run(struct caller *caller)
{
    pthread_t thread;
    int fd = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : handover_filter_install();
    (void)msg_send(caller->reports, &fd, sizeof fd, &fd, fd >= 0);
    fd_close(fd);
    if (caller->kind != THREAD)
        serve(caller);
    else if (pthread_create(&thread, NULL, serve_in_thread, caller) == 0)
        (void)pthread_join(thread, NULL);
    _exit(1);
}

static struct report reported(const struct caller *caller)
{
    struct report ret;
    ck_assert(tcp_awaits(caller->reports, POLLIN, TCP_WAIT_MS));
    ck_assert_int_eq(msg_recv(caller->reports, &ret, sizeof ret, NULL, NULL), 1);
    return ret;
}

/* @param ret_first  what it has before the first call; false: no filter can be installed here */
static bool start(enum kind kind, struct caller *ret, struct report *ret_first)
{
    int ends[2], code = 0;
    size_t n = 0;
    ck_assert_int_eq(msg_pair(ends, NULL), 0);
    *ret = (struct caller){.kind = kind, .reports = ends[1], .listener = -EBADF};
    ret->pid = fork();
    ck_assert_int_ge(ret->pid, 0);
    if (ret->pid == 0)
        run(ret);
    fd_close(ends[1]);
    ret->reports = ends[0];
    ck_assert_int_eq(msg_recv(ends[0], &code, sizeof code, &ret->listener, &n), 1);
    if (code == -EBUSY) {
        printf("# not tried: another filter tells somebody of calls already\n");
        return false;
    }
    ck_assert_msg(code >= 0 && n == 1, "%d", code);
    notice_tune(ret->listener);
    *ret_first = reported(ret);
    return true;
}

static void end(struct caller *caller)
{
    ck_assert_int_eq(kill(caller->pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(caller->pid, NULL, 0), caller->pid);
    caller->listener = fd_close(caller->listener);
    caller->reports = fd_close(caller->reports);
}

static struct notice told(const struct caller *caller)
{
    struct notice ret;
    ck_assert(tcp_awaits(caller->listener, POLLIN, TCP_WAIT_MS));
    ck_assert_int_eq(notice_receive(caller->listener, &ret), 0);
    return ret;
}

/* The caller has bound, and waits in listen(2). */
static struct notice told_of_listen(const struct caller *caller)
{
    struct notice notice = told(caller);
    ck_assert_int_eq(notice.call, SYS_bind);
    notice_let_pass(&notice);
    ck_assert_int_eq(reported(caller).r, 0);
    notice = told(caller);
    ck_assert_int_eq(notice.call, SYS_listen);
    return notice;
}

START_TEST(both_calls_are_told_and_done_by_the_kernel)
{
    struct caller caller;
    struct report first, last;
    if (!start((enum kind)_i, &caller, &first))
        return;
    struct notice notice = told(&caller);
    ck_assert_int_eq(notice.call, SYS_bind);
    ck_assert_int_eq(notice.fd, first.fd);
    if (_i == THREAD)
        ck_assert_int_ne(notice.task, caller.pid);
    else
        ck_assert_int_eq(notice.task, caller.pid);
    notice_let_pass(&notice);
    last = reported(&caller);
    ck_assert_int_eq(last.r, 0);
    ck_assert(!last.listens);
    notice = told(&caller);
    ck_assert_int_eq(notice.call, SYS_listen);
    ck_assert_int_eq(notice.fd, first.fd);
    ck_assert_int_eq(notice.backlog, BACKLOG);
    notice_let_pass(&notice);
    last = reported(&caller);
    ck_assert_int_eq(last.r, 0);
    ck_assert(last.listens);
    ck_assert_uint_eq(last.inode, first.inode);
    end(&caller);
}
END_TEST

START_TEST(a_call_succeeds_that_nobody_does)
{
    struct caller caller;
    struct report report;
    if (!start(PLAIN, &caller, &report))
        return;
    struct notice notice = told_of_listen(&caller);
    notice_succeed(&notice);
    report = reported(&caller);
    ck_assert_int_eq(report.r, 0);
    ck_assert(!report.listens);
    end(&caller);
}
END_TEST

START_TEST(the_socket_in_question_is_borrowed)
{
    struct caller caller;
    struct report report;
    bool cloexec = _i != CLOEXEC;
    if (!start((enum kind)_i, &caller, &report))
        return;
    struct notice notice = told_of_listen(&caller);
    cleanup_close int fd = notice_borrow(&notice);
    ck_assert_int_ge(fd, 0);
    ck_assert_uint_eq(tcp_inode(fd), report.inode);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(notice_cloexec(&notice, &cloexec), 0);
    ck_assert_int_eq(cloexec, _i == CLOEXEC);
    ck_assert_int_eq(listen(fd, BACKLOG), 0);
    notice_succeed(&notice);
    ck_assert(reported(&caller).listens);
    end(&caller);
}
END_TEST

START_TEST(another_socket_takes_its_place)
{
    struct caller caller;
    struct report report;
    cleanup_close int twin = tcp_listening("127.0.0.1");
    bool cloexec = _i;
    if (!start(PLAIN, &caller, &report))
        return;
    struct notice notice = told_of_listen(&caller);
    ck_assert_uint_ne(report.inode, tcp_inode(twin));
    ck_assert_int_eq(notice_replace(&notice, twin, cloexec), 0);
    notice_succeed(&notice);
    report = reported(&caller);
    ck_assert_int_eq(report.r, 0);
    ck_assert_uint_eq(report.inode, tcp_inode(twin));
    ck_assert_int_eq(report.cloexec, cloexec);
    ck_assert(report.listens);
    end(&caller);
}
END_TEST

/* Of a thread it is the thread's own. */
START_TEST(a_program_is_told_by_its_whole_name)
{
    struct caller caller;
    struct report report;
    if (!start(_i ? THREAD : PLAIN, &caller, &report))
        return;
    struct notice notice = told(&caller);
    ck_assert(notice_is_of(&notice, (const char *const[]){"a (servi)ce", NULL}));
    ck_assert(!notice_is_of(&notice, (const char *const[]){"a (servi)", NULL}));
    ck_assert(!notice_is_of(&notice, (const char *const[]){"a (servi)cer", NULL}));
    ck_assert(!notice_is_of(&notice, (const char *const[]){"service", NULL}));
    ck_assert(!notice_is_of(&notice, (const char *const[]){"", NULL}));
    end(&caller);
}
END_TEST

/* Nothing waits for one that is gone: the test's time limit would end it. */
START_TEST(a_caller_that_is_killed_is_an_error)
{
    struct caller caller;
    struct report report;
    bool cloexec = true;
    cleanup_close int twin = tcp_listening("127.0.0.1");
    if (!start(_i ? THREAD : PLAIN, &caller, &report))
        return;
    struct notice notice = told_of_listen(&caller);
    ck_assert_int_eq(kill(caller.pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(caller.pid, NULL, 0), caller.pid);
    ck_assert_int_lt(notice_borrow(&notice), 0);
    ck_assert_int_eq(notice_replace(&notice, twin, false), -ENOENT);
    ck_assert_int_lt(notice_cloexec(&notice, &cloexec), 0);
    ck_assert(cloexec);
    ck_assert(!notice_is_of(&notice, (const char *const[]){"a (servi)ce", NULL}));
    notice_let_pass(&notice);
    notice_succeed(&notice);
    ck_assert(!tcp_awaits(caller.listener, POLLIN, 0));
    fd_close(caller.listener);
    fd_close(caller.reports);
}
END_TEST

START_TEST(a_call_whose_caller_is_gone_is_not_received)
{
    struct caller caller;
    struct report report;
    struct notice notice = {.id = 7};
    if (!start(PLAIN, &caller, &report))
        return;
    ck_assert(tcp_awaits(caller.listener, POLLIN, TCP_WAIT_MS));
    ck_assert_int_eq(kill(caller.pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(caller.pid, NULL, 0), caller.pid);
    ck_assert_int_eq(notice_receive(caller.listener, &notice), -ENOENT);
    ck_assert_uint_eq(notice.id, 7);
    fd_close(caller.listener);
    fd_close(caller.reports);
}
END_TEST

/* An answered call is not there any more: its number says nothing of the caller's next one. */
START_TEST(an_answered_call_is_over)
{
    struct caller caller;
    struct report report;
    cleanup_close int twin = tcp_listening("127.0.0.1");
    if (!start(PLAIN, &caller, &report))
        return;
    struct notice bind = told(&caller);
    notice_let_pass(&bind);
    ck_assert_int_eq(reported(&caller).r, 0);
    struct notice notice = told(&caller);
    ck_assert_int_eq(notice_borrow(&bind), -ENOENT);
    ck_assert_int_eq(notice_replace(&bind, twin, false), -ENOENT);
    notice_succeed(&bind);
    notice_let_pass(&notice);
    report = reported(&caller);
    ck_assert(report.listens);
    ck_assert_uint_ne(report.inode, tcp_inode(twin));
    end(&caller);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handover_notice");
    TCase *cases = tcase_create("notice");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, both_calls_are_told_and_done_by_the_kernel, 0, KINDS);
    tcase_add_test(cases, a_call_succeeds_that_nobody_does);
    tcase_add_loop_test(cases, the_socket_in_question_is_borrowed, 0, KINDS);
    tcase_add_loop_test(cases, another_socket_takes_its_place, 0, 2);
    tcase_add_loop_test(cases, a_program_is_told_by_its_whole_name, 0, 2);
    tcase_add_loop_test(cases, a_caller_that_is_killed_is_an_error, 0, 2);
    tcase_add_test(cases, a_call_whose_caller_is_gone_is_not_received);
    tcase_add_test(cases, an_answered_call_is_over);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
