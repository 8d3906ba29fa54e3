# SPDX-License-Identifier: GPL-2.0-or-later
# One Makefile for everything. `make help` lists the targets.
#
# FLAVOUR picks flags and an object tree of its own (build/$(FLAVOUR)), so
# that `make check FLAVOUR=asan` never mixes objects with `make`.

FLAVOUR ?= release
CC	?= cc
CLANG	?= $(shell command -v clang || echo clang-14)
PREFIX	?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR	?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/parasaus
MANDIR	?= $(PREFIX)/share/man
UNITDIR ?= /lib/systemd/system
SYSUSERSDIR ?= /usr/lib/sysusers.d
SYSCONFDIR ?= /etc
DESTDIR ?=

B := build/$(FLAVOUR)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

VERSION := $(shell git describe --always --dirty --tags 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)

# --- flags -------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wcast-qual -Wformat=2 -Wundef -Wvla \
	-Wimplicit-fallthrough -Wwrite-strings -Wconversion -Wno-sign-conversion \
	-Wswitch-enum -Wnull-dereference -Wno-string-conversion
# Packagers keep going on a new compiler's new warning; our own runs set WERROR=1.
WERROR	 ?=
ifneq ($(WERROR),)
WARNINGS += -Werror
endif

OPT_release  := -O2 -D_FORTIFY_SOURCE=2
OPT_asan     := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
		-DSANITIZED
OPT_tsan     := -O1 -fsanitize=thread -fno-omit-frame-pointer -DSANITIZED
OPT_coverage := -O0 --coverage -DSANITIZED
OPT_fuzz     := -O1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all \
		-fno-omit-frame-pointer -DSANITIZED
ifeq ($(OPT_$(FLAVOUR)),)
$(error FLAVOUR must be release, asan, tsan, coverage or fuzz, not '$(FLAVOUR)')
endif
ifeq ($(FLAVOUR),fuzz)
override CC := $(CLANG)
endif

PKGS := libnl-3.0 libnl-genl-3.0 libmnl libipset libnftables libcurl jansson yaml-0.1 \
	libmicrohttpd libcap libseccomp gnutls libsodium libnghttp2 sqlite3 zlib
# Not needed to clean or to print help.
ifneq ($(filter-out clean help format format-check,$(or $(MAKECMDGOALS),all)),)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
ifeq ($(PKG_LIBS),)
$(error Libraries are missing: on Debian run `deploy/install-deps build` first)
endif
endif

# Ours come after what a packager gives, on the command line or in the environment.
override CPPFLAGS += -I. -D_GNU_SOURCE $(PKG_CFLAGS)
override CFLAGS += -std=gnu11 -g $(OPT_$(FLAVOUR)) $(WARNINGS) -fPIE -fstack-protector-strong \
	-fstack-clash-protection -fno-common -fno-strict-aliasing -pthread
override LDFLAGS += -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(filter -fsanitize=% --coverage,$(OPT_$(FLAVOUR)))
override LDLIBS += $(PKG_LIBS)

# --- what there is -----------------------------------------------------------

