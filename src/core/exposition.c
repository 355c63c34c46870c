#include "accesslog/exposition.h"

static const char *
type_name(enum registry_type type)
{
	switch (type) {
	case REGISTRY_COUNTER:
		return "counter";
	case REGISTRY_GAUGE:
		return "gauge";
	case REGISTRY_HISTOGRAM:
		return "histogram";
	}
	return "untyped";
}

/* In a HELP line backslash and newline are escaped, quotes are not. */
static void
render_help(const char *help, struct buf *out)
{
	for (; *help; help++) {
		if (*help == '\\')
			buf_add(out, STR("\\\\"));
		else if (*help == '\n')
			buf_add(out, STR("\\n"));
		else
			buf_add_char(out, *help);
	}
}

/* name{labels,le="bound"} and a space; labels and le may be absent. */
static void
render_name(struct str name, const char *suffix, struct str labels,
    const struct decimal *le, bool has_le, struct buf *out)
{
	buf_add(out, name);
	buf_add_text(out, suffix);
	if (labels.len || has_le) {
		buf_add_char(out, '{');
		buf_add(out, labels);
		if (has_le) {
			if (labels.len)
				buf_add_char(out, ',');
			buf_add(out, STR("le=\""));
			if (le)
				decimal_render(*le, out);
			else
				buf_add(out, STR("+Inf"));
			buf_add_char(out, '"');
		}
		buf_add_char(out, '}');
	}
	buf_add_char(out, ' ');
}

static void
render_value(const uint64_t cells[2], struct buf *out)
{
	decimal_render((struct decimal){ cells[0], (uint32_t)cells[1] }, out);
	buf_add_char(out, '\n');
}

static void
render_histogram(const struct registry_spec *spec, struct str name,
    struct str labels, const uint64_t *cells, struct buf *out)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i <= spec->n_bounds; i++) {
		const struct decimal *le = i < spec->n_bounds ? &spec->bounds[i]
							      : NULL;

		count += cells[i];
		render_name(name, "_bucket", labels, le, true, out);
		buf_add_u64(out, count);
		buf_add_char(out, '\n');
	}
	render_name(name, "_sum", labels, NULL, false, out);
	render_value(cells + spec->n_bounds + 1, out);
	render_name(name, "_count", labels, NULL, false, out);
	buf_add_u64(out, count);
	buf_add_char(out, '\n');
}

void
exposition_render_family(const struct registry_snapshot_family *f,
    struct buf *out)
{
	const struct registry_spec *spec = registry_spec(f->family);
	struct str name = str_from(spec->name);
	uint32_t i;

	if (!f->n_series)
		return;
	buf_add(out, STR("# HELP "));
	buf_add(out, name);
	buf_add_char(out, ' ');
	render_help(spec->help, out);
	buf_add(out, STR("\n# TYPE "));
	buf_add(out, name);
	buf_add_char(out, ' ');
	buf_add_text(out, type_name(spec->type));
	buf_add_char(out, '\n');

	for (i = 0; i < f->n_series; i++) {
		const uint64_t *cells = f->cells + i * f->n_cells;
		struct str labels = registry_text(f->family, i);

		if (spec->type == REGISTRY_HISTOGRAM) {
			render_histogram(spec, name, labels, cells, out);
			continue;
		}
		render_name(name, "", labels, NULL, false, out);
		render_value(cells, out);
	}
}

void
exposition_render(const struct registry_snapshot *s, struct buf *out)
{
	size_t i;

	for (i = 0; i < s->n_families; i++)
		exposition_render_family(&s->families[i], out);
}
