/**
 * What the engine's encoders are made of: a declarative table from config.json to names, sizes and variants. A new
 * family is a new entry of `families`. Owns no weights and no arithmetic.
 */
import { VecinityError } from '../../errors.js';

/** `gelu` is the exact form with erf, `gelu_tanh` its tanh approximation. */
export type Activation = 'gelu' | 'gelu_tanh' | 'relu';

/** The two tensors of a layer norm. */
export interface NormNames {
  weight: string;
  bias: string;
}

/** One encoder layer (post-norm). Linears are named without `.weight` and `.bias`; weights are `[out, in]`. */
export interface LayerNames {
  query: string;
  key: string;
  value: string;
  attentionOutput: string;
  attentionNorm: NormNames;
  up: string;
  down: string;
  outputNorm: NormNames;
}

/** A classifier on the first token: `output(activation(dense(hidden)))`. */
export interface HeadNames {
  dense: string;
  activation: 'tanh' | 'relu';
  output: string;
}

/** A learned bias on attention scores, shared by all layers: table `[buckets, heads]`, bucket of `key - query`. */
export interface RelativeBias {
  table: string;
  buckets: number;
  maxDistance: number;
}

/** Everything that the engine needs to know of a model apart from its weights; plain data. */
export interface EncoderDescription {
  modelType: string;
  hidden: number;
  heads: number;
  headSize: number;
  intermediate: number;
  epsilon: number;
  activation: Activation;
  vocabSize: number;
  /** Tokens of one text at most: rows of the position table less the offset. */
  maxTokens: number;
  /** Row of the position table that a text's first token takes. */
  positionOffset: number;
  /** A token id that takes no position and keeps row `positionOffset - 1`; null when every token counts. */
  paddingId: number | null;
  wordEmbeddings: string;
  positionEmbeddings: string;
  /** Segment embeddings, or null when the family has none. */
  typeEmbeddings: string | null;
  embeddingNorm: NormNames;
  relativeBias: RelativeBias | null;
  layers: LayerNames[];
  head: HeadNames | null;
  /** What may stand before the encoder's names in a file; `bindNames` finds which does. */
  prefixes: readonly string[];
}

/** Config keys and tensor names in which families differ; `{}` in a name stands for the layer's number. */
interface Family {
  prefixes: readonly string[];
  keys: { hidden: string; heads: string; layers: string; intermediate: string; activation: string };
  /** Fixed where the family's code has it fixed; else `layer_norm_eps`. */
  epsilon: number | null;
  typeEmbeddings: boolean;
  /** The id that its position numbering leaves out; null numbers every token from 0. */
  paddingId: (config: Config) => number | null;
  relativeBias: string | null;
  layer: Record<keyof LayerNames, string>;
  head: HeadNames;
}

type Config = Readonly<Record<string, unknown>>;

const bertKeys = {
  hidden: 'hidden_size',
  heads: 'num_attention_heads',
  layers: 'num_hidden_layers',
  intermediate: 'intermediate_size',
  activation: 'hidden_act',
};

const bertLayer = {
  query: 'encoder.layer.{}.attention.self.query',
  key: 'encoder.layer.{}.attention.self.key',
  value: 'encoder.layer.{}.attention.self.value',
  attentionOutput: 'encoder.layer.{}.attention.output.dense',
  attentionNorm: 'encoder.layer.{}.attention.output.LayerNorm',
  up: 'encoder.layer.{}.intermediate.dense',
  down: 'encoder.layer.{}.output.dense',
  outputNorm: 'encoder.layer.{}.output.LayerNorm',
};

const bert: Family = {
  prefixes: ['', 'bert.'],
  keys: bertKeys,
  epsilon: null,
  typeEmbeddings: true,
  paddingId: () => null,
  relativeBias: null,
  layer: bertLayer,
  head: { dense: 'pooler.dense', activation: 'tanh', output: 'classifier' },
};

const roberta: Family = {
  ...bert,
  prefixes: ['', 'roberta.'],
  paddingId: (config) => wholeNumber(config, 'pad_token_id', 1),
  head: { dense: 'classifier.dense', activation: 'tanh', output: 'classifier.out_proj' },
};

const mpnet: Family = {
  ...roberta,
  prefixes: ['', 'mpnet.'],
  typeEmbeddings: false,
  // Fixed in the family's code, whatever `pad_token_id` says.
  paddingId: () => 1,
  relativeBias: 'encoder.relative_attention_bias.weight',
  layer: {
    ...bertLayer,
    query: 'encoder.layer.{}.attention.attn.q',
    key: 'encoder.layer.{}.attention.attn.k',
    value: 'encoder.layer.{}.attention.attn.v',
    attentionOutput: 'encoder.layer.{}.attention.attn.o',
    attentionNorm: 'encoder.layer.{}.attention.LayerNorm',
  },
};

const distilbert: Family = {
  prefixes: ['', 'distilbert.'],
  keys: { hidden: 'dim', heads: 'n_heads', layers: 'n_layers', intermediate: 'hidden_dim', activation: 'activation' },
  epsilon: 1e-12,
  typeEmbeddings: false,
  paddingId: () => null,
  relativeBias: null,
  layer: {
    query: 'transformer.layer.{}.attention.q_lin',
    key: 'transformer.layer.{}.attention.k_lin',
    value: 'transformer.layer.{}.attention.v_lin',
    attentionOutput: 'transformer.layer.{}.attention.out_lin',
    attentionNorm: 'transformer.layer.{}.sa_layer_norm',
    up: 'transformer.layer.{}.ffn.lin1',
    down: 'transformer.layer.{}.ffn.lin2',
    outputNorm: 'transformer.layer.{}.output_layer_norm',
  },
  head: { dense: 'pre_classifier', activation: 'relu', output: 'classifier' },
};

