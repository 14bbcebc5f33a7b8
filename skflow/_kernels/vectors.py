"""Explicit vectors for numba: a thin layer over the LLVM builder, and two to the power of a vector.

LLVM turns plain loops into vectors only where its cost model and the language let it: it stays at
half of the vector width of many processors, keeps sums in memory between the passes of an inner
loop, and calls a scalar function for every exponential. The inner loops of skflow are therefore
written as vectors, by functions that generate their LLVM code (:mod:`skflow._kernels.builder`).
Arithmetic happens in the order in which it is written, and so has the same bits for every query.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features


def _register_file():
    """Bytes in a vector register, and how many there are, of the processor to compile for."""
    features = config.CPU_FEATURES
    enabled = set((get_host_cpu_features() if features is None else features).split(","))
    if {"+avx512f", "+avx512dq"} <= enabled:
        return 64, 32
    if "+avx" in enabled:
        return 32, 16
    # 128 bits are on every x86-64 (16 registers) and on every ARM64 (32).
    return 16, 32 if "+neon" in enabled else 16


VECTOR_BYTES, N_REGISTERS = _register_file()
LOG2_E = math.log2(math.e)  # that many powers of two in one of e


def lanes(dtype):
    """Numbers of a dtype in a vector."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def empty_vectors(shape, dtype):
    """``np.empty`` that starts where a vector does: one across two cache lines takes two loads."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(n_bytes + VECTOR_BYTES, np.uint8)
    start = -room.__array_interface__["data"][0] % VECTOR_BYTES  # faster than .ctypes
    return room[start : start + n_bytes].view(dtype).reshape(shape)


def _exp2_coefficients(degree):
    """Coefficients of a near-minimax polynomial for 2^f on [-1/2, 1/2], lowest power first."""
    # The Chebyshev series of 2^(x/2) on [-1, 1], from a Taylor series long enough to be exact;
    # a least-squares fit would lose four bits.
    taylor = [(math.log(2) / 2) ** k / math.factorial(k) for k in range(degree + 10)]
    chebyshev = np.polynomial.chebyshev.poly2cheb(taylor)[: degree + 1]
    return (np.polynomial.chebyshev.cheb2poly(chebyshev) * 2.0 ** np.arange(degree + 1)).tolist()


LOWEST = {np.float32: -126.0, np.float64: -1022.0}  # exponents of the smallest normal numbers

# Lowest exponent and bits of the mantissa.
_FORMATS = {
    types.float32: (LOWEST[np.float32], 23),
    types.float64: (LOWEST[np.float64], 52),
}

# Polynomials for 2^f, whose errors are of one to two roundings.
if VECTOR_BYTES == 64:
    # On [0, 1], with 2^0 = 1: minimax of the relative error, by Remez's algorithm in 60 digits.
    _EXP2 = {
        types.float32: [1.0, 0.69315131, 0.24016445, 0.055799913, 0.0090170303, 0.0018671301],
        types.float64: [
            *(1.0, 0.693147180559908999, 0.240226506960946696, 0.0555041086325856),
            *(9.6181293844653757e-3, 1.33335445698457984e-3, 1.54039397415472391e-4),
            *(1.52448957561769997e-5, 1.33108009755909785e-6, 9.46965120577159721e-8),
            9.93532703743237611e-9,
        ],
    }
else:
    # On [-1/2, 1/2]. In float32 with 2^0 = 1, where the Chebyshev series is off: by least squares
    # of the relative error at Chebyshev nodes, weighted anew ten times by the errors.
    _EXP2 = {
        types.float32: [1.0, 0.69314694, 0.24022241, 0.05550756, 0.009671594, 0.0013258226],
        types.float64: _exp2_coefficients(10),
    }


class Vectors:
    """Vectors of one dtype, and what is done with them, inside one function that is compiled.

    Parameters
    ----------
    builder : IRBuilder
        Where the code goes.
    dtype : numba type
        float32 or float64.
    """

    def __init__(self, builder, dtype):
        self.builder = builder
        self.lowest, self.mantissa_bits = _FORMATS[dtype]
        self.coefficients = _EXP2[dtype]
        bits = dtype.bitwidth
        self.lanes = VECTOR_BYTES * 8 // bits
        self.scalar = ir.FloatType() if bits == 32 else ir.DoubleType()
        self.type = ir.VectorType(self.scalar, self.lanes)
        self.double_type = ir.VectorType(ir.DoubleType(), self.lanes)
        self.integers = ir.VectorType(ir.IntType(bits), self.lanes)
        self.align = bits // 8

    def constant(self, value):
        return ir.Constant(self.type, [ir.Constant(self.scalar, value)] * self.lanes)

    def load(self, pointer, index):
        """The vector that starts at an element."""
        return self.builder.load(self._at(pointer, index), align=self.align)

    def store(self, vector, pointer, index):
        self.builder.store(vector, self._at(pointer, index, vector.type), align=self.align)

    def prefetch(self, pointer, index):
        """Ask for the vector that starts at an element, which may lie beyond the array."""
        byte, number = ir.IntType(8), ir.IntType(32)
        kinds = ir.FunctionType(ir.VoidType(), [byte.as_pointer()] + [number] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kinds, "llvm.prefetch.p0")
        to_read, keep, data = number(0), number(3), number(1)
        place = self._at(pointer, index, byte)
        self.builder.call(function, [place, to_read, keep, data])

    def _at(self, pointer, index, kind=None):
        kind = self.type if kind is None else kind
        return self.builder.bitcast(self.builder.gep(pointer, [index]), kind.as_pointer())

    def doubles(self, vector):
        """A vector in float64, as many numbers."""
        if vector.type == self.double_type:
            return vector
        return self.builder.fpext(vector, self.double_type)

    def load_doubles(self, pointer, index):
        """As many numbers of an array in float64."""
        return self.builder.load(self._at(pointer, index, self.double_type), align=8)

    def sum_lanes(self, vector):
        """The sum of the lanes in float64, half by half."""
        b, total = self.builder, self.doubles(vector)
        nothing = ir.Constant(total.type, ir.Undefined)
        index = ir.VectorType(ir.IntType(32), self.lanes)
        half = self.lanes // 2
        while half > 0:
            upper = ir.Constant(index, [(lane + half) % self.lanes for lane in range(self.lanes)])
            total = b.fadd(total, b.shuffle_vector(total, nothing, upper))
            half //= 2
        return b.extract_element(total, ir.Constant(ir.IntType(32), 0))

    def spread(self, pointer, index):
        """One element in all lanes."""
        element = self.builder.load(self.builder.gep(pointer, [index]))
        one = self.builder.insert_element(
            ir.Constant(self.type, ir.Undefined), element, ir.Constant(ir.IntType(32), 0)
        )
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, ir.Constant(self.type, ir.Undefined), everywhere)

    def variable(self, value):
        """A vector that changes in a loop, with its first value: a register once optimized."""
        place = cgutils.alloca_once(self.builder, self.type)
        self.builder.store(value, place)
        return place

    def multiply_add(self, a, b, c):
        """``a * b + c``, in one instruction where the processor has it."""
        return self._call("llvm.fmuladd", a, b, c)

    def maximum(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def compare(self, a, relation, b):
        """The lanes in which it holds."""
        return self.builder.fcmp_ordered(relation, a, b)

    def bits(self, lanes, integer):
        """Lanes that were compared, as the bits of an integer."""
        return self.builder.zext(self.builder.bitcast(lanes, ir.IntType(self.lanes)), integer)

    def exp2(self, vectors):
        """``2^t`` for each t from about `lowest` to 100; below it less than ``2^(lowest + 1)``."""
        # Vectors take a step before any of them takes the next: none waits for its own last step.
        # More than two at a time would need registers that hold logits and kernels.
        if VECTOR_BYTES == 64:
            pairs = [vectors[i : i + 2] for i in range(0, len(vectors), 2)]
            return [power for pair in pairs for power in self._exp2_avx512(pair)]
        # Adding 1.5 * 2^mantissa_bits leaves round(t) in the low bits of the sum: less the number
        # added, it is the rounded value; moved into the exponent field, it multiplies by 2^round.
        b, magic = self.builder, self.constant(1.5 * 2**self.mantissa_bits)
        vectors = [self.maximum(t, self.constant(self.lowest)) for t in vectors]
        shifted = [b.fadd(t, magic) for t in vectors]
        rounded = [b.fsub(s, magic) for s in shifted]
        powers = self._polynomial([b.fsub(t, n) for t, n in zip(vectors, rounded, strict=True)])
        shift = ir.Constant(ir.IntType(self.align * 8), self.mantissa_bits)
        shift = ir.Constant(self.integers, [shift] * self.lanes)
        exponents = [b.shl(b.bitcast(s, self.integers), shift) for s in shifted]
        return [
            b.bitcast(b.add(b.bitcast(power, self.integers), exponent), self.type)
            for power, exponent in zip(powers, exponents, strict=True)
        ]

    def _polynomial(self, vectors):
        """2^f for each f that is left of a number when it is rounded."""
        *rest, highest = map(self.constant, self.coefficients)
        powers = [highest] * len(vectors)
        for coefficient in reversed(rest):
            powers = [
                self.multiply_add(power, f, coefficient)
                for power, f in zip(powers, vectors, strict=True)
            ]
        return powers

    def _exp2_avx512(self, vectors):
        """The same, and 0 below `lowest`, where one instruction finds what is left of t.

        That is, when it is rounded down; another one multiplies by 2 to what it is rounded to.
        """
        b, zeros = self.builder, self.constant(0.0)
        integer, mask = ir.IntType(32), ir.IntType(self.lanes)
        down, current = integer(0b1001), integer(4)  # ways to round: of t, and of results
        every_lane, lowest = ir.Constant(mask, -1), self.constant(self.lowest)
        # Slower by far where the result is too small for a normal number.
        counts = [b.bitcast(b.fcmp_ordered(">=", t, lowest), mask) for t in vectors]
        powers = self._polynomial(
            [self._call_avx512("reduce", t, down, zeros, every_lane, current) for t in vectors]
        )
        return [
            self._call_avx512("scalef", power, t, zeros, counted, current)
            for power, t, counted in zip(powers, vectors, counts, strict=True)
        ]

    def _call_avx512(self, name, *arguments):
        """An instruction of AVX-512 with a mask; other arguments than vectors are integers."""
        letter = "s" if self.align == 4 else "d"
        kinds = ir.FunctionType(self.type, [argument.type for argument in arguments])
        name = f"llvm.x86.avx512.mask.{name}.p{letter}.512"
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kinds, name), arguments
        )

    def _call(self, name, *vectors):
        """An intrinsic of LLVM for vectors of this type."""
        letter = "f32" if self.align == 4 else "f64"
        kinds = ir.FunctionType(self.type, [self.type] * len(vectors))
        name = f"{name}.v{self.lanes}{letter}"
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kinds, name), vectors
        )
