import { ConfigError, callHost, isConfigErrorCode } from './errors.ts';

type Host = Pick<typeof import('alga:extension/config@1.0.0'), 'get' | 'getAll'>;

export type ConfigValue = string | number | boolean;

/** The install's configuration, as its manifest declares it. */
export interface ConfigClient {
  /** The value under `key`, or undefined where it is not set. @throws ConfigError */
  get(key: string): Promise<ConfigValue | undefined>;
  /** Every value that is set. @throws ConfigError */
  getAll(): Promise<Map<string, ConfigValue>>;
}

export const configClient = (host: Host): ConfigClient => ({
  get: async (key) => {
    const text = callHost(
      () => host.get(key),
      isConfigErrorCode,
      (code) => new ConfigError(code),
    );
    return text === undefined ? undefined : (JSON.parse(text) as ConfigValue);
  },
  getAll: async () => {
    const text = callHost(
      () => host.getAll(),
      isConfigErrorCode,
      (code) => new ConfigError(code),
    );
    // A Map: keys are chosen by tenants.
    return new Map(Object.entries(JSON.parse(text) as Record<string, ConfigValue>));
  },
});
