"""What a table of measurements says about arfc at each size, and how sets, metrics and methods are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from _records import VARIANTS, Cell, Line, Study, Table

TITLES = {
    "captions": "Flickr8k captions, MiniLM 384 dims",
    "scifact": "SciFact, MiniLM 384 dims",
    "myntra": "Myntra products, FashionCLIP 512 dims",
    "muge": "MUGE photos, Chinese-CLIP 512 dims",
    "cifar10": "CIFAR-10, ResNet trained on it, 512 dims",
    "food10": "ten classes of Food-101, CLIP 512 dims",
    "digits": "scikit-learn's digits, 64 pixels",
    "patches": "patches of two photos, 300 pixel values",
    "words": "docstrings, mean of WordLlama's word vectors, 256 dims",
    "layer": "docstrings, MiniLM's third layer, 384 dims",
    "layer-few": "docstrings, MiniLM's third layer, 384 dims, 2,000 rows",
    "layers": "docstrings, all layers of MiniLM, 2,688 dims, 2,000 rows",
    "n-grams": "docstrings, counts of hashed n-grams, 4,096 dims, 2,000 rows",
}
MAIN = {
    ("captions", "none"): ("recall@10", "R@1"),
    ("captions", "labels"): ("R@1",),
    ("captions", "pairs"): ("R@1",),
    "scifact": ("nDCG@10",),
    "myntra": ("R@1 texts to images", "R@1 images to texts"),
    "muge": ("recall@10",),
    "cifar10": ("linear probe accuracy", "mAP@R by class"),
    "food10": ("linear probe accuracy", "mAP@R by class"),
}
"""What is quoted of a set, or of a set and variant; of other sets, the first metric."""
LABELS = {
    ("bytes", "arfc"): "arfc codes",
    ("floats", "arfc"): "arfc floats",
    ("floats", "truncation"): "truncated floats",
    ("floats", "pca"): "PCA floats",
    ("floats", "klt"): "KLT floats",
    ("bytes", "fp16"): "fp16, first dims",
    ("bytes", "int8"): "int8, first dims",
    ("bytes", "int4"): "int4, first dims",
    ("bytes", "binary"): "binary, first dims",
    ("bytes", "turboquant"): "TurboQuant",
    ("bytes", "rabitq"): "RaBitQ",
    ("bytes", "pq"): "PQ",
    ("bytes", "opq"): "OPQ",
    ("bytes", "lsq"): "LSQ",
    ("bytes", "rq"): "RQ",
    ("floats", "learned linear"): "learned linear floats",
    ("floats", "learned mlp"): "learned MLP floats",
    ("floats", "mlp adaptor"): "MLP adaptor floats",
    ("floats", "autoencoder"): "autoencoder floats",
    ("floats", "q former"): "Q-Former floats",
    ("bytes", "learned linear"): "learned linear, arfc's code",
    ("bytes", "learned mlp"): "learned MLP, arfc's code",
    ("bytes", "mlp adaptor"): "MLP adaptor, arfc's code",
    ("bytes", "autoencoder"): "autoencoder, arfc's code",
    ("bytes", "q former"): "Q-Former, arfc's code",
}
"""Names for people, in the order of tables; others go by their own name."""


def title(study: Study) -> str:
    """Return the name of a set with what was told."""
    return f"{TITLES.get(study.set, study.set)}, {VARIANTS[study.variant]}"


def main_tables(study: Study) -> list[Table]:
    """Return the tables to quote."""
    names = MAIN.get((study.set, study.variant), MAIN.get(study.set, ()))
    return [table for table in study.tables if table.metric in names] or study.tables[:1]


def family(method: str) -> str:
    """Return a method's name whatever its spelling: `q-former` and `q former` are one."""
    return method.replace("-", " ")


