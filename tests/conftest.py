"""What every test run has: the counts at its end."""

from tests.support.counts import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]
