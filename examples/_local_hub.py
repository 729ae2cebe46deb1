"""A server on this machine that speaks what pushing to and loading from the Hugging Face Hub needs of its protocol."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN = "hf_local"
"""The one token that may write and that sees private repositories."""


@dataclass
class Hub:
    """What the server has been given."""

    url: str = ""
    private: dict[str, bool] = field(default_factory=dict)
    """Repository -> whether only the token sees it."""
    branches: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    """Repository -> branch -> path -> content."""


@contextmanager
def local_hub() -> Iterator[Hub]:
    """Run the server while the block runs. Set HF_ENDPOINT to its `url` before huggingface_hub is imported."""
    hub = Hub()

    class Handler(_Handler):
        state = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield hub
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            told = json.loads(body)
            name = f"{told['organization']}/{told['name']}"
            self.state.private.setdefault(name, told.get("visibility") == "private")
            self.state.branches.setdefault(name, {"main": {}})
            self._json(200, {"url": f"{self.state.url}/{name}"})
        elif self.path == "/api/validate-yaml":
            bad = re.search(r"^license: (?!mit$|apache-2.0$|other$)", json.loads(body)["content"], re.MULTILINE)
            errors = [{"message": '"license" must be one of [apache-2.0, mit, other]'}] if bad else []
            self._json(400 if bad else 200, {"errors": errors, "warnings": []})
        elif found := re.fullmatch(r"/api/models/(\w+/[\w-]+)/branch/([\w-]+)", self.path):
            self.state.branches[found[1]].setdefault(found[2], {})
            self._json(200, {})
        elif found := re.fullmatch(r"/api/models/(\w+/[\w-]+)/preupload/([\w-]+)", self.path):
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._json(200, {"files": files})
        elif found := re.fullmatch(r"/api/models/(\w+/[\w-]+)/commit/([\w-]+)", self.path):
            branch = self.state.branches[found[1]][found[2]]
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    branch[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            sha = _sha(branch)
            self._json(200, {"commitUrl": f"{self.state.url}/{found[1]}/commit/{sha}", "commitOid": sha})
        else:
            self._json(404, {"error": self.path})

    def do_GET(self) -> None:  # noqa: N802
        if found := re.fullmatch(r"/api/models/(\w+/[\w-]+)/revision/([\w-]+)", self.path):
            branch = self._branch(found[1], found[2])
            if branch is not None:
                siblings = [{"rfilename": name} for name in branch]
                self._json(200, {"id": found[1], "sha": _sha(branch), "siblings": siblings})
        elif found := re.fullmatch(r"/api/models/(\w+/[\w-]+)/tree/(\w+)\?.*", self.path):
            files = self._commit(found[1], found[2])
            tree = [{"type": "file", "path": p, "size": len(c), "oid": _sha({p: c})} for p, c in files.items()]
            self._json(200, tree)
        elif found := re.fullmatch(r"/(\w+/[\w-]+)/resolve/(\w+)/([\w.]+)", self.path):
            content = self._commit(found[1], found[2])[found[3]]
            headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": found[2]}
            self._reply(200, content, headers)
        else:
            self._json(404, {"error": self.path})

    do_HEAD = do_GET  # noqa: N815

    def _commit(self, repo: str, sha: str) -> dict[str, bytes]:
        return next(files for files in self.state.branches[repo].values() if _sha(files) == sha)

    def _branch(self, repo: str, name: str) -> dict[str, bytes] | None:
        """Return the files of a branch, or tell why there are none."""
        seen = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo not in self.state.branches or (self.state.private[repo] and not seen):
            self._json(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif name not in self.state.branches[repo]:
            self._json(404, {"error": f"Invalid rev id: {name}"}, {"X-Error-Code": "RevisionNotFound"})
        else:
            return self.state.branches[repo][name]
        return None

    def _json(self, status: int, told: Any, headers: dict[str, str] | None = None) -> None:
        self._reply(status, json.dumps(told).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Print nothing per request."""


def _sha(files: dict[str, bytes]) -> str:
    digest = hashlib.sha1()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)}".encode() + content)
    return digest.hexdigest()
