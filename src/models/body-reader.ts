/** A response's body piece by piece, into one buffer that is used again where the platform can. */
import { release } from '../release.js';

export type Piece = Uint8Array<ArrayBuffer>;

export interface BodyReader {
  read(): Promise<{ done: boolean; value?: Piece | undefined }>;
  /** To be called at the end, too: what was read last is not valid any more. */
  cancel(): Promise<void>;
}

/**
 * With `pieceBytes` a piece is at most so long and valid until the next one is read, so that a large file leaves no
 * garbage of its own size behind. Bodies that are no byte streams give new pieces of any size.
 */
export function openBody(body: ReadableStream<Piece> | null, pieceBytes: number | undefined): BodyReader {
  const stream = body ?? (new Blob([]).stream() as ReadableStream<Piece>);
  return (pieceBytes === undefined ? null : openReusing(stream, pieceBytes)) ?? stream.getReader();
}

function openReusing(stream: ReadableStream<Piece>, pieceBytes: number): BodyReader | null {
  const reader = openByob(stream);
  if (reader === null) return null;
  let buffer = new ArrayBuffer(pieceBytes);
  return {
    async read() {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      // The reader has taken the buffer over and hands it back under another name.
      if (value) buffer = value.buffer;
      return { done, value };
    },
    cancel: () => {
      release(buffer);
      return reader.cancel();
    },
  };
}

function openByob(stream: ReadableStream<Piece>): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: 'byob' });
  } catch {
    return null;
  }
}
