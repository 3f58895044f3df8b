/** Half-precision numbers: IEEE binary16 and bfloat16, widened to f32. Exact: every half is an f32. */

const two112 = 2 ** 112;
const exponentMask16 = 0x7c00;

/** Widens IEEE binary16 (little endian, given as its 16-bit patterns) to f32, subnormals, infinities and NaN included. */
export function fromFloat16(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length);
  const bits = new Uint32Array(floats.buffer);
  for (let index = 0; index < halves.length; index++) {
    const half = halves[index] as number;
    const magnitude = half & 0x7fff;
    // The exponent bias differs by 112, so a shift and one exact product do normals and subnormals alike.
    if ((half & exponentMask16) === exponentMask16) bits[index] = 0x7f800000 | ((magnitude & 0x3ff) << 13);
    else {
      bits[index] = magnitude << 13;
      floats[index] = (floats[index] as number) * two112;
    }
    bits[index] = (bits[index] as number) | ((half & 0x8000) << 16);
  }
  return floats;
}

/** Widens bfloat16 (the upper half of an f32) to f32. */
export function fromBfloat16(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length);
  const bits = new Uint32Array(floats.buffer);
  for (let index = 0; index < halves.length; index++) bits[index] = (halves[index] as number) << 16;
  return floats;
}
