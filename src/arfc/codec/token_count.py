"""How many joint tokens a code is made of before its scalar levels."""
# H held-out rows, Q queries among them, K dims

from __future__ import annotations

import numpy as np

from arfc.codec.joint import GROUP, JointTokens
from arfc.codec.offsets import unit_about, widened
from arfc.codec.scalar import ScalarCodec
from arfc.codec.smoothing import filled_up
from arfc.scores import recall_at_k, top_k
from arfc.shapes import Array, Float32
from arfc.sizes import byte_ladder

TOKEN_CHOICES = (0, 4, 8, 16, 24, 32, 48)
"""Numbers of joint tokens that a code may have."""
_NEIGHBOURS = 10


def token_choices(most: int) -> list[int]:
    """Return the choices up to `most`, ascending: whole groups, or what there is of less than one.

    The codebooks of a group are learned for their sum; four of eight are worse than four learned by themselves.
    """
    fitting = [count for count in TOKEN_CHOICES if count <= most]
    return [count for count in fitting if count % GROUP == 0 or count == fitting[-1]]


def best_tokens(
    joint: JointTokens,
    mean_K: Float32[Array, " K"],
    held_HK: Float32[Array, "H K"],
) -> int:
    """Return the number of joint tokens, more if equal, whose codes of all sizes keep most neighbours.

    One half of the rows gives the levels; rows of the other half ask and answer.
    """
    half = len(held_HK) // 2
    asked_QK = held_HK[half:] + mean_K
    own = np.arange(len(asked_QK))
    truth_QK = _nearest(asked_QK, asked_QK, own)
    best, best_score = 0, -1.0
    for tokens in token_choices(joint.tokens):
        kept = joint.first(tokens)
        packed_HT = kept.encode(np.ascontiguousarray(held_HK[:, : kept.codebooks.shape[2]]), tokens=tokens)
        predicted_HK = widened(kept.decode(packed_HT), held_HK.shape[1])
        missed_HK = held_HK - predicted_HK
        levels = ScalarCodec.fit_values(filled_up(missed_HK[:half]))
        scores = []
        for size in byte_ladder(held_HK.shape[1], held_HK.shape[1]):
            if size <= tokens:
                decoded = widened(joint.decode(packed_HT[half:, :size]), held_HK.shape[1])
            else:
                coded = levels.encode_values(
                    missed_HK[half:], bytes_per_vector=min(size - tokens, levels.largest_bytes)
                )
                decoded = predicted_HK[half:] + levels.decode_values(coded)
            found_QK = _nearest(asked_QK, unit_about(mean_K, decoded), own)
            scores.append(float(recall_at_k(truth_QK, found_QK).mean()))
        if np.mean(scores) >= best_score:
            best, best_score = tokens, float(np.mean(scores))
    return best


def _nearest(asked_QK: Float32[Array, "Q K"], stored_QK: Float32[Array, "Q K"], own: Array) -> Array:
    scores = asked_QK @ stored_QK.T
    scores[own, own] = -2
    return top_k(scores, min(_NEIGHBOURS, len(scores) - 1))[0]
