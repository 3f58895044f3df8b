import { describe, expect, it } from 'vitest';
import { parseServeOptions, serveUsage } from '../../src/cli/serve-options.js';

describe('the options of `vecinity serve`', () => {
  it('have defaults that are safe to start with', () => {
    expect(parseServeOptions([], {})).toMatchObject({
      hostname: '127.0.0.1',
      port: 8080,
      models: ['all-MiniLM-L6-v2'],
      engine: { device: 'auto', dtype: 'auto', modelsDir: null, hubToken: null, maxBatchTokens: 16_384 },
      api: { apiKey: null, routePrefix: '', modelPolicy: 'any', corsOrigin: null },
    });
  });

  it('come from flags', () => {
    const line = '--host 0.0.0.0 --port 0 --model a,b --models-dir m --device wasm --dtype q8 --threads 3 --api-key k';
    const rest =
      '--route-prefix /ai --model-policy strict --max-batch-tokens 64 --max-queue 9 --compat vllm --cors * --hub-url http://h';
    expect(parseServeOptions(`${line} ${rest}`.split(' '), {})).toMatchObject({
      hostname: '0.0.0.0',
      port: 0,
      models: ['a', 'b'],
      engine: {
        ...{ modelsDir: 'm', device: 'wasm', dtype: 'q8', threads: 3 },
        ...{ maxBatchTokens: 64, maxQueue: 9, hubUrl: 'http://h' },
      },
      api: { apiKey: 'k', routePrefix: '/ai', modelPolicy: 'strict', compat: 'vllm', corsOrigin: '*' },
    });
  });

  it('say whose requests share a turn and how long one may be', () => {
    const options = parseServeOptions('--client-header x-forwarded-for --max-request-tokens 300000'.split(' '), {});
    expect(options).toMatchObject({ clientHeader: 'x-forwarded-for', api: { maxRequestTokens: 300_000 } });
    expect(parseServeOptions([], {})).toMatchObject({ clientHeader: null, api: { maxRequestTokens: null } });
    expect(() => parseServeOptions(['--client-header', 'a b'], {})).toThrow(/--client-header/);
  });

  it('say by which names the server may be asked: few on its own machine without a key, else all', () => {
    const hosts = (line: string) => parseServeOptions(line.split(' ').filter(Boolean), {}).hosts;
    expect(hosts('')).toEqual([]);
    expect(hosts('--host 0.0.0.0')).toBeNull();
    expect(hosts('--api-key k')).toBeNull();
    expect(hosts('--api-key k --allow-host a.example,b.example')).toEqual(['a.example', 'b.example']);
    expect(() => hosts('--allow-host ,')).toThrow(/--allow-host/);
  });

  it('come from the environment where there is no flag; an empty variable is none', () => {
    const environment = { PORT: '9000', API_KEY: '', EMBEDDING_MODEL: 'a', HF_TOKEN: 't', DEVICE: 'wasm' };
    const options = parseServeOptions(['--device=auto'], environment);
    expect(options).toMatchObject({ port: 9000, models: ['a'], api: { apiKey: null } });
    expect(options.engine).toMatchObject({ hubToken: 't', device: 'auto' });
  });

  it.each([
    ['1000', 1000],
    ['512MB', 512e6],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['2 g', 2e9],
  ])('read a memory budget of %s', (size, bytes) => {
    expect(parseServeOptions(['--memory-budget', size], {}).memoryBudgetBytes).toBe(bytes);
    expect(parseServeOptions([], { MEMORY_BUDGET: size }).memoryBudgetBytes).toBe(bytes);
  });

  it('name other servers for models, each with its own name there and its own key', () => {
    const list = 'big=http://tei:8080/v1, gpt=https://api.example/v1#text-embedding-3%2Dsmall';
    const environment = { UPSTREAM: list, UPSTREAM_API_KEY: 'k', UPSTREAM_API_KEY_GPT: 'g', UPSTREAM_RETRIES: '0' };
    const { upstream, models } = parseServeOptions(['--upstream-timeout', '5'], environment);
    const common = { timeoutMs: 5, maxRetries: 0 };
    expect(upstream).toEqual([
      { ...common, baseUrl: 'http://tei:8080/v1', models: { big: 'big' }, apiKey: 'k' },
      { ...common, baseUrl: 'https://api.example/v1', models: { gpt: 'text-embedding-3-small' }, apiKey: 'g' },
    ]);
    expect(models).toEqual([]);
    expect(parseServeOptions(['--upstream', 'a=http://x', '--model', 'b'], {}).models).toEqual(['b']);
  });

  it.each([
    [['--model', 'a'], 'any'],
    [['--model', 'a,b'], 'strict'],
    [['--model', 'a', '--upstream', 'b=http://x'], 'strict'],
    [['--upstream', 'b=http://x'], 'any'],
    [['--model', 'a,b', '--model-policy', 'any'], 'any'],
  ])('%j answer names that no model has by the policy %s', (args, policy) => {
    expect(parseServeOptions(args, {}).api.modelPolicy).toBe(policy);
  });

  it.each([
    [['--upstream', 'big'], '`--upstream` (or UPSTREAM) must be NAME=URL'],
    [['--upstream', 'big=ftp://x'], 'must be NAME=URL'],
    [['--upstream', '=http://x'], 'must be NAME=URL'],
    [['--upstream-timeout', '0'], '`--upstream-timeout` (or UPSTREAM_TIMEOUT_MS) must be an integer of at least 1'],
    [['--port', '70000'], '`--port` (or PORT) must be from 0 to 65535; got "70000".'],
    [['--port', 'http'], '`--port` (or PORT) must be from 0 to 65535; got "http".'],
    [['--device', 'gpu'], '`--device` (or DEVICE) must be one of auto, wasm, webgpu; got "gpu".'],
    [['--max-queue', '0'], '`--max-queue` (or MAX_QUEUE) must be an integer of at least 1; got "0".'],
    [['--compat', 'tei'], '`--compat` (or COMPAT) must be one of none, openai, vllm, infinity, ollama; got "tei".'],
    [['--memory-budget', 'much'], '`--memory-budget` (or MEMORY_BUDGET) must be a size such as 512MB'],
    [['--memory-budget', '0'], 'must be a size such as 512MB'],
    [['--log-format', 'xml'], '`--log-format` (or LOG_FORMAT) must be one of json, text; got "xml".'],
    [['--model', ','], '`--model` (or MODEL, EMBEDDING_MODEL) must be a name'],
    [['--nonsense'], "Unknown option '--nonsense'"],
    [['extra'], "Unexpected argument 'extra'"],
  ])('refuse %j', (args, message) => {
    expect(() => parseServeOptions(args, {})).toThrow(message);
  });

  it('are all in the usage', () => {
    expect(serveUsage).toContain('--max-batch-tokens N');
    expect(serveUsage).toContain('[MODEL, EMBEDDING_MODEL]');
    expect(serveUsage).toContain('[UPSTREAM_API_KEY]');
    const flags = serveUsage.split('\n  --').slice(1);
    expect(flags.filter((flag) => !/\[[A-Z_,\s]+\]$/.test(flag))).toEqual([]);
  });
});
