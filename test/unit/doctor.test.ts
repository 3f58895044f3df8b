import { describe, expect, it } from 'vitest';
import { percentile } from '../../src/cli/bench.js';
import { checkMemory, checkNode, checkThreads } from '../../src/cli/doctor.js';

describe('vecinity doctor', () => {
  it.each([
    ['18.20.0', 'failure'],
    ['20.15.1', 'failure'],
    ['20.16.0', 'ok'],
    ['24.1.0', 'ok'],
  ])('judges Node %s: %s', (version, state) => {
    expect(checkNode(version)).toMatchObject({ state, detail: version });
  });

  it('warns where one thread has to do', () => {
    expect(checkThreads(8, true).state).toBe('ok');
    expect(checkThreads(8, false)).toMatchObject({
      state: 'warning',
      detail: '8 cores, memory cannot be shared between threads',
    });
    expect(checkThreads(1, true).state).toBe('warning');
  });

  it('warns of little memory and says what helps', () => {
    expect(checkMemory(4 * 2 ** 30)).toMatchObject({ state: 'ok', detail: '4096 MiB free' });
    expect(checkMemory(100 * 2 ** 20)).toMatchObject({
      state: 'warning',
      advice: expect.stringContaining('--dtype q8'),
    });
  });
});

describe('a percentile', () => {
  it('is a value that was measured', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
    expect(percentile([1, 2, 3, 4], 0.95)).toBe(4);
    expect(percentile([7], 0.5)).toBe(7);
  });
});
