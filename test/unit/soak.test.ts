/** The soak's own parts: its options, its chance, what it counts, and what it calls wrong. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../scripts/command-line.js';
import { parseOptions } from '../soak/options.js';
import type { Ask, Reply } from '../soak/page/subject.js';
import { Random } from '../soak/random.js';
import { Tally } from '../soak/tally.js';
import { cpuSubject, Workload } from '../soak/workload.js';

describe('the options of the soak', () => {
  test('are ten minutes and four tabs when nothing is said, with a seed by chance', () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ minutes: 10, tabs: 4, json: null, gpu: false, faults: null, help: false });
    expect(options.seed).toSatisfy(Number.isInteger);
  });

  test('are what the command line says', () => {
    const args = ['--minutes', '0.5', '--seed', '7', '--json', 'out.json', '--tabs', '3', '--gpu'];
    const faults = ['hub-cut', 'gpu-crashed'];
    expect(parseOptions([...args, '--faults', 'hub-cut,gpu-crashed'])).toEqual({
      ...{ minutes: 0.5, seed: 7, tabs: 3, json: 'out.json', gpu: true, faults, help: false },
    });
  });

  test.each([
    [['--minutes', 'ten'], '--minutes'],
    [['--minutes', '0'], '--minutes'],
    [['--minutes', ''], '--minutes'],
    [['--seed', '1.5'], '--seed'],
    [['--seed', '-1'], '--seed'],
    [['--tabs', '1'], '--tabs'],
    [['--hours', '1'], '--hours'],
    [['--faults', 'hub-cut,rain'], '--faults'],
    [['--faults', 'gpu-crashed'], '--faults'],
  ])('%j is refused by name', (args, option) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(option);
  });
});

describe('chance from a seed', () => {
  test('is the same for the same seed, and another for another', () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 20 }, () => random.between(0, 1_000_000));
    };
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(6));
  });

  test('keeps to its bounds and reaches both of them', () => {
    const random = new Random(1);
    const drawn = new Set(Array.from({ length: 500 }, () => random.between(2, 5)));
    expect([...drawn].sort()).toEqual([2, 3, 4, 5]);
    expect(() => random.pick([])).toThrow(RangeError);
  });
});

describe('what is counted', () => {
  test('is written with exactly these members; every request that was sent has one end', () => {
    const tally = new Tally();
    tally.record('embed', { type: 'answered' });
    tally.record('embed', { type: 'wrong', detail: 'other numbers' });
    tally.record('cancel', { type: 'refused', code: 'aborted', message: 'You called it off.' });
    tally.record('fetch', { type: 'lost', detail: 'no answer' });
    tally.record('bulk', { type: 'dropped' });
    tally.fault('tab-closed');
    tally.fault('tab-closed');
    expect(tally.counts).toEqual({ sent: 4, answered: 2, refused: 1, lost: 1, wrong: 1, faults: { 'tab-closed': 2 } });
    expect(tally.summary).toContain('1 more ended with their own tab');
    expect(tally.summary).toContain('aborted 1');
    expect(tally.summary).toContain('1 x aborted (cancel): You called it off.');
  });

  test('says what became of devices that compute wrong numbers', () => {
    const tally = new Tally();
    tally.device({ wrongDevice: 'began', place: 'model (onnx, webgpu)' });
    tally.device({ wrongDevice: 'refused', place: 'model (onnx, webgpu)' });
    tally.device({ wrongDevice: 'replaced', place: 'model (wasm, wasm)' });
    expect(tally.summary).toContain('began: model (onnx, webgpu) 1, refused: model (onnx, webgpu) 1');
    expect(tally.summary).toContain('replaced: model (wasm, wasm) 1');
  });

  test('fails the run by a single loss or a single wrong answer, and by nothing else', () => {
    const codeAfter = (...outcomes: Parameters<Tally['record']>[1][]) => {
      const tally = new Tally();
      for (const outcome of outcomes) tally.record('embed', outcome);
      return tally.exitCode;
    };
    expect(
      codeAfter({ type: 'answered' }, { type: 'refused', code: 'overloaded', message: '' }, { type: 'dropped' }),
    ).toBe(0);
    expect(codeAfter({ type: 'answered' }, { type: 'lost', detail: '' })).toBe(1);
    expect(codeAfter({ type: 'answered' }, { type: 'wrong', detail: '' })).toBe(1);
  });
});

describe('an answer', () => {
  const vectors: Record<string, number[]> = { a: [1, 0], b: [0, 1] };
  const ranking = { query: 'q', documents: ['x', 'y'], scores_sigmoid: [0.25, 0.75] };
  const reply = (values: number[]): Reply => ({
    values: Buffer.from(Float32Array.from(values).buffer).toString('base64'),
  });
  const honest = (ask: Ask) =>
    'documents' in ask
      ? reply(ask.documents.map((document) => (document === 'x' ? 0.25 : 0.75)))
      : reply(ask.texts.flatMap((text) => vectors[text] ?? []));
  const learned = async () => {
    const workload = new Workload(cpuSubject, new Map(Object.entries(vectors)), ranking);
    await workload.learn(async (ask) => honest(ask));
    return workload;
  };
  const both: Ask = { kind: 'embed', texts: ['a', 'b'] };
  const pair: Ask = { kind: 'rerank', query: 'q', documents: ['y', 'x'] };

  test('is right when it is the golden, with the bits that the undisturbed engine gave', async () => {
    const workload = await learned();
    expect(workload.judge(both, honest(both))).toEqual({ type: 'answered' });
    expect(workload.judge(pair, honest(pair))).toEqual({ type: 'answered' });
  });

  test.each([
    ['two vectors that changed places', both, [0, 1, 1, 0]],
    ['a last bit that differs', both, [1, 0, 1e-7, 1]],
    ['a vector too few', both, [1, 0]],
    ['a vector that is not a number', both, [1, 0, Number.NaN, 1]],
    ['scores that changed places', pair, [0.25, 0.75]],
    ['a score too many', pair, [0.75, 0.25, 0.5]],
    ['no score', pair, []],
  ])('is wrong with %s', async (_name, ask, values) => {
    const workload = await learned();
    expect(workload.judge(ask, reply(values)).type).toBe('wrong');
  });

  test('that is an error with a code is a refusal, one without is a loss', async () => {
    const workload = await learned();
    const failure = { name: 'Error', message: 'why' };
    expect(workload.judge(both, { ...failure, code: 'overloaded' })).toEqual({
      ...{ type: 'refused', code: 'overloaded', message: 'why' },
    });
    expect(workload.judge(both, { ...failure, code: null }).type).toBe('lost');
  });

  test('that finds fault with a request of the soak is a loss, and so is an abort that nobody asked for', async () => {
    const workload = await learned();
    const failure = { name: 'Error', message: 'why' };
    for (const code of ['unsupported_task', 'model_not_found', 'internal_error', 'aborted'])
      expect(workload.judge(both, { ...failure, code })).toEqual({ type: 'lost', detail: `refused as ${code}: why` });
    const cancel: Ask = { kind: 'cancel', texts: ['a'], abortAfterMs: 1 };
    expect(workload.judge(cancel, { ...failure, code: 'aborted' }).type).toBe('refused');
  });

  test('of an undisturbed engine that is far from the goldens ends the soak before it begins', async () => {
    const workload = new Workload(cpuSubject, new Map(Object.entries(vectors)), ranking);
    await expect(workload.learn(async () => reply([1, 1, 1, 1]))).rejects.toThrow('undisturbed');
  });
});
