/** The engine of edge workers: what it takes, and where it reads. The runtime itself is driven by the examples' tests. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { createNodeEngine } from '../../src/edge/engine.js';
import { enableRelaxedSimd } from '../../src/edge/relaxed-simd.js';
import { createEdgeEngine } from '../../src/edge/worker.js';

enableRelaxedSimd();
const generated = new URL('../../src/backend/wasm/generated/', import.meta.url);
const fixtures = new URL('../fixtures/models/', import.meta.url);

const compile = async (name: string) => await WebAssembly.compile(await readFile(new URL(name, generated)));
const kernels = { relaxed: await compile('relaxed.wasm'), simd: await compile('simd.wasm') };

/** The fixtures at another address, as a binding gives them. */
const read: typeof fetch = async (input) => {
  const { pathname } = new URL(String(input));
  const file = new URL(pathname.replace('/my/models/', ''), fixtures);
  const bytes = await readFile(file).catch(() => null);
  return bytes === null ? new Response(null, { status: 404 }) : new Response(bytes);
};

it('reads a model below its address and embeds in one thread', async () => {
  const engine = createEdgeEngine({ kernels, modelsUrl: 'https://cdn.example/my/models', fetch: read, dtype: 'f32' });
  await engine.load('bert-cls');
  const [status] = engine.status().models;
  expect(status?.backend).toMatchObject({ backend: 'wasm', threads: 1, details: { memory: 'private' } });
  await engine.dispose();
});

it.each([undefined, 'page', {}])('says so where its fetch resolves to %o', async (answer) => {
  // The cast is the point: plain JavaScript gives anything.
  const nonsense = (() => answer) as unknown as typeof fetch;
  const engine = createEdgeEngine({ kernels, modelsUrl: 'https://cdn.example/models', fetch: nonsense });
  await expect(engine.load('bert-cls')).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(/^`fetch` must be a function that resolves to a Response; got /),
  });
  await engine.dispose();
});

it('takes an option that is undefined as one that was not given', async () => {
  // The casts are the point: a variable of the environment that is not set is `undefined`.
  const options = { hubToken: undefined, maxQueue: undefined } as unknown as { hubToken: null };
  const engine = createEdgeEngine({ kernels, modelsUrl: 'https://cdn.example/my/models', ...options });
  expect(engine.status().queue).toMatchObject({ maxInputs: 8_192, maxBatchTokens: 2_048 });
  const onNode = await createNodeEngine(options);
  expect(onNode.status().queue).toMatchObject({ maxInputs: 8_192, maxBatchTokens: 16_384 });
  await Promise.all([engine.dispose(), onNode.dispose()]);
});

it('refuses an address that is none', () => {
  expect(() => createEdgeEngine({ kernels, modelsUrl: '/models/' })).toThrow(
    expect.objectContaining({ code: 'invalid_request', param: 'modelsUrl' }),
  );
});
