/**
 * The tensors of a model's file on their way to whoever takes them: each must have the shape that config.json asks for,
 * and all come in one go. Where they end up and what becomes of them is the takers' business.
 */
import { VecinityError } from '../../errors.js';
import type { ReadOptions } from '../../models/files.js';
import type { Safetensors, TensorChunk } from '../../models/safetensors.js';
import type { TensorInfo } from '../../models/safetensors-header.js';
import { decodeFloats } from '../../models/tensor-data.js';

/** A chunk is copied from the stream and then to its place: it should still be in the cache when it is. */
export const chunkBytes = 256 * 1024;

export class WeightStream {
  readonly #file: Safetensors;
  readonly #takers = new Map<string, ((chunk: TensorChunk) => void)[]>();
  /** What can only be done once all tensors are in. */
  readonly #last: (() => void)[] = [];

  constructor(file: Safetensors) {
    this.#file = file;
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name);
  }

  /** Whether a tensor holds 8-bit codes, whose scales are a tensor of their own. */
  hasCodes(name: string): boolean {
    return this.#file.tensors.get(name)?.dtype === 'I8';
  }

  /** Throws `model_file_invalid` for a tensor that is not there. */
  shape(name: string): readonly number[] {
    const tensor = this.#file.tensors.get(name);
    if (tensor === undefined) throw new VecinityError('model_file_invalid', `The model's weights have no "${name}".`);
    return tensor.shape;
  }

  /** Throws `model_file_invalid` for a tensor that is not there, or of another shape. */
  expect(name: string, shape: readonly number[]): void {
    const actual = this.shape(name);
    if (actual.length === shape.length && actual.every((size, index) => size === shape[index])) return;
    throw new VecinityError(
      'model_file_invalid',
      `Tensor "${name}" has the shape [${actual.join(', ')}]; config.json asks for [${shape.join(', ')}].`,
    );
  }

  /** Hands a tensor out as it comes. Throws as `expect` does. */
  take(name: string, shape: readonly number[], taker: (chunk: TensorChunk) => void): void {
    this.expect(name, shape);
    this.#takers.set(name, [...(this.#takers.get(name) ?? []), taker]);
  }

  /** The same for a list of floats: some of them, and the place of the first. */
  takeVector(name: string, length: number, taker: (values: Float32Array, start: number) => void): void {
    this.take(name, [length], ({ tensor, bytes, row }) => taker(decodeFloats(tensor, bytes), row));
  }

  /** A list of floats that is whole once all tensors are in. */
  collect(name: string, length: number): Float32Array {
    const whole = new Float32Array(length);
    this.takeVector(name, length, (values, start) => whole.set(values, start));
    return whole;
  }

  /** Has something done once all tensors are in. */
  afterwards(action: () => void): void {
    this.#last.push(action);
  }

  /** Reads what somebody takes. Rejects as the file's stream does. */
  async read(options: ReadOptions): Promise<void> {
    const select = ({ name }: TensorInfo): boolean => this.#takers.has(name);
    for await (const chunk of this.#file.stream({ ...options, select, chunkBytes })) {
      for (const taker of this.#takers.get(chunk.tensor.name) ?? []) taker(chunk);
    }
    for (const action of this.#last) action();
  }
}
