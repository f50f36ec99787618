/*
 * Carries out a recipe: step by step looks at what is there, and changes only what is not yet as
 * wanted. Every change is recorded before it is made; when one fails, those made for the same check
 * are taken back.
 */
#pragma once

#include <stdbool.h>

#include "rootless-setup/fix/place.h"
#include "rootless-setup/fix/recipe.h"
#include "rootless-setup/fix/record.h"

struct err;
struct fix_teller;

struct fix_run {
    const struct place *place;
    struct record *record;
    const char *user;    /**< for whom linger is; NULL: nobody was named */
    const char *bin_dir; /**< where our programs are, or "": for AppArmor's profile */
    bool dry;            /**< only tells */
    struct fix_teller *teller;
    unsigned changed; /**< steps done, or to be done */
    unsigned refused; /**< steps that somebody must decide: told */
};

/** @return 0, or -errno after what this call had done was taken back */
int fix_apply(struct fix_run *run, const struct fix_recipe *recipe, struct err *err);
/** After a run that ended early: tells everybody again of the recorded files. */
int fix_resume(struct fix_run *run, struct err *err);
/** All have heard of all: says so in the record. */
int fix_finish(struct fix_run *run, struct err *err);
