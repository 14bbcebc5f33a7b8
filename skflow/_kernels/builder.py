"""Builder of inner loops for numba: generated for a dtype and a register file."""

from contextlib import contextmanager

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skflow._kernels.vectors import N_REGISTERS, Vectors

# Queries come in groups, and points in panels of so many vectors: in registers stay QUAD x PANEL
# logits, with a row of a panel, then with what the exponential needs, and as kernels with a row of
# values (of sixteen registers LLVM lends some to the exponential, which is as fast as to do so
# here).
PANEL = 4 if N_REGISTERS == 32 else 3
GROUP = 8 if N_REGISTERS == 32 else 4
QUAD = 4


class Code(Vectors):
    """Builder of one loop nest: its arrays as pointers, its numbers as integers."""

    def __init__(self, context, builder, signature, arguments):
        for_dtype = next(t.dtype for t in signature.args if isinstance(t, types.Array))
        super().__init__(builder, for_dtype)
        self.arguments = [
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        self.index = context.get_value_type(types.intp)

    def number(self, value):
        return self.index(value)

    def plus(self, *terms):
        total, *rest = (self.number(t) if isinstance(t, int) else t for t in terms)
        for term in rest:
            total = self.builder.add(total, term)
        return total

    def times(self, a, b):
        return self.builder.mul(a, self.number(b) if isinstance(b, int) else b)

    def loop(self, start, stop):
        return cgutils.for_range(self.builder, stop, start=start)

    def get(self, variables):
        return [self.builder.load(v) for v in variables]

    @contextmanager
    def quads(self):
        """Loop over the quads of a group; gives the numbers of the queries of one."""
        with self.loop(self.number(0), self.number(GROUP // QUAD)) as quad:
            first = self.times(quad.index, QUAD)
            yield [self.plus(first, q) for q in range(QUAD)]

    @contextmanager
    def each_bit(self, bits):
        """Loop over the numbers of the bits that are set: few, if any."""
        b, left = self.builder, cgutils.alloca_once(self.builder, self.index)
        b.store(bits, left)
        with self.loop(self.number(0), b.ctpop(bits)):
            bits = b.load(left)
            b.store(b.and_(bits, b.sub(bits, self.number(1))), left)
            yield b.cttz(bits, ir.Constant(ir.IntType(1), 1))  # never of zero


def inner_loop(build):
    """An intrinsic for numba of a function that generates code, typed by its arguments."""

    @intrinsic
    def typed(typing_context, arguments):
        def generate(context, builder, signature, values):
            unpacked = cgutils.unpack_tuple(builder, values[0])
            inner = types.void(*signature.args[0].types)
            build(Code(context, builder, inner, unpacked), inner)
            return context.get_dummy_value()

        return types.void(arguments), generate

    return typed
