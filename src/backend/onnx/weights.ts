/** Which ONNX file a request means, and its bytes with the external data that it names. */
import { VecinityError } from '../../errors.js';
import type { ModelFiles, ModelLocation, ReadOptions } from '../../models/files.js';
import { openModelFiles } from '../../models/open-files.js';
import { mayBeAbsent } from '../../models/optional-files.js';
import type { BackendRequest, Device, Dtype, DtypePreference } from '../backend.js';

export interface OnnxWeights {
  files: ModelFiles;
  /** For example `onnx/model.onnx`. */
  path: string;
  dtype: Dtype;
  bytes: Uint8Array;
  external: { path: string; data: Uint8Array }[];
}

const suffixes: Readonly<Record<Dtype, string>> = { f32: '', f16: '_fp16', q8: '_quantized' };

/** The dtypes to try for a preference: the most exact first that the device computes well. */
function dtypesFor(preference: DtypePreference, device: Device, hasF16: boolean): Dtype[] {
  if (preference !== 'auto') return [preference];
  return device === 'webgpu' && hasF16 ? ['f32', 'f16', 'q8'] : ['f32', 'q8'];
}

/** Reads the first file that is there. Throws `model_file_missing` with what was looked for, `model_file_invalid`. */
export async function readWeights(
  request: BackendRequest,
  hasF16: boolean,
  options: ReadOptions,
): Promise<OnnxWeights> {
  const stem = request.spec.task === 'clip' ? 'onnx/text_model' : 'onnx/model';
  const looked: string[] = [];
  let denial: unknown = null;
  for (const dtype of dtypesFor(request.dtype, request.device, hasF16)) {
    const path = `${stem}${suffixes[dtype]}.onnx`;
    for (const files of placesOf(request.location)) {
      looked.push(`${files.location.base}${path}`);
      try {
        const weights = await readFrom(files, path, dtype, options);
        if (weights) return weights;
      } catch (error) {
        if (!mayBeAbsent(error)) throw error;
        denial ??= error;
      }
    }
  }
  if (denial !== null) throw denial;
  throw new VecinityError(
    'model_file_missing',
    `The model ${request.spec.id} has no ONNX file; looked for ${looked.join(', ')}.`,
  );
}

/** Drops kept copies of the weights and reads them again; null when none was kept, so that a retry is of no use. */
export async function rereadWeights(weights: OnnxWeights, options: ReadOptions): Promise<OnnxWeights | null> {
  const folder = folderOf(weights.path);
  const paths = [weights.path, ...weights.external.map(({ path }) => folder + path)];
  const purged = await Promise.all(paths.map((path) => weights.files.purge?.(path) ?? false));
  if (!purged.includes(true)) return null;
  return readFrom(weights.files, weights.path, weights.dtype, options);
}

function placesOf(location: ModelLocation): ModelFiles[] {
  const { onnxBase } = location;
  const places = onnxBase === undefined ? [location] : [location, { ...location, base: onnxBase }];
  return places.map((place) => openModelFiles(place));
}

async function readFrom(
  files: ModelFiles,
  path: string,
  dtype: Dtype,
  options: ReadOptions,
): Promise<OnnxWeights | null> {
  const bytes = await files.readBytes(path, options);
  if (bytes === null) return null;
  const external: OnnxWeights['external'] = [];
  for (const name of externalNames(bytes)) {
    const data = await files.readBytes(folderOf(path) + name, options);
    if (data === null) {
      throw new VecinityError(
        'model_file_missing',
        `The file ${folderOf(path)}${name}, named by ${path}, does not exist.`,
      );
    }
    external.push({ path: name, data });
  }
  return { files, path, dtype, bytes, external };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

const windowBytes = 4 * 1024 * 1024;

/** The key of a map's entry and the tag of its value (StringStringEntryProto of onnx.proto). */
const marker = '\n\blocation\u0012';
/** The tag of a tensor's `external_data` (field 13 of TensorProto): nodes, too, may have an input called `location`. */
const externalTag = 0x6a;

/**
 * Names of external data files inside a graph, such as `model.onnx_data_1`, so that asking the server for files that
 * may not be there is not needed. Read in windows to keep memory low.
 */
function externalNames(bytes: Uint8Array): string[] {
  // One letter a byte.
  const decoder = new TextDecoder('latin1');
  const names = new Set<string>();
  for (let start = 0; start < bytes.length; start += windowBytes) {
    const text = decoder.decode(bytes.subarray(start, start + windowBytes + marker.length));
    for (let at = text.indexOf(marker); at >= 0; at = text.indexOf(marker, at + 1)) {
      const name = locationAt(bytes, start + at);
      if (name !== null) names.add(name);
    }
  }
  return [...names];
}

/** The file that an entry names which begins here; null for an entry of something else. */
function locationAt(bytes: Uint8Array, at: number): string | null {
  // Between the two is the length of the entry, in one byte or two.
  const isExternal = bytes[at - 2] === externalTag || bytes[at - 3] === externalTag;
  const from = at + marker.length + 1;
  const length = bytes[from - 1] ?? 0;
  if (!isExternal || length === 0 || length >= 128) return null;
  return new TextDecoder().decode(bytes.subarray(from, from + length));
}
