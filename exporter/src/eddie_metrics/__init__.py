"""What agents import: a client that tells what happened, and the contract of events; standard library only."""

__version__ = "0.1.0"  # first: what is imported below tells it to the exporter

from eddie_metrics.asynchronous import AsyncClient
from eddie_metrics.capturing import CapturingClient
from eddie_metrics.client import Client
from eddie_metrics.errors import ClientError, InvalidEventError
from eddie_metrics.null import NullClient
from eddie_metrics.recorder import Recorder
from eddie_metrics.scopes import Scopes
from eddie_metrics.singleton import get_client
from eddie_metrics.work import Work, current_work

__all__ = [
    "AsyncClient",
    "CapturingClient",
    "Client",
    "ClientError",
    "InvalidEventError",
    "NullClient",
    "Recorder",
    "Scopes",
    "Work",
    "current_work",
    "get_client",
]
