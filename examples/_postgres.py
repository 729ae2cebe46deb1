"""A PostgreSQL server with pgvector in a temporary folder, from the binaries that the package pgserver carries.

pgserver's own start would create a system user and widen permissions where it runs as root; this leaves the machine as
it was.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

START_S = 30


@contextmanager
def temporary_server() -> Iterator[str]:
    """Give the connection string of a new server, which listens on a socket alone; stopped and removed at the end."""
    spec = importlib.util.find_spec("pgserver")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("pgserver is not installed; run: pip install pgserver")
    package = Path(spec.submodule_search_locations[0])
    with tempfile.TemporaryDirectory(prefix="arfc-pg-") as name:
        folder = Path(name)
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root, and nobody may not read root's folders
            as_user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
            for part in (package / "pginstall", package.parent / "pgserver.libs"):
                if part.exists():
                    shutil.copytree(part, folder / part.relative_to(package.parent))
            package = folder / "pgserver"
            folder.chmod(0o755)
        home, programs = folder / "home", package / "pginstall" / "bin"
        home.mkdir()
        if as_user:
            shutil.chown(home, "nobody")
        options: dict[str, Any] = {"cwd": home, "env": {"HOME": str(home), "LC_ALL": "C"}, **as_user}
        initdb = [programs / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, **options)
        # Nothing here outlives the process, so nothing has to reach the disk.
        settings = [f"{key}={value}" for key, value in {"fsync": "off", "shared_buffers": "16MB"}.items()]
        command = [programs / "postgres", "-D", home / "data", "-h", "", "-k", home]
        command += [word for setting in settings for word in ("-c", setting)]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log, **options) as server:
            try:
                uri = f"postgresql://postgres@/postgres?host={home}"
                _wait_for(uri, server)
                yield uri
            finally:
                server.send_signal(signal.SIGINT)  # ends at once; SIGTERM would wait for clients to leave


def _wait_for(uri: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(uri).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
