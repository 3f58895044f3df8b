import { describe, expect, it } from 'vitest';
import { catalogue, findCanary, findEntry } from '../../src/models/catalogue.js';

describe('the catalogue', () => {
  it('has the seed models', () => {
    expect(catalogue.map((entry) => entry.id)).toEqual(
      expect.arrayContaining([
        'all-MiniLM-L6-v2',
        'bge-small-en-v1.5',
        'bge-base-en-v1.5',
        'bge-large-en-v1.5',
        'bge-m3',
        'bge-reranker-v2-m3',
        'bge-reranker-base',
        'multilingual-e5-small',
        'gte-small',
        'clip-vit-base-patch32',
      ]),
    );
  });

  it('finds a model by id and by repository, in any case of letters', () => {
    expect(findEntry('ALL-minilm-l6-v2')?.id).toBe('all-MiniLM-L6-v2');
    expect(findEntry('BAAI/bge-m3')?.id).toBe('bge-m3');
    expect(findEntry('someone/bge-m3')).toBeNull();
  });

  it('names each model once and gives each complete facts', () => {
    expect(new Set(catalogue.map((entry) => entry.id)).size).toBe(catalogue.length);
    for (const entry of catalogue) {
      expect(entry.repository).toMatch(/^[\w-]+\/[\w.-]+$/);
      expect(entry.dimensions).toBeGreaterThan(0);
      expect(entry.maxTokens).toBeGreaterThan(0);
      expect(entry.license).not.toBe('');
    }
  });

  it('has a canary as wide as its model, of length 1', () => {
    const canary = findCanary('all-MiniLM-L6-v2');
    expect(canary?.embedding).toHaveLength(384);
    expect(Math.hypot(...(canary?.embedding ?? []))).toBeCloseTo(1, 4);
    expect(findCanary('bge-m3')).toBeNull();
  });
});
