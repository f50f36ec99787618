/* The parts of pam_rootless.so that touch nothing: options, whom it serves, what it remembers, what
 * it exports; and that a folder is emptied whatever is in it. */
#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/birth.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "pam/empty.h"
#include "pam/export.h"
#include "pam/notes.h"
#include "pam/options.h"
#include "pam/state.h"
#include "pam/subject.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* ---- options ---- */

static char faults[2048];

static void keep_fault(const struct err *fault, void *arg)
{
    size_t len = strlen(faults);
    (void)arg;
    (void)snprintf(faults + len, sizeof faults - len, "%s\n", fault->msg);
}

static struct options parse(int argc, const char **argv)
{
    struct options options;
    faults[0] = '\0';
    options_parse(&options, argc, argv, keep_fault, NULL);
    return options;
}

static bool is_same(const struct options *a, const struct options *b)
{
    return a->debug == b->debug && a->quiet == b->quiet && a->required_ready == b->required_ready &&
           a->linger == b->linger && a->no_subid == b->no_subid &&
           a->no_runtime_dir == b->no_runtime_dir && a->no_cgroup == b->no_cgroup &&
           a->no_environment == b->no_environment && a->min_uid == b->min_uid &&
           a->max_uid == b->max_uid && a->wait_s == b->wait_s && a->engine == b->engine &&
           strcmp(a->skip_services, b->skip_services) == 0;
}

START_TEST(every_option_is_read)
{
    const char *argv[] = {"debug",        "quiet",          "required_ready", "linger",
                          "no_subid",     "no_runtime_dir", "no_cgroup",      "no_environment",
                          "min_uid=500",  "max_uid=70000",  "wait=0",         "skip_services=a,b c",
                          "engine=podman"};
    struct options options = parse((int)LENGTH(argv), argv);
    ck_assert_str_eq(faults, "");
    ck_assert(options.debug && options.quiet && options.required_ready && options.linger);
    ck_assert(options.no_subid && options.no_runtime_dir && options.no_cgroup &&
              options.no_environment);
    ck_assert_uint_eq(options.min_uid, 500);
    ck_assert_uint_eq(options.max_uid, 70000);
    ck_assert_uint_eq(options.wait_s, 0);
    ck_assert_str_eq(options.skip_services, "a,b c");
    ck_assert_str_eq(options.engine, "podman");
}
END_TEST

static const struct {
    const char *word, *fault;
} bad_words[] = {
    {"", "unknown option \"\""},
    {"=", "unknown option \"=\""},
    {"debugging", "unknown option \"debugging\""},
    {"Debug", "unknown option \"Debug\""},
    {"debug=yes", "debug=yes: takes no value"},
    {"debug=", "debug=: takes no value"},
    {"min_uid", "min_uid: a value must follow (min_uid=...)"},
    {"min_uid=", "min_uid=: a value must follow (min_uid=...)"},
    {"min_uid=-1", "min_uid"},
    {"min_uid=0", "min_uid"},
    {"min_uid=4294967295", "min_uid"},
    {"max_uid=1000x", "max_uid"},
    {"wait=61", "wait"},
    {"wait= 5", "wait"},
    {"engine", "engine: a value must follow (engine=...)"},
    {"engine=dock", "engine=dock: must be docker, containerd, buildkit, podman or k3s"},
};

START_TEST(what_is_no_option_is_told_and_changes_nothing)
{
    const char *argv[] = {bad_words[_i].word, "linger"};
    struct options options = parse(2, argv), fresh = parse(0, NULL);
    fresh.linger = true;
    ck_assert(is_same(&options, &fresh));
    (void)parse(1, argv);
    ck_assert_ptr_nonnull(strstr(faults, bad_words[_i].fault));
}
END_TEST

START_TEST(a_window_without_uids_is_told)
{
    const char *argv[] = {"min_uid=2000", "max_uid=1999"};
    (void)parse(2, argv);
    ck_assert_str_eq(faults, "min_uid=2000 is above max_uid=1999: nobody is served\n");
}
END_TEST

START_TEST(a_list_of_services_has_a_bound)
{
    static char word[OPTIONS_SERVICES_MAX + 64] = "skip_services=";
    const char *argv[] = {word};
    memset(word + strlen(word), 'a', OPTIONS_SERVICES_MAX);
    struct options options = parse(1, argv);
    ck_assert_str_eq(options.skip_services, "");
    ck_assert_ptr_nonnull(strstr(faults, "longer than 1023"));
}
END_TEST

START_TEST(services_are_skipped_by_their_whole_name)
{
    const char *argv[] = {"skip_services=cron,su-l,,sudo"};
    struct options options = parse(1, argv);
    ck_assert(options_skip(&options, "cron") && options_skip(&options, "su-l"));
    ck_assert(options_skip(&options, "sudo") && options_skip(&options, "systemd-user"));
    ck_assert(!options_skip(&options, "su") && !options_skip(&options, "sudo-i"));
    ck_assert(!options_skip(&options, "") && !options_skip(&options, "cron,su-l"));
}
END_TEST

