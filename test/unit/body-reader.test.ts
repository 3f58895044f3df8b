import { expect, it } from 'vitest';
import { openBody, type Piece } from '../../src/models/body-reader.js';

const content = Uint8Array.from({ length: 1_000 }, (_, at) => at % 251);

function bytesIn(pieceBytes: number): ReadableStream<Piece> {
  let at = 0;
  return new ReadableStream({
    type: 'bytes',
    pull(controller) {
      if (at < content.length) controller.enqueue(content.slice(at, at + pieceBytes));
      else controller.close();
      at += pieceBytes;
      if (at > content.length) controller.byobRequest?.respond(0);
    },
  }) as ReadableStream<Piece>;
}

async function readAll(body: ReadableStream<Piece> | null, pieceBytes?: number) {
  const reader = openBody(body, pieceBytes);
  const bytes: number[] = [];
  const pieces: Piece[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done || !value) return { bytes, pieces };
    bytes.push(...value);
    pieces.push(value);
  }
}

it('reads a body into one buffer, which every next piece takes over', async () => {
  const { bytes, pieces } = await readAll(new Response(content).body as ReadableStream<Piece>, 64);
  expect(bytes).toEqual([...content]);
  expect(pieces.length).toBeGreaterThan(10);
  expect(pieces.every(({ buffer }) => buffer.byteLength === 0)).toBe(true);
});

it('gives at most as many bytes at a time as were asked for, in their order', async () => {
  const { bytes } = await readAll(bytesIn(300), 64);
  expect(bytes).toEqual([...content]);
});

it('reads bodies that are no byte streams, and those of readers that keep their pieces, in pieces of their own', async () => {
  const plain = new ReadableStream<Piece>({
    start(controller) {
      controller.enqueue(content.slice());
      controller.close();
    },
  });
  for (const { bytes, pieces } of [await readAll(plain, 64), await readAll(new Response(content).body)]) {
    expect(bytes).toEqual([...content]);
    expect(pieces.every(({ length }) => length > 0)).toBe(true);
  }
});

it('takes a response without a body for an empty one', async () => {
  expect((await readAll(null, 64)).bytes).toEqual([]);
});
