import { describe, expect, it, vi } from 'vitest';
import { modelIdOf, resolveModel } from '../../src/models/resolve.js';
import { htmlPage, memoryServer } from './memory-server.js';

const hub = 'https://hub.example';
const page = 'https://app.example/index.html';
const config = { hubUrl: hub, hubToken: null, modelsUrl: '/models/' };
const mounted = 'https://app.example/models/';
const json = '{"model_type":"bert"}';

describe('a model', () => {
  it('is taken from the folder on our own origin before the hub is asked', async () => {
    const server = memoryServer({ [`${mounted}all-MiniLM-L6-v2/config.json`]: json });
    const model = await resolveModel('all-MiniLM-L6-v2', config, { fetch: server.fetch, baseUrl: page });
    expect(model).toMatchObject({
      id: 'all-MiniLM-L6-v2',
      location: { kind: 'url', base: `${mounted}all-MiniLM-L6-v2/`, cache: false },
    });
    expect(server.requests.every(({ url }) => url.startsWith(mounted))).toBe(true);
  });

  it('is looked for in the folder by its repository too', async () => {
    const { fetch } = memoryServer({ [`${mounted}BAAI/bge-m3/config.json`]: json });
    const model = await resolveModel('bge-m3', config, { fetch, baseUrl: page });
    expect(model.location.base).toBe(`${mounted}BAAI/bge-m3/`);
  });

  it('comes from the hub, at a revision, with a second place for ONNX files', async () => {
    const base = `${hub}/BAAI/bge-reranker-v2-m3/resolve/v1%2Fb/`;
    const { fetch } = memoryServer({ [`${base}config.json`]: json });
    const model = await resolveModel('bge-reranker-v2-m3', config, { fetch, baseUrl: page, revision: 'v1/b' });
    expect(model).toMatchObject({ repository: 'BAAI/bge-reranker-v2-m3', revision: 'v1/b' });
    expect(model.location).toMatchObject({
      base,
      cache: true,
      onnxBase: `${hub}/onnx-community/bge-reranker-v2-m3-ONNX/resolve/main/`,
    });
  });

  it('has both places at the address that its files are asked for by, however the hub is spelled', async () => {
    const base = `${hub}/BAAI/bge-m3/resolve/main/`;
    const { fetch } = memoryServer({ [`${base}config.json`]: json });
    const hubUrl = `${hub.replace('https://', 'HTTPS://').toUpperCase()}:443/`;
    const { location } = await resolveModel('bge-m3', { ...config, hubUrl }, { fetch, baseUrl: page });
    expect(location).toMatchObject({ base, onnxBase: `${hub}/Xenova/bge-m3/resolve/main/` });
  });

  it.each([
    ['a page of HTML', htmlPage],
    ['an error', () => new Response('', { status: 500 })],
  ])('comes from the hub when the folder answers with %s', async (_, answer) => {
    const { fetch } = memoryServer({
      [`${mounted}owner/name/config.json`]: answer,
      [`${hub}/owner/name/resolve/main/config.json`]: json,
    });
    const model = await resolveModel('owner/name', config, { fetch, baseUrl: page });
    expect(model).toMatchObject({ id: 'owner/name', location: { base: `${hub}/owner/name/resolve/main/` } });
  });

  it('in the folder that is broken is an error, not a reason to ask the hub', async () => {
    const { fetch } = memoryServer({ [`${mounted}owner/name/config.json`]: '{"model_type":' });
    await expect(resolveModel('owner/name', config, { fetch, baseUrl: page })).rejects.toMatchObject({
      code: 'model_file_invalid',
    });
  });

  it('is looked for on the hub only when no folder is named', async () => {
    const server = memoryServer({ [`${hub}/owner/name/resolve/main/config.json`]: json });
    await resolveModel('owner/name', { ...config, modelsUrl: null }, { fetch: server.fetch, baseUrl: page });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['/files/m', 'https://app.example/files/m/', false],
    ['./m/', 'https://app.example/m/', false],
    ['https://cdn.example/m', 'https://cdn.example/m/', true],
  ])('can be named by the URL %s', async (name, base, cache) => {
    const { fetch } = memoryServer({ [`${base}config.json`]: json });
    const model = await resolveModel(name, config, { fetch, baseUrl: page });
    expect(model).toMatchObject({ id: name, revision: 'local', location: { base, cache } });
  });

  it('has one id however it is spelled', () => {
    expect(modelIdOf('baai/BGE-M3')).toBe('bge-m3');
    expect(modelIdOf('owner/name')).toBe('owner/name');
  });
});

describe("the hub's token", () => {
  it('is sent to the hub and to nobody else', async () => {
    const server = memoryServer({ [`${hub}/owner/name/resolve/main/config.json`]: json });
    const withToken = { ...config, hubToken: 'hf_secret' };
    const model = await resolveModel('owner/name', withToken, { fetch: server.fetch, baseUrl: page });
    expect(model.location.headers).toEqual({ authorization: 'Bearer hf_secret' });
    const [own, onHub] = server.requests;
    expect(own?.headers.has('authorization')).toBe(false);
    expect(onHub?.headers.get('authorization')).toBe('Bearer hf_secret');
    const foreign = memoryServer({ 'https://hub.example.evil.example/m/config.json': json });
    await resolveModel('https://hub.example.evil.example/m', withToken, { fetch: foreign.fetch, baseUrl: page });
    expect(foreign.requests[0]?.headers.has('authorization')).toBe(false);
  });
});

describe('a model that is not there', () => {
  it.each(['nonsense', '', 'a/b/c', '../secret', 'a b', 'owner/..'])(
    'is refused with what is allowed: %j',
    async (name) => {
      const { fetch } = memoryServer({});
      await expect(resolveModel(name, config, { fetch, baseUrl: page })).rejects.toMatchObject({
        code: 'model_not_found',
      });
    },
  );

  it('names the catalogue', async () => {
    const { fetch } = memoryServer({});
    await expect(resolveModel('nonsense', config, { fetch, baseUrl: page })).rejects.toThrow(
      /"nonsense".*all-MiniLM-L6-v2.*owner\/name/,
    );
  });

  it.each([401, 404])('on the hub (%i) comes with a hint', async (status) => {
    const { fetch } = memoryServer({
      [`${hub}/owner/name/resolve/main/config.json`]: () => new Response('', { status }),
    });
    await expect(resolveModel('owner/name', config, { fetch, baseUrl: page })).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringMatching(/spelling.*hubToken/),
    });
  });

  it('is not confused with a hub that cannot be reached', async () => {
    const { fetch } = memoryServer({
      [`${hub}/owner/name/resolve/main/config.json`]: new TypeError('offline'),
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const told = expect(resolveModel('owner/name', config, { fetch, baseUrl: page })).rejects.toMatchObject({
      code: 'download_failed',
    });
    await vi.advanceTimersByTimeAsync(20_000);
    await told;
    vi.useRealTimers();
  });

  it('at a URL is named by its address', async () => {
    const { fetch } = memoryServer({});
    await expect(resolveModel('/files/m', config, { fetch, baseUrl: page })).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringContaining('https://app.example/files/m/'),
    });
  });
});
