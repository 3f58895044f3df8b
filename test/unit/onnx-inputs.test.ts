import { describe, expect, it } from 'vitest';
import { padBatch } from '../../src/backend/onnx/inputs.js';

describe('the inputs of an ONNX graph', () => {
  it('are padded on the right with the padding token of the model, which the mask hides', () => {
    const batch = {
      inputIds: Int32Array.of(5, 6, 7, 8, 9),
      typeIds: Int32Array.of(0, 1, 0, 0, 1),
      offsets: Int32Array.of(0, 2, 5),
    };
    const { inputs, dims } = padBatch(batch, 1);
    expect(dims).toEqual([2, 3]);
    expect(inputs.input_ids).toEqual(BigInt64Array.of(5n, 6n, 1n, 7n, 8n, 9n));
    expect(inputs.attention_mask).toEqual(BigInt64Array.of(1n, 1n, 0n, 1n, 1n, 1n));
    expect(inputs.token_type_ids).toEqual(BigInt64Array.of(0n, 1n, 0n, 0n, 0n, 1n));
  });

  it('have segment zero where a model is given none', () => {
    const { inputs } = padBatch({ inputIds: Int32Array.of(5), typeIds: null, offsets: Int32Array.of(0, 1) }, 0);
    expect(inputs.token_type_ids).toEqual(BigInt64Array.of(0n));
  });
});
