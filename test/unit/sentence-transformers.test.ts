import { describe, expect, it } from 'vitest';
import { describeModel } from '../../src/backend/wasm/architectures.js';
import { findEntry } from '../../src/models/catalogue.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { resolvePrompt } from '../../src/models/prompts.js';
import { parseModules, parsePooling, parsePrompts } from '../../src/models/sentence-transformers.js';
import type { ModelSpec } from '../../src/models/spec.js';
import { loadModelSpec } from '../../src/models/spec-files.js';
import { htmlPage, memoryServer } from './memory-server.js';

const base = 'https://models.example/m/';
const bertConfig = {
  model_type: 'bert',
  architectures: ['BertModel'],
  hidden_size: 8,
  max_position_embeddings: 512,
  vocab_size: 100,
};

function loadSpec(files: Record<string, unknown>, id = 'm'): Promise<ModelSpec> {
  const answers = Object.entries(files).map(([path, value]) => [
    base + path,
    typeof value === 'function' ? (value as () => Response) : JSON.stringify(value),
  ]);
  const { fetch } = memoryServer(Object.fromEntries(answers));
  const opened = openModelFiles({ kind: 'url', base, headers: {}, cache: false }, { fetch });
  return loadModelSpec(opened, { id, repository: id, revision: 'main', entry: findEntry(id) });
}

const modules = (...types: string[]) =>
  types.map((type, idx) => ({ idx, name: String(idx), path: idx === 0 ? '' : `${idx}_${type}`, type: `st.${type}` }));

describe('modules.json', () => {
  it('says where pooling is and whether vectors are normalized', () => {
    expect(parseModules(modules('Transformer', 'Pooling', 'Normalize'))).toEqual({
      poolingPath: '1_Pooling',
      normalize: true,
    });
    expect(parseModules(modules('Transformer', 'Pooling'))).toMatchObject({ normalize: false });
  });

  it('is refused with the name of a module that would be left out', () => {
    expect(() => parseModules(modules('Transformer', 'Pooling', 'Dense'))).toThrow(/st\.Dense/);
    expect(() => parseModules({})).toThrow(/must hold a list/);
  });
});

describe('the pooling file', () => {
  it.each([
    [{ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }, 'cls'],
    [{ pooling_mode_mean_tokens: true }, 'mean'],
    [{ pooling_mode_lasttoken: true }, 'last_token'],
    [{ pooling_mode: 'cls' }, 'cls'],
    [{ pooling_mode: 'lasttoken', pooling_mode_mean_tokens: true }, 'last_token'],
    [{ pooling_mode: ['mean'] }, 'mean'],
    [{}, 'mean'],
  ])('%j means %s', (config, pooling) => {
    expect(parsePooling(config, '1_Pooling/config.json').pooling).toBe(pooling);
  });

  it.each([
    [{ pooling_mode_max_tokens: true }, /max/],
    [{ pooling_mode_cls_token: true, pooling_mode_mean_tokens: true }, /cls \+ mean/],
    [{ pooling_mode: 'weightedmean' }, /weightedmean/],
  ])('%j is refused by name', (config, message) => {
    expect(() => parsePooling(config, '1_Pooling/config.json')).toThrow(message);
  });

  it('says whether the prompt is pooled', () => {
    expect(parsePooling({ include_prompt: false }, 'p').includePrompt).toBe(false);
    expect(parsePooling({}, 'p').includePrompt).toBe(true);
  });
});

describe('config_sentence_transformers.json', () => {
  it('gives prompts, the default prompt and the similarity', () => {
    const value = { prompts: { query: 'q: ' }, default_prompt_name: 'query', similarity_fn_name: 'dot' };
    expect(parsePrompts(value)).toEqual({
      prompts: { query: 'q: ' },
      defaultPromptName: 'query',
      similarity: 'dot',
    });
  });

  it('is refused when the default prompt is not among its prompts', () => {
    expect(() => parsePrompts({ prompts: {}, default_prompt_name: 'query' })).toThrow(/query/);
  });
});

