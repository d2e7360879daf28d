# gmemsim: one flat Makefile.  `make help` lists what can be made.
#   V=1 shows commands, SAN=1 builds with ASan and UBSan, CC=clang picks the compiler

CC      := gcc
BUILD   := build$(if $(SAN),/san)$(if $(filter clang%,$(notdir $(CC))),/clang)
PREFIX  ?= /usr/local
Q       := $(if $(V),,@)
FOLDERS := kernel-core kernel-core/port/user sim traces models
PKGS    := yaml-0.1 libzstd gsl libxxhash
NOPKG   := help clean deps lint-layers

.DEFAULT_GOAL := all

WARN    := -Wall -Wextra -Werror -Wvla -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
OPT     := -O2 -g
SANFLAGS := $(if $(SAN),-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
CFLAGS  := -std=gnu11 $(WARN) $(OPT) $(SANFLAGS) $(EXTRA_CFLAGS)
CPPFLAGS := -I. -Ikernel-core -Ikernel-core/port/user -MMD -MP
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
# the core sees no libc, no float, no large frame
COREFLAGS := -ffreestanding -nostdinc -mgeneral-regs-only -Wframe-larger-than=1024 -Werror=implicit-function-declaration
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -lpthread

srcs  = $(sort $(wildcard $(1)/*.c))
objs  = $(patsubst %.c,$(BUILD)/%.o,$(call srcs,$(1)))
CORE_OBJS := $(call objs,kernel-core)
PORT_OBJS := $(call objs,kernel-core/port/user)
SIM_OBJS  := $(filter-out $(BUILD)/sim/main.o,$(call objs,sim))
TR_OBJS   := $(call objs,traces)
MOD_OBJS  := $(call objs,models)
LIBS := $(BUILD)/models.a $(BUILD)/traces.a $(BUILD)/sim.a $(BUILD)/core.a $(BUILD)/port.a
TESTS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard */test/test_*.c)))

.PHONY: all help
all: $(BUILD)/gmemsim ## build build/gmemsim (the default)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BUILD)/gmemsim: $(BUILD)/sim/main.o $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) -o $@ $(BUILD)/sim/main.o -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)

$(BUILD)/core.a: $(CORE_OBJS)
$(BUILD)/port.a: $(PORT_OBJS)
$(BUILD)/sim.a: $(SIM_OBJS)
$(BUILD)/traces.a: $(TR_OBJS)
$(BUILD)/models.a: $(MOD_OBJS)
%.a:
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(CORE_OBJS): CFLAGS += $(COREFLAGS)
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/%: $(BUILD)/%.o $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group -lcmocka $(LDLIBS)

.PRECIOUS: $(BUILD)/%.o
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
