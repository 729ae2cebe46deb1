"""The sentences of Python's own language reference, which comes with Python, as short real texts with a topic each."""

import random
import re
from dataclasses import dataclass
from pydoc_data.topics import topics

WORDS = range(6, 31)
"""Words of a sentence: shorter ones say little, longer ones cost the encoder time."""


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the page of the reference it stands on."""

    topic: str
    text: str


def sentences(count: int) -> list[Sentence]:
    """Return this many different sentences, drawn over all topics with a fixed seed."""
    found: dict[str, Sentence] = {}
    for topic, page in sorted(topics.items()):
        for paragraph in page.split("\n\n"):
            if not paragraph[:1].isalpha():  # code, lists, tables and headings
                continue
            for text in re.split(r"(?<=\.)\s+(?=[A-Z])", " ".join(paragraph.split())):
                if len(text.split()) in WORDS and text.endswith("."):
                    found.setdefault(text, Sentence(topic, text))
    return random.Random(0).sample(list(found.values()), count)
