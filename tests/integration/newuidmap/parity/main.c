/*
 * The same random requests to shadow's newuidmap and newgidmap and to ours, side by side.
 *
 * Usage: parity NEWUIDMAP NEWGIDMAP PEER-NEWUIDMAP PEER-NEWGIDMAP
 *        parity --rules: the intended differences, as the table of docs/uidmap-differences.md
 * Environment: SEED (1), CASES (2500), ONLY=N: the trial of that number alone, verbosely,
 * PEER_VERSION: "4.13" (the default) or "4.20", which rules apply.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "tests/integration/newuidmap/parity/model.h"
#include "tests/integration/newuidmap/parity/run.h"

#define CASES 2500
#define SHOWN_MAX 5
/* Enough for every kind of trial to have occurred; fewer only serve to look at something. */
#define CASES_FOR_ALL_RULES 2000

struct tally {
    unsigned trials, wrong_theirs, wrong_ours, differing, shown;
    unsigned why[WHY_N], theirs_granted, rules[RULE_N];
};

static unsigned environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    struct err err = {0};
    uint32_t value = otherwise;
    if (text && parse_u32(name, text, 0, UINT32_MAX, &value, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(2);
    }
    return value;
}

static unsigned peer_rules(bool new)
{
    unsigned rules = 0;
    for (int i = 0; i < RULE_N; i++)
        if (new ? model_rules[i].new : model_rules[i].old)
            rules |= RULE_BIT(i);
    return rules;
}

static int print_rules(void)
{
    printf("| what | ours | shadow's | shadow | why |\n| --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < RULE_N; i++) {
        const struct model_rule_text *r = &model_rules[i];
        printf("| %s | %s | %s | %s | %s |\n", r->name, r->ours, r->theirs,
               r->old && r->new ? "4.13, 4.20"
               : r->old         ? "4.13"
                                : "4.20",
               r->reason);
    }
    return 0;
}

static void print_outcome(const char *who, const struct model_outcome *outcome)
{
    printf("# %s: status %d, setgroups %s, map", who, outcome->status,
           outcome->denied ? "deny" : "allow");
    for (size_t i = 0; i < outcome->n && i < 8; i++)
        printf(" %lu %lu %lu;", outcome->map[i].inside, outcome->map[i].outside,
               outcome->map[i].count);
    printf("%s\n", outcome->n > 8 ? " ..." : outcome->n == 0 ? " empty" : "");
}

static void show(const char *who, const struct trial *trial, unsigned seed,
                 const struct model_outcome *got, const struct model_outcome *want,
                 const char *said)
{
    printf("# trial %u, again alone with SEED=%u ONLY=%u\n", trial->number, seed, trial->number);
    trial_print(trial);
    print_outcome(who, got);
    print_outcome("expected", want);
    printf("# expected because: %s\n# said: ", model_why_text[want->why]);
    for (; *said; said++)
        printf(*said == '\n' && said[1] ? "\n# " : "%c", *said);
    printf("\n");
}

/* The rules without which one of the two would have done as the other did. */
static unsigned blame(const struct trial *trial, unsigned peer, const struct model_outcome *ours,
                      const struct model_outcome *theirs)
{
    static struct model_outcome other;
    unsigned blamed = 0;
    for (int i = 0; i < RULE_N; i++) {
        if (!(peer & RULE_BIT(i)))
            continue;
        model_predict(trial, RULE_BIT(i), &other);
        bool alone = !model_equal(&other, ours);
        model_predict(trial, peer & ~RULE_BIT(i), &other);
        if (alone || !model_equal(&other, theirs))
            blamed |= RULE_BIT(i);
    }
    return blamed;
}

