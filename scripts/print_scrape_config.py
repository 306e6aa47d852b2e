#!/usr/bin/env python3
"""Print what a Prometheus of your own needs for eddie-metrics; with --check, say what of it is there.

Exit codes of --check: 0 all there; 2 wrong options; 3 something missing, wrong or not told; 4 it wants other
credentials; 6 nobody, or no Prometheus, answers there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from existing.checks import Checks, Expected, identified
from existing.committed import PROMETHEUS, CommittedError, seconds
from existing.judged import Finding
from existing.printed import Wanted, text
from existing.server import NoPrometheusError, NotAllowedError, Server, basic, bearer
from stack.model import StackError
from stack.settings import parse_env

ROOT = Path(__file__).resolve().parent.parent
DONE, USAGE, LACKING, NOT_ALLOWED, NO_PROMETHEUS = 0, 2, 3, 4, 6


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line, with what --check alone uses in a group of its own."""
    head, _, codes = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=head, epilog=codes)
    parser.add_argument("--target", metavar="HOST:PORT", type=address, help="exporter, as that Prometheus reaches it")
    parser.add_argument("--https", action="store_true", help="the exporter is reached by https")
    parser.add_argument("--target-ca-file", default="", metavar="FILE", help="authority that signed its certificate")
    parser.add_argument("--token-file", default="", metavar="FILE", help="the read token, where reads need one")
    parser.add_argument("--rules", metavar="DIR", help="prometheus/rules, where that Prometheus sees it elsewhere")
    parser.add_argument("--environment", type=name, help="external label environment (EDDIE_ENVIRONMENT, or default)")
    parser.add_argument("--alertmanager", action="append", default=[], metavar="HOST:PORT", type=address)
    parser.add_argument("--grafana-url", type=link, metavar="URL", help="makes the alerts' links to panels whole")
    parser.add_argument("--exporter-url", type=link, metavar="URL", help="makes the alerts' links to the runbook whole")
    check = parser.add_argument_group("with --check")
    check.add_argument("--check", metavar="PROMETHEUS_URL", type=link, help="ask that Prometheus; change nothing")
    check.add_argument("--retention", default="15d", type=duration, help="how long it must keep (%(default)s)")
    check.add_argument("--bearer-token-file", type=Path, metavar="FILE")
    check.add_argument("--user")
    check.add_argument("--password-file", type=Path, metavar="FILE")
    check.add_argument("--ca-file", metavar="FILE", help="authority that signed that Prometheus's certificate")
    check.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for each answer (%(default)s)")
    check.add_argument("--json", action="store_true", help="findings as JSON")
    return parser


def address(given: str) -> str:
    """Read HOST:PORT; raises ArgumentTypeError for anything else."""
    try:
        parts = urlsplit(f"//{given}")
        fine = parts.hostname and parts.port and parts.netloc == given and "@" not in given
    except ValueError:
        fine = False
    if not fine or re.search(r"[\s'\"]", given):
        raise argparse.ArgumentTypeError(f"expected HOST:PORT such as 10.0.0.5:8503, got {given!r}")
    return given


def link(given: str) -> str:
    """Read an http or https address without credentials; raises ArgumentTypeError for anything else."""
    try:
        parts = urlsplit(given)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an address such as http://127.0.0.1:9090, got {given!r}") from None
    if parts.username is not None:
        raise argparse.ArgumentTypeError("expected an address without a password in it: give --user, --password-file")
    if not fine or re.search(r"[\s$]", given) or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"expected an address such as http://127.0.0.1:9090, got {given!r}")
    return given.rstrip("/")


def name(given: str) -> str:
    """Read an environment's name; raises ArgumentTypeError for one that Prometheus would read as something else."""
    if not given.strip() or "$" in given or not given.isprintable():
        raise argparse.ArgumentTypeError(f"expected a name without $ and control characters, got {given!r}")
    return given


