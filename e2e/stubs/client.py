"""Calls orders.v1.Orders by stubs that protoc has made, and says what it saw."""

import sys
import time

import grpc

import orders_pb2
import orders_pb2_grpc

door, own = sys.argv[1:]
channel = grpc.insecure_channel(door, options=[("grpc.default_authority", "orders")])
orders = orders_pb2_grpc.OrdersStub(channel)


def check(name, good):
    print("ok" if good else "FAILED", name, flush=True)


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("no failure")


check("unary", orders.Get(orders_pb2.GetRequest(id="17"), timeout=5).state == "shipped")
check("server stream", [o.state for o in orders.Watch(orders_pb2.GetRequest(id="1"))] == ["placed", "packed", "shipped"])
check("client stream", orders.Put(orders_pb2.Order(id=str(n)) for n in range(40)).count == 40)
check("both ways", [o.id for o in orders.Check(orders_pb2.Order(id=str(n)) for n in range(5))] == ["0", "1", "2", "3", "4"])

_, call = orders.Get.with_call(orders_pb2.GetRequest(id="1"), metadata=(("echo", "hi"), ("echo-bin", b"\x00\xff")))
head, trailers = dict(call.initial_metadata()), dict(call.trailing_metadata())
check("metadata", head.get("echo") == "hi" and head.get("echo-bin") == b"\x00\xff" and trailers.get("rows") == "1")

error = failure(lambda: orders.Get(orders_pb2.GetRequest(id="ä")))
check("status", error.code() == grpc.StatusCode.NOT_FOUND and error.details() == "no order ä")
check("status details", b"NO_ORDER" in dict(error.trailing_metadata()).get("grpc-status-details-bin", b""))

# What the instance saw comes back in trailers.
long = "1" * 5000
stream = orders.Watch(orders_pb2.GetRequest(id=long), compression=grpc.Compression.Gzip, metadata=[("tell", "1")])
check("compression", [o.id == long for o in stream] == [True] * 3 and dict(stream.trailing_metadata()).get("compressed") == "true")

_, call = orders.Get.with_call(orders_pb2.GetRequest(id="1"), timeout=5, metadata=[("tell", "1")])
check("deadline at the instance", 3000 < int(dict(call.trailing_metadata())["left"]) < 5200)  # grpcio rounds it up

began = time.monotonic()
error = failure(lambda: list(orders.Watch(orders_pb2.GetRequest(id="endless"), timeout=0.3)))
check("deadline", error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - began < 3)

stream = orders.Watch(orders_pb2.GetRequest(id="endless"))
next(stream)
stream.cancel()
check("cancellation", failure(lambda: list(stream)).code() == grpc.StatusCode.CANCELLED)

nobody = orders_pb2_grpc.OrdersStub(grpc.insecure_channel(door, options=[("grpc.default_authority", "nobody")]))
error = failure(lambda: nobody.Get(orders_pb2.GetRequest(id="1")))
check("unknown service", error.code() == grpc.StatusCode.NOT_FOUND and "nobody" in error.details())

with grpc.insecure_channel(own) as plain:
    check("by its own address", orders_pb2_grpc.OrdersStub(plain).Get(orders_pb2.GetRequest(id="1")).id == "1")

print("leave", flush=True)
for _ in range(60):
    orders.Get(orders_pb2.GetRequest(id="1"))
    time.sleep(0.01)
check("an instance that goes away", True)
channel.close()
