#include "rootless-setup/fix/tell.h"

#include <errno.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/report.h"

#define SCHEMA_VERSION 1

static const char *const names[TELL_ACTIONS] = {
    [TELL_WRITE] = "write",   [TELL_REPLACE] = "replace", [TELL_SET] = "set",
    [TELL_MODE] = "mode",     [TELL_LOAD] = "load",       [TELL_LEFT] = "left",
    [TELL_FAILED] = "failed", [TELL_RESTORE] = "restore", [TELL_REMOVE] = "remove",
    [TELL_UNLOAD] = "unload", [TELL_STAYS] = "stays",
};

int tell_start(struct fix_teller *teller, bool json, FILE *out)
{
    *teller = (struct fix_teller){.out = out, .checks = json ? json_array() : NULL};
    return json && !teller->checks ? -ENOMEM : 0;
}

static json_t *find(const struct fix_teller *teller, const char *id)
{
    size_t i;
    json_t *check;
    json_array_foreach(
        teller->checks, i,
        check) if (str_equal(json_string_value(json_object_get(check, "id")), id)) return check;
    return NULL;
}

void tell_begin(struct fix_teller *teller, const char *check)
{
    if (!teller->checks)
        (void)fprintf(teller->out, "%s:\n", check);
    tell_again(teller, check);
}

void tell_again(struct fix_teller *teller, const char *check)
{
    teller->any = true;
    teller->check = find(teller, check);
    if (!teller->checks || teller->check)
        return;
    teller->check =
        json_pack("{s:s, s:s, s:[], s:n}", "id", check, "outcome", "nothing", "steps", "now");
    (void)json_array_append_new(teller->checks, teller->check);
}

static void content(FILE *out, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        (void)fprintf(out, "    | %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void print_step(FILE *out, const struct told *step)
{
    switch (step->action) {
    case TELL_WRITE:
    case TELL_REPLACE:
        (void)fprintf(out, "  %s %s%s\n", names[step->action], step->target,
                      step->value[0] ? ":" : "");
        content(out, step->value);
        break;
    case TELL_SET:
    case TELL_MODE:
        (void)fprintf(out,
                      step->action == TELL_SET ? "  set %s = %s" : "  set the mode of %s to %s",
                      step->target, step->value);
        if (step->was)
            (void)fprintf(out, " (it is %s)", step->was);
        (void)fprintf(out, "%s\n", step->why ? step->why : "");
        break;
    case TELL_LEFT:
        (void)fprintf(out, "  %s: %s\n", step->target, step->why);
        break;
    case TELL_STAYS:
        (void)fprintf(out, "  %s %s\n", step->target, step->why);
        break;
    case TELL_FAILED:
        (void)fprintf(out, "  that failed; back:\n");
        break;
    case TELL_LOAD:
    case TELL_UNLOAD:
    case TELL_RESTORE:
    case TELL_REMOVE:
    case TELL_ACTIONS:
    default:
        (void)fprintf(out, "  %s %s\n", names[step->action], step->target);
        break;
    }
}

void tell_step(const struct fix_teller *teller, struct told step)
{
    if (!teller->checks) {
        print_step(teller->out, &step);
        return;
    }
    (void)json_array_append_new(json_object_get(teller->check, "steps"),
                                json_pack("{s:s, s:s?, s:s?, s:s?, s:s?}", "action",
                                          names[step.action], "target", step.target, "value",
                                          step.value, "was", step.was, "why", step.why));
}

void tell_outcome(const struct fix_teller *teller, const char *outcome, const char *line)
{
    if (teller->checks)
        (void)json_object_set_new(teller->check, "outcome", json_string(outcome));
    else if (line)
        (void)fprintf(teller->out, "  %s\n", line);
}

void tell_now(const struct fix_teller *teller, const struct check_probe *probe,
              const struct check_result *result, const char *user)
{
    if (!teller->checks) {
        (void)fprintf(teller->out, "%s for %s: %s (%s)\n", probe->id, user,
                      check_status_name(result->status), result->evidence);
        return;
    }
    json_t *check = find(teller, probe->id);
    if (check)
        (void)json_object_set_new(check, "now", report_check_value(probe, result));
}

int tell_finish(struct fix_teller *teller, const char *root, bool dry, bool changed)
{
    if (!teller->checks) {
        if (dry && changed)
            (void)fprintf(teller->out, "Nothing was done (--dry-run).\n");
        return 0;
    }
    json_t *report = json_pack("{s:i, s:s, s:s, s:b, s:b, s:o}", "schema", SCHEMA_VERSION,
                               "version", ROOTLESS_VERSION, "root", root ? root : "/", "dry_run",
                               dry, "changed", changed && !dry, "checks", teller->checks);
    teller->checks = NULL;
    int r = report ? json_dumpf(report, teller->out, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;
    (void)fprintf(teller->out, "\n");
    json_decref(report);
    return r < 0 ? -EIO : 0;
}