static void run_trial(const struct trial *trial, char *const *programs, unsigned peer,
                      unsigned seed, bool verbose, struct tally *tally)
{
    static struct model_outcome want_ours, want_theirs, ours, theirs;
    static char said_ours[RUN_SAID_MAX], said_theirs[RUN_SAID_MAX];
    int kind = trial->gid ? 1 : 0;
    run_files(trial);
    run_program(trial, programs[kind], &ours, said_ours);
    run_program(trial, programs[2 + kind], &theirs, said_theirs);
    model_predict(trial, 0, &want_ours);
    model_predict(trial, peer, &want_theirs);

    bool wrong_ours = !model_equal(&ours, &want_ours);
    bool wrong_theirs = !model_equal(&theirs, &want_theirs);
    tally->trials++;
    tally->wrong_ours += wrong_ours;
    tally->wrong_theirs += wrong_theirs;
    tally->why[want_ours.why]++;
    tally->theirs_granted += theirs.status == 0;
    if (verbose || (wrong_ours && tally->shown++ < SHOWN_MAX))
        show("ours", trial, seed, &ours, &want_ours, said_ours);
    if (verbose || (wrong_theirs && tally->shown++ < SHOWN_MAX))
        show("theirs", trial, seed, &theirs, &want_theirs, said_theirs);
    if (model_equal(&ours, &theirs))
        return;
    tally->differing++;
    unsigned blamed = blame(trial, peer, &want_ours, &want_theirs);
    for (int i = 0; i < RULE_N; i++)
        tally->rules[i] += (blamed & RULE_BIT(i)) != 0;
}

static bool result(bool good, const char *what)
{
    static unsigned n;
    if (what)
        printf("%s %u - %s\n", good ? "ok" : "not ok", ++n, what);
    else
        printf("1..%u\n", n);
    return good;
}

static int report(const struct tally *tally, unsigned peer, const char *version)
{
    char text[256];
    bool good = true;
    for (int i = 0; i < WHY_N; i++)
        printf("# %5.1f %%  %s\n", 100.0 * tally->why[i] / tally->trials, model_why_text[i]);
    printf("# %5.1f %%  granted by shadow's\n", 100.0 * tally->theirs_granted / tally->trials);
    (void)snprintf(text, sizeof text, "shadow %s does what the model of it says, %u trials",
                   version, tally->trials);
    good &= result(tally->wrong_theirs == 0, text);
    (void)snprintf(text, sizeof text,
                   "ours differ from it by the rules below and nothing else, %u of %u trials",
                   tally->differing, tally->trials);
    good &= result(tally->wrong_ours == 0, text);
    if (tally->trials >= CASES_FOR_ALL_RULES) {
        good &=
            result(4 * tally->why[WHY_GRANTED] >= tally->trials, "a quarter or more is granted");
        for (int i = 0; i < RULE_N; i++) {
            if (!(peer & RULE_BIT(i)))
                continue;
            (void)snprintf(text, sizeof text, "difference: %s, %u times: ours: %s; theirs: %s",
                           model_rules[i].name, tally->rules[i], model_rules[i].ours,
                           model_rules[i].theirs);
            good &= result(tally->rules[i] > 0, text);
        }
    }
    (void)result(true, NULL);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct trial trial;
    static struct tally tally;
    if (argc == 2 && strcmp(argv[1], "--rules") == 0)
        return print_rules();
    if (argc != 5 || !getenv("RLTEST_INSIDE")) {
        (void)fprintf(stderr, "usage: parity NEWUIDMAP NEWGIDMAP PEER-NEWUIDMAP PEER-NEWGIDMAP, "
                              "below tests/integration/lib.sh\n");
        return 2;
    }
    const char *asked = getenv("PEER_VERSION"), *version = asked ? asked : "4.13";
    unsigned seed = environment("SEED", 1), cases = environment("CASES", CASES);
    unsigned only = environment("ONLY", UINT32_MAX);
    unsigned peer = peer_rules(strcmp(version, "4.13") != 0);
    printf("# SEED=%u CASES=%u\n", seed, cases);
    run_users();
    for (unsigned i = only == UINT32_MAX ? 0 : only; i < cases || i == only; i++) {
        trial_draw(&trial, seed, i);
        run_trial(&trial, argv + 1, peer, seed, i == only, &tally);
        if (i == only)
            break;
    }
    return report(&tally, peer, version);
}
