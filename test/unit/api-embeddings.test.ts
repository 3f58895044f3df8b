import { describe, expect, it } from 'vitest';
import { createEmbeddings } from '../../src/api/embeddings.js';
import { defaultApiConfig } from '../../src/config.js';
import { createApi, errorOf } from './api-client.js';
import { FakeEngine, fakeEmbedding, fakeModel } from './api-engine.js';

const path = '/v1/embeddings';

describe('POST /v1/embeddings', () => {
  it.each(['/v1/embeddings', '/v1-openai/embeddings'])('answers on %s in the shape of OpenAI', async (route) => {
    const response = await createApi().post(route, { input: 'hello', model: 'text-embedding-3-small' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [...fakeEmbedding('hello', 4)] }],
      model: 'all-MiniLM-L6-v2',
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
  });

  it.each([
    ['a string', 'a', ['a']],
    ['an empty string', '', ['']],
    ['strings', ['a', 'b'], ['a', 'b']],
    ['one sequence of token ids', [101, 102], [[101, 102]]],
    ['sequences of token ids', [[101], [102, 103]], [[101], [102, 103]]],
    ['strings and token ids mixed', ['a', [101]], ['a', [101]]],
    ['one sequence of token ids and strings', ['a', 3, 'b'], [['a', 3, 'b']]],
    ['sequences of token ids and strings', [[3, 'b'], 'a'], [[3, 'b'], 'a']],
  ])('takes %s', async (_, input, inputs) => {
    const { post, engine } = createApi();
    expect((await post(path, { input })).status).toBe(200);
    expect(engine.embedRequests[0]?.inputs).toEqual(inputs);
  });

  it('reads one text with plain fields as it reads every other body', async () => {
    const { post, engine } = createApi();
    const plain = { input: 'a', model: 'all-MiniLM-L6-v2', truncate: true, normalize: false };
    // A field that takes its null only from the validators.
    for (const body of [plain, { ...plain, user: null }]) expect((await post(path, body)).status).toBe(200);
    const [read, validated] = engine.embedRequests;
    expect({ ...read, signal: null }).toEqual({ ...validated, signal: null });
    expect(read).toMatchObject({ inputs: ['a'], truncate: true, normalize: false });
  });

  it.each([
    ['truncate', 'yes'],
    ['truncate', null],
    ['normalize', 1],
    ['model', 7],
    ['dimensions', 'many'],
    ['constructor', 'x'],
  ])('validates `%s` of one text like that of many', async (field, value) => {
    const answer = async (input: unknown) => {
      const response = await createApi().post(path, { input, [field]: value });
      return [response.status, response.status === 200 ? null : (await errorOf(response)).message];
    };
    expect(await answer('a')).toEqual(await answer(['a', 'b']));
  });

  it('takes 2,048 inputs, in order', async () => {
    const input = Array.from({ length: 2048 }, (_, index) => 'x'.repeat(index % 50));
    const body = await (await createApi().post(path, { input })).json();
    expect(body.data.map(({ index }: { index: number }) => index)).toEqual(input.map((_, index) => index));
    expect(body.data[1999].embedding).toEqual([...fakeEmbedding(input[1999] ?? '', 4)]);
  });

  it.each([1, 2, 3, 4, 5, 384])(
    'writes base64 of %i dimensions as little-endian float32 with padding',
    async (dimensions) => {
      const { post } = createApi();
      const body = await (await post(path, { input: ['one', 'three'], dimensions, encoding_format: 'base64' })).json();
      const expected = ['one', 'three'].map((text) =>
        Buffer.from(fakeEmbedding(text, dimensions).buffer).toString('base64'),
      );
      expect(body.data.map(({ embedding }: { embedding: string }) => embedding)).toEqual(expected);
    },
  );

  it('writes floats so that they decode to exactly the same float32 values', async () => {
    const body = await (await createApi().post(path, { input: 'exact', dimensions: 384 })).json();
    expect(body.data[0].embedding).toEqual([...fakeEmbedding('exact', 384)]);
  });

  it('passes every option on in the words of the engine', async () => {
    const { post, engine } = createApi();
    const options = { prompt_name: 'query', truncate: true, truncation_direction: 'Left', normalize: false, user: 'u' };
    await post(path, { input: 'a', dimensions: 2, prompt: 'p: ', ...options });
    expect(engine.embedRequests[0]).toMatchObject({
      model: 'all-MiniLM-L6-v2',
      dimensions: 2,
      prompt: 'p: ',
      promptName: 'query',
      truncate: true,
      truncateSide: 'left',
      normalize: false,
    });
  });

  it('leaves everything at its default, and does not truncate, when only the input is given', async () => {
    const { post, engine } = createApi();
    await post(path, { input: 'a', model: null, dimensions: null, encoding_format: null, unknown_field: { x: 1 } });
    expect(engine.embedRequests[0]).toMatchObject({
      dimensions: null,
      prompt: null,
      promptName: null,
      normalize: null,
      truncate: false,
      truncateSide: 'right',
      maxTokens: null,
    });
  });

  it('says in headers where the time went', async () => {
    const { headers } = await createApi().post(path, { input: 'a' });
    expect(headers.get('x-compute-time')).toBe('31.75');
    expect(headers.get('x-total-time')).toBe('33.76');
    expect(headers.get('x-tokenization-time')).toBe('1.25');
    expect(headers.get('x-queue-time')).toBe('2');
    expect(headers.get('x-inference-time')).toBe('30.5');
    expect(headers.get('x-compute-tokens')).toBe('3');
    expect(headers.get('x-truncated-inputs')).toBe('0');
  });

  it('lets other events run while it writes a long response', async () => {
    const engine = new FakeEngine();
    let turns = 0;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      turns += 1;
      port2.postMessage(null);
    };
    engine.before = () => port2.postMessage(null);
    const input = Array.from({ length: 2048 }, () => 'a');
    await createApi({}, engine).post(path, { input, dimensions: 384 });
    port1.close();
    expect(turns).toBeGreaterThan(3);
  });
});

