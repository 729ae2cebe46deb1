"""Push a model with its card to a Hugging Face Hub, and load it by name in another place.

The hub is a small server on this machine, so that the script needs no network and no account; leave it out, log in
with `hf auth login`, and the same two calls go to huggingface.co. Run it with `python examples/with_hub.py`.
Letters: N rows, D dims.
"""

import os
import tempfile

import numpy as np
from sklearn.datasets import load_digits

from _local_hub import TOKEN, Hub, local_hub
from arfc import Compressor

REPOSITORY = "me/digits-64"
BUDGET = "5s"


def main() -> None:
    with local_hub() as hub, tempfile.TemporaryDirectory() as home:
        # Before huggingface_hub is imported, which reads its settings then.
        os.environ |= {"HF_ENDPOINT": hub.url, "HF_HOME": home, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"}
        push_and_load(hub)


def push_and_load(hub: Hub) -> None:
    """Fit on scikit-learn's digits, push, and load again."""
    pixels_ND = load_digits().data.astype(np.float32)
    model = Compressor.fit(pixels_ND, budget=BUDGET, progress=False)
    address = model.push_to_hub(REPOSITORY, license="mit")
    print(f"pushed to {address.replace(hub.url, 'https://<the hub>')}")
    files = hub.branches[REPOSITORY]["main"]
    for name, content in files.items():
        print(f"    {name:<18} {len(content):>9,} bytes")
    again = Compressor.from_pretrained(REPOSITORY)
    assert np.array_equal(again.compress(pixels_ND, dims=9), model.compress(pixels_ND, dims=9))
    print(f"loaded from {REPOSITORY}: the same vectors\n\nthe card:\n")
    print("    " + files["README.md"].decode().replace("\n", "\n    ").rstrip())


if __name__ == "__main__":
    main()
