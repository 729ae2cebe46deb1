"""Reading vectors and writing results: `.npy` and `.parquet`, in chunks, and whole or not at all."""

from arfc.io.features import Features, as_array, open_features
from arfc.io.folder import check_folder_output, folder_writer
from arfc.io.output import (
    MatrixWriter,
    bytes_writer,
    check_file_output,
    check_matrix_output,
    check_output,
    explain_write_errors,
    matrix_writer,
    text_writer,
)
from arfc.io.parquet import vector_columns
from arfc.io.stored import Stored, open_labels, open_packed, sniff
from arfc.io.table import OtherColumns

__all__ = [
    "Features",
    "MatrixWriter",
    "OtherColumns",
    "Stored",
    "as_array",
    "bytes_writer",
    "check_file_output",
    "check_folder_output",
    "check_matrix_output",
    "check_output",
    "explain_write_errors",
    "folder_writer",
    "matrix_writer",
    "open_features",
    "open_labels",
    "open_packed",
    "sniff",
    "text_writer",
    "vector_columns",
]
