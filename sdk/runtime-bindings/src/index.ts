/// <reference path="./generated/guest.d.ts" />

export type { ConfigClient, ConfigValue } from './config.ts';
export { ConfigError, HttpError, SecretError, StorageError } from './errors.ts';
export { handler } from './handler.ts';
export type { HttpClient, HttpOptions, HttpResult } from './http.ts';
export type { Logger } from './logging.ts';
export type { ExtensionRequest } from './request.ts';
export { type ExtensionResponse, json } from './response.ts';
export type { SecretsClient } from './secrets.ts';
export type { Handler, HandlerInput } from './serve.ts';
export type { PutOptions, StorageClient, StoredEntry } from './storage.ts';