describe('roles of inputs', () => {
  it.each([
    [{ input_type: 'search_query' }, { promptName: 'query', prompt: null }],
    [{ input_type: 'search_document' }, { promptName: 'passage', prompt: null }],
    [{ input_type: 'passage' }, { promptName: 'passage', prompt: null }],
    [{ task: 'retrieval.query' }, { promptName: 'query', prompt: null }],
    [{ task: 'text-matching' }, { promptName: null, prompt: null }],
    [
      { input_type: 'search_query', prompt_name: 'passage' },
      { promptName: 'passage', prompt: null },
    ],
    [
      { input_type: 'search_query', prompt: '' },
      { promptName: null, prompt: '' },
    ],
  ])('%o takes the prompt of the model', async (fields, expected) => {
    const { post, engine } = createApi();
    await post(path, { input: 'a', ...fields });
    expect(engine.embedRequests[0]).toMatchObject(expected);
  });

  it('embeds a document without the default prompt when the model has a prompt for queries only', async () => {
    const model = fakeModel('m', 'embedding', { spec: { prompts: { query: 'q: ' }, defaultPromptName: 'query' } });
    const { post, engine } = createApi({}, new FakeEngine([model]));
    await post(path, { input: 'a', input_type: 'search_document' });
    expect(engine.embedRequests[0]).toMatchObject({ promptName: null, prompt: '' });
  });

  it('waits for the prompts of a model that is still loading', async () => {
    const { post, engine } = createApi({}, new FakeEngine([fakeModel('m', 'embedding', { state: 'loading' })]));
    await post(path, { input: 'a', input_type: 'query' });
    expect(engine.loads).toEqual(['m']);
    expect(engine.embedRequests[0]).toMatchObject({ promptName: 'query' });
  });
});

