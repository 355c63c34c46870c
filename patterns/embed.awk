# patterns/*.grok and *.json -> the rows of C tables, for src/core/patterns.c:
#
#     PATTERNS_ROW(BASE, "WORD", "\\b\\w+\\b", "", "")
#     PATTERNS_ROW(FORMAT, "common", "%{...}", "what it is, in one line",
#         "its first sample")
#
# base.grok has one `NAME regex` a line.  Every other file is one format, named
# after its file: its first comment is its description, and exactly one line
# is neither comment nor blank, its expression.  The first `line TEXT` of the
# .samples beside it is its sample.

function fail(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text | "cat >&2"
	failed = 1
	exit 1
}

# A C string; `?` is escaped because ?? may begin a trigraph.
function quoted(text)
{
	gsub(/["\\?]/, "\\\\&", text)
	gsub(/\t/, "\\\\t", text)
	return "\"" text "\""
}

function row(kind, name, text, description, sample)
{
	printf "PATTERNS_ROW(%s, %s,\n    %s,\n    %s,\n    %s)\n", kind,
	    quoted(name), quoted(text), quoted(description), quoted(sample)
}

function sample_of(path,    line, found)
{
	sub(/\.(grok|json)$/, ".samples", path)
	while (found == "" && (getline line <path) > 0)
		if (sub(/^line /, "", line))
			found = line
	close(path)
	return found
}

function end_format()
{
	if (name == "" || is_base)
		return
	if (expression == "" || description == "") {
		printf "%s: needs a first line `# description` and an " \
		    "expression\n", file | "cat >&2"
		failed = 1
		exit 1
	}
	row("FORMAT", name, expression, description, sample_of(file))
}

FNR == 1 {
	n_files++
	end_format()
	file = name = FILENAME
	sub(/^.*\//, "", name)
	sub(/\.(grok|json)$/, "", name)
	is_base = name == "base"
	expression = description = ""
}

/\r$/ {
	fail("ends in a carriage return")
}

/^#/ {
	if (description == "") {
		description = $0
		sub(/^#+ */, "", description)
	}
	next
}

/^[ \t]*$/ {
	next
}

is_base {
	if ($0 !~ /^[A-Za-z_][A-Za-z0-9_]* [^ ]/)
		fail("not of the form `NAME regex`")
	if ($1 in seen)
		fail($1 " is defined twice")
	seen[$1] = 1
	row("BASE", $1, substr($0, length($1) + 2), "", "")
	next
}

expression != "" {
	fail("a second expression; a format has one")
}

{
	expression = $0
}

END {
	if (failed)
		exit 1
	end_format()
	if (n_files != ARGC - 1) {
		print "embed.awk: an empty file among its arguments" | "cat >&2"
		exit 1
	}
}
