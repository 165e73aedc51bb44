/** The nearest integer, halves to even. */
function round_(x) {
  const near = Math.round(x);
  return near - x === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

/**
 * The error function as x * P(x * x) / Q(x * x), the rational approximation of Eigen's
 * generic_fast_erf_float. It stays below 1 in float64 and reaches 1 in f32 at |x| = 3.975.
 */
function erf_(x) {
  const a = Math.min(Math.max(x, -3.975), 3.975), s = a * a;
  const p = ((((((-2.72614225801306e-10 * s + 2.77068142495902e-8) * s - 2.10102402082508e-6) * s
    - 5.69250639462346e-5) * s - 7.34990630326855e-4) * s - 2.95459980854025e-3) * s
    - 1.60960333262415e-2) * a;
  const q = (((-1.45660718464996e-5 * s - 2.13374055278905e-4) * s - 1.68282697438203e-3) * s
    - 7.37332916720468e-3) * s - 1.42647390514189e-2;
  return p / q;
}
