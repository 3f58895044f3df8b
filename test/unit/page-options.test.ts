/** Which of a page's options are refused before there is a worker. */
import { expect, it } from 'vitest';
import { checkPageOptions, type VecinityOptions } from '../../src/page/options.js';

const anything = () => {};

it.each(['model', 'revision', 'device', 'maxQueue', 'apiKey', 'aliases'])(
  'a function or a symbol as %s cannot be posted to the worker',
  (name) => {
    for (const value of [anything, Symbol('s')]) {
      const error = { code: 'invalid_request', param: name };
      expect(() => checkPageOptions({ [name]: value })).toThrow(expect.objectContaining(error));
    }
  },
);

it('what is called here may be a function, and so may whatever else the settings of a site hold', () => {
  const settings = {
    model: null,
    onProgress: anything,
    createWorker: () => ({}) as Worker,
    onChange: anything,
    mark: Symbol('s'),
  };
  expect(() => checkPageOptions(settings as VecinityOptions)).not.toThrow();
});
