"""A client under test in Python: reads operations from its input, one JSON object a line, and reports their outcomes."""

import json
import sys
import threading

from kazoo.client import KazooClient

said = threading.Lock()


def tell(**facts):
    with said:
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


setup = json.loads(sys.stdin.readline())
client = KazooClient(hosts=setup["connect"], timeout=setup["sessionTimeoutMs"] / 1000)


def attached():
    connection = client._connection
    socket = connection._socket if connection else None
    try:
        return "%s:%d" % socket.getpeername()[:2]
    except (AttributeError, OSError, TypeError):
        return None


def on_state(state):
    tell(event="state", state=str(state))
    if str(state) == "CONNECTED":
        tell(event="session", id="%x" % client.client_id[0])
    if str(state) == "LOST":
        tell(event="session lost")


def on_change(_event):
    tell(event="watched")
    client.handler.spawn(watch)


def watch():
    try:
        client.get(setup["watched"], watch=on_change)
    except Exception as error:
        tell(event="watch over", error=type(error).__name__)


def answer(number, asked):
    error = asked.exception
    tell(settled=number, error=type(error).__name__ if error else None)


client.add_listener(on_state)
client.start()
client.create(setup["ephemeral"], b"here", ephemeral=True)
watch()
tell(ready=True, attached=attached())
for line in sys.stdin:
    order = json.loads(line)
    number = order["number"]
    try:
        if order["do"] == "create":
            asked = client.create_async(order["path"], b"1")
        elif order["do"] == "read":
            asked = client.get_async(order["path"])
        else:
            tell(settled=number, error=None, attached=attached())
            continue
        asked.rawlink(lambda each, number=number: answer(number, each))
    except Exception as error:
        tell(settled=number, error=type(error).__name__)
