"""Where the server listens, and how it stops."""

import socket

import pytest

from arfc.errors import ConfigError
from arfc.serve.config import ServeConfig
from arfc.serve.run import Server, bind


def test_a_free_port_is_taken_and_nobody_connects_before_it_listens():
    with bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        assert port > 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_a_port_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"127\.0\.0\.1 port {port} must be free to listen on: .*; try another --port"
        ):
            bind("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_refused():
    for host in ("nowhere.invalid", "my..host"):
        with pytest.raises(ConfigError, match=f"^the host must be an address of this machine, got '{host}'"):
            bind(host, 0)


def test_listening_and_stopping_are_logged(running, local_app, lines):
    with running(local_app(), model="small") as url:
        (line,) = lines("listening")
        assert (line["url"], line["model"]) == (url, "small")
    assert len(lines("stopped")) == 1


def test_an_address_of_ipv6_can_be_read(local_app):
    try:
        bound = bind("::1", 0)
    except ConfigError:
        pytest.skip("this machine has no IPv6")
    with bound:
        server = Server(local_app(), ServeConfig(), bound=bound)
        assert server.url == f"http://[::1]:{bound.getsockname()[1]}"
