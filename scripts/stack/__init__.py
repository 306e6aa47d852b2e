"""The stack's two ways to run, behind one command: `python3 scripts/stack up|down|status|logs|purge|demo`.

Standard library only: it runs before any virtual environment exists. Modules are imported as `stack.<name>`.
"""
