/** Writes the safetensors format, so that the Python library and everything else reads it. Inverse of the reader. */
import { dtypeBytes, type TensorDtype } from './safetensors-header.js';

export interface TensorToWrite {
  name: string;
  dtype: TensorDtype;
  shape: readonly number[];
  /** Little-endian values, `shape` of them. */
  data: ArrayBufferView;
}

const alignment = 8;

/**
 * One file with these tensors. Wide types come first, then by name, so that every tensor is aligned to its type and
 * equal tensors give equal bytes. Throws `RangeError` when a tensor's data does not fit its shape.
 */
export function writeSafetensors(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const ordered = [...tensors].sort(
    (a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const entries: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) entries.__metadata__ = metadata;
  let size = 0;
  for (const { name, dtype, shape, data } of ordered) {
    const bytes = shape.reduce((product, length) => product * length, dtypeBytes[dtype]);
    if (bytes !== data.byteLength) {
      throw new RangeError(`Tensor "${name}" of ${dtype} [${shape.join(', ')}] got ${data.byteLength} bytes.`);
    }
    entries[name] = { dtype, shape, data_offsets: [size, size + bytes] };
    size += bytes;
  }
  const header = paddedHeader(entries);
  const file = new Uint8Array(8 + header.length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  let position = 8 + header.length;
  for (const { data } of ordered) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return file;
}

/** JSON filled with spaces, so that the first tensor starts at a multiple of eight. */
function paddedHeader(entries: Record<string, unknown>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const header = new Uint8Array(Math.ceil(json.length / alignment) * alignment).fill(0x20);
  header.set(json);
  return header;
}
