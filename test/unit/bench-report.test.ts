import { describe, expect, it } from 'vitest';
import { formatReport, formatTable, toRatios, toRows } from '../../bench/report.js';
import type { SystemResult } from '../../bench/rounds.js';
import { toMatrix } from '../../bench/statistics.js';
import { listSystems, selectSystems } from '../../bench/systems.js';

const systems = listSystems({
  model: 'all-MiniLM-L6-v2',
  pooling: 'mean',
  maxTokens: 256,
  cores: 2,
  peerModels: true,
  committedModel: true,
});

/** A result as a run leaves it: every form took `bulkMs`, every query `queryMs`. */
function resultOf(key: string, { bulkMs = [1000], queryMs = [10], text128Ms = [] as number[], readyMs = [300] }) {
  const system = systems.find((candidate) => candidate.key === key);
  if (system === undefined) throw new Error(`There is no system ${key}.`);
  const result: SystemResult = {
    system,
    description: 'a description',
    forms: system.forms.map((form) => ({
      form,
      bulkMs,
      goldens: { mean: 0.99, min: 0.98 },
      vectors: toMatrix([[1, 0]]),
      retrieval: null,
    })),
    queryMs,
    text128Ms,
    readyMs,
    peakBytes: [50e6, 60e6],
    restartBytes: [0],
    tokenizingShare: 0.04,
    failure: null,
  };
  return result;
}

const corpus = { name: 'mixed', count: 100 };

describe('rows', () => {
  it('give the fastest pass as speed, and beside it the median', () => {
    const [row] = toRows([resultOf('vecinity-default', { bulkMs: [1000, 500, 2000] })], corpus);
    expect(row).toMatchObject({ system: 'Vecinity', config: 'default, 2 threads, one call', corpus: 'mixed' });
    expect(row).toMatchObject({ textsPerSecond: 200, medianTextsPerSecond: 100, p50Ms: 1000, calls: 3 });
    expect(row).toMatchObject({ cosineMean: 0.99, cosineMin: 0.98, peakMegabytes: 60, readyMs: 300 });
  });

  it('have one line for each way of calling a system, and one for its single queries', () => {
    const rows = toRows([resultOf('transformers-fp32-2t', { queryMs: [4, 8, 6] })], corpus);
    expect(rows.map(({ config }) => config)).toEqual([
      'fp32, 2 threads, one text at a time',
      'fp32, 2 threads, sorted batches of 16',
      'fp32, 2 threads, batches of 16 as given',
      'fp32, 2 threads, one text at a time',
    ]);
    expect(rows.at(-1)).toMatchObject({ corpus: 'single query of 8 tokens', p50Ms: 6, textsPerSecond: 250 });
  });

  it('compare the vectors of the corpus with those of the fp32 peer', () => {
    const ours = resultOf('vecinity-default', {});
    for (const form of ours.forms) form.vectors = toMatrix([[0.6, 0.8]]);
    const alone = toRows([ours], corpus);
    const beside = toRows([ours, resultOf('transformers-fp32-2t', {})], corpus);
    expect(alone[0]?.corpusCosineMean).toBeNull();
    expect(beside[0]?.corpusCosineMean).toBeCloseTo(0.6, 6);
  });

  it('leave out what was not measured', () => {
    expect(toRows([resultOf('vecinity-default', { bulkMs: [], queryMs: [] })], corpus)).toEqual([]);
  });
});

describe('ratios', () => {
  const results = [
    resultOf('transformers-q8-2t', { bulkMs: [4000], queryMs: [9, 9, 9], readyMs: [900] }),
    resultOf('transformers-fp32-2t', { bulkMs: [8000], queryMs: [12, 12, 12], readyMs: [1500] }),
    resultOf('vecinity-default', { bulkMs: [1000], queryMs: [2, 2, 2], readyMs: [300] }),
  ];

  it('are taken against the best that the peer did in the same run', () => {
    const ratios = toRatios(toRows(results, corpus));
    expect(ratios.map(({ what, ratio }) => [what, ratio])).toEqual([
      ['bulk: default against its best of all', 4],
      ['bulk: default against its best fp32', 8],
      ['bulk: default against its usual form', 8],
      ['query: median, default against its best', 4.5],
      ['query: 95th percentile, default against its best', 4.5],
      ['ready: default against its quickest', 3],
    ]);
  });

  it('are left out where one side did not run', () => {
    expect(toRatios(toRows(results.slice(2), corpus))).toEqual([]);
  });

  it('compare one thread with one thread', () => {
    const single = [
      resultOf('transformers-q8-1t', { text128Ms: [60] }),
      resultOf('vecinity-default-1t', { text128Ms: [30] }),
    ];
    const ratio = toRatios(toRows(single, corpus)).find(({ what }) => what.includes('128 tokens'));
    expect(ratio).toMatchObject({ ratio: 2, ours: '30.0 ms', theirs: '60.0 ms (q8, 1 thread, one text at a time)' });
  });
});

describe('the report', () => {
  it('shows why a system failed', () => {
    const failed: SystemResult = {
      ...resultOf('vecinity-f32', { bulkMs: [], queryMs: [], readyMs: [] }),
      failure: 'out of memory',
    };
    expect(formatReport([], [failed])).toContain('vecinity-f32: out of memory');
  });

  it('aligns numbers to the right and words to the left', () => {
    const table = formatTable([
      ['system', 'ms'],
      ['a', '12.5'],
      ['bb', '–'],
    ]);
    expect(table.split('\n')).toEqual(['  system    ms', '  a       12.5', '  bb         –']);
  });
});

describe('the choice of systems', () => {
  it('takes every system whose key contains a word', () => {
    expect(selectSystems(systems, ['q8-1t', 'onnx']).map(({ key }) => key)).toEqual([
      'transformers-q8-1t',
      'vecinity-onnx-f32',
      'vecinity-onnx-q8',
    ]);
    expect(selectSystems(systems, null)).toHaveLength(systems.length);
  });

  it('refuses a word that fits none and names what there is', () => {
    expect(() => selectSystems(systems, ['pytorch'])).toThrow(/no system matches "pytorch".*vecinity-default/);
  });

  it('leaves the peer out where its model files are missing', () => {
    const keys = listSystems({
      model: 'all-MiniLM-L6-v2',
      pooling: 'mean',
      maxTokens: 256,
      cores: 2,
      peerModels: false,
      committedModel: true,
    }).map(({ key }) => key);
    expect(keys).toEqual(['vecinity-default', 'vecinity-default-1t']);
  });
});
