import { describe, expect, it } from 'vitest';
import { defaultRounds, parseOptions, usage } from '../../bench/options.js';
import { UsageError } from '../../scripts/command-line.js';

describe('the command line of the benchmark', () => {
  it('has defaults for everything', () => {
    expect(parseOptions([])).toEqual({
      json: null,
      corpus: null,
      goldens: null,
      models: null,
      systems: null,
      rounds: defaultRounds,
      quick: false,
      quality: false,
      isolated: true,
      help: false,
    });
  });

  it('takes every option', () => {
    const words = '--json out.json --corpus a.json --goldens g.json --models m --rounds 5 --quality --not-isolated';
    expect(parseOptions([...words.split(' '), '--systems', 'vecinity-default, transformers'])).toMatchObject({
      json: 'out.json',
      corpus: 'a.json',
      goldens: 'g.json',
      models: 'm',
      systems: ['vecinity-default', 'transformers'],
      rounds: 5,
      quality: true,
      isolated: false,
    });
  });

  it('runs one round when it is to be quick, unless told otherwise', () => {
    expect(parseOptions(['--quick']).rounds).toBe(1);
    expect(parseOptions(['--quick', '--rounds', '2']).rounds).toBe(2);
  });

  it.each(['0', '2.5', 'many', '101', ''])('refuses %j rounds and says what is allowed', (rounds) => {
    expect(() => parseOptions([`--rounds=${rounds}`])).toThrow(`from 1 to 100, got "${rounds}"`);
  });

  it('refuses an empty list of systems', () => {
    expect(() => parseOptions(['--systems', ' , '])).toThrow('--systems needs at least one name');
  });

  it.each([['--fast'], ['--json'], ['stray']])('shows the usage for %j', (word) => {
    expect(() => parseOptions([word])).toThrow(UsageError);
    expect(() => parseOptions([word])).toThrow(usage);
  });
});
