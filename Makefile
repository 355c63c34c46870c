# accesslog_exporter: `make help` lists the targets.
#
# MODE is release, debug, asan, tsan or fuzz; each builds below build/$(MODE).
# CC, CPPFLAGS, CFLAGS, LDFLAGS, PREFIX and DESTDIR are the caller's: the flags
# here are kept apart from them and come first.  V=1 shows the commands.

VERSION := 0.1.0
MODE ?= release
B := build/$(MODE)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share/accesslog_exporter
MANDIR ?= $(PREFIX)/share/man
PYTHON ?= /usr/bin/python3
WERROR ?= -Werror
FUZZ_SECONDS ?= 60
Q := $(if $(V),,@)

ifeq ($(MODE)/$(origin CC),fuzz/default)
CC := clang
endif

# Flags

flags_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
	-fstack-protector-strong
flags_debug := -O0 -g3
sanitize := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize
flags_asan := $(sanitize)=address,undefined
flags_tsan := $(sanitize)=thread
flags_fuzz := $(sanitize)=fuzzer-no-link,address,undefined
$(if $(flags_$(MODE)),,$(error MODE=$(MODE): write release, debug, asan, tsan \
	or fuzz))

warnings := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wwrite-strings -Wcast-qual \
	-Wcast-align -Wpointer-arith -Wformat=2 -Wundef -Wvla -Wconversion \
	-Wswitch-enum -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough
warnings_gcc := -Wlogical-op -Wduplicated-cond -Wduplicated-branches

# Asked when a recipe runs, not when this file is read: by then the compiler
# and the libraries are there (see deps).
clang = $(findstring clang,$(shell $(CC) --version))
packages = $(shell pkg-config $1 libuv libpcre2-8 libmicrohttpd \
	yaml-0.1 sqlite3 zlib)
cppflags = -D_GNU_SOURCE= -Iinclude \
	$(call packages,--cflags) $(shell pkg-config --cflags libxxhash)
cflags = -std=gnu17 -pthread -fPIE $(flags_$(MODE)) $(warnings) \
	$(if $(clang),,$(warnings_gcc))
ldflags = -pie -Wl,-z,relro,-z,now

compile = $(CC) $(cppflags) $1 $(CPPFLAGS) $(cflags) $(CFLAGS) -MMD -MP -c
link = $(CC) $(cflags) $(CFLAGS) $(ldflags) $(LDFLAGS)
say = @printf '  %-6s %s\n'

# What there is to build

