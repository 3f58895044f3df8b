import { describe, expect, it } from 'vitest';
import { describeModel, type EncoderDescription, linearGroups } from '../../src/backend/wasm/architectures.js';
import { bindNames } from '../../src/backend/wasm/bound-names.js';
import { distanceBuckets, positionIds } from '../../src/backend/wasm/positions.js';

const bert = {
  model_type: 'bert',
  architectures: ['BertModel'],
  hidden_size: 384,
  num_attention_heads: 12,
  num_hidden_layers: 6,
  intermediate_size: 1536,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  vocab_size: 30522,
  max_position_embeddings: 512,
};
const roberta = { ...bert, model_type: 'xlm-roberta', pad_token_id: 1, max_position_embeddings: 514 };

describe('describing an encoder', () => {
  it('reads sizes, names and variants of BERT', () => {
    expect(known(bert)).toMatchObject({
      hidden: 384,
      heads: 12,
      headSize: 32,
      intermediate: 1536,
      activation: 'gelu',
      maxTokens: 512,
      positionOffset: 0,
      typeEmbeddings: 'embeddings.token_type_embeddings.weight',
      head: null,
    });
    expect(known(bert).layers).toHaveLength(6);
    expect(known(bert).layers[5]?.up).toBe('encoder.layer.5.intermediate.dense');
  });

  it('starts positions behind the padding id for the RoBERTa family', () => {
    for (const type of ['roberta', 'xlm-roberta', 'camembert']) {
      const description = known({ ...roberta, model_type: type });
      expect(description).toMatchObject({ positionOffset: 2, paddingId: 1, maxTokens: 512 });
    }
  });

  it("reads DistilBERT's own keys and MPNet's distance bias", () => {
    const distilbert = { ...bert, model_type: 'distilbert', dim: 64, n_heads: 4, n_layers: 2, hidden_dim: 256 };
    expect(known(distilbert)).toMatchObject({ hidden: 64, heads: 4, intermediate: 256, typeEmbeddings: null });
    const mpnet = known({ ...bert, model_type: 'mpnet', pad_token_id: 0, relative_attention_num_buckets: 32 });
    expect(mpnet).toMatchObject({ paddingId: 1, relativeBias: { buckets: 32, maxDistance: 128 } });
  });

  it.each([
    ['gelu_new', 'gelu_tanh'],
    ['gelu_pytorch_tanh', 'gelu_tanh'],
    ['relu', 'relu'],
  ])('knows the activation %s', (name, activation) => {
    expect(known({ ...bert, hidden_act: name }).activation).toBe(activation);
  });

  it.each([
    ['another family', { model_type: 'modernbert' }],
    ['a name of Object.prototype', { model_type: 'constructor' }],
    ['no family', { model_type: undefined }],
    ['another activation', { hidden_act: 'silu' }],
    ['relative positions', { position_embedding_type: 'relative_key' }],
    ['a decoder', { is_decoder: true }],
  ])('leaves %s to other backends', (_case, change) => {
    expect(describeModel({ ...bert, ...change })).toBeNull();
  });

  it.each([
    ['a missing size', { hidden_size: undefined }, 'hidden_size'],
    ['a size of text', { num_hidden_layers: '6' }, 'num_hidden_layers'],
    ['heads that do not divide', { num_attention_heads: 7 }, '7 heads'],
    ['an epsilon that is no number', { layer_norm_eps: 'tiny' }, 'layer_norm_eps'],
  ])('refuses %s and names it', (_case, change, words) => {
    expect(() => describeModel({ ...bert, ...change })).toThrow(words);
  });

  it('has a head for sequence classification only', () => {
    expect(known({ ...bert, architectures: ['BertForSequenceClassification'] }).head?.dense).toBe('pooler.dense');
    expect(known({ ...roberta, architectures: ['XLMRobertaForSequenceClassification'] }).head?.output).toBe(
      'classifier.out_proj',
    );
    expect(known({ ...bert, architectures: ['BertForMaskedLM'] }).head).toBeNull();
  });
});

describe("binding names to a file's tensors", () => {
  const description = known({ ...bert, architectures: ['BertForSequenceClassification'], num_hidden_layers: 1 });

  it('finds the prefix of the encoder and leaves the head without it', () => {
    const names = namesOf(description, 'bert.');
    const bound = bindNames(description, (name) => names.has(name));
    expect(bound.layers[0]?.query).toBe('bert.encoder.layer.0.attention.self.query');
    expect(bound.head).toMatchObject({ dense: 'bert.pooler.dense', output: 'classifier' });
  });

  it('takes gamma and beta for the tensors of a norm', () => {
    const names = new Set(
      [...namesOf(description, '')].map((name) =>
        name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
      ),
    );
    const bound = bindNames(description, (name) => names.has(name));
    expect(bound.embeddingNorm).toEqual({ weight: 'embeddings.LayerNorm.gamma', bias: 'embeddings.LayerNorm.beta' });
  });

  it('names a tensor that is missing', () => {
    const names = namesOf(description, '');
    names.delete('encoder.layer.0.output.dense.weight');
    expect(() => bindNames(description, (name) => names.has(name))).toThrow('encoder.layer.0.output.dense.weight');
  });
});

describe('positions', () => {
  it('begin anew with every text', () => {
    const ids = Int32Array.from([5, 6, 7, 5, 6]);
    expect([...positionIds(known(bert), ids, Int32Array.from([0, 3, 5]))]).toEqual([0, 1, 2, 0, 1]);
  });

  it('leave padding ids out in the RoBERTa family', () => {
    const ids = Int32Array.from([0, 1, 7, 2]);
    expect([...positionIds(known(roberta), ids, Int32Array.from([0, 4]))]).toEqual([2, 1, 3, 4]);
  });

  it('fall into buckets that are exact near and logarithmic far', () => {
    const buckets = distanceBuckets({ table: 't', buckets: 32, maxDistance: 128 }, 200);
    const at = (distance: number) => buckets[distance + 199];
    expect([0, 1, 7, 8, 11, 12, 16, 32, 64, 128, 199].map(at)).toEqual([0, 17, 23, 24, 24, 25, 26, 28, 30, 31, 31]);
    expect([-1, -7, -8, -199].map(at)).toEqual([1, 7, 8, 15]);
  });
});

function known(config: Record<string, unknown>): EncoderDescription {
  const description = describeModel(config);
  if (description === null) throw new Error('The engine does not know this model.');
  return description;
}

/** The tensors that a file of this model has, the encoder's with a prefix. */
function namesOf(description: EncoderDescription, prefix: string): Set<string> {
  const { embeddingNorm, layers, typeEmbeddings } = description;
  const norms = [embeddingNorm, ...layers.flatMap((layer) => [layer.attentionNorm, layer.outputNorm])];
  const linears = [...layers.flatMap((layer) => linearGroups(layer).flat()), 'pooler.dense'];
  const inside = [
    description.wordEmbeddings,
    description.positionEmbeddings,
    ...(typeEmbeddings === null ? [] : [typeEmbeddings]),
    ...norms.flatMap(({ weight, bias }) => [weight, bias]),
    ...linears.flatMap((name) => [`${name}.weight`, `${name}.bias`]),
  ];
  return new Set([...inside.map((name) => prefix + name), 'classifier.weight', 'classifier.bias']);
}
