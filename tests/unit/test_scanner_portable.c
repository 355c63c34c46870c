/*
 * The same tests of the scanner as it is on machines without SSE2: the core's
 * own is not linked, because this has all of its functions.
 */
#undef __SSE2__
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "../../src/core/scanner.c"
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "test_scanner.c"