objects = $(patsubst %.c,$(B)/%.o,$(patsubst src/%,%,$(wildcard $1)))
core := $(call objects,src/core/*.c)
io := $(call objects,src/io/*.c)
app := $(call objects,src/app/*.c)
version := $(B)/app/version.o
program := $(B)/accesslog_exporter

tests = $(patsubst tests/%.c,$(B)/%,$(wildcard $1))
unit := $(call tests,tests/unit/test_*.c)
unit_helpers := $(filter-out $(unit:=.o),$(addsuffix .o,\
	$(call tests,tests/unit/*.c)))
fuzz := $(call tests,tests/fuzz/fuzz_*.c)
bench := $(call tests,tests/bench/*.c)
fuzz_driver := $(if $(filter fuzz,$(MODE)),,$(B)/fuzz/replay.o)

sources := $(wildcard include/accesslog/*.h src/*/*.[ch] tests/*/*.[ch])

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run check check-layers check-unit check-fuzz check-cost \
	check-golden check-e2e check-torture check-all torture bench bench-check \
	fuzz lint format install uninstall clean help deps fuzz-run FORCE

all: $(program) ## build the program (the default)

# Every compilation comes after deps.  A goal that is for developers installs
# from Debian what is missing; `all` and `install` only say what it is.

groups := build $(if $(filter check% torture,$(MAKECMDGOALS)),check) \
	$(filter lint format,$(MAKECMDGOALS)) $(filter fuzz,$(MODE)) \
	$(if $(filter bench%,$(MAKECMDGOALS)),bench)
installing := $(filter deps run check% torture bench% fuzz% lint format,\
	$(MAKECMDGOALS))

deps: ## install the Debian packages that a build needs
	@CC='$(CC)' tests/deps $(if $(installing),--install) $(groups)

# Rebuild when the flags or the revision change, and only then.

note = mkdir -p $(@D); printf '%s\n' $1 | cmp -s - $@ || printf '%s\n' $1 >$@

$(B)/gen/flags: FORCE | deps
	@$(call note,'$(subst ','\'',$(compile) $(link))')

# Under another user's git refuses to answer: what was known then stays.
$(B)/gen/revision: FORCE
	@revision=$$([ -e .git ] && git describe --always --dirty 2>/dev/null || \
	    cat $@ 2>/dev/null || :); $(call note,"$$revision")

$(B)/gen/patterns_table.h: patterns/embed.awk patterns/base.grok \
		$(wildcard patterns/*.grok patterns/*.json patterns/*.samples)
	$(say) GEN $@
	$(Q)mkdir -p $(@D); LC_ALL=C awk -f $< \
	    $(sort $(filter %.grok %.json,$^)) >$@

$(B)/%.o: src/%.c $(B)/gen/flags | deps
	$(say) CC $<
	$(Q)mkdir -p $(@D); $(call compile,$(defines) \
	    -I$(if $(filter core/%,$*),$(B)/gen,src)) $< -o $@

$(B)/%.o: tests/%.c $(B)/gen/flags | deps
	$(say) CC $<
	$(Q)mkdir -p $(@D); $(compile) $< -o $@

$(B)/core/patterns.o: $(B)/gen/patterns_table.h
$(version): $(B)/gen/revision
$(version): defines = -DACCESSLOG_VERSION='"$(VERSION)"' \
	-DACCESSLOG_REVISION='"$(file <$(B)/gen/revision)"'

$(B)/libcore.a: $(core)
	$(say) AR $@
	$(Q)rm -f $@; ar rcs $@ $^

$(program): $(app) $(io)
$(unit): %: %.o $(unit_helpers)
$(B)/unit/test_gunzip: $(B)/io/gunzip.o
state := $(filter $(B)/io/state%,$(io))
$(B)/unit/test_state $(B)/bench/save: $(state)
$(B)/unit/test_gunzip.o $(B)/unit/test_state.o $(B)/bench/save.o: \
	private cppflags += -Isrc
$(unit): libs = $(shell pkg-config --libs cmocka) $(addprefix -Xlinker --wrap=,\
	malloc calloc realloc reallocarray strdup strndup \
	pcre2_compile_context_create_8 pcre2_match_context_create_8 \
	pcre2_jit_compile_8 yaml_parser_initialize yaml_parser_parse)
$(fuzz): %: %.o $(fuzz_driver)
$(fuzz): libs = $(if $(fuzz_driver),,-fsanitize=fuzzer)
$(bench): %: %.o
$(B)/bench/registry: private libs = \
	$(addprefix -Xlinker --wrap=pthread_mutex_,lock unlock)

$(program) $(unit) $(fuzz) $(bench): $(B)/libcore.a
	$(say) LINK $@
	$(Q)$(link) $(filter %.o,$^) $< $(call packages,--libs) $(libs) -lm -o $@

-include $(patsubst %.o,%.d,$(core) $(io) $(app) $(unit_helpers) \
	$(fuzz_driver) $(addsuffix .o,$(unit) $(fuzz) $(bench)))

# Checks: built in parallel where asked, run one after the other

export ACCESSLOG_EXPORTER := $(CURDIR)/$(program)
export ACCESSLOG_GENERATE := $(CURDIR)/$(B)/bench/generate
export PYTHONDONTWRITEBYTECODE := 1
# Deadlines of the tests are so many times longer.
export ACCESSLOG_SLOW ?= $(if $(filter asan tsan,$(MODE)),5,1)
pytest := $(PYTHON) -m pytest -q -rfEs -p no:cacheprovider
checks := layers unit fuzz cost golden torture e2e

check: $(program) $(unit) $(fuzz) $(bench) ## every test there is
	@+for check in $(checks); do \
	    $(MAKE) --no-print-directory check-$$check || exit 1; done

check-layers: $(core) $(io) $(app) ## prove from the objects that layers and walls hold
	@tests/lint/layers $^
	@tests/lint/man-metrics include/accesslog/metrics.def \
	    man/accesslog_exporter.8
	@tests/lint/man-messages man/accesslog_exporter.8 src/app/*.c
	@tests/lint/named-tests tests/README.md tests/e2e/*.py
	@tests/lint/modules README.md src/*/*.c

check-unit: $(unit) ## the core's unit tests
	@tests/unit/run $^

check-fuzz: $(fuzz) ## replay the fuzz corpora
	@for target in $(^F); do \
	    $(B)/fuzz/$$target tests/fuzz/corpus/$${target#fuzz_}/* || exit 1; done

check-cost: $(program) $(bench) ## instructions a line of the hot loops, by callgrind
	@MODE=$(MODE) tests/bench/cost

check-golden: $(program) ## real lines in, exact metrics out
	@$(pytest) tests/golden

check-e2e: $(program) $(bench) ## the daemon with real servers, logrotate and Prometheus
	@$(pytest) tests/e2e

TORTURE_SECONDS ?= 60
TORTURE_PROGRAMS ?= $(if $(filter asan tsan,$(MODE)),60,200)
torture := $(PYTHON) tests/torture/run

check-torture: $(program) ## programs that found mistakes, and a few hundred random ones
	@$(torture) --programs=$(TORTURE_PROGRAMS) tests/torture/found/*

torture: $(program) ## random programs for TORTURE_SECONDS=60, or that of SEED=
	@$(torture) $(if $(SEED),--seed=$(SEED) --times=20,--seconds=$(TORTURE_SECONDS))

check-all: ## check as release, asan and tsan, and lint
	@+for mode in release asan tsan; do \
	    $(MAKE) --no-print-directory check MODE=$$mode || exit 1; done
	@+$(MAKE) --no-print-directory lint

fuzz: ## fuzz each target for FUZZ_SECONDS=60 with libFuzzer
	@+$(MAKE) --no-print-directory MODE=fuzz CC=clang fuzz-run

fuzz-run: $(fuzz)
	@for target in $(^F); do name=$${target#fuzz_}; \
	    mkdir -p build/fuzz/corpus/$$name; \
	    $(B)/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) \
	        -artifact_prefix=build/fuzz/$$name- -print_final_stats=1 \
	        build/fuzz/corpus/$$name tests/fuzz/corpus/$$name || exit 1; done

bench: $(program) $(bench) ## measure, beside wc, mawk, goaccess and mtail
	@tests/bench/run

bench-check: bench ## fail where a ratio has lost over 20 % since it was recorded
	@$(PYTHON) tests/bench/check.py

run: $(program) $(B)/bench/generate ## follow this machine's log, or a demo log
	@contrib/run $^

lint: $(B)/gen/patterns_table.h | deps ## form, static analysis, refused calls
	@FLAGS='$(strip $(cppflags)) -std=gnu17 -Isrc -I$(B)/gen \
	    -DACCESSLOG_VERSION="$(VERSION)" -DACCESSLOG_REVISION=""' \
	    tests/lint/run $(sources)

format: | deps ## lay out the C sources with clang-format
	@clang-format -i $(sources)

# The manual's pages where install puts them
manuals = $(foreach n,5 7 8,\
	$(patsubst man/%,'$(DESTDIR)$(MANDIR)/man$n/%',$(wildcard man/*.$n)))

install: all ## into PREFIX (/usr/local), below DESTDIR
	install -d $(addprefix '$(DESTDIR)',$(BINDIR) $(DATADIR)/patterns \
	    $(DATADIR)/examples $(MANDIR)/man5 $(MANDIR)/man7 \
	    $(MANDIR)/man8)
	install -m 755 $(program) '$(DESTDIR)$(BINDIR)'
	install -m 644 patterns/*.grok patterns/*.json \
	    '$(DESTDIR)$(DATADIR)/patterns'
	install -m 644 contrib/examples/*.yml '$(DESTDIR)$(DATADIR)/examples'
	install -m 644 man/*.5 '$(DESTDIR)$(MANDIR)/man5'
	install -m 644 man/*.7 '$(DESTDIR)$(MANDIR)/man7'
	install -m 644 man/*.8 '$(DESTDIR)$(MANDIR)/man8'
	sed -i 's|/usr/local/share/accesslog_exporter|$(DATADIR)|' $(manuals)

uninstall: ## remove what install put there
	rm -f '$(DESTDIR)$(BINDIR)/accesslog_exporter' \
	    $(patsubst %,'$(DESTDIR)$(DATADIR)/%',\
	        $(wildcard patterns/*.grok patterns/*.json)) \
	    $(patsubst contrib/%,'$(DESTDIR)$(DATADIR)/%',\
	        $(wildcard contrib/examples/*.yml)) \
	    $(manuals)
	for dir in '$(DESTDIR)$(DATADIR)/patterns' \
	    '$(DESTDIR)$(DATADIR)/examples' '$(DESTDIR)$(DATADIR)'; do \
	    [ ! -d "$$dir" ] || rmdir --ignore-fail-on-non-empty "$$dir"; done

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@echo 'make [TARGET]... [MODE=release|debug|asan|tsan|fuzz] [V=1]'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' \
	    Makefile
