"""The bench's one table: what was measured, ours, the peer's, and the ratio."""

from __future__ import annotations


def head() -> None:
    """Print the line above the rows."""
    print(f"{'what':<52} {'ours':>12} {'peer':>12} {'ratio':>7}  peer")


def row(name: str, ours: float, peer: float | None = None, peer_name: str = "", *, ratio: float | None = None) -> None:
    """Print one row; without a peer there is no ratio, which is the quotient unless it was measured otherwise."""
    if peer is None:
        print(f"{name:<52} {ours:>12.1f} {'':>12} {'':>7}  {peer_name}", flush=True)
        return
    quotient = ratio if ratio is not None else ours / peer if peer else float("nan")
    print(f"{name:<52} {ours:>12.1f} {peer:>12.1f} {quotient:>7.2f}  {peer_name}", flush=True)
