/** Whether the API's options can work; told before the first request, wherever the dialects are made. */
import { type ApiConfig, compatNames, defaultApiConfig, withDefaults } from '../config.js';
import {
  checkObject,
  checkRules,
  isString,
  isText,
  limitFrom,
  numberFrom,
  oneOf,
  orNull,
  type Rules,
  wrongOption,
} from '../rules.js';

const key = orNull(['a string that is not empty', isText]);

const rules = {
  routePrefix: ['empty or a path such as `/ai`', (value) => isString(value) && /^(?:\/[^/]+)*$/.test(String(value))],
  apiKey: key,
  modelPolicy: oneOf(['any', 'strict']),
  aliases: ['an object with a model for each name', isAliases],
  maxRequestTokens: orNull(limitFrom(1)),
  scoreActivation: oneOf(['sigmoid', 'none']),
  compat: oneOf(compatNames),
  keepAliveMs: orNull(numberFrom(0)),
  corsOrigin: orNull(['an origin', isText]),
} satisfies Rules<keyof ApiConfig>;

/** The options with the defaults for those that were not given. Throws as `checkApiConfig` does. */
export function completeApiConfig(given: Partial<ApiConfig>): ApiConfig {
  checkObject(given, 'api');
  // A variable of the environment that was forgotten must not open the API to all.
  if ('apiKey' in given && given.apiKey === undefined) throw wrongOption('apiKey', key[0], given.apiKey);
  const config = withDefaults(defaultApiConfig, given);
  checkApiConfig(config);
  return config;
}

/** Throws `invalid_request` with the option that cannot work. */
export function checkApiConfig(config: ApiConfig): void {
  checkRules(rules, config);
}

function isAliases(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText);
}