# Everything but the main()s is one library: programs, tests and fuzz targets link the same, and
# --as-needed leaves each the libraries it uses (tests/libraries.allow).
PARTS	:= $(addprefix $(B)/parasausd-,core ipvs healthcheck) # of parasausd; see agent/program.h
PROGRAMS := $(B)/parasausd $(B)/parasausctl $(PARTS)
MAINS	:= agent/main.c agent/main_core.c agent/main_ipvs.c agent/main_healthcheck.c agent/ctl/main.c
SRC	:= $(filter-out $(MAINS),$(wildcard agent/*.c agent/*/*.c ipvs/*.c healthcheck/*.c watch/*.c))
# The web page, compressed inside the program; see agent/api/page.h.
PAGE	:= $(sort $(shell find agent/api/page -name '*.html' -o -name '*.css' -o -name '*.svg' -o -name '*.js' -o -name '*.mjs'))
OBJ	:= $(SRC:%.c=$(B)/%.o) $(B)/page/files.o
LIB	:= $(B)/libparasaus.a
TESTLIB_SRC := $(wildcard tests/lib/*.c)
TESTLIB := $(B)/libtest.a

UNIT	:= $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*_test.c))
SIM	:= $(patsubst tests/sim/%.c,$(B)/sim/%,$(wildcard tests/sim/*_test.c))
FUZZ	:= $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS	:= $(patsubst tests/lib/tools/%.c,$(B)/tools/%,$(wildcard tests/lib/tools/*.c))
BENCH	:= $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
MYSQL	:= $(wildcard tests/mysql/*.sh)
DATABASES := $(wildcard tests/databases/*.sh)
# Those need a real API server, and all but the first four a kernel with IPVS as well.
CLUSTER_ALONE := $(addprefix tests/cluster/,objects.sh faults.sh edit.sh reviews.sh)
CLUSTER	:= $(filter-out $(CLUSTER_ALONE),$(wildcard tests/cluster/*.sh))
# Those that tests/all has the time for.
CLUSTER_SHORT := $(addprefix tests/cluster/,ground.sh agent_services.sh agent_slices.sh)
AGENT	:= $(addprefix tests/rest/,fields kill raw targets writers)
PAGE_KERNEL := tests/page/kernel_test.mjs
KERNEL	:= $(wildcard tests/kernel/*.sh) \
	$(patsubst tests/kernel/%.c,$(B)/kernel/%,$(wildcard tests/kernel/*.c))
# Those that hold something against the clock: nothing else is to take the processors' time.
KERNEL_ALONE := $(addprefix tests/kernel/e2e_,foreign.sh health.sh interference.sh kill.sh reset.sh restart.sh)

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

.PHONY: all
all: $(PROGRAMS)	## build the programs (the default)

$(B)/parasausd: $(B)/agent/main.o
$(PARTS): $(B)/parasausd-%: $(B)/agent/main_%.o
$(B)/parasausctl: $(B)/agent/ctl/main.o
$(PROGRAMS): $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)

# What the programs say of themselves, to each other too, has to be the same in all of them, and true.
NAMED	:= $(patsubst %.c,$(B)/%.o,$(shell grep -l 'PARASAUS_VERSION\|PARASAUS_LIBEXECDIR' $(SRC) $(MAINS)))
$(foreach k,o c.tidy c.analyzed,$(NAMED:%.o=%.$k)): override CPPFLAGS += -DPARASAUS_VERSION='"$(VERSION)"' -DPARASAUS_LIBEXECDIR='"$(LIBEXECDIR)"'
.PHONY: always
$(B)/identity: always
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(VERSION) $(LIBEXECDIR)' | cmp -s - $@ || echo '$(VERSION) $(LIBEXECDIR)' >$@
$(NAMED): $(B)/identity

$(LIB): $(OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(TESTLIB): $(TESTLIB_SRC:%.c=$(B)/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# gcc does not know that cmocka's assertions do not come back.
$(B)/tests/%.o: override CFLAGS += -Wno-null-dereference
$(B)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/unit/%: $(B)/tests/unit/%.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka -lgnutls
$(B)/sim/%: $(B)/tests/sim/%.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(B)/kernel/%: $(B)/tests/kernel/%.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(B)/tools/api_fixture $(B)/tools/token_fixture: $(B)/tests/lib/snapshots.o
$(B)/tools/core_fixture: $(B)/tests/lib/tools/core_fixture.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
# parasausd itself, beside a program of the ipvs role that has its kernel in memory.
$(B)/tools/parasausd-ipvs: $(B)/tests/lib/tools/agent_fixture.o $(B)/agent/main_ipvs.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(B)/tools/parasausd-core $(B)/tools/parasausd-healthcheck: $(B)/tools/%: $(B)/%
	$(Q)mkdir -p $(@D)
	$(Q)ln -f $< $@
$(B)/tools/agent_fixture: $(B)/parasausd $(PARTS:$(B)/%=$(B)/tools/%)
	$(Q)ln -f $< $@
$(B)/tools/%: $(B)/tests/lib/tools/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)
$(B)/bench/core_memory $(B)/bench/core_turns $(B)/bench/zone: override LDLIBS += -lcmocka
$(B)/bench/%: $(B)/tests/bench/%.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# A fuzz target with a plain main() that replays files: any compiler, part of `check`.
$(B)/replay/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# The same under libFuzzer: FLAVOUR=fuzz.
$(B)/fuzzer/%: $(B)/tests/fuzz/%.o $(TESTLIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

$(B)/page/files.c: agent/api/page/embed $(PAGE)
	$(call say,EMBED,agent/api/page)
	$(Q)mkdir -p $(@D)
	$(Q)agent/api/page/embed $(@D) $(PAGE)
$(B)/page/files.o: $(B)/page/files.c agent/api/page.h
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/agent/api/openapi.o: agent/api/openapi.json # .incbin: the compiler does not tell of it

-include $(OBJ:.o=.d) $(wildcard $(SRC:%=$(B)/%.tidy.d) $(SRC:%=$(B)/%.analyzed.d)) $(wildcard $(B)/agent/*.d $(B)/agent/ctl/*.d $(B)/tests/*/*.d $(B)/tests/lib/tools/*.d)
.SECONDARY:

# --- checks ------------------------------------------------------------------

RUNNER := PARASAUS_BUILD=$(CURDIR)/$(B) tests/run
# Those tiers whose programs have nothing in common, as many at a time as there are processors.
ABREAST := RUN_JOBS=$${RUN_JOBS:-$$(nproc)}
REPLAY := $(FUZZ:%=$(B)/replay/%)

.PHONY: tests check check-programs check-threads check-unit check-kernel check-mysql check-databases check-page check-page-kernel check-cluster \
	check-cluster-short check-agent check-rest check-includes golden-update
tools: $(TOOLS)				## build what end-to-end tests and the demo run
tests: all $(UNIT) $(SIM) $(REPLAY) $(TOOLS) $(BENCH) $(filter $(B)/%,$(KERNEL))	## build every test program and tool

check: tests check-includes format-check check-programs	## all tests that need no privilege

TIER := $(filter-out -release,-$(FLAVOUR))
check-programs: tests
	$(Q)$(ABREAST) $(RUNNER) unit$(TIER) $(UNIT) -- sim$(TIER) $(SIM) \
		-- golden$(TIER) $(wildcard tests/golden/*.sh) -- corpus$(TIER) $(REPLAY)

check-threads: tests
	$(Q)$(ABREAST) $(RUNNER) unit$(TIER) $(UNIT) -- sim$(TIER) $(SIM)

check-unit: $(UNIT)			## unit tests alone
	$(Q)$(ABREAST) $(RUNNER) unit $(UNIT)

IN_KERNEL = GUEST_TIMEOUT=3600 tests/lib/in-ipvs-kernel$(1) env RUN_VERBOSE=1 RUN_TIMEOUT=900 RUN_TALLY=$(RUN_TALLY) \
	$(RUNNER) kernel$(TIER) $(2)
KERNEL_ABREAST = $(filter-out $(KERNEL_ALONE),$(KERNEL))
check-kernel: tests			## tests on a kernel with IPVS: this one as root, or guests
	$(Q)rc=0; $(if $(KERNEL_ABREAST),$(call IN_KERNEL,s,$(KERNEL_ABREAST)) || rc=1;) \
	$(if $(filter $(KERNEL_ALONE),$(KERNEL)),$(call IN_KERNEL,,$(filter $(KERNEL_ALONE),$(KERNEL))) || rc=1;) exit $$rc

check-mysql: tools			## the mysql check on a MariaDB: as root, deploy/install-deps mysql
	$(Q)RUN_VERBOSE=1 RUN_TALLY=$(RUN_TALLY) $(RUNNER) mysql$(TIER) $(MYSQL)

check-databases: tools			## checks on other databases: as root, deploy/install-deps databases
	$(Q)RUN_VERBOSE=1 RUN_TALLY=$(RUN_TALLY) $(RUNNER) databases$(TIER) $(DATABASES)

check-page: all $(B)/tools/api_fixture $(B)/tools/core_fixture analyze-page	## the web page in a browser: deploy/install-deps page
	$(Q)RUN_VERBOSE=1 RUN_TALLY=$(RUN_TALLY) PAGE_PLACE=$(CURDIR)/build/page \
		$(RUNNER) page$(TIER) $(filter-out $(PAGE_KERNEL),$(wildcard tests/page/*_test.mjs))

check-page-kernel: all $(TOOLS)		## the page down to a kernel with IPVS, as check-page and check-kernel need
	$(Q)RUN_VERBOSE=1 RUN_TALLY=$(RUN_TALLY) PAGE_PLACE=$(CURDIR)/build/page \
		$(RUNNER) page-kernel$(TIER) $(PAGE_KERNEL)

check-agent: all $(TOOLS)			## an agent with its store, killed and ill-treated: as root, without IPVS
	$(Q)RUN_VERBOSE=1 RUN_TALLY=$(RUN_TALLY) $(RUNNER) agent$(TIER) $(AGENT)

check-rest: all				## the REST interface by schemathesis: tests/rest/install, as root
	$(Q)RUN_VERBOSE=1 RUN_TALLY=$(RUN_TALLY) RUN_TIMEOUT=3600 $(RUNNER) rest$(TIER) tests/rest/schemathesis.sh

check-cluster-short: CLUSTER := $(CLUSTER_SHORT)
check-cluster-short: check-cluster	## those of them that take few minutes
check-cluster: tests			## tests with a real API server (tests/lib/cluster) on such a kernel
	$(Q)CLUSTER_HERE=1 tests/lib/with-cluster env RUN_VERBOSE=1 RUN_TALLY=$(RUN_TALLY) \
		$(RUNNER) cluster$(TIER) $(CLUSTER_ALONE)
	$(Q)GUEST_TIMEOUT=3600 tests/lib/with-cluster \
		env RUN_VERBOSE=1 RUN_TIMEOUT=900 RUN_TALLY=$(RUN_TALLY) $(RUNNER) cluster$(TIER) $(CLUSTER)

check-includes:				## who may include whom (tests/includes.allow)
	$(Q)tests/check-includes

golden-update: all $(TOOLS)		## take what golden tests print now as what they shall print
	$(Q)for test in tests/golden/*.sh; do PARASAUS_BUILD=$(CURDIR)/$(B) GOLDEN_UPDATE=1 $$test || exit; done

.PHONY: format format-check
CLANG_FORMAT ?= $(shell command -v clang-format-14 || echo clang-format)
FORMATTED := $(shell find agent healthcheck ipvs watch tests -name '*.[ch]')
format:					## apply .clang-format
	$(Q)$(CLANG_FORMAT) -i $(FORMATTED)
format-check:				## fail where .clang-format would change a line
	$(Q)$(CLANG_FORMAT) --version | grep -q 'version 14\.' || \
		{ echo 'format-check: clang-format 14 is needed (it is pinned)' >&2; exit 1; }
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED)

.PHONY: coverage valgrind fuzz bench bench-datapath
coverage:				## lines that tests reach, by folder
	$(Q)find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(Q)$(MAKE) FLAVOUR=coverage check-programs
	$(Q)chmod -R a+rwX build/coverage	# roles that gave root up add to the counts as well
	$(Q)$(MAKE) FLAVOUR=coverage check-kernel
	$(Q)tests/lib/coverage build/coverage

valgrind: tests				## unit, sim and corpus: no leak of memory or descriptors
	$(Q)$(ABREAST) RUN_WRAP=tests/lib/valgrind RUN_TIMEOUT=1800 $(RUNNER) unit $(UNIT) -- sim $(SIM) \
		-- corpus $(REPLAY)

FUZZ_SECONDS ?= 60
fuzz:					## run each fuzz target for FUZZ_SECONDS
	$(Q)$(MAKE) FLAVOUR=fuzz $(FUZZ:%=build/fuzz/fuzzer/%)
	$(Q)tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ)

bench: tests				## measure; figures go to tests/bench/RESULTS.md by hand
	$(Q)for bench in tests/bench/*.sh; do \
		case $$bench in */kube_*) in=tests/lib/with-cluster ;; */page.sh | */agent.sh | */checker.sh | */zone.sh) in= ;; \
		*) in=tests/lib/in-ipvs-kernel ;; esac; \
		GUEST_TIMEOUT=3600 $$in env PARASAUS_BUILD=$(CURDIR)/$(B) $$bench || exit; done

