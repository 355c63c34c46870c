#include "accesslog/tally_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tally_parts.h"

/* Three digits, and everything else that stands for a status. */
#define N_STATUSES 1001

enum value {
	VALUE_ONE = 1, /* each entry counts */
	VALUE_OF_FIELD = 2,
	VALUE_NONE = 4, /* the format has no such field */
};

/* What one metric takes from the entries of a format. */
struct use {
	struct metric *metric;
	enum registry_type type;
	enum value value;
	size_t slot; /* of VALUE_OF_FIELD */
	uint64_t bit; /* of the slot, or 0 */
};

/*
 * The cells of all metrics that need no hash.  What has no series of its own,
 * because there is no more room, has none here, and is looked up each time.
 */
struct row {
	bool is_whole;
	uint64_t *cells[];
};

struct tally_plan {
	struct tally *tally;
	uint64_t status_bit; /* of `status`; 0: no metric is by it */
	size_t n_statuses; /* rows of a group */
	size_t n_groups;
	struct row ***rows; /* by group, then by status; each or NULL */
	uint64_t **scratch; /* the cells for an entry without a whole row */
	/* In this order: those in a row, by value, then those by labels. */
	size_t n_ones;
	size_t n_valued; /* ones and fields */
	size_t n_in_row; /* these and those without a value */
	size_t n;
	struct use uses[];
};

static enum value
value_of(const struct metric *m, uint64_t fields, size_t *ret_slot)
{
	size_t i;

	if (m->counts_requests)
		return VALUE_ONE;
	for (i = 0; i < 2; i++) {
		if (m->values[i] == FIELDS_NO_SLOT ||
		    !(fields & ENTRY_BIT(m->values[i])))
			continue;
		*ret_slot = m->values[i];
		return VALUE_OF_FIELD;
	}
	return VALUE_NONE;
}

/*
 * Those of one kind with such values, which are bits; returns how many there are
 * by now.
 */
static size_t
add_uses(struct tally_plan *plan, uint64_t fields, bool by_labels,
    unsigned values)
{
	size_t i;

	for (i = 0; i < plan->tally->n_metrics; i++) {
		struct metric *m = &plan->tally->metric[i];
		struct use use = { .metric = m, .type = m->spec.type };

		if ((m->kind == BY_LABELS) != by_labels)
			continue;
		use.value = value_of(m, fields, &use.slot);
		/* By status, series without a value are shown all the same. */
		if (!(use.value & values) ||
		    (use.value == VALUE_NONE && m->kind != BY_STATUS))
			continue;
		if (use.value == VALUE_OF_FIELD)
			use.bit = ENTRY_BIT(use.slot);
		plan->uses[plan->n++] = use;
	}
	return plan->n;
}

int
tally_plan_create(struct tally *t, uint64_t fields,
    struct tally_plan **ret_plan)
{
	struct tally_plan *plan = calloc(1,
	    sizeof(*plan) + t->n_metrics * sizeof(plan->uses[0]));
	size_t i;

	if (!plan)
		return -ENOMEM;
	plan->tally = t;
	plan->n_statuses = 1;
	plan->n_ones = add_uses(plan, fields, false, VALUE_ONE);
	plan->n_valued = add_uses(plan, fields, false, VALUE_OF_FIELD);
	plan->n_in_row = add_uses(plan, fields, false, VALUE_NONE);
	for (i = 0; i < plan->n_in_row; i++) {
		if (plan->uses[i].metric->kind != BY_STATUS)
			continue;
		plan->status_bit = fields & ENTRY_BIT(t->status_slot);
		plan->n_statuses = N_STATUSES;
	}
	(void)add_uses(plan, fields, true, VALUE_ONE | VALUE_OF_FIELD);
	plan->scratch = calloc(plan->n_in_row + 1, sizeof(*plan->scratch));
	if (!plan->scratch) {
		free(plan);
		return -ENOMEM;
	}
	*ret_plan = plan;
	return 0;
}

