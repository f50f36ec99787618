"""What the tests of rootlessctl flows, metrics and capture need.

  observe.py hold ADDRESS PORT N       N connections, one byte there and back over each, prints "held",
                                       closes them when stdin ends
  observe.py flows KEY=VALUE...        of JSON lines on stdin, prints those that match, without times and
                                       the child's port
  observe.py metrics [NAME [LABEL=VALUE...]]  of OpenMetrics text on stdin, read by Prometheus's own parser:
                                       prints the sum of a metric, or how many families there are
"""
import json
import socket
import sys


def hold(address, port, n):
    held = [socket.create_connection((address, int(port)), 30) for _ in range(int(n))]
    for s in held:
        s.sendall(b"x")
    for s in held:
        s.recv(1)
    print("held", flush=True)
    sys.stdin.read()


def flows(*wanted):
    wanted = dict(w.split("=", 1) for w in wanted)
    for line in sys.stdin:
        flow = json.loads(line)
        if all(str(flow.get(k)) == v for k, v in wanted.items()):
            for key in ("ageSeconds", "idleSeconds", "childPort" if flow["direction"] == "outbound" else "remotePort"):
                assert 0 <= flow.pop(key) < 100000, key
            print(json.dumps(flow, separators=(",", ":")))


def metrics(name=None, *labels):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    families = list(text_string_to_metric_families(sys.stdin.read()))
    for family in families:
        assert family.documentation and family.type in ("gauge", "counter"), family
        assert not family.unit or family.name.endswith("_" + family.unit), family
        assert family.samples, family
    labels = dict(label.split("=", 1) for label in labels)
    found = [s.value for f in families for s in f.samples
             if s.name == name and labels.items() <= s.labels.items()]
    print(int(sum(found)) if found else len(families) if name is None else "none")


{"hold": hold, "flows": flows, "metrics": metrics}[sys.argv[1]](*sys.argv[2:])
