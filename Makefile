# gmemsim: one flat Makefile.  `make help` lists what can be made.
#   V=1 shows commands, SAN=1 builds with ASan and UBSan, CC=clang picks the compiler

CC      := gcc
BUILD   := $(if $(FUZZ),build/fuzz,build$(if $(SAN),/san)$(if $(filter clang%,$(notdir $(CC))),/clang))
PREFIX  ?= /usr/local
DEMO    ?= results/demo
Q       := $(if $(V),,@)
ifeq ($(MAKELEVEL)$(findstring j,$(firstword -$(MAKEFLAGS))),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

PKGS    := yaml-0.1 libzstd gsl libxxhash yajl zlib sqlite3
DEB_yaml-0.1 := libyaml-dev
DEB_libzstd  := libzstd-dev
DEB_gsl      := libgsl-dev
DEB_libxxhash := libxxhash-dev
DEB_yajl     := libyajl-dev
DEB_zlib     := zlib1g-dev
DEB_sqlite3  := libsqlite3-dev

WARN    := -Wall -Wextra -Werror -Wvla -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
SANFLAGS := $(if $(SAN)$(FUZZ),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer) \
	$(if $(FUZZ),-fsanitize=fuzzer-no-link)
CFLAGS  := -std=gnu11 $(WARN) -O2 -g $(SANFLAGS) $(EXTRA_CFLAGS)
CPPFLAGS := -I. -Ikernel-core -Ikernel-core/port/user -MMD -MP
# the core sees no libc, no float, no large frame
COREFLAGS := -ffreestanding -nostdinc -mgeneral-regs-only -Wframe-larger-than=1024 -Werror=implicit-function-declaration
LDLIBS  = $(shell pkg-config --libs $(PKGS)) -lm -lpthread

objs      = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1)/*.c)))
CORE_OBJS := $(call objs,kernel-core)
PORT_OBJS := $(call objs,kernel-core/port/user)
REPLAY_OBJS := $(call objs,kernel-core/replay)
MAIN_OBJS := $(filter $(BUILD)/sim/main%,$(call objs,sim))
SIM_OBJS  := $(filter-out $(MAIN_OBJS),$(call objs,sim))
TR_OBJS   := $(call objs,traces)
MOD_OBJS  := $(call objs,models)
LIBS    := $(addprefix $(BUILD)/,models.a traces.a sim.a replay.a core.a port.a)
TESTS   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard */test/test_*.c)))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard */test/fuzz_*.c)))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard */test/bench_*.c)))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/gmemsim ## build build/gmemsim (the default)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages that building, testing and plotting need
	@scripts/deps.sh build plot test

# ---- building ---------------------------------------------------------------

$(BUILD)/gmemsim: $(MAIN_OBJS) $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) -o $@ $(MAIN_OBJS) -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)

$(BUILD)/core.a: $(CORE_OBJS)
$(BUILD)/port.a: $(PORT_OBJS)
$(BUILD)/replay.a: $(REPLAY_OBJS)
$(BUILD)/sim.a: $(SIM_OBJS)
$(BUILD)/traces.a: $(TR_OBJS)
$(BUILD)/models.a: $(MOD_OBJS)
$(LIBS):
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(CORE_OBJS): CFLAGS += $(COREFLAGS)
$(BUILD)/%.o: %.c | $(BUILD)/.packages
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%: $(BUILD)/%.o $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group -lcmocka $(LDLIBS)

# A fuzz target gets its main() from libFuzzer with FUZZ=1, else from mutate.c.
FUZZMAIN := $(if $(FUZZ),,$(BUILD)/sim/test/mutate.o)
$(FUZZERS): $(BUILD)/%: $(BUILD)/%.o $(FUZZMAIN) $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(if $(FUZZ),-fsanitize=fuzzer) -o $@ $< $(FUZZMAIN) -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)

$(BUILD)/.packages:
	@mkdir -p $(@D)
	@for c in $(CC) pkg-config; do command -v $$c >/dev/null || { echo "make: $$c is missing: apt-get install $$c" >&2; exit 1; }; done
	@$(foreach p,$(PKGS),pkg-config --exists $(p) || { echo "make: $(p) is missing: apt-get install $(DEB_$(p))" >&2; exit 1; };)
	@touch $@

# The version is known to one object; the header changes only when the version does.
$(BUILD)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@scripts/version.sh >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(BUILD)/sim/version.o: CPPFLAGS += -I$(BUILD)/gen
$(BUILD)/sim/version.o: $(BUILD)/gen/version.h

programs: $(BUILD)/gmemsim $(TESTS) $(BENCHES) $(FUZZERS)
fuzzers: $(FUZZERS)

