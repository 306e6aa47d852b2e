"""Native mode's user: nothing of it needs root, so after `sudo make up` it belongs to, and runs as, whoever called."""

from __future__ import annotations

import os
import pwd

from stack.model import Context, StackError
from stack.native_places import Places


def become_caller(ctx: Context) -> None:
    """After `sudo`, go on as the caller for the rest of this command, when the checkout is the caller's."""
    uid, gid = ctx.env.get("SUDO_UID", ""), ctx.env.get("SUDO_GID", "")
    if os.geteuid() != 0 or not uid.isdecimal() or not gid.isdecimal() or int(uid) == 0:
        return
    if ctx.root.stat().st_uid != int(uid):
        return  # a checkout of root's: the caller could write nothing in it
    _give(ctx, int(uid), int(gid))
    user = pwd.getpwuid(int(uid))
    os.initgroups(user.pw_name, int(gid))
    os.setgid(int(gid))
    os.setuid(int(uid))
    ctx.env.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    ctx.say(f"native mode needs no root: it runs as {user.pw_name}")


def refuse_others(ctx: Context, place: Places) -> None:
    """Raise StackError for a stack of another user: its notes cannot be read, and nothing would be found running."""
    if os.geteuid() == 0 or not place.native.exists():
        return
    owner = place.native.stat().st_uid
    if owner == os.geteuid():
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"user id {owner}"
    raise StackError(f"{ctx.run}: expected a stack of yours, it is {name}'s; go on as {name}, or with sudo")


def _give(ctx: Context, uid: int, gid: int) -> None:
    """Hand over what an earlier run as root left in the folders of native mode."""
    for top in (ctx.run, ctx.root / ".tools", ctx.root / ".venv"):
        if not top.exists():
            continue
        os.chown(top, uid, gid)
        for folder, folders, files in os.walk(top):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)  # noqa: PTH118 - walk's own words
