#include "pam/options.h"

#include <errno.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

/* The highest uid there is; 2^32 - 1 stands for "none". */
#define UID_LAST (UINT32_MAX - 1)
#define WAIT_LAST_S 60

enum kind { FLAG, NUMBER, TEXT, CHOICE };

/* What `rootless-setup launch` can start. */
static const char *const engines[] = {"docker", "containerd", "buildkit", "podman", "k3s", NULL};

static const struct {
    const char *name;
    enum kind kind;
    size_t offset;
    uint32_t min, max;         /* NUMBER */
    size_t size;               /* TEXT */
    const char *const *choice; /* CHOICE */
} table[] = {
    {"debug", FLAG, offsetof(struct options, debug), 0, 0, 0, NULL},
    {"quiet", FLAG, offsetof(struct options, quiet), 0, 0, 0, NULL},
    {"required_ready", FLAG, offsetof(struct options, required_ready), 0, 0, 0, NULL},
    {"linger", FLAG, offsetof(struct options, linger), 0, 0, 0, NULL},
    {"no_subid", FLAG, offsetof(struct options, no_subid), 0, 0, 0, NULL},
    {"no_runtime_dir", FLAG, offsetof(struct options, no_runtime_dir), 0, 0, 0, NULL},
    {"no_cgroup", FLAG, offsetof(struct options, no_cgroup), 0, 0, 0, NULL},
    {"no_environment", FLAG, offsetof(struct options, no_environment), 0, 0, 0, NULL},
    {"min_uid", NUMBER, offsetof(struct options, min_uid), 1, UID_LAST, 0, NULL},
    {"max_uid", NUMBER, offsetof(struct options, max_uid), 1, UID_LAST, 0, NULL},
    {"wait", NUMBER, offsetof(struct options, wait_s), 0, WAIT_LAST_S, 0, NULL},
    {"skip_services", TEXT, offsetof(struct options, skip_services), 0, 0, OPTIONS_SERVICES_MAX,
     NULL},
    {"engine", CHOICE, offsetof(struct options, engine), 0, 0, 0, engines},
};

#define N_TABLE (sizeof table / sizeof table[0])

/* @return what follows the name and its '=' in @p word; "" for a name alone; NULL for another */
static const char *value_of(const char *word, const char *name)
{
    const char *rest = str_after(word, name);
    if (!rest || (*rest != '\0' && *rest != '='))
        return NULL;
    return *rest == '=' ? rest + 1 : rest;
}

static int set_choice(const char *const *choice, const char *name, const char *value,
                      const char **field, struct err *err)
{
    int i = str_index(choice, value);
    if (i < 0)
        return err_set(err, EINVAL, "%s=%s: must be docker, containerd, buildkit, podman or k3s",
                       name, value);
    *field = choice[i];
    return 0;
}

static int set(struct options *options, size_t i, const char *word, const char *value,
               struct err *err)
{
    void *field = (char *)options + table[i].offset;
    bool has_value = strchr(word, '=') != NULL;
    if (table[i].kind == FLAG) {
        if (has_value)
            return err_set(err, EINVAL, "%s: takes no value", word);
        *(bool *)field = true;
        return 0;
    }
    if (value[0] == '\0')
        return err_set(err, EINVAL, "%s: a value must follow (%s=...)", word, table[i].name);
    if (table[i].kind == NUMBER)
        return parse_u32(table[i].name, value, table[i].min, table[i].max, field, err);
    if (table[i].kind == CHOICE)
        return set_choice(table[i].choice, table[i].name, value, field, err);
    if (strlen(value) >= table[i].size)
        return err_set(err, ENAMETOOLONG, "%s is longer than %zu characters", table[i].name,
                       table[i].size - 1);
    return str_copy(field, table[i].size, value);
}

static int take_word(struct options *options, const char *word, struct err *err)
{
    for (size_t i = 0; i < N_TABLE; i++) {
        const char *value = value_of(word, table[i].name);
        if (value)
            return set(options, i, word, value, err);
    }
    return err_set(err, EINVAL, "unknown option \"%.100s\", see pam_rootless(8)", word);
}

void options_parse(struct options *ret, int argc, const char **argv, options_fault_fn *fault_fn,
                   void *arg)
{
    *ret = (struct options){.max_uid = UID_LAST, .wait_s = OPTIONS_WAIT_DEFAULT_S};
    for (int i = 0; i < argc; i++) {
        struct err fault = {0};
        if (take_word(ret, argv[i], &fault) < 0)
            fault_fn(&fault, arg);
    }
    if (ret->min_uid > ret->max_uid) {
        struct err fault = {0};
        (void)err_set(&fault, ERANGE, "min_uid=%u is above max_uid=%u: nobody is served",
                      ret->min_uid, ret->max_uid);
        fault_fn(&fault, arg);
    }
}

bool options_skip(const struct options *options, const char *service)
{
    /* What systemd opens for its user manager: that session is of the user's others. */
    if (strcmp(service, "systemd-user") == 0)
        return true;
    struct cursor c = cursor_of(options->skip_services);
    for (;;) {
        const char *name;
        size_t len;
        cursor_until(&c, ',', &name, &len);
        if (len > 0 && len == strlen(service) && strncmp(name, service, len) == 0)
            return true;
        if (!cursor_char(&c, ','))
            return false;
    }
}
