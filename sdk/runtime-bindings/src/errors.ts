// What host calls refuse with. The codes are the closed enums of the WIT; anything else that a host call throws is a
// fault and passes through untouched.

import type {
  ConfigError as ConfigErrorCode,
  HttpError as HttpErrorCode,
  SecretError as SecretErrorCode,
  StorageError as StorageErrorCode,
} from 'alga:extension/types@1.0.0';

/** Reading a secret was refused. `key` names it; its value is never part of an error. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
  readonly code: SecretErrorCode;
  readonly key: string | undefined;

  constructor(code: SecretErrorCode, key?: string) {
    super(`${code}: ${SECRET_REASONS[code]}${key === undefined ? '' : ` (secret "${key}")`}`);
    this.code = code;
    this.key = key;
  }
}

/** Reading the configuration was refused. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;

  constructor(code: ConfigErrorCode) {
    super(`${code}: ${CONFIG_REASONS[code]}`);
    this.code = code;
  }
}

/** An outbound call got no answer. An answer with a status of 400 or more is an answer, not an error. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: HttpErrorCode;
  readonly target: string;

  /** @param target The origin that was called: path and query may carry secrets. */
  constructor(code: HttpErrorCode, target: string) {
    super(`${code}: ${HTTP_REASONS[code]} (${target})`);
    this.code = code;
    this.target = target;
  }
}

/** A storage operation was refused. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  readonly key: string | undefined;

  constructor(code: StorageErrorCode, key?: string) {
    super(`${code}: ${STORAGE_REASONS[code]}${key === undefined ? '' : ` (key "${key}")`}`);
    this.code = code;
    this.key = key;
  }
}

const SECRET_REASONS: Record<SecretErrorCode, string> = {
  missing: 'the install holds no secret under this key',
  denied: 'the capability is not granted',
  expired: 'the request outlived its authority to read secrets',
  unavailable: 'the secrets backend cannot be reached now',
  internal: 'the host failed',
};

const CONFIG_REASONS: Record<ConfigErrorCode, string> = {
  denied: 'the capability config.read is not granted',
  internal: 'the host failed',
};

const HTTP_REASONS: Record<HttpErrorCode, string> = {
  denied: 'the capability http.fetch is not granted',
  'invalid-url': 'the URL is not an absolute http or https URL',
  'not-allowed': "the origin is not on the install's egress allow-list",
  timeout: 'no answer in time',
  'too-large': 'the request or the answer is over the limit',
  unreachable: 'no connection',
  internal: 'the host failed',
};

const STORAGE_REASONS: Record<StorageErrorCode, string> = {
  missing: 'nothing is stored under this key',
  denied: 'the capability is not granted',
  conflict: 'the expected revision is not the current one',
  'too-large': 'the value is over the limit',
  unavailable: 'the storage cannot be reached now',
  internal: 'the host failed',
};

export const isSecretErrorCode = (value: unknown): value is SecretErrorCode => isKey(SECRET_REASONS, value);
export const isConfigErrorCode = (value: unknown): value is ConfigErrorCode => isKey(CONFIG_REASONS, value);
export const isHttpErrorCode = (value: unknown): value is HttpErrorCode => isKey(HTTP_REASONS, value);
export const isStorageErrorCode = (value: unknown): value is StorageErrorCode => isKey(STORAGE_REASONS, value);

function isKey(table: object, value: unknown): boolean {
  return typeof value === 'string' && Object.hasOwn(table, value);
}

/**
 * Runs a host call. A refusal (the engine throws an object whose `payload` is the WIT error value) becomes the error
 * that `refusal` builds.
 */
export function callHost<Code, Result>(
  call: () => Result,
  isCode: (value: unknown) => value is Code,
  refusal: (code: Code) => Error,
): Result {
  try {
    return call();
  } catch (thrown) {
    if (typeof thrown === 'object' && thrown !== null && 'payload' in thrown && isCode(thrown.payload)) {
      throw refusal(thrown.payload);
    }
    throw thrown;
  }
}
