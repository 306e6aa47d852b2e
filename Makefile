# Every target is one line of text; what it does lies in the script it calls. No target but purge reads standard input.
.DEFAULT_GOAL := help
.PHONY: help up board down status logs start-fresh demo example send replay notify-test setup-grafana test drill lint chaos soak bench dashboards rules clean purge ci-machine
SHELL := /bin/sh
PYTHON ?= python3
STACK := $(PYTHON) scripts/stack
# A virtual environment elsewhere: EDDIE_VENV=DIR make ...
VENV := $(or $(EDDIE_VENV),.venv)/bin
# What tests and linters need: the development requirements, and Prometheus and Alertmanager in .tools.
READY := scripts/venv.sh dev </dev/null && PYTHONPATH=scripts $(PYTHON) -m stack.tools </dev/null >/dev/null
# Most tests wait for a real engine: four files at a time halve the time. A file stays together, for its stack.
SIDE_BY_SIDE := --numprocesses 4 --dist loadfile

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

up: ## start the stack, return when all is ready (EDDIE_MODE=containers|native)
	@exec $(STACK) up </dev/null
board: ## the dashboards without a Grafana, or beside one, on BOARD_PORT; starts the stack if it does not run
	@exec $(STACK) board </dev/null
down: ## stop it; its data, programs, secrets and images stay
	@exec $(STACK) down </dev/null
status: ## what runs, where, and whether anybody is told
	@exec $(STACK) status </dev/null
logs: ## the logs, followed on a terminal (SERVICE=prometheus)
	@exec $(STACK) logs $(SERVICE) </dev/null
start-fresh: ## a new, empty store for the exporter; the old one is moved aside, nothing is deleted
	@exec $(STACK) start-fresh </dev/null
demo: ## a throw-away stack with a living fleet until Ctrl-C (SCENARIO=storm|failing|deep|calm, INTO=up)
	@exec $(STACK) demo --scenario $(or $(SCENARIO),storm) --into "$(INTO)" </dev/null
example: ## a real distributed fallback in a throw-away stack; its own ledger against Prometheus (INTO=up)
	@exec $(STACK) example --into "$(INTO)" </dev/null
send: ## post one event, show it in Prometheus (KIND=timeout ARGS='agent_id=a1 reason=deadline')
	@exec $(STACK) run scripts/send.py $(KIND) $(ARGS) </dev/null
replay: ## count an event log at now, once (LOG=events.ndjson); with their own times, for promtool (ARGS='--to-blocks FILE')
	@$(if $(findstring --to-blocks,$(ARGS)),scripts/venv.sh native </dev/null && exec env PYTHONPATH=exporter/src $(VENV)/python,exec $(STACK) run) scripts/replay.py $(LOG) $(ARGS) </dev/null
notify-test: ## send a real alert through each receiver, print the receivers' answers
	@exec $(STACK) run scripts/notify_test.py </dev/null
setup-grafana: ## dashboards and alerts into the Grafana of EXISTING_GRAFANA_URL in .env (ARGS=--check|--dry-run|--uninstall)
	@PYTHONPATH=scripts exec $(PYTHON) -m existing.setup $(ARGS) </dev/null
test: ## all tests; ends with what passed and what was skipped, and why (TESTS=tests/unit)
	@$(READY) && exec $(VENV)/python -m pytest $(SIDE_BY_SIDE) $(or $(TESTS),tests) </dev/null
drill: ## the shipped timings on real engines, about 17 minutes
	@$(READY) && exec $(VENV)/python scripts/drill.py </dev/null
lint: ## ruff, mypy, and each configuration by its own program's checker
	@$(READY) && $(VENV)/ruff check . && $(VENV)/ruff format --check . && $(VENV)/mypy && scripts/lint_configs.sh </dev/null
chaos: ## kills and power cuts by the hundred, a table of what was lost or doubled (KILLS=1000 CUTS=100, on each file system)
	@$(READY) && exec $(VENV)/python scripts/chaos.py --kills $(or $(KILLS),1000) --cuts $(or $(CUTS),100) </dev/null
soak: ## ten minutes of a fleet's load, and the slope of the exporter's memory (SECONDS=600)
	@$(READY) && exec $(VENV)/python scripts/soak.py --seconds $(or $(SECONDS),600) </dev/null
bench: ## what an event, a scrape, and a board with fifty readers cost, about 15 minutes
	@$(READY) && PYTHONPATH=scripts exec $(VENV)/python -m bench </dev/null
dashboards: ## generate grafana/provisioning/ from grafana/dashboards/
	@scripts/venv.sh dev </dev/null && exec $(VENV)/python grafana/dashboards/generate.py </dev/null
rules: ## the rules' own tests, by promtool
	@$(READY) && exec $(VENV)/python -m pytest tests/unit/test_rules.py </dev/null
clean: ## remove build outputs and caches, never data
	@find . -name __pycache__ -not -path './.venv/*' -not -path './.tools/*' -prune -exec rm -rf {} + ; rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis exporter/dist board/dist tests/artifacts
purge: ## remove everything the stack has made, after a list and a question (YES=1: no question)
	@exec $(STACK) purge $(if $(filter 1,$(YES)),--yes)
# Not for users: what a machine of CI needs, brought from its distribution's archive.
ci-machine:
	@.ci/machine </dev/null && .ci/images </dev/null
