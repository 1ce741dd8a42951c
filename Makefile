# Every target makes its own set-up; caches live outside the checkout, in ~/.cache/modelsync.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/modelsync
VENV := $(CACHE)/venv/bin
export PATH := $(VENV):$(PATH)
export PYTHONPATH := operator

.PHONY: help check demo test lint bench faults attacks chaos page cluster cluster-down image chart reference setup

help:  ## This list.
	@sed -n 's/^\([a-z-]*\):[a-z ]*## \(.*\)/  make \1\t\2/p' Makefile

check:  ## A first look in about a minute: style, and tests that need no cluster and no root.
	@dev/setup.sh python
	@dev/check.sh

demo: setup  ## From a bare machine to a model that a Pod opens. MODEL=org/name takes it from the real Hub.
	@$(VENV)/python -m dev.demo

test: setup  ## All tests, on a real cluster that is made for them, side by side.
	@dev/test.sh $(ARGS)

lint: setup  ## Format, style, types, generated files.
	@dev/lint.sh

bench: setup  ## Side-by-side figures of download engines on this machine.
	@$(VENV)/python -m dev.bench

faults: setup  ## The fault table: every injected fault and how it ended.
	@$(VENV)/python -m tests.faults

attacks: setup  ## The table of attacks: each one tried on a real cluster, and whether it was refused.
	@dev/on-cluster.sh python -m tests.attacks $(ARGS)

chaos: setup  ## Kills, deletions, restarts, watches, crowds and generated cases in their full counts, on a real cluster.
	@MODELSYNC_FULL=1 dev/test.sh tests/e2e/test_kills.py tests/e2e/test_deletion.py tests/e2e/test_idle.py \
		tests/e2e/test_in_use.py tests/e2e/test_metrics.py tests/e2e/test_watch.py tests/cluster/test_lifecycle.py \
		tests/api tests/core tests/reading tests/runtime tests/settings tests/worker $(ARGS)

page: setup  ## The web page in full counts: all its tests, on a real cluster too, and what many syncs and clients take.
	@MODELSYNC_FULL=1 dev/test.sh tests/web tests/page tests/e2e/test_page*.py tests/e2e/test_history.py $(ARGS)
	@dev/on-cluster.sh python -m tests.attacks --topic page
	@$(VENV)/python -m tests.page.scale
	@dev/on-cluster.sh python -m tests.page.pictures

cluster: setup  ## A real two-node Kubernetes on this machine.
	@$(VENV)/python -m dev.cluster start

cluster-down:  ## Stop it; nothing is left behind.
	@$(VENV)/python -m dev.cluster stop

image: setup  ## The container image, with its size.
	@$(VENV)/python -m dev.image

chart: setup  ## Lint and package the Helm chart.
	@dev/chart.sh

reference: setup  ## The CRDs and the reference pages, made from the code.
	@dev/reference.sh

setup:
	@dev/setup.sh
