"""A fitted model as the last module of a sentence-transformers encoder, so that `truncate_dim` works with it."""
# B texts of a batch, D dims of the encoder

from __future__ import annotations

from typing import Any

from arfc.compressor import Compressor
from arfc.errors import ConfigError, MissingExtraError, ModelFileError
from arfc.shapes import Tensor

try:
    from sentence_transformers.base.modules import Module
except ImportError:
    raise MissingExtraError(
        "sentence-transformers 6 or later is not installed; run: pip install 'arfc[sentence-transformers]'"
    ) from None

EMBEDDING = "sentence_embedding"


class ArfcModule(Module):
    """Compress each embedding at full width, after the encoder's other modules: the first k dims are those of k dims.

    Append it with `encoder.append(ArfcModule(model))`. Embeddings come out on the device and in the dtype they came in.
    Its folder in a saved encoder is a model folder (docs/format.md), which `Compressor.load` reads too.
    """

    config_keys = ["width"]
    """What the module shows of itself; a saved one is described by the model's own `config.json`."""

    def __init__(self, model: Compressor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's own has no annotations
        self.model = model

    @property
    def width(self) -> int:
        """Dims D in and out."""
        return self.model.width

    def get_embedding_dimension(self) -> int:
        """Return the dims that `encode` gives unless `truncate_dim` says fewer."""
        return self.width

    # `Any`: the library hands over a transformers BatchEncoding, which is no dict as its annotations have it.
    def forward(self, features: Any, **kwargs: Any) -> Any:
        """Replace the embedding of each text by its compressed one.

        Shapes: features["sentence_embedding"] (B, D), before and after.
        Raises: ShapeError for another width; RowError for a NaN, Inf or zero embedding; ConfigError while gradients
        are asked for.
        """
        embedding_BD: Tensor = features[EMBEDDING]
        if embedding_BD.requires_grad:
            raise ConfigError(
                "an encoder with ArfcModule must run without gradients, got an embedding that needs one; "
                "train the encoder before the module is appended, or run it under torch.no_grad()"
            )
        features[EMBEDDING] = embedding_BD.new_tensor(self.model.compress(embedding_BD.float(), dims=self.width))
        return features

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write the model folder to the folder that sentence-transformers has made for the module.

        Raises: OutputError; ConfigError for `safe_serialization=False`, since arfc writes no pickle.
        """
        if not safe_serialization:
            raise ConfigError(
                "ArfcModule is saved as safetensors alone, got safe_serialization=False; leave it at its default"
            )
        self.model.save(output_path, overwrite=True)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> ArfcModule:
        """Read the module's folder of a saved encoder, from the disk or from the Hugging Face Hub.

        Raises: ModelFileError when the folder is missing or no model folder.
        """
        folder = cls.load_dir_path(
            model_name_or_path,
            subfolder=subfolder,
            token=token,
            cache_folder=cache_folder,
            revision=revision,
            local_files_only=local_files_only,
        )
        if folder is None:
            raise ModelFileError(
                f"a saved encoder must hold the folder {subfolder}, which is missing in {model_name_or_path}; "
                "copy it again"
            )
        return cls(Compressor.load(folder))
