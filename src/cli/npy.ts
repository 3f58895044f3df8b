/** NumPy's file format, version 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

/** Magic, version and length take 10 bytes; data begin at a multiple of 64. */
const prefixBytes = 10;
const alignment = 64;

/** The head of a little-endian float32 array in C order; the values follow. */
export function npyHeader(shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((prefixBytes + dictionary.length + 1) / alignment) * alignment;
  const bytes = new Uint8Array(length);
  bytes.set([0x93, ...Buffer.from('NUMPY'), 1, 0]);
  new DataView(bytes.buffer).setUint16(8, length - prefixBytes, true);
  bytes.set(Buffer.from(`${dictionary.padEnd(length - prefixBytes - 1)}\n`), prefixBytes);
  return bytes;
}

/** Values as the format has them on any machine. */
export function npyValues(values: Float32Array): Uint8Array {
  const bytes = Buffer.from(new Float32Array(values).buffer);
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? bytes : bytes.swap32();
}
