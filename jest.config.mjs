// One configuration for every project: jest runs with --rootDir set to the project.
import { fileURLToPath } from 'node:url';

export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/.runtime/'],
  modulePathIgnorePatterns: ['/dist/', '/.runtime/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } },
    ],
  },
  reporters: ['default', fileURLToPath(new URL('scripts/jest-totals.mjs', import.meta.url))],
  testTimeout: 30_000,
  // Two cores, and two projects at a time.
  maxWorkers: 2,
};