def label(line: Line) -> str:
    """Return the name of a method in a form for people."""
    form = "floats" if line.form == "floats" else "codes"
    if line.kind == "ablation":
        return f"{line.method}, {form}"
    name = family(line.method)
    return LABELS.get((line.form, name)) or name.replace("klt", "KLT") + (" floats" if form == "floats" else "")


def ordered(lines: Iterable[Line]) -> list[Line]:
    """Sort lines: ours, learned, classic; codes before floats; names in the order of `LABELS`, then of the alphabet."""
    kinds, forms, known = ["ours", "learned", "classic", "ablation"], ["bytes", "floats"], list(LABELS.values())

    def place(line: Line) -> tuple[int, int, int, str]:
        name = label(line)
        rank = known.index(name) if name in known else len(known)
        return kinds.index(line.kind), forms.index(line.form), rank, name

    return sorted(lines, key=place)


def score_text(cell: Cell) -> str:
    """Return a score as tables have it; what reads the same is level."""
    return f"{cell.score.value:.3f}"


def compared(table: Table) -> list[Line]:
    """Return the lines that are held against each other: all but ablations."""
    return ordered(line for line in table.lines if line.kind != "ablation")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Our better form at one size, and what others have there, best first."""

    bytes: int
    ours: tuple[Line, Cell]
    others: list[tuple[Line, Cell]]

    @property
    def better(self) -> list[tuple[Line, Cell]]:
        """Others that are ahead of us, as printed."""
        return [(line, cell) for line, cell in self.others if float(score_text(cell)) > float(score_text(self.ours[1]))]

    @property
    def level(self) -> bool:
        """Whether the best of the others has the same score, as printed."""
        return score_text(self.others[0][1]) == score_text(self.ours[1])

    @property
    def clear(self) -> bool:
        """Whether our interval and that of the best other part."""
        ours, other = self.ours[1].score, self.others[0][1].score
        return ours.low > other.high or other.low > ours.high


def standings(table: Table, sizes: Iterable[int] | None = None) -> list[Standing]:
    """Return how arfc stands at each size that it and another method have, of `sizes` if given."""
    wanted = None if sizes is None else set(sizes)
    at: dict[int, list[tuple[Line, Cell]]] = {}
    for line in compared(table):
        for size, cell in line.cells.items():
            if wanted is None or size in wanted:
                at.setdefault(size, []).append((line, cell))
    found = []
    for size in sorted(at):
        ranked = sorted(at[size], key=lambda one: -one[1].score.value)
        ours = [one for one in ranked if one[0].kind == "ours"]
        others = [one for one in ranked if one[0].kind != "ours"]
        if ours and others:
            found.append(Standing(bytes=size, ours=ours[0], others=others))
    return found


def listed(parts: Iterable[object]) -> str:
    """Return `a, b and c`."""
    words = [str(part) for part in parts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def verdict(table: Table) -> list[str]:
    """Return sentences: where arfc is best, where level, and each size where it loses, to whom and by how much."""
    all_sizes = standings(table)
    if not all_sizes:
        return ["arfc and others have no size in common here."]
    best = [one for one in all_sizes if not one.better and not one.level]
    level = [one for one in all_sizes if not one.better and one.level]
    sentences = []
    if best:
        clear = [f"{one.bytes:,}" for one in best if one.clear]
        beyond = f" (at {listed(clear)} beyond the intervals)" if clear else ""
        sentences.append(f"arfc is best at {listed(f'{one.bytes:,}' for one in best)} bytes{beyond}.")
    if level:
        sentences.append(f"arfc is level with the best other at {listed(f'{one.bytes:,}' for one in level)} bytes.")
    for one in all_sizes:
        if one.better:
            to = listed(f"{label(line)} ({score_text(cell)})" for line, cell in one.better)
            how = "beyond the intervals" if one.clear else "the intervals overlap"
            sentences.append(f"**Loses** at {one.bytes:,} bytes, {score_text(one.ours[1])}, to {to}; {how}.")
    return sentences