/* ---- whom ---- */

static const struct {
    uid_t uid;
    bool served;
} uids[] = {
    {0, false},           {1, false},         {999, false},        {1000, true},
    {60000, true},        {60001, true},      {60513, true},       {60514, false},
    {61184, false},       {65534, false},     {65535, false},      {65536, true},
    {1234600000, true},   {2147352575, true}, {2147352576, false}, {4294967294U, false},
    {4294967295U, false},
};

START_TEST(system_users_are_left_alone)
{
    struct options options = parse(0, NULL);
    ck_assert(subject_is_served(uids[_i].uid, &options, 1000) == uids[_i].served);
    const char *argv[] = {"min_uid=1", "max_uid=4294967294"};
    options = parse(2, argv);
    if (uids[_i].uid > 999 || uids[_i].uid == 0)
        ck_assert(subject_is_served(uids[_i].uid, &options, 1000) == uids[_i].served);
    else
        ck_assert(subject_is_served(uids[_i].uid, &options, 1000));
}
END_TEST

START_TEST(a_user_whose_names_do_not_fit_is_refused)
{
    static char name[SUBJECT_NAME_MAX + 1];
    struct subject subject = {0};
    struct passwd pw = {.pw_name = name, .pw_uid = 4294967294U};
    memset(name, 'n', SUBJECT_NAME_MAX);
    ck_assert_int_eq(subject_of(&pw, &subject), -ENAMETOOLONG);
    ck_assert_str_eq(subject.name, "");
    name[SUBJECT_NAME_MAX - 1] = '\0';
    ck_assert_int_eq(subject_of(&pw, &subject), 0);
    ck_assert_str_eq(subject.runtime, "/run/user/4294967294");
    ck_assert_str_eq(subject.home, "");
}
END_TEST

/* ---- what is remembered ---- */

#define HEAD "rootless-toolkit pam 1\nboot b-1\nserial 7\n"

static struct state state, other;
static char text[STATE_TEXT_MAX], again[STATE_TEXT_MAX];

static const char *const no_states[] = {
    "",
    "x",
    "rootless-toolkit pam 1",
    "rootless-toolkit pam 1\n",
    "rootless-toolkit pam 2\nboot b\nserial 1\n",
    "rootless-toolkit pam 1\nserial 1\n",
    "rootless-toolkit pam 1\nboot \nserial 1\n",
    "rootless-toolkit pam 1\nboot a b\nserial 1\n",
    HEAD "boot b-2\n",
    HEAD "session\n",
    HEAD "session 1 2\n",
    HEAD "session 0 2 3\n",
    HEAD "session 8 2 3\n",
    HEAD "session 1 0 3\n",
    HEAD "session 1 -2 3\n",
    HEAD "session 1 2 3 4\n",
    HEAD "session 1 2147483648 3\n",
    HEAD "session 1 2 9223372036854775808\n",
    HEAD "sessions 1 2 3\n",
    HEAD "cgroup\ncgroup\n",
    HEAD "cgroup 1\n",
    HEAD "engine 0 1\n",
    HEAD "engine 1 1\nengine 1 1\n",
    HEAD "runtime-dir 1\n",
    HEAD "runtime-dir 1 18446744073709551616\n",
    HEAD "\n",
    HEAD "what\n",
};

START_TEST(what_is_no_state_is_refused_whole)
{
    memset(&state, 0xaa, sizeof state);
    memset(&other, 0xaa, sizeof other);
    const char *no_state = no_states[_i];
    ck_assert_int_eq(state_parse(no_state, strlen(no_state), &state), -EINVAL);
    ck_assert_mem_eq(&state, &other, sizeof state);
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
    memset(&state, 0, sizeof state);
    (void)str_copy(state.boot, sizeof state.boot, "b-1");
    state.has_dir = state.has_cgroup = true;
    state.dir_dev = state.dir_ino = UINT64_MAX;
    state.engine = (struct state_process){.pid = INT32_MAX, .birth = INT64_MAX};
    state.serial = INT32_MAX - 3;
    for (int i = 0; i < STATE_SESSIONS_MAX; i++)
        ck_assert_int_gt(
            state_add(&state, (struct state_process){.pid = INT32_MAX, .birth = INT64_MAX}), 0);
    ck_assert_int_eq(state_add(&state, (struct state_process){.pid = 1}), -ENOSPC);
    state.serial = INT32_MAX;
    size_t len = state_render(&state, text);
    ck_assert_int_eq(state_parse(text, len, &other), 0);
    ck_assert_uint_eq(state_render(&other, again), len);
    ck_assert_mem_eq(text, again, len);
}
END_TEST

START_TEST(serials_are_never_given_twice_at_once)
{
    memset(&state, 0, sizeof state);
    struct state_process opener = {.pid = 1};
    ck_assert_int_eq(state_add(&state, opener), 1);
    ck_assert_int_eq(state_add(&state, opener), 2);
    state.serial = INT32_MAX;
    ck_assert_int_eq(state_add(&state, opener), 3);
    state_drop(&state, 2);
    state_drop(&state, 9);
    ck_assert_uint_eq(state.n, 2);
    state.serial = 1;
    ck_assert_int_eq(state_add(&state, opener), 2);
}
END_TEST

