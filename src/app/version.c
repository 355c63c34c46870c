#include "app/version.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *
version_number(void)
{
	return ACCESSLOG_VERSION;
}

const char *
version_revision(void)
{
	return ACCESSLOG_REVISION;
}

const char *
version_compiler(void)
{
	return COMPILER;
}
