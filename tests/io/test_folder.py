import os
import subprocess
import sys

import pytest

from arfc.errors import InputError, OutputError
from arfc.io import folder, folder_writer


def names(path):
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


def model(name):
    return f'{{"format": "arfc", "name": "{name}"}}'


def write_model(path, name="", *, overwrite=False):
    with folder_writer(path, overwrite=overwrite) as temporary:
        (temporary / "config.json").write_text(model(name))


def test_folder_appears_whole(tmp_path):
    with folder_writer(tmp_path / "model") as temporary:
        (temporary / "config.json").write_text("{}")
        (temporary / "parts").mkdir()
        (temporary / "parts" / "a").write_text("a")
        assert not (tmp_path / "model").exists()
        assert temporary.parent == tmp_path
    assert names(tmp_path) == ["model", "model/config.json", "model/parts", "model/parts/a"]


def test_existing_folder_is_kept_unless_overwritten(tmp_path):
    write_model(tmp_path / "model", "old")
    with pytest.raises(OutputError, match="^an output must not exist yet, got .*model; choose another name"):
        write_model(tmp_path / "model", "new")
    write_model(tmp_path / "model", "new", overwrite=True)
    assert names(tmp_path) == ["model", "model/config.json"]
    assert (tmp_path / "model" / "config.json").read_text() == model("new")


def test_what_lies_beside_an_older_model_is_kept(tmp_path):
    write_model(tmp_path / "model", "old")
    (tmp_path / "model" / "notes").mkdir()
    for name in ("README.md", "notes/mine"):
        (tmp_path / "model" / name).write_text(name)
    with folder_writer(tmp_path / "model", overwrite=True) as temporary:
        for name in ("config.json", "README.md"):
            (temporary / name).write_text(model("new"))
    assert names(tmp_path) == [
        "model", "model/README.md", "model/config.json", "model/notes", "model/notes/mine"
    ]  # fmt: skip
    assert (tmp_path / "model" / "README.md").read_text() == model("new")
    assert (tmp_path / "model" / "notes" / "mine").read_text() == "notes/mine"


@pytest.mark.parametrize(
    "config", [None, '{"architectures": ["BertModel"]}', '{"format": "pt"}', "[]", "{", '{"format": "arfc"']
)
def test_folder_of_something_else_is_kept(tmp_path, config):
    """An encoder has a config.json too."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    if config is not None:
        (tmp_path / "home" / "config.json").write_text(config)
    before = names(tmp_path)
    with pytest.raises(
        OutputError, match=r'^only a folder whose config\.json says "format": "arfc" is overwritten, got'
    ):
        write_model(tmp_path / "home", overwrite=True)
    assert names(tmp_path) == before


def test_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "model").write_text("")
    with pytest.raises(OutputError, match="^an output must be a folder, got the file .*model; choose another name"):
        write_model(tmp_path / "model", overwrite=True)


def test_missing_parent(tmp_path):
    with pytest.raises(OutputError, match="^the folder of an output must exist, got"):
        write_model(tmp_path / "none" / "model")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, InputError])
@pytest.mark.parametrize("old", [False, True])
def test_interrupted_folder_leaves_what_was_there(tmp_path, error, old):
    if old:
        write_model(tmp_path / "model", "old")
    with pytest.raises(error), folder_writer(tmp_path / "model", overwrite=True) as temporary:
        (temporary / "config.json").write_text(model("new"))
        raise error
    assert names(tmp_path) == (["model", "model/config.json"] if old else [])
    assert not old or (tmp_path / "model" / "config.json").read_text() == model("old")


def test_old_folder_comes_back_when_the_new_one_cannot_take_its_name(tmp_path, monkeypatch):
    write_model(tmp_path / "model", "old")
    rename = os.rename

    def rename_fails_for_the_new_one(source, target):
        if folder.Path(source).joinpath("config.json").read_text() == model("new"):
            raise PermissionError(1, "Operation not permitted")
        rename(source, target)

    monkeypatch.setattr(folder.os, "rename", rename_fails_for_the_new_one)
    with pytest.raises(OutputError, match="model could not be written, got 'operation not permitted'"):
        write_model(tmp_path / "model", "new", overwrite=True)
    assert names(tmp_path) == ["model", "model/config.json"]
    assert (tmp_path / "model" / "config.json").read_text() == model("old")


@pytest.mark.parametrize(
    "save", ["save_file({'w': x}, t / 'model.safetensors')", "(t / 'x.bin').write_bytes(x.tobytes())"]
)
def test_full_disk_is_an_output_error_and_leaves_nothing(tmp_path, save):
    code = (
        "import resource, sys\n"
        "import numpy\n"
        "from safetensors.numpy import save_file\n"
        "from arfc.errors import OutputError\n"
        "from arfc.io import folder_writer\n"
        "x = numpy.ones((1000, 100))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    with folder_writer(sys.argv[1]) as t:\n"
        f"        {save}\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )
    path = tmp_path / "model"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    assert (
        result.stdout.strip()
        == f"{path} could not be written, got 'file too large'; make room or choose another folder"
    )
    assert names(tmp_path) == []


def test_other_errors_pass_through(tmp_path):
    with pytest.raises(ValueError, match="no number of the system in it"), folder_writer(tmp_path / "model"):
        raise ValueError("no number of the system in it")
    with pytest.raises(ZeroDivisionError), folder_writer(tmp_path / "model"):
        1 / 0  # noqa: B018
    assert names(tmp_path) == []
