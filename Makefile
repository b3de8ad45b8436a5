# pgagent_py. `make help` lists the words. A file of the project is installed by PGXS; the launcher by pip.

EXTENSION    = pgagent_py
EXTVERSION   = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" pgagent_py.control)
UPDATES      = $(basename $(notdir $(wildcard sql/updates/*--*.sql)))
DATA_built   = $(EXTENSION)--$(EXTVERSION).sql $(UPDATES:%=$(EXTENSION)--%.sql)
EXTRA_CLEAN  = $(wildcard $(EXTENSION)--*.sql) results build dist

# pg_regress looks for sql/ and expected/ below inputdir: tests/expected is a link to expected/
REGRESS      = $(basename $(notdir $(sort $(wildcard tests/sql/*.sql))))
REGRESS_OUT  = .
REGRESS_OPTS = --inputdir=tests --outputdir=$(REGRESS_OUT) --encoding=UTF8 --load-extension=plpython3u --load-extension=pgagent --load-extension=pgagent_py

PG_CONFIG   ?= $(if $(PG_MAJOR),/usr/lib/postgresql/$(PG_MAJOR)/bin/)pg_config
export PG_CONFIG
PGXS        := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

# The tools' virtual environment: where the user that runs the servers can read it, too
VENV         = $(if $(filter 0,$(shell id -u)),/var/cache/pgagent_py/venv,.venv)
export VENV
IN_SCRATCH   = .ci/in-scratch
PYTEST       = $(IN_SCRATCH) python -m pytest
# tests wait more than they compute
WORKERS      = 4
# further arguments for pytest or the benchmark
ARGS         =
# the test of test-one
export TEST ?=

ifneq ($(PGXS),)
include $(PGXS)
else
all: $(DATA_built)
install installcheck:
	@echo "make $@ needs PostgreSQL's PGXS (set PG_CONFIG, or run: make setup)" >&2; exit 1
clean:
	rm -rf $(EXTRA_CLEAN)
endif

# Rendering needs Jinja2 and nothing else: take a Python that has it, or make an environment that does.
$(DATA_built): pgagent_py.control $(shell find sql plpython -type f ! -name "*.pyc")
	@for python in $(VENV)/bin/python python3 /usr/bin/python3 .venv/bin/python; do \
	    "$$python" -c 'import jinja2' 2>/dev/null && break; \
	done || { python=.venv/bin/python; /usr/bin/python3 -m venv .venv && $$python -m pip install -q jinja2; } || \
	    { echo 'make needs Jinja2: apt-get install python3-jinja2, or python3-venv to fetch it with' >&2; exit 1; }; \
	PYTHONPATH=. $$python -m sql.render $(if $(filter $(EXTENSION)--$(EXTVERSION).sql,$@),,\
	    --update $(firstword $(subst --, ,$(@:$(EXTENSION)--%.sql=%))))

.PHONY: help setup demo demo-web install-launcher dist wheel deb release test-deb test-container test test-all test-long test-one \
        test-unit test-sql test-integration test-acceptance test-console test-security test-web test-pgadmin test-ha test-engines matrix updatecheck lint format reference man expected bench
.DEFAULT_GOAL = all

##@ Use
help:  ## list the words
	@awk '/^##@ / { print (n++ ? "\n" : "") substr($$0, 5) } \
	      /^#: .* ## / || /^[a-z-]+:.* ## / { \
	          word = $$1 == "#:" ? $$2 : $$1; sub(":", "", word); sub(".* ## ", ""); printf "  %-18s%s\n", word, $$0 }' \
	    $(firstword $(MAKEFILE_LIST))

#: all  ## build the extension scripts
#: install  ## install the extension for the server of PG_CONFIG
#: installcheck  ## run tests/sql against a running server that has the extension installed
#: clean  ## remove what was built

install-launcher:  ## install the launcher as a service, as root: /opt/pgagent_py, units, user, man page, logrotate
	@PYTHON=$(PYTHON) deploy/install-launcher

demo: setup  ## run two jobs with the launcher on a throwaway server and show their history
	@$(IN_SCRATCH) demo/demo.sh

demo-web: setup  ## serve the web page of a throwaway server with a week of runs, until Ctrl-C
	@$(IN_SCRATCH) demo/web.sh

setup:  ## install what demo and test need: packages and Python tools
	@.ci/setup

# A suite has a short form, of two minutes at most, in `make test`. What takes longer is marked long (tests.forms)
# and runs under the suite's own word, in test-long and in test-all.
##@ Test (ARGS='-k cron' and the like go to pytest)
test: setup  ## run lint and all tests, the long ones in their short form: before each commit
	@$(IN_SCRATCH) sh -ec '.ci/lint; exec python -m pytest -n $(WORKERS) -m "not long" $(ARGS)'

test-all: setup  ## run lint and all tests in every form: before each release
	@$(IN_SCRATCH) sh -ec '.ci/lint; exec python -m pytest -n $(WORKERS) $(ARGS)'

test-long: setup  ## run the long forms only
	@$(PYTEST) -n $(WORKERS) -m long $(ARGS)

test-one: setup  ## run one: make test-one TEST=tests/unit/plpython/test_cron.py::test_reboot_is_no_time, or TEST=tests/sql/add_job.sql
	@case "$$TEST" in \
	    '') echo 'make test-one needs TEST=FILE::NAME' >&2; exit 2 ;; \
	    *.sql) TEST="tests/integration/test_regress.py::test_output_is_as_expected[$$(basename "$$TEST" .sql)]" ;; \
	esac; \
	$(PYTEST) "$$TEST" $(ARGS)

test-unit: setup  ## run the tests that need no server and take no time
	@$(PYTEST) -m 'not slow' tests/unit $(ARGS)

test-sql: setup  ## run tests/sql with pg_regress on a throwaway server
	@$(PYTEST) tests/integration/test_regress.py $(ARGS)

test-integration: setup  ## run the tests of the extension on throwaway servers
	@$(PYTEST) -m 'not long' tests/integration $(ARGS)

test-acceptance: setup  ## run the tests with a real launcher on throwaway servers
	@$(PYTEST) -m 'not long' tests/acceptance $(ARGS)

test-console: setup  ## run the tests of pgagentctl, with a real launcher and in a real terminal
	@$(PYTEST) -m 'not long' tests/console $(ARGS)

test-security: setup  ## run the tests that try to break out: roles against roles, and what leaks
	@$(PYTEST) -m 'not long' tests/security $(ARGS)

matrix:  ## run the tests that need a server on PostgreSQL 14 to 18, with a table at the end; make matrix ARGS="14 18 trixie"
	@.ci/setup patchelf curl bzip2 perl gcc libc6-dev python3-dev libossp-uuid16 debootstrap
	@WORKERS=$(WORKERS) .ci/matrix $(ARGS)

test-web: setup  ## run the tests of the web page, in a real browser, too
	@$(PYTEST) -m 'not long' tests/web $(ARGS)

test-pgadmin: setup  ## make, run and show a job in pgAdmin's own dialogs, in a browser; installs pgAdmin beside the tools, 700 MB
	@.ci/pgadmin && $(PYTEST) tests/pgadmin $(ARGS)

test-ha: setup  ## run ten minutes of failovers under Patroni, synchronous and asynchronous, with a summary
	@$(PYTEST) -m long tests/ha $(ARGS)

test-deb: setup $(DATA_built)  ## build the Debian packages, use and purge them in a new system that runs systemd; SUITE=trixie: in Debian 13
	@.ci/setup $(DEB_TOOLS) && .ci/test-deb

test-container: setup  ## do what the Containerfile says in new systems, start what compose.yaml starts, and run a job there
	@.ci/setup debootstrap && $(VENV)/bin/python .ci/test-container

test-engines: setup  ## run batch steps on a Slurm cluster and over ssh, 500 random faults among them
	@$(PYTEST) tests/acceptance/test_engines.py tests/acceptance/test_engine_ssh.py tests/acceptance/test_engine_faults.py $(ARGS)

updatecheck: setup  ## check updates from every released version: objects, data, rights, open sessions
	@$(PYTEST) tests/unit/test_render_updates.py tests/integration/test_update.py tests/integration/test_update_released.py $(ARGS)

lint: setup  ## check style and types
	@$(IN_SCRATCH) .ci/lint

##@ Release
# What the packages are built and tested with, besides what setup installs
DEB_TOOLS = gcc libc6-dev python3-dev libpq-dev binutils debootstrap systemd-container lintian
dist: setup $(DATA_built)  ## dist/pgagent_py-VERSION.zip for PGXN
	@PYTHONPATH=. $(VENV)/bin/python -m deploy.dist

wheel: setup  ## wheel and sdist of the launcher and pgagentctl, in dist/
	@$(VENV)/bin/python -m hatchling build -t sdist -t wheel -d dist

deb: setup $(DATA_built)  ## Debian packages in dist/: the extension for each version of PostgreSQL, and the launcher; make deb ARGS=15
	@.ci/setup $(DEB_TOOLS) && deploy/deb/build $(ARGS)

release: setup  ## check that everything is about the same version, keep its scripts, commit, tag, and build all of the above
	@PYTHONPATH=. $(VENV)/bin/python -m deploy.release
	@$(MAKE) --no-print-directory dist wheel deb

##@ Write
format: setup  ## format the Python code
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

reference: setup  ## write docs/reference.md from the comments in the database
	@page=$$($(IN_SCRATCH) python -m docs.reference) && echo "$$page" > docs/reference.md

man: setup  ## write docs/pgagentctl.1 from the parser of pgagentctl: after each change of a command or an option
	@page=$$($(IN_SCRATCH) python -m docs.man) && echo "$$page" > docs/pgagentctl.1

expected: setup  ## take what tests/sql print now for the expected output; then look at git diff expected
	@$(IN_SCRATCH) sh -c 'python -m pytest -q --basetemp="$$TMPDIR/regress" tests/integration/test_regress.py >&2; \
	    cd "$$TMPDIR/regress" && tar -c --transform="s,.*/,," */results/*.out' | tar -x --no-same-owner -C expected

bench: setup  ## measure against the C++ daemon and pg_cron
	@$(IN_SCRATCH) python -m bench $(ARGS)