void
tally_plan_destroy(struct tally_plan *plan)
{
	size_t i, j;

	if (!plan)
		return;
	for (i = 0; i < plan->n_groups; i++) {
		for (j = 0; plan->rows[i] && j < plan->n_statuses; j++)
			free(plan->rows[i][j]);
		free(plan->rows[i]);
	}
	free(plan->rows);
	free(plan->scratch);
	free(plan);
}

/* Finds the cells that belong to those of m->same. */
static int
look_up_same(struct metric *m)
{
	uint32_t series;
	int error = registry_find_same_series(m->family, m->same->family,
	    &series, &m->overflowed);

	if (error)
		return error;
	m->cells = registry_cells(m->family, series);
	m->overflowed_labels = m->same->overflowed_labels;
	return 0;
}

/* Finds the cells of m whose first labels have these values. */
static int
look_up(struct tally *t, struct metric *m, size_t group,
    struct str values[BOUNDS_LABELS])
{
	uint32_t series;
	size_t i;
	int error;

	for (i = 0; i < t->n_statics; i++)
		values[m->n_labels + i] = t->groups[group].values[i];
	error = registry_find_series(m->family, values, &series,
	    &m->overflowed);
	if (!error)
		m->cells = registry_cells(m->family, series);
	return error;
}

static int
label_value(struct tally *t, struct label *l, const struct entry *e)
{
	int error;

	if (l->n_entry == t->n_entry)
		return 0;
	error = labels_value(l->values, e->text[l->slot], &l->value,
	    &l->overflowed);
	if (!error)
		l->n_entry = t->n_entry;
	return error;
}

static int
find_by_labels(struct tally *t, struct metric *m, size_t group,
    const struct entry *e)
{
	struct str values[BOUNDS_LABELS];
	size_t i;
	int error;

	if (m->same && m->same->n_entry == t->n_entry && !m->same->overflowed)
		return look_up_same(m);
	m->overflowed_labels = 0;
	for (i = 0; i < m->n_labels; i++) {
		struct label *l = &t->labels[m->labels[i]];

		error = label_value(t, l, e);
		if (error)
			return error;
		values[i] = l->value;
		if (l->overflowed)
			m->overflowed_labels |= UINT64_C(1) << i;
	}
	error = look_up(t, m, group, values);
	if (!error)
		m->n_entry = t->n_entry;
	return error;
}

static void
count_overflow(struct tally *t, struct metric *m)
{
	if (m->overflowed)
		registry_count_overflow(m->family);
	for (; m->overflowed_labels;
	     m->overflowed_labels &= m->overflowed_labels - 1)
		registry_add(t->metrics->family[METRICS_LABEL_OVERFLOW],
		    m->label_overflow[__builtin_ctzll(m->overflowed_labels)],
		    decimal_of(1));
}

static inline bool
is_due(const struct use *use, const struct entry *e)
{
	return use->value == VALUE_ONE || e->has_number & use->bit;
}

/* Cannot fail, as nothing below that adds. */
static inline void
add_field(const struct use *use, uint64_t *cells, const struct entry *e)
{
	struct decimal value = e->number[use->slot];

	if (use->type == REGISTRY_COUNTER)
		registry_cells_add(cells, value);
	else if (use->type == REGISTRY_GAUGE)
		registry_cells_set(cells, value);
	else
		registry_cells_observe(use->metric->family, cells, value);
}

/* The rows of this group; NULL without memory. */
static struct row **
make_rows(struct tally_plan *plan, size_t group)
{
	size_t n_groups = plan->tally->n_groups;
	struct row ***rows;

	if (group >= plan->n_groups) {
		rows = reallocarray(plan->rows, n_groups, sizeof(*rows));
		if (!rows)
			return NULL;
		plan->rows = rows;
		memset(rows + plan->n_groups, 0,
		    (n_groups - plan->n_groups) * sizeof(*rows));
		plan->n_groups = n_groups;
	}
	if (!plan->rows[group])
		plan->rows[group] = calloc(plan->n_statuses,
		    sizeof(*plan->rows[group]));
	return plan->rows[group];
}

/* Returns a row, new and without cells where there was none; or NULL. */
static struct row *
make_row(struct tally_plan *plan, size_t group, size_t status)
{
	struct row **rows = make_rows(plan, group);

	if (rows && !rows[status])
		rows[status] = calloc(1,
		    sizeof(struct row) + plan->n_in_row * sizeof(uint64_t *));
	return rows ? rows[status] : NULL;
}

