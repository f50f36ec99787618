#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "rootlesskit/userns.h"
#include "tests/unit/temp_etc.h"

/* A host's switches and what the kernel said; what the user must be told. */
static const struct {
    const char *file, *value; /* below /proc/sys; NULL: no such switch */
    int code;
    const char *told;
} hosts[] = {
    {"kernel/unprivileged_userns_clone", "0\n", EPERM, "kernel.unprivileged_userns_clone=1"},
    {"kernel/unprivileged_userns_clone", "1\n", EPERM, "container or sandbox"},
    {"kernel/apparmor_restrict_unprivileged_userns", "1\n", EACCES, "AppArmor"},
    {"kernel/apparmor_restrict_unprivileged_userns", "1\n", EPERM, "\"userns,\""},
    {"kernel/apparmor_restrict_unprivileged_userns", "0\n", EACCES, "security module"},
    {"user/max_user_namespaces", "0\n", ENOSPC, "user.max_user_namespaces=15000"},
    {"user/max_user_namespaces", "96364\n", ENOSPC, "nesting depth"},
    {NULL, NULL, EPERM, "forbids user namespaces"},
    {NULL, NULL, EINVAL, "lacks one of the namespaces"},
    {NULL, NULL, ENOMEM, "Cannot allocate memory"},
};

START_TEST(the_switch_is_named)
{
    struct temp_etc sys;
    struct err err = {0};
    temp_etc_make(&sys);
    ck_assert_int_eq(mkdirat(sys.fd, "kernel", 0755), 0);
    ck_assert_int_eq(mkdirat(sys.fd, "user", 0755), 0);
    if (hosts[_i].file)
        temp_etc_write(&sys, hosts[_i].file, hosts[_i].value);
    ck_assert_int_eq(userns_explain(sys.fd, hosts[_i].code, &err), -hosts[_i].code);
    ck_assert_msg(strstr(err.msg, hosts[_i].told) != NULL, "%s", err.msg);
    if (hosts[_i].file)
        (void)unlinkat(sys.fd, hosts[_i].file, 0);
    (void)unlinkat(sys.fd, "kernel", AT_REMOVEDIR);
    (void)unlinkat(sys.fd, "user", AT_REMOVEDIR);
    temp_etc_remove(&sys, (const char *const[]){NULL});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("userns");
    TCase *cases = tcase_create("userns");
    tcase_add_loop_test(cases, the_switch_is_named, 0, sizeof hosts / sizeof hosts[0]);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
