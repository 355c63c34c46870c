#include "io/compression.h"

#include <stddef.h>

/* RFC 1952, 2.3.1 */
#define GZIP STR("\x1F\x8B")

bool
compression_is_gzip(struct str head)
{
	return str_starts_with(head, GZIP);
}

bool
compression_is(struct str head)
{
	static const struct str magic[] = {
		{ "\x28\xB5\x2F\xFD", 4 }, /* zstd, RFC 8878 */
		{ "\xFD\x37zXZ", 5 },
		{ "BZh", 3 },
	};
	size_t i;

	for (i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		if (str_starts_with(head, magic[i]))
			return true;
	}
	return compression_is_gzip(head);
}
