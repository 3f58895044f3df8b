/** Whether the API's options can work; told before the first request, wherever the dialects are made. */
import type { ApiConfig } from '../config.js';
import { VecinityError } from '../errors.js';

/** Throws `invalid_request` with the option that cannot work. */
export function checkApiConfig({ routePrefix, apiKey }: ApiConfig): void {
  if (!/^(?:\/[^/]+)*$/.test(routePrefix)) {
    const message = `\`routePrefix\` must be empty or a path such as \`/ai\`; got ${JSON.stringify(routePrefix)}.`;
    throw new VecinityError('invalid_request', message, { param: 'routePrefix' });
  }
  if (apiKey === '') {
    throw new VecinityError('invalid_request', '`apiKey` must be null or a string that is not empty.', {
      param: 'apiKey',
    });
  }
}