/*
 * Finds the series that are not in the row yet.  A series exists as soon as a
 * format can have its value, so that it is there before the first.
 *
 * Returns 0; plan->scratch has the cells of all.  Or -ENOMEM.
 */
static int
find_row(struct tally_plan *plan, size_t group, size_t status,
    const struct entry *e)
{
	struct tally *t = plan->tally;
	struct row *row = make_row(plan, group, status);
	size_t i;

	if (!row)
		return -ENOMEM;
	row->is_whole = true;
	for (i = 0; i < plan->n_in_row; i++) {
		struct metric *m = plan->uses[i].metric;
		struct str values[BOUNDS_LABELS] = { STR("") };
		int error = 0;

		m->cells = row->cells[i];
		m->overflowed = false;
		if (m->kind == BY_STATUS)
			values[0] = labels_status(e->text[t->status_slot]);
		if (!m->cells)
			error = look_up(t, m, group, values);
		if (error) {
			row->is_whole = false;
			return error;
		}
		if (m->overflowed)
			row->is_whole = false;
		else
			row->cells[i] = m->cells;
		plan->scratch[i] = m->cells;
	}
	return 0;
}

static int
find_labelled(struct tally_plan *plan, size_t group, const struct entry *e)
{
	size_t i;
	int error = 0;

	plan->tally->n_entry++;
	for (i = plan->n_in_row; i < plan->n && !error; i++) {
		if (is_due(&plan->uses[i], e))
			error = find_by_labels(plan->tally,
			    plan->uses[i].metric, group, e);
	}
	return error;
}

static void
add_labelled(struct tally_plan *plan, const struct entry *e)
{
	const struct use *use = plan->uses + plan->n_in_row;
	const struct use *end = plan->uses + plan->n;

	for (; use < end; use++) {
		struct metric *m = use->metric;

		if (use->value == VALUE_ONE)
			registry_cells_add(m->cells, decimal_of(1));
		else if (e->has_number & use->bit)
			add_field(use, m->cells, e);
		else
			continue;
		count_overflow(plan->tally, m);
	}
}

static void
add_row(const struct tally_plan *plan, uint64_t *const cells[],
    const struct entry *e)
{
	size_t i;

	for (i = 0; i < plan->n_ones; i++)
		registry_cells_add(cells[i], decimal_of(1));
	for (; i < plan->n_valued; i++) {
		if (e->has_number & plan->uses[i].bit)
			add_field(&plan->uses[i], cells[i], e);
	}
}

/* Of an entry whose series find_row() has found. */
static void
count_row_overflow(struct tally_plan *plan, const struct entry *e)
{
	size_t i;

	for (i = 0; i < plan->n_valued; i++) {
		if (is_due(&plan->uses[i], e))
			count_overflow(plan->tally, plan->uses[i].metric);
	}
}

/* Below 1000; or the last, for what is no number, or where none is by it. */
static inline size_t
status_of(const struct tally_plan *plan, const struct entry *e)
{
	return e->has_number & plan->status_bit
	    ? (size_t)e->number[plan->tally->status_slot].whole
	    : plan->n_statuses - 1;
}

/* All series first, then all values: on failure nothing was counted. */
int
tally_plan_count(struct tally_plan *plan, size_t group, const struct entry *e)
{
	size_t status = status_of(plan, e);
	const struct row *row = NULL;
	bool is_whole;
	int error = 0;

	if (group < plan->n_groups && plan->rows[group])
		row = plan->rows[group][status];
	is_whole = row && row->is_whole;
	if (!is_whole)
		error = find_row(plan, group, status, e);
	if (!error && plan->n > plan->n_in_row)
		error = find_labelled(plan, group, e);
	if (error)
		return error;
	if (!is_whole)
		count_row_overflow(plan, e);
	add_row(plan, is_whole ? row->cells : plan->scratch, e);
	if (plan->n > plan->n_in_row)
		add_labelled(plan, e);
	return 0;
}
