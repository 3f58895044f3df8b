/** Whether the API's options can work; told before the first request, wherever the dialects are made. */
import { type ApiConfig, defaultApiConfig, withDefaults } from '../config.js';
import { VecinityError } from '../errors.js';

/** The options with the defaults for those that were not given. Throws as `checkApiConfig` does. */
export function completeApiConfig(given: Partial<ApiConfig>): ApiConfig {
  // A variable of the environment that was forgotten must not open the API to all.
  if ('apiKey' in given && given.apiKey === undefined) throw wrongKey();
  const config = withDefaults(defaultApiConfig, given);
  checkApiConfig(config);
  return config;
}

/** Throws `invalid_request` with the option that cannot work. */
export function checkApiConfig({ routePrefix, apiKey }: ApiConfig): void {
  if (!/^(?:\/[^/]+)*$/.test(routePrefix)) {
    const message = `\`routePrefix\` must be empty or a path such as \`/ai\`; got ${JSON.stringify(routePrefix)}.`;
    throw new VecinityError('invalid_request', message, { param: 'routePrefix' });
  }
  if (apiKey === '') throw wrongKey();
}

function wrongKey(): VecinityError {
  return new VecinityError('invalid_request', '`apiKey` must be null or a string that is not empty.', {
    param: 'apiKey',
  });
}
