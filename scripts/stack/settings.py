"""The settings of a stack, read once: `.env` with the caller's environment over it, and what follows from them."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from stack.model import StackError

DEFAULTS = {
    "EDDIE_BIND": "127.0.0.1",
    "EDDIE_PORT": "8503",
    "PROMETHEUS_PORT": "9090",
    "ALERTMANAGER_PORT": "9093",
    "GRAFANA_PORT": "3000",
    "BOARD_PORT": "8504",
    "EDDIE_ENVIRONMENT": "default",
    "PROMETHEUS_RETENTION_TIME": "15d",
    "PROMETHEUS_RETENTION_SIZE": "50GB",
    "COMPOSE_PROJECT_NAME": "eddie",
}
"""What a stack key is when nobody says otherwise; the images' are in compose.yaml, the exporter's in its settings."""

PORT_KEYS = {
    "exporter": "EDDIE_PORT",
    "prometheus": "PROMETHEUS_PORT",
    "alertmanager": "ALERTMANAGER_PORT",
    "grafana": "GRAFANA_PORT",
    "board": "BOARD_PORT",
}
LINKED = ("exporter", "prometheus", "alertmanager", "grafana")
"""Services with an address in links; in Grafana's place the board answers Grafana's."""

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*?)\s*$")
_REFERENCE = re.compile(
    r"(?P<kept>\$\$|\\\$)|\$(?:\{(?P<braced>[A-Za-z_]\w*)(?:(?P<sign>:?-)(?P<default>[^${}]*))?\}|(?P<bare>[A-Za-z_]\w*)|(?P<odd>\{))"
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r'\\([nrt"\\])')


def parse_env(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Read a `.env` file as Compose does: comments, `export`, quotes, and `$NAME` of earlier lines or the caller.

    A value in single quotes is taken as it is; in no or double quotes `$NAME`, `${NAME}` and `${NAME:-default}` are
    replaced, `$$` is a dollar. Raises StackError naming the first line that is neither a comment nor `KEY=value`, or
    that says more than this: what Compose would read in another way is never guessed.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise StackError(f".env line {number}: expected KEY=value or a comment, got {line.strip()[:60]!r}; mend it")
        try:
            found[match[1]] = _value(match[2], {**found, **environ})
        except ValueError as error:
            raise StackError(f".env line {number}: {match[1]}: expected {error}; mend it") from None
    return found


def _value(raw: str, known: Mapping[str, str]) -> str:
    quoted = _QUOTED.match(raw)
    if raw[:1] == "'" and "'" in raw[1:]:
        return raw[1 : raw.index("'", 1)]
    if raw[:1] in {"'", '"'} and not quoted:
        raise ValueError(f"a closing {raw[0]} on the same line")
    inner = quoted[1] if quoted else re.split(r"\s+#", raw, maxsplit=1)[0].rstrip()

    def replace(match: re.Match[str]) -> str:
        if match["kept"]:
            return "$"
        if match["odd"]:
            raise ValueError("no more than ${NAME}, ${NAME-default} or ${NAME:-default}")
        value = known.get(match["braced"] or match["bare"])
        unset = value is None or (not value and match["sign"] == ":-")
        return (match["default"] or "") if unset else value or ""

    known_put_in = _REFERENCE.sub(replace, inner)
    escapes = {"n": "\n", "r": "\r", "t": "\t"}
    return _ESCAPE.sub(lambda m: escapes.get(m[1], m[1]), known_put_in) if quoted else known_put_in


def load(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Answer every setting: the caller's environment, else `.env`, else the default; an empty value counts as unset.

    Adds the addresses of links, made of EDDIE_PUBLIC_URL and the ports where they are not given.
    """
    file = root / ".env"
    merged = dict(parse_env(file.read_text("utf-8"), environ)) if file.is_file() else {}
    merged.update(environ)
    for key, default in DEFAULTS.items():
        merged[key] = merged.get(key) or default
    merged["EDDIE_BIND"] = _address(merged["EDDIE_BIND"])
    public = (merged.get("EDDIE_PUBLIC_URL") or f"http://{socket.gethostname()}").rstrip("/")
    merged["EDDIE_PUBLIC_URL"] = public
    for service in LINKED:
        link = f"EDDIE_{service.upper()}_PUBLIC_URL"
        merged[link] = merged.get(link) or f"{public}:{merged[PORT_KEYS[service]]}"
    return merged


def _address(bind: str) -> str:
    """Answer an address as Compose writes it, IPv6 in brackets. Raises StackError for what is none."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if bind == "localhost" else bind.strip("[]"))
    except ValueError:
        raise StackError(
            f"EDDIE_BIND: expected an IP address of this machine, such as 0.0.0.0, got {bind!r}; mend it in .env",
            code=2,
        ) from None
    return f"[{address}]" if address.version == 6 else str(address)


def own_folder(root: Path, env: Mapping[str, str], key: str, default: str, ours: Collection[str]) -> Path:
    """Answer the folder that `key` names, else the checkout's `default`: what is in it is the stack's to remove.

    Raises StackError for a folder that holds anything but `ours`, or the checkout or the home itself: its modes would
    be changed, and `make purge` would take it with everything in it.
    """
    named = env.get(key)
    if not named:
        return root / default
    path = root / named
    above = [str(kept) for kept in (root, Path.home()) if kept.resolve().is_relative_to(path.resolve())]
    found = sorted(entry.name for entry in path.iterdir() if entry.name not in ours) if path.is_dir() else []
    if above or found:
        raise StackError(
            f"{key}: expected a folder of its own, new or made by the stack, got {path}, which holds "
            f"{(above + found)[0]}; name another",
            code=2,
        )
    return path


def ports(env: Mapping[str, str]) -> dict[str, int]:
    """Answer the port of each service. Raises StackError naming the key whose value is no port, or used twice."""
    found: dict[str, int] = {}
    for service, key in PORT_KEYS.items():
        value = env[key]
        if not value.isdecimal() or not 1 <= int(value) <= 65535:
            raise StackError(f"{key}: expected a port from 1 to 65535, got {value!r}; mend it in .env", code=2)
        for other, port in found.items():
            if port == int(value):
                raise StackError(f"{key} and {PORT_KEYS[other]} are both {port}: give one of them another port", code=2)
        found[service] = int(value)
    return found


def is_loopback(address: str) -> bool:
    """Say whether only this machine reaches what is bound to `address`."""
    return address in {"localhost", "::1", "[::1]"} or address.startswith("127.")
