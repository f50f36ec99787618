/*
 * What the data plane tells of itself (gateway/stats.h) as the API's answers: flows as JSON, totals
 * as OpenMetrics text. Both are written piece by piece, so that ten thousand flows need no tree in
 * memory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "rootlesskit/gateway/stats.h"

#define OBSERVE_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/** A JSON array with an object a flow. */
void observe_write_flows(FILE *out, const struct stats_record *records, size_t n);
/** @param resident  memory of the data plane, bytes; 0 = not known */
void observe_write_metrics(FILE *out, const struct stats_totals *totals, uint32_t n_ports,
                           uint64_t resident);
