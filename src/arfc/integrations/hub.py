"""Models on the Hugging Face Hub: fetch one, or push one with a card made from its facts."""

from __future__ import annotations

import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from arfc.errors import ConfigError, InputError, MissingExtraError, OutputError
from arfc.io import text_writer
from arfc.io.model_folder import TENSORS_NAME, read_facts
from arfc.io.output import CONFIG_NAME

if TYPE_CHECKING:
    from arfc.compressor import Compressor

MODEL_FILES = (CONFIG_NAME, TENSORS_NAME)
CARD_NAME = "README.md"
TAGS = ["arfc", "embeddings", "compression", "dimensionality-reduction", "vector-search"]
TASKS = {
    "features": "keeps neighbours as they are",
    "pairs": "has learned from pairs what belongs together",
    "labels": "has learned from labels what belongs together",
}


def fetch(
    source: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Path:
    """Return a model's folder: `source` itself if it is one, else that of a repository on the Hub, downloaded.

    The options are those of `huggingface_hub.snapshot_download`; a folder needs neither network nor the package.

    Raises: InputError for a repository that can't be read; ConfigError for a revision of a folder; MissingExtraError.
    """
    folder = Path(source)
    if folder.is_dir() or isinstance(source, Path):
        if revision is not None:
            raise ConfigError(
                f"revision is for a repository of the Hub, got {revision!r} for the folder {source}; drop it"
            )
        return folder
    hub = _import_hub(f"{source} is no folder, and ")
    try:
        found = hub.snapshot_download(
            source,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            allow_patterns=list(MODEL_FILES),
            library_name="arfc",
            tqdm_class=_Bar,
        )
    except _errors() as error:
        raise InputError(
            f"a model must be a folder or a repository of the Hub that can be read, got {source}: {_line(error)}; "
            "is the name right, and does it need a token"
        ) from error
    return Path(found)


def push(
    model: Compressor,
    repo_id: str,
    *,
    private: bool | None = None,
    license: str | None = None,
    base_model: str | None = None,
    card: bool = True,
    revision: str | None = None,
    token: str | bool | None = None,
    commit_message: str = "Upload an arfc model",
) -> str:
    """Upload the two files of a model, and its card, in one commit; return the commit's address.

    The repository is made if there is none; `private` decides who sees a new one. `license` and `base_model` (the
    encoder of the features) stand in the card; `card=False` leaves the repository's own as it is. `revision` is a
    branch.

    Raises: OutputError when the Hub refuses it or can't be reached; MissingExtraError.
    """
    hub = _import_hub()
    api = hub.HfApi(token=token, library_name="arfc")
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "model")
        model.save(folder)
        if card:
            save_card(folder, repo_id=repo_id, license=license, base_model=base_model)
        names = [*MODEL_FILES, *([CARD_NAME] if card else [])]
        files = [hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name) for name in names]
        try:
            api.create_repo(repo_id, private=private, exist_ok=True)
            if revision is not None:
                api.create_branch(repo_id, branch=revision, exist_ok=True)
            commit = api.create_commit(repo_id, files, commit_message=commit_message, revision=revision)
        except _errors() as error:
            raise OutputError(
                f"the model could not be pushed to {repo_id}, got {_line(error)}; "
                "is the name right, and has the token the right to write"
            ) from error
    return str(commit.commit_url)


def save_card(
    folder: str | Path, *, repo_id: str | None = None, license: str | None = None, base_model: str | None = None
) -> Path:
    """Write the card `README.md` of a model folder, from what its `config.json` says; return its path.

    `repo_id` is the name under which the card tells to load the model; None: the folder's own.

    Raises: ModelFileError when this is no model folder; OutputError; MissingExtraError.
    """
    hub = _import_hub()
    facts = read_facts(folder)
    given = {"license": license, "base_model": base_model}
    fields = {name: value for name, value in given.items() if value is not None}
    matter = hub.ModelCardData(library_name="arfc", tags=TAGS, **fields).to_yaml()
    path = Path(folder, CARD_NAME)
    text = _describe(facts, name=repo_id or Path(folder).resolve().name, base_model=base_model)
    text_writer(path, f"---\n{matter}\n---\n\n{text}", overwrite=True)
    return path