bench-datapath: tests			## what passes through IPVS, beside haproxy and nginx
	$(Q)GUEST_TIMEOUT=3600 tests/lib/in-ipvs-kernel env PARASAUS_BUILD=$(CURDIR)/$(B) tests/bench/datapath.sh

# Each tool by itself, so that `make -k analyze` tells all at once.
.PHONY: analyze analyze-tidy analyze-gcc analyze-scripts analyze-text
analyze: analyze-tidy analyze-gcc analyze-scripts analyze-text	## what linters say of code, scripts and text

TIDY ?= $(shell command -v clang-tidy-14 || echo clang-tidy)
analyze-tidy: $(SRC:%=$(B)/%.tidy) $(MAINS:%=$(B)/%.tidy)
$(B)/%.c.tidy: %.c .clang-tidy
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(TIDY) --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS) -std=gnu11 -MMD -MP -MF $@.d -MT $@ 2>$@.log || \
		{ cat $@.log; exit 1; }
	$(Q)touch $@

# gcc does not follow "a negative code or the output is set"; clang-tidy does that part better.
ANALYZER := -Wno-analyzer-null-dereference -Wno-analyzer-null-argument
analyze-gcc: $(SRC:%=$(B)/%.analyzed) $(MAINS:%=$(B)/%.analyzed)
$(B)/%.c.analyzed: %.c
	$(call say,ANALYZE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(CPPFLAGS) -std=gnu11 -O1 -fanalyzer $(ANALYZER) -Werror -MMD -MP -MF $@.d -MT $@ -c -o /dev/null $<
	$(Q)touch $@

SCRIPTS := $(shell grep -rlE --exclude-dir=build --exclude-dir=.git '^\#!/bin/(ba)?sh' .)
analyze-scripts:			# SC2317: functions that are called by their name
	$(Q)printf '%s\n' $(SCRIPTS) | xargs -P "$$(nproc)" -n 8 shellcheck -x -e SC2317
# A scheduler, parts of words, a field of HTTP, and what tests misspell on purpose.
analyze-text: MEANT := fo,fro,nd,te,intervall,adresses
analyze-text:
	$(Q)codespell -L $(MEANT) --skip ./build,./agent/api/page/vendor,./.git,./LICENSE,./tests/fuzz/corpus,go.sum .
	$(Q)mandoc -Tlint -Wwarning man/*.[1-8]

# Not a part of `analyze`: it takes a Node.js.
.PHONY: analyze-page
analyze-page:				## is the page's JavaScript well-formed?
	$(Q)for file in $(filter %.js %.mjs,$(PAGE)) $(wildcard tests/page/*.mjs tests/page/*/*.mjs); do \
		node --check --input-type=module <$$file || { echo "$$file" >&2; exit 1; }; done

