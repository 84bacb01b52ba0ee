# SPDX-License-Identifier: GPL-2.0
# Builds and installs on the machine at hand. Tests and measurements are the
# lab's, which needs no such machine: see ./lab help.

KERNELDIR ?= /lib/modules/$(shell uname -r)/build
DESTDIR ?=
PREFIX ?= /usr/local

TOOLS := $(patsubst %/Makefile,%,$(wildcard userspace/*/Makefile))
BUILD = $(MAKE) -C $(KERNELDIR) M=$(CURDIR)

all: modules tools

modules:
	$(BUILD) modules

tools:
	set -e; for tool in $(TOOLS); do $(MAKE) -C $$tool all; done

modules_install: modules
	$(BUILD) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install

install: modules_install tools
	install -d $(DESTDIR)$(PREFIX)/include/linux
	install -m 644 include/uapi/linux/*.h $(DESTDIR)$(PREFIX)/include/linux
	set -e; for tool in $(TOOLS); do \
		$(MAKE) -C $$tool DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install; \
	done

style sparse check bench:
	./lab $@

clean:
	-$(BUILD) clean
	set -e; for tool in $(TOOLS); do $(MAKE) -C $$tool clean; done
	./lab clean

help:
	@echo 'modules          build ksmdev.ko and kvmlite.ko for KERNELDIR'
	@echo 'tools            build the tools of userspace/'
	@echo 'modules_install  install the modules (under DESTDIR)'
	@echo 'install          install modules, headers, tools (under DESTDIR, PREFIX)'
	@echo 'style            checkpatch --strict on all sources'
	@echo 'sparse           static analysis for each supported kernel'
	@echo 'check, bench     run tests, measurements in emulated hosts: ./lab help'
	@echo 'clean            remove what was built'
	@echo
	@echo 'KERNELDIR=$(KERNELDIR)'
	@echo 'DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)'

.PHONY: all modules tools modules_install install style sparse check bench clean help
