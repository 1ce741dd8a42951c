# Every target calls one script, which does the work and can be called without make.
VENV := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/modelsync/venv/bin
PYTHON := $(VENV)/python
export PYTHONPATH := operator
export PATH := $(VENV):$(PATH)
.PHONY: help setup demo test lint bench cluster cluster-down image chart reference

help:            ## Show this list.
	@sed -n 's/^\([a-z-]*\): *\([a-z]*\) *## \(.*\)/  make \1\t\3/p' $(MAKEFILE_LIST)
setup:           ## Install what is missing: Debian packages, a Python environment in the cache, Go.
	@dev/setup.sh
demo: setup      ## Real cluster, operator, model, watched and verified. MODEL=org/name, KEEP=1.
	@$(PYTHON) -m dev.demo
test: setup      ## All tests, those on a real cluster too. ARGS="-k name" picks some.
	@$(PYTHON) -m dev.run_tests $(ARGS)
lint: setup      ## Format, style, types, generated files.
	@dev/lint.sh
bench: setup     ## `modelsync pull` beside curl and huggingface_hub, on this machine.
	@$(PYTHON) -m dev.bench
cluster: setup   ## Start the development cluster.
	@$(PYTHON) -m dev.cluster start
cluster-down:    ## Stop it and remove every trace.
	@$(PYTHON) -m dev.cluster stop
image: setup     ## Build the image and print its size.
	@$(PYTHON) -m dev.image
chart: setup     ## Lint the Helm chart and package it into build/.
	@$(PYTHON) -m dev.chart
reference: setup ## Make the CRDs and the reference pages from the code.
	@$(PYTHON) -m modelsync crds crds
	@$(PYTHON) -m dev.docs
