/* The Gaussian soft mean in a few lines of C, one query at a time: what a compiler makes of it.

   Built by peers.py for a number of dimensions D and, with -DSINGLE, in float instead of double.
   x holds D columns of m points, b is |x|^2 / 2 and c is log2(e) / sigma^2. Kernels are not taken
   relative to the largest: far away from all points, where they underflow, the result is wrong. */
#ifdef SINGLE
typedef float real;
typedef int integer;
enum { MANTISSA = 23, BIAS = 127, TERMS = 8 };
#else
typedef double real;
typedef long integer;
enum { MANTISSA = 52, BIAS = 1023, TERMS = 14 };
#endif

/* 2^t for t <= 0: the exponent is the whole number next to t, the rest a Taylor series. */
static inline real power_of_two(real t)
{
    t = t > 1 - BIAS ? t : 1 - BIAS;
    integer n = (integer)(t - (real)0.5);
    real rest = (t - n) * (real)0.6931471805599453, sum = 1, scale;
    for (int k = TERMS - 1; k > 0; k--) sum = 1 + sum * rest * ((real)1 / k);
    integer bits = (n + BIAS) << MANTISSA;
    __builtin_memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

void soft_mean(const real *z, const real *restrict x, const real *restrict b,
               real *restrict out, long n, long m, real c)
{
#pragma omp parallel for
    for (long i = 0; i < n; i++) {
        const real *q = z + i * D;
        real own = 0, sum = 0, mean[D] = {0};
        for (int k = 0; k < D; k++) own += q[k] * q[k] / 2;
        for (long j = 0; j < m; j++) {
            real logit = -own - b[j];
            for (int k = 0; k < D; k++) logit += q[k] * x[k * m + j];
            real weight = power_of_two(c * logit);
            sum += weight;
            for (int k = 0; k < D; k++) mean[k] += weight * x[k * m + j];
        }
        for (int k = 0; k < D; k++) out[i * D + k] = mean[k] / sum;
    }
}