describe('what is known of a model', () => {
  it('comes from its own files', async () => {
    const spec = await loadSpec({
      'config.json': bertConfig,
      'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
      '1_Pooling/config.json': { word_embedding_dimension: 8, pooling_mode_cls_token: true },
      'sentence_bert_config.json': { max_seq_length: 128, do_lower_case: true },
      'config_sentence_transformers.json': { prompts: { query: 'q: ' } },
    });
    expect(spec).toMatchObject({
      task: 'embedding',
      architecture: 'bert',
      pooling: 'cls',
      normalize: true,
      dimensions: 8,
      maxTokens: 128,
      vocabSize: 100,
      prompts: { query: 'q: ' },
      lowercase: true,
    });
  });

  it('is filled from the catalogue only where the files say nothing', async () => {
    const e5 = 'intfloat/multilingual-e5-small';
    const bare = await loadSpec({ 'config.json': bertConfig }, e5);
    expect(bare).toMatchObject({ pooling: 'mean', normalize: true, prompts: { query: 'query: ' }, license: 'mit' });
    const own = await loadSpec(
      {
        'config.json': bertConfig,
        'modules.json': modules('Transformer', 'Pooling'),
        '1_Pooling/config.json': { pooling_mode_cls_token: true },
        'config_sentence_transformers.json': { prompts: { query: 'own: ' } },
      },
      e5,
    );
    expect(own).toMatchObject({ pooling: 'cls', normalize: false, prompts: { query: 'own: ' } });
    expect(own.prompts).not.toHaveProperty('passage');
  });

  it.each([
    ['roberta', 514, 1, 512],
    ['roberta', 514, undefined, 512],
    ['roberta', 514, 3, 510],
    ['xlm-roberta', 8194, 1, 8192],
    ['mpnet', 514, 3, 512],
    ['bert', 512, 3, 512],
  ])('never lets %s with %i positions and the padding id %s read more than %i tokens', async (...given) => {
    const [model_type, max_position_embeddings, pad_token_id, maxTokens] = given;
    const config = { ...bertConfig, model_type, max_position_embeddings, pad_token_id };
    const limits = { 'config.json': config, 'sentence_bert_config.json': { max_seq_length: 100_000 } };
    expect((await loadSpec(limits)).maxTokens).toBe(maxTokens);
    const layers = { num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 8 };
    expect(describeModel({ ...config, ...layers })?.maxTokens).toBe(maxTokens);
  });

  it('takes the limit of the tokenizer unless that stands for none', async () => {
    const limited = { 'config.json': bertConfig, 'tokenizer_config.json': { model_max_length: 77 } };
    expect((await loadSpec(limited)).maxTokens).toBe(77);
    const unlimited = { 'config.json': bertConfig, 'tokenizer_config.json': { model_max_length: 1e30 } };
    expect((await loadSpec(unlimited)).maxTokens).toBe(512);
  });

  it('knows a reranker by its architecture and counts its labels', async () => {
    const config = { ...bertConfig, architectures: ['BertForSequenceClassification'], id2label: { 0: 'LABEL_0' } };
    expect(await loadSpec({ 'config.json': config })).toMatchObject({ task: 'rerank', dimensions: 1 });
  });

  it('takes a page of HTML for a file that a model may lack, never for config.json', async () => {
    const spec = await loadSpec({ 'config.json': bertConfig, 'modules.json': htmlPage });
    expect(spec.pooling).toBe('mean');
    await expect(loadSpec({ 'config.json': htmlPage })).rejects.toMatchObject({ code: 'model_file_invalid' });
  });

  it('is refused with the name of the file that is missing or says too little', async () => {
    await expect(loadSpec({})).rejects.toMatchObject({ code: 'model_file_missing', message: /config\.json/ });
    const pooled = { 'config.json': bertConfig, 'modules.json': modules('Transformer', 'Pooling') };
    await expect(loadSpec(pooled)).rejects.toMatchObject({
      code: 'model_file_missing',
      message: /1_Pooling\/config\.json/,
    });
    const { hidden_size: _, ...widthless } = bertConfig;
    await expect(loadSpec({ 'config.json': widthless })).rejects.toMatchObject({ message: /hidden_size/ });
    await expect(loadSpec({ 'config.json': [] })).rejects.toMatchObject({ code: 'model_file_invalid' });
  });
});

describe('a prompt', () => {
  const spec = { id: 'm', prompts: { search_query: 'q: ', document: 'd: ' }, defaultPromptName: null } as Pick<
    ModelSpec,
    'id' | 'prompts' | 'defaultPromptName'
  > as ModelSpec; // Prompts need nothing else of a model.

  it('that is given outright wins, and an empty one turns the default off', () => {
    const preset = { ...spec, defaultPromptName: 'document' };
    expect(resolvePrompt(preset, {})).toBe('d: ');
    expect(resolvePrompt(preset, { prompt: '' })).toBe('');
    expect(resolvePrompt(preset, { prompt: 'x ', promptName: 'nonsense' })).toBe('x ');
  });

  it('is found under the name that the model uses for its role', () => {
    expect(resolvePrompt(spec, { promptName: 'search_query' })).toBe('q: ');
    expect(resolvePrompt(spec, { promptName: 'query' })).toBe('q: ');
    expect(resolvePrompt(spec, { promptName: 'retrieval.passage' })).toBe('d: ');
  });

  it('of an unknown name is refused with the names that there are', () => {
    expect(() => resolvePrompt(spec, { promptName: 'toString' })).toThrow(/search_query, document/);
    expect(() => resolvePrompt({ ...spec, prompts: {} }, { promptName: 'query' })).toThrow(/it has none/);
  });

  it('of a role is a hint: a model without one takes the text as it is', () => {
    expect(resolvePrompt(spec, { role: 'query' })).toBe('q: ');
    expect(resolvePrompt(spec, { role: 'document' })).toBe('d: ');
    expect(resolvePrompt({ ...spec, prompts: {} }, { role: 'document' })).toBe('');
  });
});
