/** Vectors as bytes in the number formats that vLLM offers, in either order of bytes. */
export const vectorDtypes = ['float32', 'float16', 'bfloat16', 'fp8_e4m3', 'fp8_e5m2'] as const;
export const endiannesses = ['native', 'little', 'big'] as const;

export interface BytesForm {
  dtype: (typeof vectorDtypes)[number];
  /** True puts the highest byte first. */
  bigEndian: boolean;
}

/** What every client reads that asks for nothing else. */
export const plainForm: BytesForm = { dtype: 'float32', bigEndian: false };

/** Bits of a small float; `largest` is its code for what it cannot hold: infinity, or the largest number without one. */
interface SmallFloat {
  exponentBits: number;
  mantissaBits: number;
  largest: number;
}

const smallFloats: Readonly<Record<Exclude<BytesForm['dtype'], 'float32'>, SmallFloat>> = {
  float16: { exponentBits: 5, mantissaBits: 10, largest: 0x7c00 },
  bfloat16: { exponentBits: 8, mantissaBits: 7, largest: 0x7f80 },
  fp8_e4m3: { exponentBits: 4, mantissaBits: 3, largest: 0x7e },
  fp8_e5m2: { exponentBits: 5, mantissaBits: 2, largest: 0x7c },
};

/** Bytes of one value. */
export function bytesPerValue({ dtype }: BytesForm): number {
  if (dtype === 'float32') return 4;
  return dtype.startsWith('fp8') ? 1 : 2;
}

/** The values one behind the other, each rounded to the nearest that the format has, ties to even. */
export function toVectorBytes(values: Float32Array, form: BytesForm): Uint8Array<ArrayBuffer> {
  const size = bytesPerValue(form);
  const view = new DataView(new ArrayBuffer(values.length * size));
  const { dtype, bigEndian } = form;
  values.forEach((value, index) => {
    if (dtype === 'float32') view.setFloat32(index * 4, value, !bigEndian);
    else if (size === 2) view.setUint16(index * 2, encode(value, smallFloats[dtype]), !bigEndian);
    else view.setUint8(index, encode(value, smallFloats[dtype]));
  });
  return new Uint8Array(view.buffer);
}

/** Steps of the format's numbers around a value are of one size; how many of them it is gives the code. */
function encode(value: number, { exponentBits, mantissaBits, largest }: SmallFloat): number {
  const sign = Object.is(value, -0) || value < 0 ? 1 << (exponentBits + mantissaBits) : 0;
  const size = Math.abs(value);
  const least = 2 - 2 ** (exponentBits - 1);
  const exponent = Math.max(least, size === 0 ? least : Math.floor(Math.log2(size)));
  const steps = roundToEven(size / 2 ** (exponent - mantissaBits));
  return sign | Math.min(largest, ((exponent - least) << mantissaBits) + steps);
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
