# C sources -> the calls that this code base refuses, on stderr; exit 1.
# Comments and literals are not looked at.

function broken(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text | "cat >&2"
	status = 1
}

# The line without what is inside comments and literals; keeps in_comment.
function code(line,    result, c, i, quote)
{
	result = quote = ""
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (in_comment) {
			if (substr(line, i, 2) == "*/") {
				in_comment = 0
				i++
			}
		} else if (quote != "") {
			if (c == "\\")
				i++
			else if (c == quote)
				quote = ""
		} else if (substr(line, i, 2) == "/*") {
			in_comment = 1
			i++
		} else {
			if (c == "\"" || c == "'")
				quote = c
			result = result c
		}
	}
	return result
}

BEGIN {
	refused = "(sprintf|vsprintf|strcpy|strcat|strncpy|strtok|atoi|" \
	    "sscanf|alloca|system|localtime|gmtime)"
}

FNR == 1 {
	in_comment = 0
}

{
	line = code($0)
	if (match(line, "(^|[^A-Za-z0-9_])" refused " *\\("))
		broken("refused: " substr(line, RSTART, RLENGTH) ")")
	if (FILENAME !~ /(^|\/)src\/app\// &&
	    match(line, /(^|[^A-Za-z0-9_])_?exit *\(/))
		broken("only src/app exits")
}

END {
	exit status
}
