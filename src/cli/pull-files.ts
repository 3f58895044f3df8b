/** Which of a repository's files a model needs here: its small files, and weights in the form that will be read. */
import { VecinityError } from '../errors.js';
import type { HubFile } from './hub.js';

export type WeightForm = 'safetensors' | 'onnx';

const described = /^(?:[\w.-]+\.json|\d+_\w+\/config\.json|README\.md|LICENSE[\w.]*)$/;
/** Indices of weights that are not taken. */
const foreignIndex = /^(?:pytorch|tf|flax|rust)_model.*\.json$|\.onnx\.json$/;
const safetensors = /^model(?:-\d+-of-\d+)?\.safetensors$/;
const onnxSuffixes = { auto: ['', '_quantized'], f32: [''], f16: ['_fp16'], q8: ['_quantized'] } as const;

export type OnnxDtype = keyof typeof onnxSuffixes;

/** Configuration, tokenizer, pooling and licence. */
export function smallFiles(files: readonly HubFile[]): HubFile[] {
  return files.filter(({ path }) => described.test(path) && !foreignIndex.test(path));
}

/** Weights for our own engine; empty where the repository has none. */
export function safetensorsFiles(files: readonly HubFile[]): HubFile[] {
  const whole = files.filter(({ path }) => path === 'model.safetensors');
  return whole.length > 0 ? whole : files.filter(({ path }) => safetensors.test(path));
}

/** The ONNX file of the dtype, with the external data beside it; empty where the repository has none. */
export function onnxFiles(files: readonly HubFile[], dtype: OnnxDtype): HubFile[] {
  for (const suffix of onnxSuffixes[dtype]) {
    for (const stem of ['onnx/model', 'onnx/text_model']) {
      const path = `${stem}${suffix}.onnx`;
      const found = files.filter((file) => file.path === path || file.path.startsWith(`${path}_data`));
      if (found.some((file) => file.path === path)) return found;
    }
  }
  return [];
}

/** Says what was looked for. */
export function noWeights(repository: string, form: WeightForm, dtype: OnnxDtype): VecinityError {
  const looked =
    form === 'onnx' ? onnxSuffixes[dtype].map((suffix) => `onnx/model${suffix}.onnx`) : ['model.safetensors'];
  return new VecinityError(
    'model_file_missing',
    `The repository ${repository} has no weights: no ${looked.join(' or ')}.`,
  );
}
