import { afterEach, expect, test } from 'vitest';
import { decodeFloats, encodeFloats } from '../../src/core/encoding.js';
import { VecinityError } from '../../src/errors.js';
import { seeded } from './virtual-runner.js';

/** Node's own base64 is the other implementation. */
function expected(values: Float32Array): string {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => void bytes.writeFloatLE(value, i * 4));
  return bytes.toString('base64');
}

const proto = Uint8Array.prototype as { toBase64?: (this: Uint8Array) => string };

afterEach(() => {
  delete proto.toBase64;
});

test('floats become little-endian base64 at every length around the chunk size', () => {
  const random = seeded(7);
  for (const length of [0, 1, 2, 3, 384, 6143, 6144, 6145, 100_001]) {
    const values = Float32Array.from({ length }, () => random() * 2 - 1);
    expect(encodeFloats(values)).toBe(expected(values));
  }
});

test('a view of a part of a buffer encodes that part only', () => {
  const all = Float32Array.of(1, 2, 3, 4, 5);
  expect(encodeFloats(all.subarray(1, 3))).toBe(expected(Float32Array.of(2, 3)));
});

test('the way back gives the same bits, NaN, infinities and minus zero included', () => {
  const values = Float32Array.of(0, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, -3.4e38, 0.1);
  const bits = (floats: Float32Array) => [...new Uint32Array(floats.buffer)];
  expect(bits(decodeFloats(encodeFloats(values)))).toEqual(bits(values));
});

test('the built-in encoder is used where there is one', () => {
  proto.toBase64 = () => 'built in';
  expect(encodeFloats(Float32Array.of(1))).toBe('built in');
});

test('text that is not base64 of whole floats is refused', () => {
  const codeOf = (text: string) => {
    try {
      decodeFloats(text);
      return 'accepted';
    } catch (thrown) {
      return thrown instanceof VecinityError ? thrown.code : 'not ours';
    }
  };
  expect(codeOf('###')).toBe('invalid_request');
  expect(codeOf('AAAAAAA=')).toBe('invalid_request');
  expect(codeOf('AACAPw==')).toBe('accepted');
});
