/** The bytes of one tensor as values of its type. */
import { fromBfloat16, fromFloat16 } from './float16.js';
import { type TensorInfo, unreadable } from './safetensors-header.js';

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** The tensor's values; F16 and BF16 are widened to f32, other types keep theirs. Copies only to align or to widen. */
export function decodeTensor(tensor: TensorInfo, bytes: Uint8Array): TensorData {
  switch (tensor.dtype) {
    case 'F32':
      return view(Float32Array, bytes);
    case 'F16':
      return fromFloat16(view(Uint16Array, bytes));
    case 'BF16':
      return fromBfloat16(view(Uint16Array, bytes));
    case 'F64':
      return view(Float64Array, bytes);
    case 'I8':
      return view(Int8Array, bytes);
    case 'U8':
    case 'BOOL':
      return view(Uint8Array, bytes);
    case 'I16':
      return view(Int16Array, bytes);
    case 'U16':
      return view(Uint16Array, bytes);
    case 'I32':
      return view(Int32Array, bytes);
    case 'U32':
      return view(Uint32Array, bytes);
    case 'I64':
      return view(BigInt64Array, bytes);
    case 'U64':
      return view(BigUint64Array, bytes);
    default:
      tensor.dtype satisfies never;
      throw unreadable(tensor.file, `tensor "${tensor.name}" has the unknown type ${String(tensor.dtype)}`);
  }
}

/** Like `decodeTensor` for tensors of floats. Throws `model_file_invalid` for any other type. */
export function decodeFloats(tensor: TensorInfo, bytes: Uint8Array): Float32Array {
  const data = decodeTensor(tensor, bytes);
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  throw unreadable(tensor.file, `tensor "${tensor.name}" is ${tensor.dtype}, a floating-point type is needed`);
}

function view<T>(
  type: { new (buffer: ArrayBufferLike, offset: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
  bytes: Uint8Array,
): T {
  const size = type.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new type(aligned.buffer, aligned.byteOffset, aligned.length / size);
}