def _describe(facts: dict[str, Any], *, name: str, base_model: str | None) -> str:
    """Return the card's text."""
    data, curve, width = facts["data"], facts["curve"], facts["width"]
    low, high = data["norm_range"]
    of = f" of {base_model}" if base_model else ""
    sampled = "" if data["sampled_rows"] == data["rows"] else f", of which {data['sampled_rows']:,} were sampled"
    versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    end = "; the fit was interrupted before its end" if facts.get("interrupted") else ""
    return f"""# {name.split("/")[-1]}

A model of arfc ([the method](https://arxiv.org/abs/2602.11494)): it turns feature vectors{of} of {width} dims into
any number of dims or bytes that you name. A smaller form is the beginning of a larger one, and vectors are compared
by cosine as they are stored. The fit {TASKS[facts["task"]]}.

```python
from arfc import Compressor

model = Compressor.from_pretrained("{name}")
small = model.compress(x, dims={_eighth(curve["floats"], "dims", width)})  # x: (N, {width}) float array
codes = model.compress(x, bytes={_eighth(curve["bytes"], "bytes", width)})
ids, scores = model.search(queries, codes, k=10)
```

## Quality

{curve["metric"]} of {curve["validation_rows"]:,} validation rows among {curve["answering_rows"]:,} rows. They also
chose the model, so that scores on other rows may be lower; the uncompressed vectors have {curve["uncompressed"]:.3f}.
KLT is the best linear answer without training (uncentred PCA), truncation takes the first dims as they are. **Bold** is
the best of a row.

{_table(curve["floats"], ["dims", "bytes", "arfc", "klt", "truncation"])}

{_codes_asked(curve)}; KLT here is KLT + bits, a code of its coordinates by scalar levels alone:

{_table(curve["bytes"], ["bytes", "arfc", "klt"])}

## Data

| | |
|---|---|
| rows | {data["rows"]:,}{sampled} |
| rows to fit, to choose, not used | {data["fit_rows"]:,}, {data["validation_rows"]:,}, {data["test_rows"]:,} |
| length of a row | {data["mean_norm"]:.4g} on average, {low:.4g} to {high:.4g} |
| energy in the mean direction | {100 * data["common_direction"]:.1f} % |

The files hold a 128-bit fingerprint of each row that the fit has used, so that an evaluation can leave these rows out.

## Versions

Format {facts["format_version"]}, {versions}; seed {facts["seed"]}{end}.
"""


def _codes_asked(curve: dict[str, Any]) -> str:
    """Say what the scores of codes are of: where codebooks have seen the rows that answer floats, others answer."""
    asked = "Codes, asked by uncompressed queries"
    if curve["code_answering_rows"] == curve["answering_rows"]:
        return asked
    return (
        f"{asked} among {curve['code_answering_rows']:,} rows that no codebook has seen "
        f"(uncompressed {curve['code_uncompressed']:.3f})"
    )


def _eighth(rows: list[dict[str, Any]], unit: str, width: int) -> int:
    """Return the largest measured size of at most an eighth of the width, or the smallest there is."""
    sizes = [row[unit] for row in rows]
    return max([size for size in sizes if size * 8 <= width], default=min(sizes))


def _table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return a markdown table of a curve's rows; scores have three digits, the best of a row is bold."""
    sizes = [name for name in columns if name in ("dims", "bytes")]
    lines = [f"| {' | '.join(name.replace('klt', 'KLT') for name in columns)} |", f"|{'---:|' * len(columns)}"]
    for row in rows:
        scores = [f"{row[name]:.3f}" for name in columns[len(sizes) :]]
        cells = [f"**{score}**" if score == max(scores) else score for score in scores]
        lines.append(f"| {' | '.join([*(f'{row[name]:,}' for name in sizes), *cells])} |")
    return "\n".join(lines)


def _import_hub(why: str = "") -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError(f"{why}huggingface_hub is not installed; run: pip install 'arfc[hub]'") from None
    return huggingface_hub


def _errors() -> tuple[type[Exception], ...]:
    """Return what the library raises for a repository that is out of reach, refused or misspelt, and for a bad card."""
    # That of the package for HTTP that the library uses; which one that is has changed between its versions.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    return (HTTPError, ValueError, OSError)


def _line(error: Exception) -> str:
    return textwrap.shorten(str(error) or type(error).__name__, 200, placeholder=" ...").rstrip(".")


class _Bar(tqdm):  # type: ignore[type-arg]
    """A bar that is shown on a terminal only, whatever the library asks for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"disable": None})