/** The deepest encoders have a few dozen; each layer takes names before a single weight is there. */
const maxLayers = 1_000;

/** By `model_type` of config.json. */
const families: Readonly<Record<string, Family>> = {
  bert,
  roberta,
  'xlm-roberta': roberta,
  camembert: roberta,
  mpnet,
  distilbert,
};

const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  relu: 'relu',
};

/**
 * Describes the model that a config.json stands for, or returns null when the engine does not know it: another family,
 * activation, decoder or position scheme. Throws `model_file_invalid` for sizes that are missing or make no sense.
 */
export function describeModel(config: Config): EncoderDescription | null {
  const modelType = config.model_type;
  if (typeof modelType !== 'string' || !Object.hasOwn(families, modelType)) return null;
  const family = families[modelType] as Family;
  const activation = activationOf(config[family.keys.activation] ?? 'gelu');
  if (activation === null || !hasPlainPositions(config)) return null;
  const paddingId = family.paddingId(config);
  const positionOffset = paddingId === null ? 0 : paddingId + 1;
  const layerCount = size(config, family.keys.layers);
  if (layerCount > maxLayers) throw invalid(`it has ${layerCount} layers; ${maxLayers} are allowed`);
  const maxTokens = size(config, 'max_position_embeddings') - positionOffset;
  if (maxTokens < 1) throw invalid(`pad_token_id ${paddingId} leaves no position for a token`);
  return {
    modelType,
    ...widths(config, family),
    epsilon: family.epsilon ?? number(config, 'layer_norm_eps', 1e-12),
    activation,
    vocabSize: size(config, 'vocab_size'),
    maxTokens,
    positionOffset,
    paddingId,
    wordEmbeddings: 'embeddings.word_embeddings.weight',
    positionEmbeddings: 'embeddings.position_embeddings.weight',
    typeEmbeddings: family.typeEmbeddings ? 'embeddings.token_type_embeddings.weight' : null,
    embeddingNorm: norm('embeddings.LayerNorm'),
    relativeBias: relativeBiasOf(config, family),
    layers: Array.from({ length: layerCount }, (_, index) => layerNames(family, index)),
    head: isClassifier(config) ? family.head : null,
    prefixes: family.prefixes,
  };
}

/** The linears of a layer, grouped by the input that they share, in the order in which they run. */
export function linearGroups(layer: LayerNames): string[][] {
  return [[layer.query, layer.key, layer.value], [layer.attentionOutput], [layer.up], [layer.down]];
}

function widths(
  config: Config,
  family: Family,
): { hidden: number; heads: number; headSize: number; intermediate: number } {
  const hidden = size(config, family.keys.hidden);
  const heads = size(config, family.keys.heads);
  if (hidden % heads !== 0) throw invalid(`${hidden} hidden values do not divide into ${heads} heads`);
  return { hidden, heads, headSize: hidden / heads, intermediate: size(config, family.keys.intermediate) };
}

function activationOf(name: unknown): Activation | null {
  return typeof name === 'string' && Object.hasOwn(activations, name) ? (activations[name] as Activation) : null;
}

/** Decoders and BERT's relative position schemes compute something else from the same tensors. */
function hasPlainPositions(config: Config): boolean {
  return config.is_decoder !== true && (config.position_embedding_type ?? 'absolute') === 'absolute';
}

function isClassifier(config: Config): boolean {
  const { architectures } = config;
  return (
    Array.isArray(architectures) &&
    architectures.some((name) => typeof name === 'string' && name.endsWith('ForSequenceClassification'))
  );
}

function relativeBiasOf(config: Config, family: Family): RelativeBias | null {
  if (family.relativeBias === null) return null;
  const buckets = wholeNumber(config, 'relative_attention_num_buckets', 32);
  return { table: family.relativeBias, buckets, maxDistance: 128 };
}

function layerNames(family: Family, index: number): LayerNames {
  const named = (name: keyof LayerNames) => family.layer[name].replace('{}', String(index));
  return {
    query: named('query'),
    key: named('key'),
    value: named('value'),
    attentionOutput: named('attentionOutput'),
    attentionNorm: norm(named('attentionNorm')),
    up: named('up'),
    down: named('down'),
    outputNorm: norm(named('outputNorm')),
  };
}

function norm(name: string): NormNames {
  return { weight: `${name}.weight`, bias: `${name}.bias` };
}

function size(config: Config, key: string): number {
  const value = config[key];
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw invalid(`"${key}" is ${JSON.stringify(value)}; a whole number above 0 is needed`);
}

function wholeNumber(config: Config, key: string, fallback: number): number {
  const value = config[key] ?? fallback;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw invalid(`"${key}" is ${JSON.stringify(value)}; a whole number from 0 is allowed`);
}

function number(config: Config, key: string, fallback: number): number {
  const value = config[key] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalid(`"${key}" is ${JSON.stringify(value)}; a number is allowed`);
}

function invalid(reason: string): VecinityError {
  return new VecinityError('model_file_invalid', `config.json does not describe an encoder: ${reason}.`);
}
