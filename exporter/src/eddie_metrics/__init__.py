"""What agents import: the contract of events; standard library only."""

__version__ = "0.1.0"