def duration(given: str) -> str:
    """Read a duration as Prometheus writes it; raises ArgumentTypeError for anything else."""
    try:
        seconds(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return given


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the caller or `.env` says; unlike the stack's own settings, nothing where nobody said it."""
    file = ROOT / ".env"
    return {**(parse_env(file.read_text("utf-8"), environ) if file.is_file() else {}), **environ}


def wanted(options: argparse.Namespace, env: Mapping[str, str]) -> Wanted:
    """Return what to print; raises ArgumentTypeError for a setting or a path that cannot be meant."""
    try:
        port = env.get("EDDIE_PORT") or "8503"
        public = urlsplit(link(env.get("EDDIE_EXPORTER_PUBLIC_URL") or f"http://127.0.0.1:{port}"))
        environment = options.environment or name(env.get("EDDIE_ENVIRONMENT") or "default")
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"EDDIE_EXPORTER_PUBLIC_URL, EDDIE_PORT or EDDIE_ENVIRONMENT: {error}"
        ) from None
    usual = {"http": 80, "https": 443}[public.scheme]
    target = options.target or (public.netloc if public.port else f"{public.netloc}:{usual}")
    own = bool(options.target)
    rules = options.rules or str(PROMETHEUS / "rules")
    if re.search(r"[*?\[\\]", rules) or not rules.isprintable():
        raise argparse.ArgumentTypeError(f"expected rules in a folder without * ? [ \\ in its path, got {rules}")
    links = {"grafana_url": options.grafana_url, "exporter_url": options.exporter_url}
    return Wanted(
        target=target,
        scheme="https" if options.https or (not own and public.scheme == "https") else "http",
        prefix="" if own else public.path.rstrip("/"),
        ca_file=options.target_ca_file,
        token_file=options.token_file,
        rules=rules.rstrip("/"),
        environment=environment,
        alertmanagers=tuple(options.alertmanager),
        links={key: url for key, url in links.items() if url},
    )


def server(options: argparse.Namespace) -> Server:
    """Return the server to ask; raises ArgumentTypeError for credentials or an authority that cannot be used."""
    if bool(options.user) != bool(options.password_file) or (options.user and options.bearer_token_file):
        raise argparse.ArgumentTypeError("expected --bearer-token-file, or --user with --password-file, or neither")
    authorization = ""
    if options.bearer_token_file:
        authorization = bearer(secret(options.bearer_token_file))
    elif options.user:
        authorization = basic(options.user, secret(options.password_file))
    if options.timeout <= 0:
        raise argparse.ArgumentTypeError(f"--timeout: expected seconds above 0, got {options.timeout:g}")
    try:
        return Server(options.check, authorization=authorization, ca_file=options.ca_file, timeout=options.timeout)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"--ca-file: expected certificates in {options.ca_file}: {error}") from None


def secret(path: Path) -> str:
    """Return a secret file's one line; raises ArgumentTypeError for a file that has none."""
    try:
        found = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"expected a secret in {path}: {error}") from None
    if not found or not found.isprintable():
        raise argparse.ArgumentTypeError(f"expected one line in {path}, got {'more' if found else 'nothing'}")
    return found


def check(options: argparse.Namespace, ours: Wanted) -> int:
    """Print each finding as it comes, or all as JSON at the end, and return the exit code."""
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        if not options.json:
            advice = f": {finding.advice}" if finding.advice else ""
            print(f"{finding.state:8} {finding.name}: {finding.said}{advice}", flush=True)

    expected = Expected(
        path=ours.path(),
        target=options.target or "",
        environment=options.environment or "",
        alertmanagers=ours.alertmanagers,
        retention=options.retention,
    )
    asked = server(options)
    try:
        for finding in Checks(asked, identified(asked), expected).all():
            tell(finding)
        code = DONE if all(finding.state == "ok" for finding in findings) else LACKING
    except NotAllowedError as error:
        tell(Finding("server", "wrong", str(error)))
        code = NOT_ALLOWED
    except NoPrometheusError as error:
        tell(Finding("server", "wrong", str(error)))
        code = NO_PROMETHEUS
    if options.json:
        print(
            json.dumps(
                {"prometheus": options.check, "exit": code, "findings": [asdict(one) for one in findings]}, indent=2
            )
        )
    return code


def main(words: list[str] | None = None) -> int:
    """Print, or ask; usage errors and what is wrong in this checkout leave with 2."""
    parser = arguments()
    options = parser.parse_args(words)
    try:
        ours = wanted(options, settings(os.environ))
        if options.check:
            return check(options, ours)
        print(text(ours), end="")
    except (argparse.ArgumentTypeError, CommittedError, StackError) as error:
        parser.error(str(error))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
