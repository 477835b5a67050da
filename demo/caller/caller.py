"""Calls "orders" by name through Lift's plain door, with what Python brings along.

Each line of standard input asks for one call, and a line of JSON tells of it.
"""
import http.client
import json
import sys
import time

door, timeout = sys.argv[1:]
connection = http.client.HTTPConnection(door)
for _ in sys.stdin:
    began = time.monotonic()
    call = {"ok": False}
    try:
        connection.request("GET", "/", headers={"Lift-Service": "orders", "Lift-Timeout": timeout})
        answer = connection.getresponse()
        body = answer.read().decode()
        call["ok"] = answer.status == 200
        if not call["ok"]:
            call["error"] = f"{answer.status} {body}"
    except (OSError, http.client.HTTPException) as failure:
        call["error"] = repr(failure)
        connection.close()  # the next call connects anew
    call["took_us"] = round((time.monotonic() - began) * 1e6)
    print(json.dumps(call), flush=True)
