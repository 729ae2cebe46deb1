"""The number of joint tokens: many where rows cluster, none where each dim stands for itself."""

import numpy as np

from arfc.codec.joint import JointTokens
from arfc.codec.token_count import best_tokens, token_choices


def chosen(rows, *, tokens):
    fit, held = rows[:3400] - rows.mean(0), rows[3400:] - rows.mean(0)
    joint = JointTokens.fit(np.ascontiguousarray(fit), tokens=tokens, rng=np.random.default_rng(0), rounds=4)
    return best_tokens(joint, rows.mean(0), held)


def test_sums_of_points_are_worth_joint_tokens(sums):
    assert chosen(sums, tokens=4) == 4


def test_dims_of_two_values_each_are_worth_none():
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(4400, 24)).astype(np.float32)
    assert chosen(signs, tokens=4) == 0


def test_half_a_group_is_no_choice_where_there_is_a_whole_one():
    assert [token_choices(most) for most in (0, 3, 4, 7, 8, 23, 48, 99)] == [
        [0],
        [0],
        [0, 4],
        [0, 4],
        [0, 8],
        [0, 8, 16],
        [0, 8, 16, 24, 32, 48],
        [0, 8, 16, 24, 32, 48],
    ]
