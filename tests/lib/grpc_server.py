#!/usr/bin/python3
"""grpc_server.py PORT [--without-health]

A server of gRPC's own library, whose Health/Check answers by the name of the
service; the messages are written by hand. Says "serves" once it does.
"""
import concurrent.futures
import sys
import threading

import grpc

SERVING, NOT_SERVING, SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"


def check(request, context):
    # A HealthCheckRequest: nothing, or field 1 with the length of the name and the name.
    service = request[2:].decode() if request else ""
    if service in ("", "shop.v1.Cart"):
        return SERVING
    if service == "shop.v1.Stock":
        return NOT_SERVING
    if service == "watched":
        return SERVICE_UNKNOWN
    if service == "long":
        return SERVING + b"\x1a\xff\x7f" + bytes(16383)
    if service == "hangs":
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait()
        return SERVING
    if service == "fails":
        context.abort(grpc.StatusCode.UNAVAILABLE, "not today")
    if service == "talks":
        context.abort(grpc.StatusCode.UNKNOWN, "words " * 500)
    context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    if "--without-health" not in sys.argv:
        handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),)
        )
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    print("serves", flush=True)
    server.wait_for_termination()


main()