static bool is_even(const struct state_process *process)
{
    return process->pid % 2 == 0;
}

START_TEST(the_dead_are_forgotten)
{
    memset(&state, 0, sizeof state);
    (void)str_copy(state.boot, sizeof state.boot, "b-1");
    for (pid_t pid = 1; pid <= 5; pid++)
        (void)state_add(&state, (struct state_process){.pid = pid});
    state.engine.pid = 3;
    ck_assert_uint_eq(state_reconcile(&state, "b-1", is_even), 3);
    ck_assert_uint_eq(state.n, 2);
    ck_assert_uint_eq(state.sessions[1].serial, 4);
    ck_assert_int_eq(state.engine.pid, 0);
    state.engine.pid = 4;
    state.has_dir = true;
    ck_assert_uint_eq(state_reconcile(&state, "b-2", is_even), 2);
    ck_assert_str_eq(state.boot, "b-2");
    ck_assert_int_eq(state.engine.pid, 0);
    ck_assert(!state_is_empty(&state));
    state.has_dir = false;
    ck_assert(state_is_empty(&state));
}
END_TEST

START_TEST(a_process_has_one_birth)
{
    uint64_t first = 0, second = 0;
    ck_assert_int_eq(birth_of(getpid(), &first), 0);
    ck_assert_int_eq(birth_of(getpid(), &second), 0);
    ck_assert(first == second && first > 0);
    ck_assert_int_eq(birth_of(INT32_MAX, &second), -ESRCH);
    ck_assert(second == first);
}
END_TEST

/* ---- what is exported and logged ---- */

static void put_variable(const char *name, const char *value, void *arg)
{
    (void)arg;
    size_t len = strlen(text);
    (void)snprintf(text + len, sizeof text - len, "%s=%s;", name, value);
}

START_TEST(variables_name_what_is_there)
{
    struct subject subject = {.runtime = "/run/user/4294967294"};
    struct export export = {.bus = true, .docker_socket = true};
    text[0] = '\0';
    export_each(&export, &subject, put_variable, NULL);
    ck_assert_str_eq(text, "");
    export.runtime = true;
    export_each(&export, &subject, put_variable, NULL);
    ck_assert_str_eq(text, "XDG_RUNTIME_DIR=/run/user/4294967294;"
                           "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/4294967294/bus;"
                           "DOCKER_HOST=unix:///run/user/4294967294/docker.sock;");
}
END_TEST

START_TEST(notes_are_single_printable_lines)
{
    static struct notes notes;
    notes_add(&notes, 4, "user %s", "a\nb\x1b[31m\x7f");
    ck_assert_str_eq(notes.items[0].text, "user a?b?[31m?");
    for (int i = 0; i < 2 * NOTES_MAX; i++)
        notes_add(&notes, 4, "%d", i);
    ck_assert_uint_eq(notes.n, NOTES_MAX);
}
END_TEST

/* ---- emptying ---- */

static char dir[] = "/tmp/test-pam-XXXXXX";

START_TEST(a_folder_is_emptied_however_deep)
{
    (void)str_copy(dir, sizeof dir, "/tmp/test-pam-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int at = dup(top);
    for (int i = 0; i < 500; i++) {
        ck_assert_int_eq(mkdirat(at, "d", 0700), 0);
        ck_assert_int_eq(mkdirat(at, ".moved-1", 0700), 0);
        ck_assert_int_eq(symlinkat("/", at, "link"), 0);
        int deeper = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(at);
        at = deeper;
    }
    (void)close(at);
    ck_assert_int_eq(empty_folder(top, clock_ms() - 1), -ETIMEDOUT);
    ck_assert_int_eq(empty_folder(top, clock_ms() + 60000), 0);
    (void)close(top);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pam");
    TCase *cases = tcase_create("pam");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, every_option_is_read);
    tcase_add_loop_test(cases, what_is_no_option_is_told_and_changes_nothing, 0, LENGTH(bad_words));
    tcase_add_test(cases, a_window_without_uids_is_told);
    tcase_add_test(cases, a_list_of_services_has_a_bound);
    tcase_add_test(cases, services_are_skipped_by_their_whole_name);
    tcase_add_loop_test(cases, system_users_are_left_alone, 0, LENGTH(uids));
    tcase_add_test(cases, a_user_whose_names_do_not_fit_is_refused);
    tcase_add_loop_test(cases, what_is_no_state_is_refused_whole, 0, LENGTH(no_states));
    tcase_add_test(cases, what_is_written_is_read_again);
    tcase_add_test(cases, serials_are_never_given_twice_at_once);
    tcase_add_test(cases, the_dead_are_forgotten);
    tcase_add_test(cases, a_process_has_one_birth);
    tcase_add_test(cases, variables_name_what_is_there);
    tcase_add_test(cases, notes_are_single_printable_lines);
    tcase_add_test(cases, a_folder_is_emptied_however_deep);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