# --- housekeeping ------------------------------------------------------------

.PHONY: install clean help
install: all				## install programs, man pages and the systemd unit
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(SYSCONFDIR)/parasaus/pools
	install -m 755 $(B)/parasausd $(DESTDIR)$(SBINDIR)/
	install -m 755 $(B)/parasausctl $(DESTDIR)$(BINDIR)/
	install -m 755 $(PARTS) $(DESTDIR)$(LIBEXECDIR)/
	install -m 644 man/*.8 $(DESTDIR)$(MANDIR)/man8/
	sed 's,/usr/local/libexec/parasaus,$(LIBEXECDIR),' man/parasausd.8 > $(DESTDIR)$(MANDIR)/man8/parasausd.8
	install -m 644 man/*.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 644 man/*.7 $(DESTDIR)$(MANDIR)/man7/
	install -m 644 deploy/sysusers $(DESTDIR)$(SYSUSERSDIR)/parasaus.conf
	install -m 644 deploy/parasaus.yaml $(DESTDIR)$(SYSCONFDIR)/parasaus/parasaus.yaml.example
	sed 's,/usr/local/sbin,$(SBINDIR),' deploy/parasaus.service > $(DESTDIR)$(UNITDIR)/parasaus.service
	chmod 644 $(DESTDIR)$(UNITDIR)/parasaus.service

clean:					## remove build/
	rm -rf build

help:					## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{split($$1, t, ":"); printf "  %-16s %s\n", t[1], $$2}' \
		$(MAKEFILE_LIST) | sed 's/\t//g'
