#include "io/compression.h"

#include <stddef.h>

bool
compression_is(struct str head)
{
	static const struct str magic[] = {
		{ "\x1F\x8B", 2 }, /* gzip, RFC 1952 */
		{ "\x28\xB5\x2F\xFD", 4 }, /* zstd, RFC 8878 */
		{ "\xFD\x37zXZ", 5 },
		{ "BZh", 3 },
	};
	size_t i;

	for (i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		if (str_starts_with(head, magic[i]))
			return true;
	}
	return false;
}