describe('bad embedding requests', () => {
  const inputs =
    'a string, an array of token ids, or an array of 1 to 2,048 inputs, each a string or an array of token ids';
  it.each([
    ['no input', {}, 'input', `\`input\` is required: ${inputs}.`],
    ['null', { input: null }, 'input', `\`input\` must be ${inputs}; got null.`],
    ['a number', { input: 7 }, 'input', `\`input\` must be ${inputs}; got number 7.`],
    ['an object', { input: { words: 'a' } }, 'input', `\`input\` must be ${inputs}; got an object.`],
    ['no inputs', { input: [] }, 'input', `\`input\` must be ${inputs}; got an empty array.`],
    [
      '2,049 inputs',
      { input: Array(2049).fill('a') },
      'input',
      `\`input\` must be ${inputs}; got an array of 2,049 items.`,
    ],
    [
      'an empty sequence',
      { input: ['a', []] },
      'input[1]',
      '`input[1]` must be a string or an array of at least one token id; got an empty array.',
    ],
    [
      'a list among strings and token ids',
      { input: ['a', 3, ['b']] },
      'input[2]',
      '`input[2]` must be a token id, an integer of at least 0, or a string among such ids; got an array of 1 items.',
    ],
    [
      'a sequence without a token id',
      { input: ['a', ['b', 'c']] },
      'input[1]',
      '`input[1]` must be a string or an array of at least one token id; got an array of 2 items.',
    ],
    [
      'a negative token id',
      { input: [[1], [2, -1]] },
      'input[1][1]',
      '`input[1][1]` must be a token id, an integer of at least 0; got number -1.',
    ],
    [
      'a fraction as token id',
      { input: [1.5] },
      'input[0]',
      '`input[0]` must be a token id, an integer of at least 0; got number 1.5.',
    ],
    ['a number as model', { input: 'a', model: 7 }, 'model', '`model` must be a string; got number 7.'],
    [
      'an unknown format',
      { input: 'a', encoding_format: 'hex' },
      'encoding_format',
      '`encoding_format` must be one of "float", "base64", "bytes", "bytes_only"; got string "hex".',
    ],
    [
      'zero dimensions',
      { input: 'a', dimensions: 0 },
      'dimensions',
      '`dimensions` must be an integer of at least 1; got number 0.',
    ],
    [
      'a fraction of dimensions',
      { input: 'a', dimensions: 1.5 },
      'dimensions',
      '`dimensions` must be an integer of at least 1; got number 1.5.',
    ],
    [
      'dimensions as text',
      { input: 'a', dimensions: '8' },
      'dimensions',
      '`dimensions` must be an integer of at least 1; got string "8".',
    ],
    [
      'dimensions that no number holds exactly',
      { input: 'a', dimensions: 2 ** 53 },
      'dimensions',
      '`dimensions` must be an integer of at least 1 and at most 9007199254740991; got number 9007199254740992.',
    ],
    ['a number as user', { input: 'a', user: 1 }, 'user', '`user` must be a string; got number 1.'],
    [
      'a word as truncate',
      { input: 'a', truncate: 'yes' },
      'truncate',
      '`truncate` must be true or false; got string "yes".',
    ],
    [
      'a word as normalize',
      { input: 'a', normalize: 1 },
      'normalize',
      '`normalize` must be true or false; got number 1.',
    ],
    [
      'an unknown direction',
      { input: 'a', truncation_direction: 'up' },
      'truncation_direction',
      '`truncation_direction` must be one of "right", "left", "Right", "Left"; got string "up".',
    ],
    ['an object as prompt', { input: 'a', prompt: {} }, 'prompt', '`prompt` must be a string; got an object.'],
    ['a list as body', [1, 2], '', 'The request body must be a JSON object; got an array of 2 items.'],
    ['null as body', null, '', 'The request body must be a JSON object; got null.'],
  ])('%s is named', async (_, body, param, message) => {
    const error = await errorOf(await createApi().post(path, body));
    expect(error).toEqual({
      status: 400,
      type: 'invalid_request_error',
      code: 'invalid_request',
      param: param || null,
      message,
    });
  });

  it('an unknown role names the roles that are known', async () => {
    const error = await errorOf(await createApi().post(path, { input: 'a', input_type: 'haiku' }));
    expect(error).toMatchObject({ status: 400, param: 'input_type' });
    expect(error.message).toMatch(/^`input_type` must be one of query, document, .*; got string "haiku"\.$/);
  });

  it('prototype keys and deep nesting do no harm', async () => {
    const { post } = createApi();
    const hostile = '{"input":"a","__proto__":{"model":7},"constructor":{"prototype":{"x":1}}}';
    expect((await post(path, hostile)).status).toBe(200);
    expect((await post(path, { input: 'a', model: '__proto__' })).status).toBe(200);
    const deep = `{"input":"a","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    expect((await post(path, deep)).status).toBeLessThan(500);
    expect((await post(path, { input: 'a' })).status).toBe(200);
  });
});

describe('createEmbeddings', () => {
  const context = () => ({ engine: new FakeEngine(), api: defaultApiConfig });

  it('gives vectors as views of one buffer', async () => {
    const { data } = await createEmbeddings({ input: ['a', 'bcd'] }, context());
    const [first, second] = data.map(({ embedding }) => embedding as Float32Array);
    expect(first).toEqual(fakeEmbedding('a', 4));
    expect(second).toEqual(fakeEmbedding('bcd', 4));
    expect(first?.buffer).toBe(second?.buffer);
  });

  it('gives base64 text when it was asked for', async () => {
    const { data } = await createEmbeddings({ input: 'abc', encoding_format: 'base64' }, context());
    expect(data[0]?.embedding).toBe(Buffer.from(fakeEmbedding('abc', 4).buffer).toString('base64'));
  });

  it('hands the signal and the progress listener to the engine', async () => {
    const engine = new FakeEngine();
    const { signal } = new AbortController();
    const onProgress = () => {};
    await createEmbeddings({ input: 'a' }, { engine, api: defaultApiConfig, signal, onProgress });
    expect(engine.embedRequests[0]).toMatchObject({ signal, onProgress });
  });
});
