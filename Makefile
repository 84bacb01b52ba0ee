# SPDX-License-Identifier: GPL-2.0
# Builds and installs on the machine at hand. Tests and measurements are the
# lab's, which needs no such machine: see ./lab help.

KERNELDIR ?= /lib/modules/$(shell uname -r)/build
DESTDIR ?=
PREFIX ?= /usr/local

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
TOOLS := $(patsubst %/Makefile,%,$(wildcard userspace/*/Makefile))
BUILD = $(MAKE) -C $(KERNELDIR) M=$(CURDIR)

# Kernels of distributions ask for signatures with a key that nobody else has.
SIGN_KEY = $(shell sed -n 's/^CONFIG_MODULE_SIG_KEY="\(.*\)"/\1/p' $(KERNELDIR)/.config)
UNSIGNED = $(if $(wildcard $(KERNELDIR)/$(SIGN_KEY)),,CONFIG_MODULE_SIG_ALL=)

# Their headers have no System.map either, without which modules_install leaves
# the modules unknown to modprobe. A package (DESTDIR) does this when installed.
DEPMOD = $(if $(DESTDIR),:,depmod $$(modinfo -F vermagic ksmdev/ksmdev.ko | cut -d ' ' -f 1))

DKMS_SOURCE = $(DESTDIR)/usr/src/kvmlite-$(VERSION)

all: modules tools

modules:
	$(BUILD) modules

tools:
	set -e; for tool in $(TOOLS); do $(MAKE) -C $$tool all; done

modules_install: modules
	$(BUILD) INSTALL_MOD_DIR=updates $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) \
		$(UNSIGNED) modules_install
	$(DEPMOD)

headers_install:
	install -d $(DESTDIR)$(PREFIX)/include/linux
	install -m 644 include/uapi/linux/*.h $(DESTDIR)$(PREFIX)/include/linux

tools_install: tools headers_install
	set -e; for tool in $(TOOLS); do \
		$(MAKE) -C $$tool DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install; \
	done

install: modules_install tools_install

# What install puts there, and folders of our own; others may be shared.
uninstall:
	set -e; stage=$$(mktemp -d); trap 'rm -rf $$stage' EXIT; \
	$(MAKE) -s DESTDIR=$$stage PREFIX=$(PREFIX) install >/dev/null; \
	cd $$stage; \
	find . ! -type d -printf '%P\0' | (cd $(DESTDIR)/ && xargs -0 rm -f); \
	find . -depth -type d \( -name 'kvmlite*' -o -name ksmdev -o -name fleet \) -printf '%P\0' | \
		(cd $(DESTDIR)/ && xargs -0 -r rmdir --ignore-fail-on-non-empty)
	$(DEPMOD)

# Sources only, nothing that was built from them.
dkms_sources:
	rm -rf $(DKMS_SOURCE)
	install -d $(DKMS_SOURCE)
	find Kbuild dkms.conf COPYING include ksmdev kvmlite \
		\( -name '*.[chS]' ! -name '*.mod.c' -o -name Kbuild -o -name dkms.conf -o -name COPYING \) \
		-exec cp --parents -t $(DKMS_SOURCE) {} +

dkms-install: dkms_sources
ifeq ($(DESTDIR),)
	! dkms status kvmlite/$(VERSION) | grep -q . || dkms remove kvmlite/$(VERSION) --all
	dkms install kvmlite/$(VERSION)
endif

dkms-uninstall:
ifeq ($(DESTDIR),)
	dkms remove kvmlite/$(VERSION) --all
endif
	rm -rf $(DKMS_SOURCE)

style sparse check bench:
	./lab $@

clean:
	-$(BUILD) clean
	set -e; for tool in $(TOOLS); do $(MAKE) -C $$tool clean; done
	./lab clean

help:
	@echo 'modules          build ksmdev.ko and kvmlite.ko for KERNELDIR'
	@echo 'tools            build the tools of userspace/'
	@echo 'install          install modules, headers, tools (under DESTDIR, PREFIX)'
	@echo 'modules_install  only the modules (under DESTDIR)'
	@echo 'tools_install    only headers and tools (under DESTDIR, PREFIX)'
	@echo 'uninstall        remove what install installs'
	@echo 'dkms-install     have DKMS build and install the modules for each kernel;'
	@echo '                 with DESTDIR only put their sources where DKMS looks'
	@echo 'dkms-uninstall   take that back'
	@echo 'style            checkpatch --strict on all sources'
	@echo 'sparse           static analysis for each supported kernel'
	@echo 'check, bench     run tests, measurements in emulated hosts: ./lab help'
	@echo 'clean            remove what was built'
	@echo
	@echo 'VERSION=$(VERSION) KERNELDIR=$(KERNELDIR)'
	@echo 'DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)'

.PHONY: all modules tools modules_install headers_install tools_install install uninstall
.PHONY: dkms_sources dkms-install dkms-uninstall style sparse check bench clean help
