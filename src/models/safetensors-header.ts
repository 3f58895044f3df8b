/** The header of a safetensors file: strict parsing of what may come from anywhere. Owns the format's rules. */
import { VecinityError } from '../errors.js';
import { isObject } from '../json-object.js';

/**
 * Room for a hundred thousand tensors. The reference implementation allows six times as much, but parsed it would take
 * gigabytes, and no encoder comes near it.
 */
export const maxHeaderBytes = 16 * 1024 * 1024;

/** Names and shapes come back in messages. Encoders' names have less than 200 characters, and NumPy knows 64 dimensions. */
const maxNameChars = 512;
const maxDimensions = 64;

/** Bytes of one value, by type. */
export const dtypeBytes = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type TensorDtype = keyof typeof dtypeBytes;

export interface TensorInfo {
  name: string;
  dtype: TensorDtype;
  shape: readonly number[];
  /** First byte in the file. */
  start: number;
  /** One past the last byte in the file. */
  end: number;
  file: string;
}

/**
 * Parses a header (the JSON after the eight bytes of its length). Tensors come in file order, their ranges from the
 * start of the file. Throws `model_file_invalid` with the file's and the tensor's name.
 */
export function parseSafetensorsHeader(
  header: Uint8Array,
  file: string,
): { tensors: TensorInfo[]; metadata: Record<string, string> } {
  const text = decodeText(header, file);
  const json = parseObject(text, file);
  if (countTopLevelKeys(text) !== Object.keys(json).length) throw unreadable(file, 'a tensor name occurs twice');
  const dataStart = 8 + header.length;
  const tensors: TensorInfo[] = [];
  for (const [name, entry] of Object.entries(json)) {
    if (name !== '__metadata__') tensors.push(parseTensor(name, entry, { file, dataStart }));
  }
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  checkRanges(tensors, dataStart);
  return { tensors, metadata: parseMetadata(json.__metadata__, file) };
}

function decodeText(header: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(header);
  } catch (error) {
    throw unreadable(file, 'its header is not UTF-8', error);
  }
}

function parseObject(text: string, file: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unreadable(file, 'its header is not JSON', error);
  }
  if (!isObject(json)) throw unreadable(file, 'its header is not a JSON object');
  return json;
}

const codes = { quote: 0x22, backslash: 0x5c, colon: 0x3a, braces: [0x7b, 0x7d], brackets: [0x5b, 0x5d] } as const;

/**
 * `JSON.parse` keeps the last of two equal keys silently, so the colons of the outermost object are counted in the
 * text, which has been parsed before. No pattern: one over a string of megabytes exhausts the stack.
 */
function countTopLevelKeys(text: string): number {
  let keys = 0;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isText && code === codes.backslash) at++;
    else if (code === codes.quote) isText = !isText;
    else if (isText) continue;
    else if (code === codes.braces[0] || code === codes.brackets[0]) depth++;
    else if (code === codes.braces[1] || code === codes.brackets[1]) depth--;
    else if (code === codes.colon && depth === 1) keys++;
  }
  return keys;
}

function parseTensor(name: string, entry: unknown, place: { file: string; dataStart: number }): TensorInfo {
  if (name.length > maxNameChars) throw unreadable(place.file, `a tensor's name has ${name.length} characters`);
  const fail = (reason: string) => unreadable(place.file, `tensor "${name}" ${reason}`);
  if (!isObject(entry)) throw fail('is not described by an object');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !isDtype(dtype)) {
    throw fail(`has the type ${brief(dtype)}; ${Object.keys(dtypeBytes).join(', ')} are known`);
  }
  if (!isSizes(shape) || shape.length > maxDimensions) {
    throw fail(`has the shape ${brief(shape)}; a list of up to ${maxDimensions} whole numbers is allowed`);
  }
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw fail(`has the offsets ${brief(offsets)}; [start, end] is allowed`);
  }
  const [start, end] = offsets as [number, number];
  const size = shape.reduce((product, length) => product * length, dtypeBytes[dtype]);
  if (end - start !== size) {
    throw fail(`of ${dtype} [${shape.join(', ')}] needs ${size} bytes, its offsets are ${start} to ${end}`);
  }
  return { name, dtype, shape, start: place.dataStart + start, end: place.dataStart + end, file: place.file };
}

/** The format allows neither overlaps nor gaps: bytes that belong to no tensor could hide anything. */
function checkRanges(tensors: readonly TensorInfo[], dataStart: number): void {
  let position = dataStart;
  for (const { name, start, end, file } of tensors) {
    if (start < position) throw unreadable(file, `tensor "${name}" overlaps the one before it`);
    if (start > position)
      throw unreadable(file, `${start - position} bytes before tensor "${name}" belong to no tensor`);
    position = end;
  }
}

function parseMetadata(metadata: unknown, file: string): Record<string, string> {
  if (metadata === undefined || metadata === null) return {};
  if (!isObject(metadata)) throw unreadable(file, 'its __metadata__ is not an object');
  const strings: Record<string, string> = {};
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw unreadable(file, `its __metadata__ ${brief(key)} is not a string`);
    strings[key] = value;
  }
  return strings;
}

function isDtype(value: string): value is TensorDtype {
  return Object.hasOwn(dtypeBytes, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

const briefItems = 8;
const briefChars = 80;

/** A value in a message. It may be as deep as the stack, and as long as the file. */
export function brief(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, briefChars));
  if (!Array.isArray(value)) return isObject(value) ? 'an object' : String(value);
  const items = value.slice(0, briefItems).map((item) => (Array.isArray(item) ? 'a list' : brief(item)));
  return `[${items.join(', ')}${value.length > briefItems ? ', …' : ''}]`;
}

/** What is wrong with a file, as `model_file_invalid`. */
export function unreadable(file: string, reason: string, cause?: unknown): VecinityError {
  return new VecinityError('model_file_invalid', `${file} is not a readable safetensors file: ${reason}.`, { cause });
}
