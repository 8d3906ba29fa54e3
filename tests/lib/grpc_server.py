#!/usr/bin/python3
"""grpc_server.py PORT [--without-health] [--tls CERT KEY [--demands CA]]

A server of gRPC's own library, whose Health/Check answers by the name of the
service; the messages are written by hand. Says "serves" once it does. With
--demands it talks to who has a certificate of that authority.
"""
import argparse
import concurrent.futures
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


def credentials(options):
    with open(options.tls[0], "rb") as cert, open(options.tls[1], "rb") as key:
        pair = (key.read(), cert.read())
    if not options.demands:
        return grpc.ssl_server_credentials([pair])
    with open(options.demands, "rb") as ca:
        return grpc.ssl_server_credentials([pair], ca.read(), True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--without-health", action="store_true")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--demands")
    options = parser.parse_args()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    if not options.without_health:
        handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),)
        )
    at = f"127.0.0.1:{options.port}"
    if options.tls:
        server.add_secure_port(at, credentials(options))
    else:
        server.add_insecure_port(at)
    server.start()
    print("serves", flush=True)
    server.wait_for_termination()


main()
