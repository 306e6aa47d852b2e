"""What tests run inside containers: small Python programs, standard library only, that print JSON."""

from __future__ import annotations

STATUSES = """
import http.client, json, sys
found = {}
for line in sys.argv[1:]:
    method, path = line.split()
    ask = http.client.HTTPConnection("docker-proxy", 2375, timeout=5)
    ask.putrequest(method, path, skip_host=False)
    ask.putheader("Content-Length", "0")
    ask.endheaders()
    found[line] = ask.getresponse().status
print(json.dumps(found))
"""
"""Ask docker-proxy each `METHOD path` of the arguments; print the statuses."""

POST = """
import http.client, json, sys
body = json.dumps({"agent_id": "from-outside", "reason": "deadline"})
ask = http.client.HTTPConnection("exporter", 8503, timeout=10)
ask.request("POST", "/events/timeout", body, {"Authorization": f"Bearer {sys.argv[1]}"})
answer = ask.getresponse()
print(json.dumps([answer.status, json.load(answer)]))
"""
"""Post an event to the exporter by its name, with the token of the argument; print status and answer."""

REACHED = """
import json, socket, sys
found = []
for address in sys.argv[1:]:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        found.append(address)
    except OSError:
        pass
print(json.dumps(found))
"""
"""Connect to each `host:port` of the arguments; print those that took it."""

INSIDE = """
import json, os, pathlib
def writable(path):
    try:
        (pathlib.Path(path) / "probe").write_text("x")
    except OSError:
        return False
    (pathlib.Path(path) / "probe").unlink()
    return True
places = ("/", "/opt/eddie", "/run/eddie/secrets", "/etc", "/home", "/var", "/var/lib", "/var/lib/eddie")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uid": os.getuid(),
    "sockets": [path for path in ("/var/run/docker.sock", "/run/docker.sock") if os.path.exists(path)],
    "writable": [path for path in places if writable(path)],
    "capabilities": {key: status[key].strip() for key in ("CapEff", "CapPrm", "CapBnd")},
    "no_new_privileges": status["NoNewPrivs"].strip(),
}))
"""
"""Look round for sockets, rights and places to write; print what there is."""

OWNER = """
import json, os, sys
found = os.stat(sys.argv[1])
print(json.dumps([found.st_uid, found.st_gid, oct(found.st_mode & 0o777)]))
"""
"""Print user, group and mode of the argument."""
