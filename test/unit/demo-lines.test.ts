import { describe, expect, test } from 'vitest';
import { fitLabel, type LabelRoom } from '../../demo/labels.js';
import { maxSentences, numberLines, readSentences } from '../../demo/lines.js';

describe('the lines of the editor', () => {
  test('become sentences: trimmed, in order, without those that have no text', () => {
    expect(readSentences('  one \n\n\ttwo\r\n   \nthree')).toEqual({ texts: ['one', 'two', 'three'], dropped: 0 });
    expect(readSentences(' \n ')).toEqual({ texts: [], dropped: 0 });
  });

  test('beyond the limit are counted and left out', () => {
    const text = Array.from({ length: maxSentences + 3 }, (_, index) => `line ${index}`).join('\n\n');
    const { texts, dropped } = readSentences(text);
    expect(texts).toHaveLength(maxSentences);
    expect(texts.at(-1)).toBe(`line ${maxSentences - 1}`);
    expect(dropped).toBe(3);
  });

  test('carry the numbers that their sentences have on the map', () => {
    expect(numberLines('a\n\n b').map(({ number }) => number)).toEqual([1, null, 2]);
    const numbers = numberLines(
      Array(maxSentences + 1)
        .fill('x')
        .join('\n'),
    ).map(({ number }) => number);
    expect(numbers.slice(-2)).toEqual([maxSentences, null]);
  });
});

describe('a label of an axis', () => {
  const room = (width: number, lines: number): LabelRoom => ({ width, lines, measure: (text) => [...text].length });

  test('stays as it is where it fits', () => {
    expect(fitLabel('short', room(5, 1))).toEqual(['short']);
    expect(fitLabel('', room(5, 1))).toEqual([]);
  });

  test('is wrapped between words and never begins a line with punctuation', () => {
    expect(fitLabel('about the year 1450.', room(14, 3))).toEqual(['about the year', '1450.']);
    expect(fitLabel('around 1450.', room(11, 2))).toEqual(['around', '1450.']);
  });

  test('is cut with one ellipsis on its last line', () => {
    expect(fitLabel('one two three four', room(8, 2))).toEqual(['one two', 'three f…']);
    expect(fitLabel('abcdefgh', room(4, 3))).toEqual(['abc…']);
  });

  test('is never cut inside a grapheme', () => {
    const family = '👩‍👩‍👧‍👦';
    const measure = (text: string) => [...new Intl.Segmenter().segment(text)].length;
    expect(fitLabel(family.repeat(3), { width: 2, lines: 1, measure })).toEqual([`${family}…`]);
  });
});
