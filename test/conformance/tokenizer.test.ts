import { describe, expect, it } from 'vitest';
import { type EmbeddingGolden, openFixture, type RerankGolden, readGolden } from './golden.js';

const embedders = [
  'bert-cls',
  'bert-mean-unnormalized',
  'distilbert-mean',
  'modernbert-mean',
  'mpnet-mean',
  'roberta-mean',
  'xlmr-cls',
];

describe.each(embedders)('the tokenizer of %s', (family) => {
  it('gives the ids of the reference for every text, cut where it cuts', async () => {
    const { tokenizer, spec } = await openFixture(family);
    const golden = readGolden<EmbeddingGolden>(family);
    expect(spec.maxTokens).toBe(golden.max_seq_length);
    const ids = golden.inputs.map((text) => [...tokenizer.encode(text, { truncate: true }).inputIds]);
    expect(ids).toEqual(golden.input_ids);
  });

  it('reads its files as the reference does', async () => {
    const { spec } = await openFixture(family);
    const golden = readGolden<EmbeddingGolden>(family);
    expect(spec).toMatchObject({ task: 'embedding', pooling: golden.pooling, normalize: golden.normalize });
    expect(Object.keys(spec.prompts)).toEqual(Object.keys(golden.prompted ?? {}));
  });
});

describe.each(['bert-reranker', 'xlmr-reranker'])('the tokenizer of %s', (family) => {
  it('gives the ids and segment ids of the reference for every pair', async () => {
    const { tokenizer } = await openFixture(family);
    const golden = readGolden<RerankGolden>(family);
    const encodings = golden.documents.map((document) => tokenizer.encodePair(golden.query, document));
    expect(encodings.map(({ inputIds }) => [...inputIds])).toEqual(golden.input_ids);
    expect(encodings.map(({ typeIds }) => typeIds && [...typeIds])).toEqual(golden.token_type_ids);
  });
});
