/** JSON files that several readers of one model need: each is fetched and parsed once. */
import type { ModelFiles } from './files.js';

/** The same files, whose JSON is read once until it is purged; `known` has been read already, by path. */
export function readingOnce(files: ModelFiles, known: Readonly<Record<string, unknown>>): ModelFiles {
  const read = new Map(Object.entries(known).map(([path, value]) => [path, Promise.resolve(value)]));
  const { readStream } = files;
  return {
    location: files.location,
    readJson(path, options) {
      const reading = read.get(path) ?? files.readJson(path, options);
      read.set(path, reading);
      return reading;
    },
    readBytes: (path, options) => files.readBytes(path, options),
    readRange: (path, start, end, options) => files.readRange(path, start, end, options),
    ...(readStream ? { readStream: (path, options) => readStream.call(files, path, options) } : {}),
    async purge(path) {
      read.delete(path);
      return (await files.purge?.(path)) ?? false;
    },
  };
}
