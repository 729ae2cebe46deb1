"""Array and tensor annotations with named axes.

They are checked at run time in the tests, which install jaxtyping's import hook. Without jaxtyping, which users do not
need, `Float[Array, "N D"]` is simply `Array`. `Tensor` is looked up on first use, so that importing this module does
not import torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy.typing as npt
    from jaxtyping import Bool as Bool
    from jaxtyping import Float as Float
    from jaxtyping import Float32 as Float32
    from jaxtyping import Float64 as Float64
    from jaxtyping import Int as Int
    from jaxtyping import Int32 as Int32
    from jaxtyping import Int64 as Int64
    from jaxtyping import Shaped as Shaped
    from jaxtyping import UInt8 as UInt8
    from jaxtyping import UInt16 as UInt16
    from torch import Tensor as Tensor

    Array: TypeAlias = npt.NDArray[Any]
else:
    import numpy as np

    Array = np.ndarray

    try:
        from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64, Shaped, UInt8, UInt16
    except ImportError:

        class _Unchecked:
            """Stand-in whose subscript is the plain array type."""

            def __class_getitem__(cls, item):
                return item[0]

        Bool = Float = Float32 = Float64 = Int = Int32 = Int64 = Shaped = UInt8 = UInt16 = _Unchecked

    def __getattr__(name: str) -> Any:
        if name == "Tensor":
            from torch import Tensor

            return Tensor
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Array", "Bool", "Float", "Float32", "Float64", "Int", "Int64", "Shaped", "Tensor", "UInt8"]
