/** Under which names a file really has the tensors of a described encoder. */
import { VecinityError } from '../../errors.js';
import type { EncoderDescription, HeadNames, NormNames } from './architectures.js';

/**
 * The description with the names that a file really has: with or without the family's prefix, layer norms also as
 * `gamma` and `beta`. Throws `model_file_invalid` naming the first tensor that is missing.
 */
export function bindNames(description: EncoderDescription, has: (tensor: string) => boolean): EncoderDescription {
  const prefix = description.prefixes.find((candidate) => has(candidate + description.wordEmbeddings)) ?? '';
  const tensor = (name: string) => requireTensor(prefix + name, has);
  const linear = (name: string) => tensor(`${name}.weight`).slice(0, -'.weight'.length);
  const normed = (names: NormNames) => boundNorm(names, prefix, has);
  const { typeEmbeddings, relativeBias, head } = description;
  return {
    ...description,
    wordEmbeddings: tensor(description.wordEmbeddings),
    positionEmbeddings: tensor(description.positionEmbeddings),
    typeEmbeddings: typeEmbeddings === null ? null : tensor(typeEmbeddings),
    embeddingNorm: normed(description.embeddingNorm),
    relativeBias: relativeBias === null ? null : { ...relativeBias, table: tensor(relativeBias.table) },
    layers: description.layers.map((layer) => ({
      query: linear(layer.query),
      key: linear(layer.key),
      value: linear(layer.value),
      attentionOutput: linear(layer.attentionOutput),
      attentionNorm: normed(layer.attentionNorm),
      up: linear(layer.up),
      down: linear(layer.down),
      outputNorm: normed(layer.outputNorm),
    })),
    head: head === null ? null : boundHead(head, prefix, has),
    prefixes: [''],
  };
}

/** Checkpoints converted from TensorFlow call a norm's tensors `gamma` and `beta`. */
function boundNorm(names: NormNames, prefix: string, has: (tensor: string) => boolean): NormNames {
  const gamma = (prefix + names.weight).replace(/weight$/, 'gamma');
  if (has(gamma)) return { weight: gamma, bias: requireTensor(gamma.replace(/gamma$/, 'beta'), has) };
  return { weight: requireTensor(prefix + names.weight, has), bias: requireTensor(prefix + names.bias, has) };
}

/** A head's linears stand beside the encoder; only BERT's pooler is part of it and shares its prefix. */
function boundHead(head: HeadNames, prefix: string, has: (tensor: string) => boolean): HeadNames {
  const inside = prefix + head.dense;
  const dense = has(`${inside}.weight`) ? inside : head.dense;
  requireTensor(`${dense}.weight`, has);
  requireTensor(`${head.output}.weight`, has);
  return { ...head, dense };
}

function requireTensor(name: string, has: (tensor: string) => boolean): string {
  if (has(name)) return name;
  throw new VecinityError('model_file_invalid', `The model's weights have no tensor "${name}".`);
}