# ---- testing: test-all.sh runs what it is told, counts, and repeats what failed ---

test: ## build with sanitizers and run all tests
	@scripts/deps.sh build plot test
	@scripts/test-all.sh tests

check: ## test + lint + golden + determinism + kmod-test
	@scripts/deps.sh build plot test
	@scripts/test-all.sh tests $(LINTS) golden determinism kmod-test

LINTS := lint-layers lint-core lint-names lint-format lint-gcc lint-clang lint-scripts
lint: $(LINTS) ## layers, purity of the core, no special cases, format, warnings of gcc and clang, scripts
lint-layers:
	@scripts/check-layers.sh
lint-core:
	@scripts/check-core.sh
lint-names:
	@scripts/check-names.sh
lint-format:
	@scripts/check-format.sh
lint-gcc lint-clang:
	@$(MAKE) --no-print-directory SAN= CC=$(@:lint-%=%) programs
lint-scripts:
	@for f in scripts/*.sh */test/*.sh .ci/run; do bash -n "$$f" || exit 1; done
	@PYTHONPYCACHEPREFIX=build/pycache python3 -m py_compile $(wildcard scripts/*.py scripts/*/*.py */test/*.py traces/sample/*.py)

golden: lint-gcc ## small runs against results/golden, byte for byte
	@scripts/golden.sh check build/gmemsim
golden-update: all ## accept what the small runs say now (a commit of its own)
	@scripts/golden.sh update build/gmemsim
determinism: lint-gcc lint-clang ## two runs, and gcc against clang, byte-identical
	@scripts/golden.sh compare build/gmemsim build/gmemsim
	@scripts/golden.sh compare build/gmemsim build/clang/gmemsim

trust: all ## measure the tables of README's "How far can you trust it" and write them there
	@scripts/trust.sh build/gmemsim

validate-pages: all ## miss counts of page traces against published ones (GMEMSIM_DATA)
	@scripts/validate-pages.sh build/gmemsim

fuzz: ## each fuzz target with libFuzzer (clang) for FUZZ_SECONDS=60
	@command -v clang >/dev/null || { echo "make: clang is missing: apt-get install clang" >&2; exit 1; }
	@$(MAKE) --no-print-directory FUZZ=1 CC=clang fuzzers
	@scripts/fuzz.sh $(or $(FUZZ_SECONDS),60) $(patsubst $(BUILD)/%,build/fuzz/%,$(FUZZERS))

bench: all $(BENCHES) ## measure; appends to results/bench.csv
	@scripts/bench.sh $(BENCHES) scripts/bench-g10.sh

# ---- using --------------------------------------------------------------------

demo: ## build, sweep HBM sizes on a recorded GPT-2 training, plot
	@scripts/deps.sh build plot
	@$(MAKE) --no-print-directory all
	@scripts/demo.sh $(DEMO)

plots: ## draw the pictures of README (results/*.png, results/demo, results/gallery)
	@scripts/deps.sh build plot
	@$(MAKE) --no-print-directory all
	@scripts/gallery.sh $(DEMO)

kmod: ## compile kernel-core as gmem.ko against the installed kernel headers
	@scripts/kmod.sh

kmod-test: ## boot Debian's kernels under QEMU and test gmem.ko in them
	@scripts/kmod-test.sh
kmod-debug: ## the same under a kernel built with KASAN, lockdep and kmemleak (not in check)
	@scripts/kmod-debug.sh

validate: all ## published and measured figures against ours (GMEMSIM_DATA for most)
	@scripts/validate.sh build/gmemsim
	@build/gmemsim validate points

validate-detailed: all ## uvm, hmm, svm and gmem at those points, beside the published (minutes)
	@scripts/validate-detailed.sh build/gmemsim

install: all ## program and configs; PREFIX=/usr/local, DESTDIR=
	install -D -m 755 build/gmemsim $(DESTDIR)$(PREFIX)/bin/gmemsim
	install -d $(DESTDIR)$(PREFIX)/share/gmemsim
	cp -r configs $(DESTDIR)$(PREFIX)/share/gmemsim
uninstall: ## remove what install put there
	rm -rf $(DESTDIR)$(PREFIX)/bin/gmemsim $(DESTDIR)$(PREFIX)/share/gmemsim

clean: ## remove build/
	rm -rf build

FORCE:
.PHONY: all help deps programs fuzzers fuzz test check lint $(LINTS) golden golden-update determinism trust validate-pages bench demo plots kmod kmod-test kmod-debug validate validate-detailed install uninstall clean FORCE
-include $(shell find $(BUILD) -name 'kmod*' -prune -o -name '*.d' -print 2>/dev/null)
