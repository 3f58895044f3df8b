/** A few seconds of the soak, so that it works on the day when it is needed. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@playwright/test';
import type { Counts } from '../soak/tally.js';
import { Program } from './program.js';

test('a short soak loses no request, gets no wrong vector, and writes what it counted', async () => {
  test.setTimeout(300_000);
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-soak-'));
  try {
    const file = path.join(folder, 'counts.json');
    const args = ['test/soak/run.mjs', '--minutes', '0.35', '--seed', '1', '--tabs', '3', '--json', file];
    const output = await new Program(process.execPath, args).output();
    expect(output).toContain('with seed 1');
    const counts: Counts = JSON.parse(await readFile(file, 'utf8'));
    expect(Object.keys(counts)).toEqual(['sent', 'answered', 'refused', 'lost', 'wrong', 'faults']);
    expect(counts).toMatchObject({ lost: 0, wrong: 0, sent: counts.answered + counts.refused });
    expect(counts.answered).toBeGreaterThan(20);
    expect(Object.keys(counts.faults).length).toBeGreaterThan(2);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
