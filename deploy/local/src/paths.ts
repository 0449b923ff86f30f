import path from 'node:path';

/** The folder of the clone. Everything the stack starts from, and `.runtime/`, is found from here, never from the working directory. */
export const repositoryRoot = path.resolve(import.meta.dirname, '../../..');

/** Where everything that must not be committed lives: unpacked servers, data, keys, logs, records of running processes. */
export const defaultRuntimeDir = path.join(repositoryRoot, '.runtime');
