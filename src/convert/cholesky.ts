/** The triangular factor that error feedback needs; plain f64 arithmetic on square matrices in row-major order. */

/**
 * Upper triangular `U` with `Uᵀ·U = H⁻¹` for a symmetric positive definite `H`, `[size, size]`.
 * With the order of rows reversed, `H = L·Lᵀ`, and `U` is `L⁻¹` reversed back. Throws `RangeError` when `H` is not
 * positive definite.
 */
export function inverseFactor(matrix: Float64Array, size: number): Float64Array {
  const reversed = reverse(matrix);
  factor(reversed, size);
  return reverse(invertLower(reversed, size));
}

/** Rows and columns in reverse order. */
function reverse(matrix: Float64Array): Float64Array {
  return Float64Array.from(matrix).reverse();
}

/** Replaces the lower triangle of `a` by its Cholesky factor. */
function factor(a: Float64Array, size: number): void {
  for (let row = 0; row < size; row++) {
    const current = a.subarray(row * size, row * size + row + 1);
    for (let column = 0; column < row; column++) {
      const other = a.subarray(column * size, column * size + column + 1);
      current[column] = ((current[column] as number) - dot(current, other, 0, column)) / (other[column] as number);
    }
    const pivot = (current[row] as number) - dot(current, current, 0, row);
    if (!(pivot > 0)) throw new RangeError(`The matrix is not positive definite at row ${row}.`);
    current[row] = Math.sqrt(pivot);
  }
}

function invertLower(lower: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    const target = inverse.subarray(row * size, (row + 1) * size);
    const scale = 1 / (lower[row * size + row] as number);
    target[row] = scale;
    for (let k = 0; k < row; k++) {
      const factor = -(lower[row * size + k] as number) * scale;
      if (factor === 0) continue;
      for (let column = 0; column <= k; column++) {
        target[column] = (target[column] as number) + factor * (inverse[k * size + column] as number);
      }
    }
  }
  return inverse;
}

function dot(a: Float64Array, b: Float64Array, start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
