"""The command line's face: help, version, and how fast it answers."""

import re

import pytest

from arfc import __version__

COMMANDS = ["fit", "compress", "decompress", "evaluate", "plan", "export", "info", "serve"]


def test_help_lists_the_commands_in_the_order_of_their_use(arfc):
    for args in ([], ["--help"], ["-h"]):
        text = arfc(*args).stdout
        assert [line.split()[0] for line in text.split("Commands:")[1].strip().splitlines()] == COMMANDS


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("fit", "-o --pairs --labels --budget --steps --seed --resume --column --overwrite --json"),
        ("compress", "-m -o --dims --ratio --bytes --column --overwrite --json"),
        ("decompress", "-m -o --column --overwrite --json"),
        ("evaluate", "-m --pairs --labels --queries --qrels --query-ids --ids --json --report --column --overwrite"),
        ("plan", "-m --keep --metric --pairs --labels --column --json"),
        ("export", "-m --onnx --dims --overwrite --json"),
        ("info", "--json"),
        ("serve", "-m --upstream --encoder --name --api-key-env --upstream-key-env --corpus --host --port"),
    ],
)
def test_help_of_each_command_names_its_flags(arfc, command, flags):
    text = arfc(command, "--help").stdout
    for flag in flags.split():
        assert f"{flag} " in text or f"{flag}," in text


def test_version(arfc):
    assert arfc("--version").stdout == f"arfc, version {__version__}\n"


@pytest.mark.parametrize("args", [["--help"], ["fit", "--help"], ["serve", "--help"], ["--version"]])
def test_help_imports_neither_torch_nor_numpy(start, args):
    before = "import atexit, sys; atexit.register(lambda: print({'torch', 'numpy'} & set(sys.modules)))"
    out, err = start(*args, before=before).communicate()
    assert out.splitlines()[-1] == "set()"
    assert err == ""


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["shrink"], "^arfc: error: no such command 'shrink'.*; see arfc --help$"),
        (["fit"], "^arfc: error: missing argument 'FEATURES'; see arfc fit --help$"),
        (["fit", "x.npy"], "^arfc: error: missing option '-o' / '--output'; see arfc fit --help$"),
        (["fit", "x.npy", "-o", "m", "--steps", "x"], "^arfc: error: invalid value for '--steps': 'x' is not a valid"),
        (["fit", "x.npy", "-o", "m", "--seed", "-1"], "^arfc: error: invalid value for '--seed': -1 is not in"),
        (["info", "m", "--depth", "3"], "^arfc: error: no such option '?--depth"),
        (["compress", "x.npy", "-o", "y.npy"], "^arfc: error: missing option '-m' / '--model'"),
    ],
)
def test_slips_of_the_pen(start, args, match):
    process = start(*args)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert re.search(match, err.rstrip("\n")), err
    assert err.count("\n") == 1
